"""What `fit` measures, how callbacks take part, and what it says when training goes wrong."""

import pytest
import torch
from torch import nn

from k2c.display.training import LivePlot, Progress
from k2c.errors import K2CError
from k2c.metrics import accuracy
from k2c.training import (
    Callback,
    CancelEpoch,
    CancelFit,
    History,
    InMemoryLoader,
    LearningRateSchedule,
    TrainingDiverged,
    evaluate,
    fit,
    predict,
)


def test_fit_learns_and_returns_a_row_an_epoch(train, blobs):
    model, history = train(8, valid=[blobs], metrics={"accuracy": accuracy(3)})
    assert history["epoch"] == list(range(1, 9))
    assert history.columns == ["epoch", "train_loss", "valid_loss", "accuracy", "learning_rate", "seconds"]
    assert history.last["valid_loss"] < 0.5 * history["valid_loss"][0] or history.last["valid_loss"] < 0.1
    assert history.last["accuracy"] > 0.95

    inputs, targets = blobs
    measured = evaluate(model, [(inputs[:70], targets[:70]), (inputs[70:], targets[70:])], {"a": accuracy(3)})
    logits = predict(model, inputs, batch_size=33)
    assert measured["a"] == pytest.approx((logits.argmax(1) == targets).double().mean().item())
    assert model.training, "measuring leaves the model in the mode it was in"


def test_every_epoch_is_told_to_whoever_follows_the_run(train, monkeypatch):
    told = []
    monkeypatch.setattr("k2c.training.learner.tell_epoch", told.append)
    _, history = train(3)
    assert told == history.rows


def test_the_loop_does_what_a_loop_written_out_does(blobs, make_model, same_weights):
    loader = InMemoryLoader(*blobs, batch_size=30, shuffle=True, seed=2)
    by_hand = make_model()
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(2):
        loader.set_epoch(epoch)
        for inputs, targets in loader:
            nn.functional.cross_entropy(by_hand(inputs), targets).backward()
            optimizer.step()
            optimizer.zero_grad()

    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    fit(model, loader, loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=2, device="cpu")
    assert same_weights(model, by_hand)


def test_hooks_run_in_order_and_clean_up_in_reverse(train):
    calls = []

    class Spy(Callback):
        def __init__(self, name, order=0):
            self.name, self.order = name, order

        def before_fit(self, learner):
            calls.append(f"before_fit {self.name}")

        def after_epoch(self, learner):
            calls.append(f"after_epoch {self.name}")

        def after_fit(self, learner):
            calls.append(f"after_fit {self.name}")

    train(1, callbacks=[Spy("late", 5), Spy("first"), Spy("second"), Spy("early", -5)])
    expected = ["early", "first", "second", "late"]
    assert calls[:4] == [f"before_fit {name}" for name in expected]
    assert calls[4:8] == [f"after_epoch {name}" for name in expected]
    assert calls[8:] == [f"after_fit {name}" for name in reversed(expected)]


def test_every_callback_cleans_up_after_an_error(train):
    cleaned = []

    class Careful(Callback):
        def after_fit(self, learner):
            cleaned.append(self)

    class Broken(Careful):
        def after_fit(self, learner):
            super().after_fit(learner)
            raise ValueError("in the clean-up too")

        def after_batch(self, learner):
            raise OSError("broken")

    with pytest.raises(ValueError, match="clean-up"):
        train(1, callbacks=[Careful(), Broken(), Careful()])
    assert len(cleaned) == 3


def test_callbacks_cancel_an_epoch_or_the_fit(train):
    batches = []

    class Cancel(Callback):
        def after_batch(self, learner):
            batches.append((learner.epoch, learner.batch))
            if learner.epoch == 0 and learner.batch == 1:
                raise CancelEpoch
            if learner.epoch == 2:
                raise CancelFit("seen enough")

    class Note(Callback):
        def after_epoch(self, learner):
            seen.append(learner.epoch)

    seen = []
    _, history = train(9, callbacks=[Cancel(), Note()])
    assert batches[:3] == [(0, 0), (0, 1), (1, 0)]
    assert batches[-1] == (2, 0)
    assert seen == history["epoch"] == [1, 2], (
        "a cancelled epoch counts, the epoch in which the fit ended does not"
    )
    assert history.stopped == "seen enough"


def test_warm_up_and_schedules(train):
    rates = []

    class Rates(Callback):
        def after_batch(self, learner):
            rates.append(learner.learning_rate)

    halving = LearningRateSchedule(lambda step: 0.5 ** (step // 7), warm_up_steps=4)
    train(2, callbacks=[halving, Rates()], lr=0.8)
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8, 0.8] + [0.4] * 7)


def diverge(inputs, targets, lr, device="cpu"):
    torch.manual_seed(0)
    model = nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    batches = InMemoryLoader(inputs, targets.float().unsqueeze(1), batch_size=20)
    fit(model, batches, loss=nn.MSELoss(), optimizer=optimizer, epochs=9, device=device)


def test_divergence_is_a_sentence(blobs):
    inputs, targets = blobs
    with pytest.raises(
        TrainingDiverged, match=r"batch \d+ of epoch \d+ is (nan|inf).*try a learning rate of 5, a warm-up"
    ):
        diverge(inputs, targets, lr=50)
    broken = inputs.clone()
    broken[3] = torch.nan
    with pytest.raises(
        TrainingDiverged, match=r"batch 1 of epoch 1 is nan\. Before any step the cause is the data"
    ):
        diverge(broken, targets, lr=0.01)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"device": "warp"}, "no device 'warp'. Leave `device` out"),
        ({"metrics": {"accuracy": None}}, "Pass `valid`"),
    ],
)
def test_wrong_arguments_are_sentences(options, sentence, train):
    with pytest.raises(K2CError, match=sentence):
        train(1, **options)


def test_an_optimizer_of_another_model_is_refused(blobs, make_model):
    optimizer = torch.optim.SGD(make_model().parameters(), lr=0.1)
    with pytest.raises(K2CError, match="holds no parameter of this model"):
        fit(make_model(), [blobs], loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=1)


def test_channels_last_computes_the_same_function():
    def run(channels_last):
        torch.manual_seed(0)
        images, targets = torch.randn(60, 1, 12, 12), torch.randint(2, (60,))
        model = nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.Tanh(), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(512, 2)
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        fit(
            model,
            InMemoryLoader(images, targets, 20),
            loss=nn.CrossEntropyLoss(),
            optimizer=optimizer,
            epochs=3,
            device="cpu",
            channels_last=channels_last,
        )
        return predict(model, images)

    torch.testing.assert_close(run(True), run(False), rtol=1e-4, atol=1e-5)


def test_progress_and_live_plot_work_outside_a_notebook(train, blobs, capsys):
    plot = LivePlot()
    train(3, valid=[blobs], metrics={"accuracy": accuracy(3)}, callbacks=[Progress(), plot])
    assert "epoch 3 of 3" in capsys.readouterr().err
    losses, metric = plot.figure.axes
    assert [line.get_label() for line in losses.lines] == ["train_loss", "valid_loss"]
    assert len(metric.lines[0].get_xdata()) == 3


def test_history_round_trip(train, blobs):
    _, history = train(2, valid=[blobs])
    assert History.from_json(history.to_json()) == history
    table = history.to_pandas()
    assert table.index.tolist() == [1, 2]
    assert table.loc[2, "valid_loss"] == history.last["valid_loss"]
    assert repr(history).startswith("History(2 epochs, train_loss ")
    with pytest.raises(K2CError, match=r"no column 'loss'\. It has: epoch, train_loss"):
        history["loss"]
    with pytest.raises(K2CError, match="not a history"):
        History.from_json("[1, 2]")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda(train, blobs):
    torch.cuda.manual_seed(0)
    model, history = train(8, valid=[blobs], metrics={"accuracy": accuracy(3)}, device="cuda")
    assert next(model.parameters()).is_cuda
    assert history.last["accuracy"] > 0.95
    with pytest.raises(TrainingDiverged):
        diverge(*blobs, lr=50, device="cuda")
