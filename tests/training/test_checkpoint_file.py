"""A checkpoint is as it was written, or it is refused; and a run goes on from the last good one."""

import io
import os
import random
import re

import pytest
import torch
from torch import nn

from k2c._system.sealed import seal
from k2c.training import Checkpoint, CheckpointError, InMemoryLoader, fit, latest, load_checkpoint


@pytest.fixture
def folder(train, tmp_path):
    """Return a folder with the checkpoints of three epochs, the third the best."""
    train(3, callbacks=[Checkpoint(tmp_path, "train_loss")])
    return tmp_path


def sealed(state) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue() + seal(buffer.getvalue(), "checkpoint 3")


def test_no_single_bit_can_change_unnoticed(folder):
    file, chance = folder / "last.pt", random.Random(0)
    whole = file.read_bytes()
    for _ in range(300):
        content = bytearray(whole)
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        file.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"last\.pt is damaged"):
            load_checkpoint(file)


def without(entry: str):
    def change(content: bytes) -> bytes:
        state = torch.load(io.BytesIO(content), weights_only=True)
        return sealed({name: value for name, value in state.items() if name != entry})

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: b"", "no checksum at its end"),
        (lambda content: content[: len(content) // 2], "no checksum at its end"),
        (lambda content: content[:-1], "no checksum at its end"),
        (lambda content: content + b"\n", "no checksum at its end"),
        (lambda content: content[1000:], "its SHA-256 is"),
        (lambda content: b"hello", "no checksum at its end"),
        (lambda content: content[:-120], "of an older version of k2c"),
        (
            lambda content: content[:-120] + seal(content[:-120], "checkpoint 9"),
            "'checkpoint 9', and .* reads",
        ),
        (lambda content: b"junk" + seal(b"junk", "checkpoint 3"), "torch cannot read it"),
        (lambda content: sealed([1, 2]), "it holds a list"),
        (lambda content: sealed({"format": 3}), "its entry 'settings' is missing, and must be dict"),
        (lambda content: sealed({"format": "3"}), "its entry 'format' is str, and must be int"),
        (without("random"), "its entry 'random' is missing"),
    ],
)
def test_every_other_damage_is_a_sentence_that_names_the_file(change, words, folder):
    file = folder / "last.pt"
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(CheckpointError, match=f"{re.escape(str(file))} is .*{words}") as caught:
        load_checkpoint(file)
    assert "best.pt and previous.pt" in str(caught.value) or "previous.pt and best.pt" in str(caught.value)


def test_a_pipe_or_a_folder_is_no_checkpoint(tmp_path):
    (tmp_path / "folder/last.pt").mkdir(parents=True)
    os.mkfifo(tmp_path / "last.pt")
    for place in (tmp_path, tmp_path / "last.pt", tmp_path / "folder"):
        with pytest.raises(CheckpointError, match=r"last\.pt is no ordinary file"):
            load_checkpoint(place)


def test_an_old_checkpoint_of_format_1_is_a_sentence(tmp_path):
    torch.save({"format": 1}, tmp_path / "last.pt")
    with pytest.raises(
        CheckpointError,
        match=r"of an older version of k2c.*start from the beginning, leave `resume_from` out",
    ):
        load_checkpoint(tmp_path)


def test_the_checkpoint_before_stays(train, tmp_path):
    for epochs in range(4):
        train(epochs, callbacks=[Checkpoint(tmp_path, "train_loss")], resume_from=latest(tmp_path))
        assert load_checkpoint(tmp_path / "last.pt")["epoch"] == epochs
        if epochs:
            assert load_checkpoint(tmp_path / "previous.pt")["epoch"] == epochs - 1


def test_a_new_run_in_the_folder_of_another_leaves_nothing_of_that_to_fall_back_to(train, folder):
    train(0, callbacks=[Checkpoint(folder, "train_loss")])
    assert not (folder / "previous.pt").exists()
    assert load_checkpoint(folder / "best.pt")["epoch"] == 0


@pytest.mark.parametrize("damaged", [["last"], ["last", "best"], ["last", "previous"]])
def test_a_run_goes_on_from_the_last_good_checkpoint_and_says_so(damaged, train, tmp_path, same_weights):
    whole, expected = train(5)
    folder = tmp_path / "cut"
    train(3, callbacks=[Checkpoint(folder, "train_loss")])
    for name in damaged:
        content = bytearray((folder / f"{name}.pt").read_bytes())
        content[len(content) // 2] ^= 4
        (folder / f"{name}.pt").unlink()  # previous.pt may be the same file
        (folder / f"{name}.pt").write_bytes(content)
    name, epoch = ("previous", 2) if "best" in damaged else ("best", 3)
    with pytest.warns(
        UserWarning, match=rf"last\.pt is damaged.* from {name}\.pt, which is of epoch {epoch}\."
    ):
        resumed, history = train(5, callbacks=[Checkpoint(folder, "train_loss")], resume_from=latest(folder))
    assert history["train_loss"] == expected["train_loss"]
    assert same_weights(whole, resumed)
    assert load_checkpoint(folder / "previous.pt")["epoch"] == 4


def test_a_damaged_file_does_not_take_the_place_of_a_good_one(train, folder):
    (folder / "last.pt").write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="Training goes on from best"):
        train(4, callbacks=[Checkpoint(folder, "train_loss")], resume_from=folder)
    assert load_checkpoint(folder / "last.pt")["epoch"] == 4
    assert load_checkpoint(folder / "previous.pt")["epoch"] == 2


def test_when_none_is_good_the_run_does_not_start(train, folder):
    for file in folder.glob("*.pt"):
        file.write_bytes(b"damaged")
    with pytest.raises(
        CheckpointError, match=r"last\.pt is damaged.* To start from the beginning, leave `resume_from` out"
    ):
        train(4, callbacks=[Checkpoint(folder, "train_loss")], resume_from=folder)
    with pytest.raises(CheckpointError, match=r"best\.pt is damaged"):
        train(4, callbacks=[Checkpoint(folder, "train_loss")], resume_from=folder / "best.pt")


def test_a_file_that_was_asked_for_by_its_name_has_no_stand_in(train, folder):
    (folder / "best.pt").write_bytes(b"damaged")
    with pytest.raises(
        CheckpointError, match=r"best\.pt is damaged.*last\.pt and previous\.pt beside it are good"
    ):
        train(4, callbacks=[Checkpoint(folder, "train_loss")], resume_from=folder / "best.pt")


def test_a_disk_without_second_names_keeps_the_one_before_too(train, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refuse)
    train(2, callbacks=[Checkpoint(tmp_path, "train_loss")])
    assert load_checkpoint(tmp_path / "previous.pt")["epoch"] == 1


def change_model(state):
    state["model"] = {name: value.tolist() for name, value in state["model"].items()}


def change_loaders(state):
    state["loaders"] = [3]


def change_random(state):
    state["random"] = {"python": 1}


def change_optimizer(state):
    state["optimizer"] = {"groups": []}


@pytest.mark.parametrize("change", [change_model, change_loaders, change_random, change_optimizer])
def test_content_of_another_kind_is_refused_and_nothing_is_taken_from_it(
    change, folder, blobs, make_model, same_weights
):
    state = load_checkpoint(folder)
    change(state)
    (folder / "last.pt").write_bytes(sealed(state))
    model, batches = make_model(), InMemoryLoader(*blobs, batch_size=32, shuffle=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    callbacks = [Checkpoint(folder, "train_loss")]
    before = random.getstate()
    with pytest.raises(CheckpointError, match=r"belongs to another model|does not fit this run"):
        fit(
            model, batches, loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=4, device="cpu",
            callbacks=callbacks, resume_from=folder,
        )  # fmt: skip
    assert same_weights(model, make_model())
    assert random.getstate() == before
    assert not optimizer.state
