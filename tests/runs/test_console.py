"""What a run says while it runs, where nobody looks at a live table."""

import io
import time

from k2c._system.terminal import Terminal
from k2c.runs.execution import console
from k2c.runs.execution.execute import Run
from k2c.runs.execution.seen import Step


def test_a_pipe_gets_a_line_every_ten_seconds(monkeypatch, tmp_path):
    said = io.StringIO()

    def execute(run, out, listen, environment):
        listen(Step(2, 5, "epoch 1"))
        until = time.monotonic() + 20
        while "epoch 1" not in said.getvalue() and time.monotonic() < until:
            time.sleep(0.01)
        run.status, run.seconds = "ok", 1.0

    monkeypatch.setattr(console, "SECONDS_BETWEEN_LINES", 0.02)
    monkeypatch.setattr(console, "execute_run", execute)
    run = Run("00_tiny", "Tiny", "lecture", {})
    assert console.execute_all([run], tmp_path, Terminal(file=said, width=200))
    assert "running  00_tiny  cell 2 of 5  0." in said.getvalue()
    assert said.getvalue().splitlines()[-1] == "✓ ok  00_tiny  cell 2 of 5  1.0 s"
