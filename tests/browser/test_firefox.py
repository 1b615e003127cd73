"""Widgets in Firefox, on a page from the file system; its own WebDriver (BiDi) is the hand."""

import json
import re
import shutil
import subprocess

import pytest
import websocket

from k2c.display.widgets.eyes import SyntheticEye
from k2c.display.widgets.scaling import RingSteps
from k2c.display.widgets.screening import ThresholdSlider
from k2c.runs.site.build import STATIC
from k2c.runs.site.live import write_scripts

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
END = "\ue010"  # the key, as WebDriver writes it
CAPTION = "document.querySelector('.k2c-live[data-widget={}] .k2c-caption').textContent"

pytestmark = pytest.mark.skipif(FIREFOX is None, reason="needs Firefox")


class Firefox:
    """A Firefox without a window, by WebDriver BiDi."""

    def __init__(self, profile):
        command = [FIREFOX, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        addresses = (re.search(r"ws://\S+", line) for line in self.process.stderr)
        address = next(found[0] for found in addresses if found)
        self.socket = websocket.create_connection(f"{address}/session", timeout=120, suppress_origin=True)
        self.call("session.new", capabilities={})
        self.context = self.call("browsingContext.getTree")["contexts"][0]["context"]

    def call(self, method, **parameters):
        self.socket.send(json.dumps({"id": 1, "method": method, "params": parameters}))
        while "id" not in (answer := json.loads(self.socket.recv())):
            pass
        assert answer["type"] == "success", answer
        return answer["result"]

    def open(self, path):
        self.call("browsingContext.navigate", context=self.context, url=path.as_uri(), wait="complete")

    def look(self, expression):
        found = self.call(
            "script.evaluate", expression=expression, target={"context": self.context}, awaitPromise=True
        )
        return found["result"].get("value")  # fmt: skip

    def until(self, expression):
        """Wait, in the page, until an expression is true."""
        self.look(f"new Promise((done) => {{ const look = () => ({expression}) ? done() : setTimeout(look, 50);"
                  " look(); })")  # fmt: skip

    def press(self, key):
        strokes = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self.call("input.performActions", context=self.context,
                  actions=[{"type": "key", "id": "keyboard", "actions": strokes}])  # fmt: skip

    def close(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture
def firefox(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "profile").mkdir()
    firefox = Firefox(str(tmp_path / "profile"))
    yield firefox
    firefox.close()


def test_widgets_answer_in_firefox_as_python_does(firefox, tmp_path):
    threshold = ThresholdSlider([0.1, 0.4, 0.3, 0.8, 0.9, 0.2], [0, 0, 0, 1, 1, 1])
    eye, ring = SyntheticEye(size=64), RingSteps(4)
    widgets = {
        "threshold": (threshold, {"threshold": 0.9}),
        "eye": (eye, {"eye": 42}),
        "ring": (ring, {"workers": 8}),
    }
    places = "".join(f'<div class="k2c-live" data-widget="{name}"></div>' for name in widgets)
    (tmp_path / "live.js").write_text((STATIC / "live.js").read_text())
    write_scripts(tmp_path / "live", {name: widget.live() for name, (widget, _) in widgets.items()})
    page = tmp_path / "index.html"
    page.write_text(f"<!doctype html><title>Widgets</title>{places}<script src=live.js></script>")
    firefox.open(page)
    for name, (widget, changed) in widgets.items():
        place = f"document.querySelector('.k2c-live[data-widget={name}]')"
        firefox.look(f"{place}.scrollIntoView()")
        firefox.until(f"{place}.dataset.live")
        assert firefox.look(CAPTION.format(name)) == widget.still()["text/plain"]
        firefox.look(f"{place}.querySelector('input[type=range]').focus()")
        firefox.press(END)
        words = json.dumps(widget.choose(**changed).still()["text/plain"])
        firefox.until(f"{CAPTION.format(name)} === {words}")
