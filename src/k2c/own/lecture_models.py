"""The lectures' own models, trained as the lectures train them, ready to be handed on as web pages."""

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from k2c import training
from k2c.course.results import measured
from k2c.datasets import (
    LabelledImages,
    folds_by_patient,
    load_mnist,
    split_by_patient,
    to_inputs,
)
from k2c.datasets.chest import FINDINGS
from k2c.datasets.fundus import load_fundus
from k2c.datasets.mnist import MNIST_MEAN, MNIST_STD
from k2c.metrics import at_threshold, auc_interval, multilabel_table, operating_point, roc_auc
from k2c.models import (
    LeNet,
    OwnClassifier,
    TransferModel,
    backbone,
    imagenet_classifier,
    on_grid,
    pooled_features,
)
from k2c.models.architectures import Parts
from k2c.models.backbones import Backbone
from k2c.models.catalogue import OFFLINE, About
from k2c.models.grid import train_head
from k2c.models.model_card import NOT_FOR, ModelCard
from k2c.models.preprocessing import Preprocessing
from k2c.own.held_out import between, wilson
from k2c.synthetic.fundus import adjudicate, difficulty, grade_eyes

_DRAWN = "The images that it learnt from are drawn, and so are those that measured it: it knows no patient."
_SPECIFICITY = 0.9


@dataclass(frozen=True)
class LectureModel:
    """A model of a lecture.

    Attributes
    ----------
    own
        The classifier, with its card.
    title
        The heading of its page.
    lecture
        Where it is trained.
    alarm
        The probability of the last class from which it says so, chosen on other images than those that measured it.
    """

    own: OwnClassifier
    title: str
    lecture: str
    alarm: float | None = None


class _Ink(nn.Module):
    """From coloured inputs, normalised, to one channel of light ink on dark paper, as MNIST has it."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return float32 (N, 1, S, S)."""
        grey = inputs.mean(dim=1, keepdim=True)
        middle = (0.5 - MNIST_MEAN) / MNIST_STD
        paper_is_light = grey.mean(dim=(2, 3), keepdim=True) > middle
        return torch.where(paper_is_light, 2 * middle - grey, grey)


def digits() -> LectureModel:
    """Return lecture 2's LeNet, trained on the 60,000 digits of MNIST for three epochs."""
    train, test = load_mnist()
    torch.manual_seed(0)
    net = LeNet()
    batches = training.InMemoryLoader(to_inputs(train.images), train.labels, 100, shuffle=True, seed=0)
    step = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-5)
    training.fit(net, batches, loss=nn.CrossEntropyLoss(), optimizer=step, epochs=3, channels_last=True)
    right = int(
        (training.predict(net.cpu().eval(), to_inputs(test.images)).argmax(dim=1) == test.labels).sum()
    )
    low, high = wilson(right, len(test.labels))
    card = ModelCard(
        f"MNIST: {len(train.labels):,} handwritten digits.",
        f"{right:,} of MNIST's {len(test.labels):,} test digits right: {100 * right / len(test.labels):.2f} % "
        f"(95 % interval {100 * low:.2f} to {100 * high:.2f}).",
        "Cheques, post or exams. It expects one digit in the middle of a square image, with a margin around it, and "
        "takes everything for a digit. It is not a medical device.",
    )
    network, head = lenet_backbone(net)
    own = with_head(network, [str(n) for n in range(10)], head, card)
    return LectureModel(own, "Which digit is it?", "02_lenet_mnist")


def lenet_backbone(net: LeNet) -> tuple[Backbone, nn.Module]:
    """Return LeNet as a network for coloured images of dark or light ink, and its two last layers."""
    layers = dict(net.named_children())
    trunk = nn.Sequential(OrderedDict(ink=_Ink(), **{name: layers[name] for name in list(layers)[:6]}))
    head = nn.Sequential(layers["linear1"], layers["tanh3"], layers["linear2"])
    seen = Preprocessing(28, 28, "bilinear", (MNIST_MEAN,) * 3, (MNIST_STD,) * 3)
    parts = Parts(trunk, nn.Sequential(nn.Flatten()), head, "tanh2", net)
    about = About(
        lambda draw: parts, 800, 431_080, 0.0, seen, "LeCun and others (1998)", "none", "trained here"
    )
    return Backbone("lenet", parts, about), head


def photographs() -> LectureModel:
    """Return lecture 3's network with ImageNet's 1,000 classes."""
    return LectureModel(imagenet_classifier(OFFLINE), "What is in the photograph?", "03_pretrained_imagenet")


def fundus_screening() -> LectureModel:
    """Return the last model of lecture 5: sharp photographs, labels of two graders and a third, balanced epochs.

    Its threshold reaches a specificity of 90 % in five folds of the training patients.
    """
    eyes = load_fundus("synthetic", n=1600, prevalence=0.05, lookalikes=0.1, contrast=0.6, seed=0)
    train, test = split_by_patient(eyes, test_fraction=0.6, seed=0)
    trunk = backbone()
    features, test_features = (pooled_features(trunk, part) for part in (train, test))
    truth, hard = train.table["true_label"].to_numpy(), difficulty(train.table)
    random = np.random.default_rng([0, 3])
    labels = adjudicate(*(grade_eyes(truth, hard, random, rho=0.3) for _ in range(3)))
    judged = np.zeros(len(train))
    for learn, judge in folds_by_patient(train.with_columns(label=labels), n=5, seed=0):
        judged[judge] = _risk(_head(trunk, features[learn], labels[learn]), features[judge])
    alarm = operating_point(judged, labels, specificity=_SPECIFICITY).threshold
    head = _head(trunk, features, labels)
    positives, negatives = int(labels.sum()), int((1 - labels).sum())
    card = ModelCard(
        f"{len(train):,} drawn photographs of the retina of {train.table['patient'].nunique():,} patients, {positives} "
        f"labelled with retinopathy and {negatives} without, on the features of {OFFLINE}.",
        _screening(test, _risk(head, test_features), alarm),
        f"{NOT_FOR} {_DRAWN} How it does on real photographs is not measured: nothing here says that it works on any.",
    )
    own = with_head(trunk, ["no retinopathy", "retinopathy"], head, card, kind="fundus")
    return LectureModel(own, "Does the retina show retinopathy?", "05_fundus_transfer", alarm)


def chest_findings() -> LectureModel:
    """Return lecture 6's linear head on a frozen grid of features, fourteen findings."""
    from k2c.parallel import films

    train, test = films(n_films=1500, image_size=64, enriched=0.5, label_noise=0.1, seed=0)
    network = on_grid(backbone())
    features, test_features = (pooled_features(network, part, size=64) for part in (train, test))
    scale, linear = train_head(features, train.labels, seed=0)
    assert isinstance(scale, nn.BatchNorm1d) and isinstance(linear, nn.Linear)
    mean, variance = scale.get_buffer("running_mean"), scale.get_buffer("running_var")
    layer = nn.Linear(network.n_features, len(FINDINGS))
    layer.weight.data = linear.weight.detach() / (variance + scale.eps).sqrt()
    layer.bias.data = linear.bias.detach() - layer.weight.detach() @ mean
    scores = layer(torch.tensor(test_features)).sigmoid().detach().numpy()
    truth = test.table[[f"true_{name}" for name in FINDINGS]].to_numpy(np.float32)
    table = multilabel_table(scores, truth, FINDINGS)
    each = ", ".join(f"{name} {row['ROC AUC']:.2f}" for name, row in table.iloc[:-1].iterrows())
    area = between(*table.iloc[-1][["ROC AUC", "AUC, low", "AUC, high"]])
    card = ModelCard(
        f"{len(train):,} drawn chest films of {train.table['patient'].nunique():,} patients, in whose labels a tenth "
        f"of the findings is missing, on the features of {OFFLINE}.",
        f"Mean area under the ROC curve over fourteen findings {area}, on {len(test):,} held-out films. Each: {each}.",
        f"{NOT_FOR} {_DRAWN} {on_real_films()}",
    )
    network.preprocessing = replace(network.preprocessing, size=64, resize=64)
    own = with_head(network, list(FINDINGS), layer, card, kind="film", multi_label=True)
    return LectureModel(own, "Which findings does the chest film show?", "06_distributed_chest_xray")


def on_real_films() -> str:
    """Say what lecture 6 measured of this construction on real films."""
    table = measured("real_films")
    films = re.findall(r"\d+ films of ChestX-ray14", table.attrs["made"])[0]
    rows = table.set_index(["construction", "trained on", "pixels"])
    area = between(*rows.loc[("grid head", "synthetic films", 64), ["macro AUC", "low", "high"]])
    return (
        "On real films it is near chance, which is 0.5: a model that learnt from drawn films as this one did had a "
        f"mean area of {area} on {films} (lecture 6)."
    )


LECTURE_MODELS: dict[str, Callable[[], LectureModel]] = {
    "digits": digits,
    "photographs": photographs,
    "fundus_screening": fundus_screening,
    "chest_findings": chest_findings,
}


def with_head(
    network: Backbone, classes: list[str], head: nn.Module, card: ModelCard | None = None, **about: object
) -> OwnClassifier:
    """Return a classifier whose head may have a hidden layer, for export."""
    zero = torch.zeros(len(classes), network.n_features)
    own = OwnClassifier(network, classes, zero, zero[:, 0], card=card, **about)  # type: ignore[arg-type]
    own.network.classifier = head.cpu().eval()
    return own


def _head(trunk: Backbone, features: np.ndarray, labels: np.ndarray) -> nn.Module:
    torch.manual_seed(0)
    head = TransferModel(trunk).head
    batches = training.BalancedLoader(torch.tensor(features), torch.tensor(labels), batch_size=32, seed=0)
    step = torch.optim.AdamW(head.parameters(), lr=1e-3)
    with training.cpu_threads(1):  # the head is too small for two threads
        training.fit(
            head, batches, loss=training.WeightedSoftmax((1.0, 1.0)), optimizer=step, epochs=30, device="cpu"
        )
    return head.eval()


def _risk(head: nn.Module, features: np.ndarray) -> np.ndarray:
    return training.predict(head, torch.tensor(features)).softmax(dim=1)[:, 1].numpy()


def _screening(test: LabelledImages, risks: np.ndarray, alarm: float) -> str:
    truth = test.table["true_label"].to_numpy()
    point, parts = at_threshold(risks, truth, alarm), []
    for name, value, group in (("sensitivity", point.sensitivity, 1), ("specificity", point.specificity, 0)):
        number = int((truth == group).sum())
        low, high = wilson(round(value * number), number)
        parts.append(f"{name} {value:.3f} (95 % interval {low:.3f} to {high:.3f}, {number} eyes)")
    area = between(roc_auc(risks, truth), *auc_interval(risks, truth, patients=test.patients))
    return (
        f"Area under the ROC curve {area}, on {len(test):,} held-out eyes. At the threshold {alarm:.3f}, chosen on the "
        f"training patients for a specificity of {_SPECIFICITY:.0%}: {' and '.join(parts)}."
    )
