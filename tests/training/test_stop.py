"""The stop button, pressed as a front end does it: by a message to a free thread of a kernel that trains."""

import re
import time

import pytest
from jupyter_client.manager import start_new_kernel

TRAIN = """
import time
import torch
from torch import nn
from k2c.display.training import LivePlot, Progress
from k2c.training import Callback, fit

class Wait(Callback):
    def after_batch(self, learner):
        time.sleep(0.02)

torch.manual_seed(0)
model, batches = nn.Linear(4, 2), [(torch.randn(10, 4), torch.randint(2, (10,)))] * 5
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
history = fit(model, batches, loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=100_000, device="cpu",
              callbacks=[Progress(), LivePlot(), Wait()])
print(len(history), history.stopped)
"""


@pytest.fixture
def kernel():
    manager, client = start_new_kernel(kernel_name="python3", startup_timeout=240)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_the_button_stops_a_training_that_keeps_the_main_thread_busy(kernel):
    kernel.control_channel.send(request := kernel.session.msg("create_subshell_request"))
    while (reply := kernel.control_channel.get_msg(timeout=120))["parent_header"]["msg_id"] != request[
        "header"
    ]["msg_id"]:
        pass
    kernel.execute(TRAIN)
    button, deadline, shown, printed = "", time.monotonic() + 240, [], ""
    while time.monotonic() < deadline and not printed:
        message = kernel.get_iopub_msg(timeout=240)
        content = message["content"]
        data = content.get("data", {})
        if message["msg_type"] == "comm_open" and data["state"].get("description") == "Stop":
            button = content["comm_id"]
        elif message["msg_type"] == "comm_msg" and "epoch 2 of" in str(
            data.get("state", {}).get("value", "")
        ):
            press = {"comm_id": button, "data": {"method": "custom", "content": {"event": "click"}}}
            click = kernel.session.msg("comm_msg", press)
            click["header"]["subshell_id"] = reply["content"]["subshell_id"]
            kernel.shell_channel.send(click)
        elif message["msg_type"] in ("display_data", "update_display_data"):
            shown.append(data)
        elif message["msg_type"] == "stream":
            printed = content["text"]
    epochs = int(re.match(r"(\d+) by hand in epoch \1, after \d of 5 batches", printed)[1])
    assert 2 <= epochs < 1000
    assert len(shown) == 4, (
        "a bar and curves, and what is left of both: everything between goes through the widgets"
    )
    bar = next(data for data in shown if "epochs, train_loss" in data["text/plain"])
    assert set(bar) == {"text/plain"}
    curves = shown[-1] if shown[-1] is not bar else shown[-2]
    assert set(curves) == {"image/png", "text/plain"}
