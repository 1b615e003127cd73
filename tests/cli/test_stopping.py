"""Every command ends at Ctrl-C, at `kill` and with its terminal: a sentence, the status, no process left."""

import http.server
import signal
import socketserver
import subprocess
import sys
import threading
import time

import pytest
import yaml

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")

SLEEPS = "from pathlib import Path\nPath('started').write_text('x')\nimport time\ntime.sleep(600)"
SAID = {
    signal.SIGINT: "Stopped by Ctrl-C.",
    signal.SIGTERM: "Stopped by SIGTERM.",
    signal.SIGHUP: "Stopped since its terminal was closed (SIGHUP).",
}
SIGNALS = pytest.mark.parametrize("number", list(SAID), ids=lambda number: number.name)


def check_end(command, number, *, group=True):
    status = command.stop(number, group=group)
    assert status == 128 + number, command.said
    assert command.said.count("Stopped") == 1, command.said
    assert SAID[number] in command.said
    for noise in ("Traceback", "BrokenPipe", "Aborted", "Error:", "leaked"):
        assert noise not in command.said, command.said
    assert command.left_over() == []


@pytest.fixture
def slow_course(tiny_course, edit_cell):
    edit_cell("claim", SLEEPS)
    return tiny_course / "notebooks/started"


@SIGNALS
def test_run(start, slow_course, number, tmp_path):
    command = start("run", "--out", "out")
    command.wait_for(slow_course.exists)
    check_end(command, number, group=number != signal.SIGTERM)
    assert "Report: out/index.html" in command.said
    assert (tmp_path / "out/index.html").is_file()


def test_notebooks(start, slow_course):
    command = start("notebooks")
    command.wait_for(slow_course.exists)
    check_end(command, signal.SIGINT)


@SIGNALS
@pytest.mark.parametrize("where", [[], ["--cluster", "local"]], ids=["local", "cluster"])
def test_batch(start, slow_course, number, tmp_path, where):
    (tmp_path / "trial.yml").write_text("lecture: 00\nsweep: {grid: {steps: [1, 2, 3]}}\n")
    command = start("batch", "trial.yml", "--out", "w [final]", "--workers", "2", *where)
    command.wait_for(slow_course.exists)
    check_end(command, number)
    assert "Go on with: k2c batch resume 'w [final]'" in command.said


def test_a_second_batch_in_a_folder_is_refused_at_once(start, slow_course, tmp_path):
    (tmp_path / "trial.yml").write_text("lecture: 00\nsweep: {grid: {steps: [1]}}\n")
    first = start("batch", "trial.yml", "--out", "out")
    first.wait_for(slow_course.exists)
    second = start("batch", "trial.yml", "--out", "out")
    assert second.process.wait(60) == 2
    assert "Another batch is running in out. Wait for it, or name another folder" in second.said
    check_end(first, signal.SIGINT)


@SIGNALS
def test_grade(start, slow_course, number, tiny_course, tmp_path):
    (tmp_path / "handed-in").mkdir()
    notebook = (tiny_course / "notebooks/00_tiny.ipynb").read_text()
    for name in ("ada", "bob"):
        (tmp_path / f"handed-in/{name}.ipynb").write_text(notebook)
    command = start("grade", "handed-in", "--workers", "2")
    command.wait_for(lambda: "notebooks: 2 at a time" in command.said)
    time.sleep(2)
    check_end(command, number)
    assert "grades.csv" in command.said


@SIGNALS
@pytest.mark.parametrize("strategy", ["single", "all_reduce"])
def test_train(start, number, strategy, tmp_path):
    command = start("train", strategy, "blobs", "-p", "epochs=100000", "--folder", "kept")
    command.wait_for(lambda: list((tmp_path / "kept").rglob("*.pt")))
    check_end(command, number)
    assert "Start it again with --folder kept to go on." in command.said


def test_fine_tune(start, photographs, tmp_path):
    command = start("fine-tune", "photographs", "mine.pt", "--epochs", "1000000")
    command.wait_for(lambda: "features" in command.said)
    check_end(command, signal.SIGINT)
    assert "mine.pt was not written." in command.said
    assert set(tmp_path.iterdir()) == {photographs, command.log}


def test_export(start, tmp_path):
    pytest.importorskip("onnx")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = start("export", "efficientnet_lite0", "--to", "page", "--out", "page.html", TMPDIR=str(scratch))
    command.wait_for(lambda: list(scratch.glob("tmp*")))  # torch is writing the network
    check_end(command, signal.SIGINT)
    assert "page.html was not written." in command.said
    assert set(tmp_path.iterdir()) == {scratch, command.log}
    assert list(scratch.glob("tmp*")) == []


@pytest.fixture
def slow_source(tiny_course):
    """Make a data set whose server sends a little and then nothing more."""

    class Slow(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"x" * 1000)
            self.wfile.flush()
            asked.set()
            over.wait(60)

        def log_message(self, *words):
            pass

    asked, over = threading.Event(), threading.Event()
    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        wanted = {"url": "slow.bin", "hash": "md5:" + "0" * 32, "to": "slow.bin"}
        entry = {
            "title": "Slow",
            "licence": "CC0",
            "citation": "nobody",
            "homepage": address,
            "files": {"slow.bin": {"hash": "md5:" + "0" * 32, "size": 1_000_000}},
            "sources": [{"kind": "url", "base": address, "downloads": [wanted]}],
        }
        (tiny_course / "data/registry.yml").write_text(yaml.safe_dump({"slow": entry}))
        yield asked
        over.set()
        server.shutdown()


@SIGNALS
def test_data_fetch(start, number, slow_source, tmp_path):
    command = start("data", "fetch", "slow", K2C_DATA=str(tmp_path / "cache"))
    command.wait_for(slow_source.is_set)
    check_end(command, number)
    assert "What has arrived is kept" in command.said


@pytest.mark.parametrize("words", [["bench", "mnist"], ["site", "site"]], ids=lambda words: words[0])
@SIGNALS
def test_what_only_computes(start, number, words):
    command = start(*words)
    time.sleep(6)
    check_end(command, number, group=False)


def test_a_signal_before_the_command_has_begun():
    script = """
import os, signal, sys
class Output:
    closed = False
    def reconfigure(self, errors): os.kill(os.getpid(), signal.SIGTERM)
    def write(self, text): return len(text)
    def flush(self): pass
sys.stdout = Output()
from k2c.cli import main
main(["list"])"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (143, "Stopped by SIGTERM.\n")


def test_a_signal_of_which_an_import_makes_an_error_of_its_own():
    script = """
import os, signal
from k2c.cli import main

@main.command("work")
def work():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except KeyboardInterrupt as interrupt:  # as the start of a compiled module does
        raise ImportError("initialization failed") from interrupt
main(["work"])"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (143, "Stopped by SIGTERM.\n")
