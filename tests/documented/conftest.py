"""A kit of three short lectures, with the real one's Makefile, syllabus, solutions and pages, to type commands into."""

import hashlib
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy as copy
from functools import partial
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image

import k2c
from k2c.models import OwnClassifier, backbone

ROOT = Path(__file__).parents[2]
LECTURES = ("01_spam_naive_bayes", "02_lenet_mnist", "05_fundus_transfer")
PROGRAMS = {"k2c": "k2c", "mypy": "mypy", "pytest": "pytest"}
SOLVED = {
    "spam.1": "def probability_there(count, messages, alpha):\n    return (count + alpha) / (messages + 2 * alpha)"
}


class SmallKit:
    """A folder like a clone after `make`, and a shell in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("Makefile", "pyproject.toml", "requirements.lock", ".ci", ".gitignore"):
            take = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            take(ROOT / name, folder / name)
        self._course()
        self._data()
        self._tests()
        self._readers_folders()
        self._environment()

    def __enter__(self) -> "SmallKit":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def shell(self, command: str, real_course: bool = False) -> subprocess.CompletedProcess[str]:
        """Type a command into a shell with the kit's environment; standard output has the errors, too."""
        return subprocess.run(
            ["bash", "-c", f"source .venv/bin/activate && {command}"], cwd=self.folder, text=True, timeout=300,
            env=self.variables(real_course), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """Start a command that goes on until it is stopped, in a session of its own."""
        shutil.rmtree(self.folder / "runtime", ignore_errors=True)
        with (self.folder / "lab.log").open("wb") as log:
            return subprocess.Popen(
                ["bash", "-c", f"source .venv/bin/activate && {command}"], cwd=self.folder, stdout=log, stderr=log,
                env=self.variables(), stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def wait_for_lab(self, process: subprocess.Popen[bytes], patience: float = 120) -> dict[str, str]:
        """Return what a JupyterLab that was started says of itself."""
        until = time.monotonic() + patience
        while time.monotonic() < until and process.poll() is None:
            for file in (self.folder / "runtime").glob("jpserver-*.json"):
                with suppress(ValueError, OSError):  # half written, or written before it listens
                    said = json.loads(file.read_text())
                    socket.create_connection(("127.0.0.1", said["port"])).close()
                    return said
            time.sleep(0.1)
        raise AssertionError((self.folder / "lab.log").read_text())

    def files(self, pattern: str, remove: bool = False) -> list[Path]:
        """Return the files of a pattern, or take them away."""
        found = sorted(self.folder.glob(pattern))
        for path in found if remove else ():
            path.unlink()
        return [] if remove else found

    def variables(self, real_course: bool = False) -> dict[str, str]:
        places = {
            "K2C_HOME": ROOT if real_course else self.folder,
            "K2C_DATA": self.folder / "cache",
            "HOME": self.folder / "home",
            "JUPYTER_RUNTIME_DIR": self.folder / "runtime",
            "MYPY_CACHE_DIR": self.folder / "mypy",
        }
        plain = {"K2C_STUDENT": "off", "COLUMNS": "200", "NO_PROXY": "127.0.0.1", "BROWSER": "true", "CI": ""}
        taken = {"PYTEST_ADDOPTS", "PYTHONPATH", "K2C_OFFLINE", "K2C_REALDATA", "PYTEST_XDIST_WORKER"}
        inherited = {name: value for name, value in os.environ.items() if name not in taken}
        # .ci/browser asks whether there is a Chromium; the test in the small kit opens none.
        return (
            inherited
            | {name: str(place) for name, place in places.items()}
            | plain
            | {"K2C_CHROMIUM": "none"}
        )

    def _course(self) -> None:
        syllabus = yaml.safe_load((ROOT / "course/syllabus.yml").read_text(encoding="utf-8"))
        syllabus["lectures"] = {name: syllabus["lectures"][name] for name in LECTURES}
        for name in ("solutions", "batches"):
            (self.folder / "course" / name).mkdir(parents=True)
        (self.folder / "course/syllabus.yml").write_text(yaml.safe_dump(syllabus, sort_keys=False))
        shutil.copytree(ROOT / "course/site", self.folder / "course/site")
        (self.folder / "notebooks").mkdir()
        for name in LECTURES:
            solutions = yaml.safe_load((ROOT / f"course/solutions/{name}.yml").read_text(encoding="utf-8"))
            kept = {key: value for key, value in solutions.items() if key in SOLVED}
            (self.folder / f"course/solutions/{name}.yml").write_text(yaml.safe_dump(kept, sort_keys=False))
            nbformat.write(self._lecture(name), self.folder / f"notebooks/{name}.ipynb")
        for path in (ROOT / "course/batches").glob("*.yml"):
            batch = yaml.safe_load(path.read_text(encoding="utf-8"))
            if batch["lecture"] in LECTURES:
                smaller = {
                    "lecture": batch["lecture"],
                    "fixed": batch.get("fixed", {}),
                    "sweep": {"list": [{}]},
                }
                for name in (path.name, "name.yml"):
                    (self.folder / "course/batches" / name).write_text(yaml.safe_dump(smaller))

    def _lecture(self, name: str) -> nbformat.NotebookNode:
        """Return a lecture with the real title and parameters, its first exercise, and one claim."""
        real = nbformat.read(ROOT / f"notebooks/{name}.ipynb", as_version=4)
        cells = [new_markdown_cell(real.cells[0].source)]
        cells += [
            new_code_cell(c.source, metadata=c.metadata)
            for c in real.cells
            if "parameters" in c.metadata.get("tags", [])
        ]
        cells.append(new_code_cell(f'import k2c\n\nprofile = k2c.open_lecture("{name}", globals())'))
        if name.startswith("01"):
            stub = next(
                number for number, cell in enumerate(real.cells) if 'k2c.check("spam.1"' in cell.source
            )
            cells += [copy(cell) for cell in real.cells[stub - 1 : stub + 1]]
            cells.append(
                new_code_cell(
                    'from k2c.datasets import load_spam\n\nn = 2 if source == "sms" else len(load_spam(source).texts)'
                )
            )
        else:
            cells.append(new_code_cell("n = 2"))
        cells += [
            new_markdown_cell("## Count"),
            new_code_cell('k2c.guard("examples", n, low=1)\nk2c.record(n=n)'),
        ]
        for number, cell in enumerate(cells):
            cell.id = f"cell-{number}"
        kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
        return new_notebook(cells=cells, metadata={"kernelspec": kernel})

    def _data(self) -> None:
        """Write a registry of what ships and of one small file, under the name of a lecture's data, on a server."""
        (self.folder / "data").mkdir()
        shutil.copytree(ROOT / "data/spam", self.folder / "data/spam")
        (self.folder / "served").mkdir()
        (self.folder / "served/digits").write_bytes(b"0123456789")
        handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(self.folder / "served"))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        registry = yaml.safe_load((ROOT / "data/registry.yml").read_text(encoding="utf-8"))
        hashed = "sha256:" + hashlib.sha256(b"0123456789").hexdigest()
        small = registry["mnist"] | {
            "files": {"digits": {"hash": hashed, "size": 10}},
            "sources": [
                {
                    "kind": "url",
                    "base": f"http://127.0.0.1:{self.server.server_address[1]}/",
                    "downloads": [{"url": "digits", "hash": hashed, "to": "digits"}],
                }
            ],
        }
        kept = {"spam": registry["spam"], "mnist": small}
        (self.folder / "data/registry.yml").write_text(yaml.safe_dump(kept, sort_keys=False))

    def _tests(self) -> None:
        """Write something for ruff, mypy and pytest to look at."""
        one = '"""One."""\n\nONE: int = 1\n'
        (self.folder / "src/k2c").mkdir(parents=True)
        (self.folder / "src/k2c/__init__.py").write_text(one)
        test = "def test_one():\n    assert 1\n"
        for name in ("tests/test_one.py", "tests/test_two.py", "tests/runs/test_three.py"):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(test)
        (self.folder / "tests/browser").mkdir()
        marked = "import pytest\n\n\n@pytest.mark.browser\ndef test_page():\n    assert 1\n"
        (self.folder / "tests/browser/test_page.py").write_text(marked)
        (self.folder / "tests/browser/conftest.py").write_text("")
        (self.folder / "tests/notebooks").mkdir()
        shutil.copy(ROOT / "tests/notebooks/sanitize.cfg", self.folder / "tests/notebooks/sanitize.cfg")

    def _readers_folders(self) -> None:
        """Write what a reader has: a student's notebook, a photograph, and mail."""
        notebook = self._lecture(LECTURES[0])
        for cell in notebook.cells:
            if "exercise" in cell.metadata.get("tags", []):
                cell.source = SOLVED["spam.1"]
        for name in ("submissions", "photographs", "mail/ham", "mail/spam", "home"):
            (self.folder / name).mkdir(parents=True)
        nbformat.write(notebook, self.folder / "submissions/ada.ipynb")
        with zipfile.ZipFile(self.folder / "class.zip", "w") as archive:
            place = "Ada Lovelace_7_assignsubmission_file_/ada.ipynb"
            archive.write(self.folder / "submissions/ada.ipynb", place)
        worksheet = "Identifier,Full name,Status,Grade\nParticipant 7,Ada Lovelace,Submitted for grading,\n"
        (self.folder / "Grades.csv").write_text(worksheet)
        noise = Image.effect_noise((64, 48), 60).convert("RGB")
        noise.save(self.folder / "photographs/noise.png")
        for name in ("new", "photos/dark", "photos/light"):
            (self.folder / name).mkdir(parents=True)
        noise.save(self.folder / "new/noise.png")
        for number in range(8):
            for name, value in (("dark", 20), ("light", 200)):
                Image.blend(noise, Image.new("RGB", noise.size, (value,) * 3), 0.8).save(
                    self.folder / f"photos/{name}/{number}.png"
                )
        features = backbone().n_features
        zero = OwnClassifier(backbone(), ["dark", "light"], np.zeros((1, features)), [0.0])
        zero.save(self.folder / "mine.pt")
        for number in range(4):
            for label in ("ham", "spam"):
                text = f"From: a@b.c\nSubject: {label} {number}\n\nSome {label} number {number}.\n"
                (self.folder / f"mail/{label}/{number}.eml").write_text(text)

    def _environment(self) -> None:
        """Make `.venv` as the Makefile does, but borrow the packages of the Python that runs the tests."""
        venv = self.folder / ".venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
        site = venv / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
        borrowed = sysconfig.get_path("purelib")
        lines = [str(Path(k2c.__file__).parents[1]), f"import site; site.addsitedir({borrowed!r})"]
        (site / "borrowed.pth").write_text("\n".join(lines) + "\n")
        for program, module in PROGRAMS.items():
            text = f"#!{venv}/bin/python\nimport runpy\n\nrunpy.run_module({module!r}, run_name='__main__')\n"
            (venv / "bin" / program).write_text(text)
            (venv / "bin" / program).chmod(0o755)
        (venv / "bin/ruff").symlink_to(Path(sys.executable).with_name("ruff"))
        for name in ("share", "etc"):
            if (Path(sys.prefix) / name).is_dir():
                (venv / name).symlink_to(Path(sys.prefix) / name)
        (venv / ".ready").touch()


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallKit]:
    with SmallKit(tmp_path_factory.mktemp("kit")) as made:
        yield made
