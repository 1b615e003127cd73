"""Training in a notebook: watched, stopped by the button, closed in the middle and taken up again."""

import re

import psutil
from playwright.sync_api import expect

# A training that takes a second an epoch on any machine, so that a hand has time.
SET_UP = """
import hashlib, os, time
import torch
from torch import nn
from k2c.display.training import LivePlot, Progress
from k2c.metrics import accuracy
from k2c.training import (Callback, Checkpoint, InMemoryLoader, fit, latest)

class Wait(Callback):
    def after_batch(self, learner):
        time.sleep(0.05)

def train(epochs, *callbacks, resume_from=None):
    torch.manual_seed(0)
    model, points = nn.Linear(4, 2), torch.randn(200, 4)
    batches = InMemoryLoader(points, (points[:, 0] > 0).long(), 10, shuffle=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    history = fit(model, batches, batches, loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=epochs,
                  metrics={"accuracy": accuracy(2)}, callbacks=callbacks, resume_from=resume_from, device="cpu")
    weights = hashlib.sha256(model.weight.detach().numpy().tobytes()).hexdigest()
    return history, weights

print("pid", os.getpid())
"""


def outputs_of(notebook, name):
    return notebook.look(
        f"cells.find(cell => cell.model.sharedModel.getId() == '{name}').model.outputs.toJSON()"
    )


def test_the_stop_button_ends_the_training_and_leaves_a_still_image(open_notebook):
    notebook = open_notebook(
        "stop",
        ("set-up", SET_UP),
        ("train", "history, _ = train(500, Progress(), LivePlot(), Wait())"),
        ("after", "print(len(history), history.stopped)"),
    )
    notebook.run_all()
    cell = notebook.cell("train")
    expect(cell).to_contain_text(re.compile(r"epoch ([3-9]|\d\d) of 500"))
    assert len(outputs_of(notebook, "train")) == 2, "a bar and an image, however long it runs"
    early = cell.locator("img").get_attribute("src")
    expect(cell.locator("img")).not_to_have_attribute("src", early)  # the curves grow while it runs
    notebook.image("training")
    cell.get_by_role("button", name="Stop").click()
    notebook.wait_until_done()
    epochs, said = notebook.cell("after").locator(".jp-OutputArea-output").inner_text().split(" ", 1)
    assert 3 <= int(epochs) < 500
    assert said.startswith(f"by hand in epoch {epochs}, after ")
    bar, curves = outputs_of(notebook, "train")
    assert bar["data"] == {"text/plain": bar["data"]["text/plain"]}
    assert bar["data"]["text/plain"].startswith(f"{epochs} of 500 epochs, train_loss 0.")
    assert set(curves["data"]) == {"image/png", "text/plain"}
    expect(cell.get_by_role("button", name="Stop")).to_have_count(0)
    notebook.image("stopped")


def test_a_page_closed_in_mid_training_shows_how_it_ended_when_it_is_opened_again(open_notebook):
    train = "history, _ = train(15, Progress(), LivePlot(), Wait())"
    notebook = open_notebook("page", ("set-up", SET_UP), ("train", train), ("after", "print(len(history))"))
    notebook.run("set-up")
    notebook.run("train")
    expect(notebook.cell("train")).to_contain_text("epoch 2 of 15")
    notebook.save_and_close()
    notebook.open_again()
    cell = notebook.cell("train")
    expect(cell).to_contain_text("15 of 15 epochs, train_loss 0.")
    expect(cell.locator("img")).to_be_visible()
    expect(cell.get_by_role("button", name="Stop")).to_have_count(0)
    notebook.image("opened-again")
    notebook.run("after")
    expect(notebook.cell("after").locator(".jp-OutputArea-output")).to_have_text("15")


def test_a_page_closed_in_mid_training_can_end_it_when_it_is_opened_again(open_notebook):
    train = "train(5000, Progress(), LivePlot(), Wait())"
    notebook = open_notebook("page", ("set-up", SET_UP), ("train", train), ("after", "print('it lives on')"))
    notebook.run("set-up")
    notebook.run("train")
    expect(notebook.cell("train")).to_contain_text("epoch 2 of 5000")
    notebook.save_and_close()
    notebook.open_again()
    notebook.choose("Kernel", "Interrupt Kernel")
    expect(notebook.cell("train")).to_contain_text(re.compile(r"\d of 5000 epochs, train_loss 0."))
    notebook.run("after")
    expect(notebook.cell("after").locator(".jp-OutputArea-output")).to_have_text("it lives on")


def test_a_lecture_shut_down_in_mid_training_leaves_nothing_running_and_is_taken_up_where_it_was(
    open_notebook, tmp_path
):
    keep = f"Checkpoint({str(tmp_path)!r}, 'train_loss')"
    train = f"history, weights = train(12, Progress(), {keep}, Wait(), resume_from=latest({str(tmp_path)!r}))"
    notebook = open_notebook(
        "closed",
        ("set-up", SET_UP),
        ("train", train),
        ("compare", "print(history['epoch'] == list(range(1, 13)), weights == train(12)[1])"),
    )
    notebook.run_all()
    expect(notebook.cell("train")).to_contain_text(re.compile(r"epoch [4-9] of 12"))
    pid = int(re.search(r"pid (\d+)", notebook.cell("set-up").inner_text())[1])
    kernel = psutil.Process(pid)
    running = [kernel, *kernel.children(recursive=True)]
    notebook.shut_down()
    _, alive = psutil.wait_procs(running, 120)
    assert alive == [], "the kernel, or what it started, still runs"
    notebook.wait_until_no_kernel_is_known()
    notebook.open()
    notebook.run_all()
    expect(notebook.cell("train")).to_contain_text(re.compile(r"epoch ([5-9]|1\d) of 12|12 of 12 epochs"))
    notebook.wait_until_done()
    expect(notebook.cell("compare").locator(".jp-OutputArea-output")).to_have_text("True True")
