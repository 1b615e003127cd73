"""pyproject.toml, the lock and the conda file name the same packages."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib", "pocl": "pocl-binary-distribution"}
EXTRAS_IN_CONDA = ("batch", "dev", "opencl")


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def declared(project):
    texts = [
        *project["dependencies"],
        *(text for extra in EXTRAS_IN_CONDA for text in project["optional-dependencies"][extra]),
    ]
    named = {
        canonicalize_name(requirement.name): requirement.specifier for requirement in map(Requirement, texts)
    }
    del named["k2c"]  # `dev` takes the extras `cuda` and `debug` along, which conda users add with pip
    return named


@pytest.fixture(scope="module")
def conda():
    return yaml.safe_load((ROOT / "environment.yml").read_text())


def locked_versions():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.lstrip().startswith("#")]


def test_conda_names_the_same_packages_and_ranges(conda, declared, project):
    *in_conda, in_pip = [entry for entry in conda["dependencies"] if entry != "pip"]
    *from_pip, this_project = in_pip["pip"]  # what conda-forge does not have, then the kit itself
    assert this_project == "-e ."
    texts = in_conda + from_pip
    requirements = list(map(Requirement, texts))
    python = next(requirement for requirement in requirements if requirement.name == "python")
    assert str(python.specifier) == project["requires-python"]
    named = {
        canonicalize_name(CONDA_NAMES.get(requirement.name, requirement.name)): requirement.specifier
        for requirement in requirements
        if requirement is not python
    }
    assert named == declared


def test_conda_file_follows_condas_strict_syntax(conda):
    rattler = pytest.importorskip("rattler")
    for text in conda["dependencies"]:
        if isinstance(text, str):
            rattler.MatchSpec(text, strict=True)


def test_the_lock_pins_every_declared_package_within_its_range(declared):
    pins = {canonicalize_name(pin.name): pin for pin in locked_versions()}
    assert declared.keys() <= pins.keys()
    for name, allowed in declared.items():
        (exact,) = pins[name].specifier
        assert exact.operator == "=="
        assert allowed.contains(exact.version), f"{name}: {exact.version} is outside {allowed}"


def test_the_lock_is_exact_portable_and_without_hashes():
    text = (ROOT / "requirements.lock").read_text()
    assert "--hash" not in text
    assert not re.search(r"https?://", text)
    assert all(len(pin.specifier) == 1 for pin in locked_versions())
    assert {"torch==2.13.0", "torchvision==0.28.0"} <= set(text.splitlines())


def test_what_is_installed_is_what_is_locked():
    wrong = []
    for pin in locked_versions():
        if pin.marker is not None and not pin.marker.evaluate():
            continue
        try:
            version = metadata.version(pin.name)
        except metadata.PackageNotFoundError:
            continue  # a platform's own build of torch needs fewer packages than the index's
        if not pin.specifier.contains(version):
            wrong.append(f"{pin.name} {version}, locked {pin.specifier}")
    if wrong and not (ROOT / ".venv/.ready").exists():
        pytest.skip("not the environment that make builds")
    assert wrong == []


# A build backend of a few lines, so that pip installs without an index: `wheel` makes any package, empty.
BACKEND = """
import zipfile
from pathlib import Path

def wheel(folder, name, version, more=""):
    file, info = f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    with zipfile.ZipFile(Path(folder) / file, "w") as archive:
        archive.writestr(f"{name}.py", f"VERSION = {version!r}")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n{more}")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(f"{info}/RECORD", "")
    return file

def build_editable(folder, settings=None, metadata=None):
    return wheel(folder, "k2c", "0.1.0", "Requires-Dist: torch>=2.6\\nProvides-Extra: dev\\n")
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "k2c"
version = "0.1.0"
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(("installed_first", "kept"), [("2.13.0+cpu", "2.13.0+cpu"), (None, "2.13.0")])
def test_make_keeps_the_build_of_torch_that_is_installed_already(tmp_path, installed_first, kept):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "backend.py").write_text(BACKEND)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "requirements.lock").write_text("torch==2.13.0\n")
    made: dict[str, Callable[..., str]] = {}
    exec(BACKEND, made)
    index = tmp_path / "index"  # as the package index: the build without a mark is the one for CUDA
    index.mkdir()
    made["wheel"](index, "torch", "2.13.0")
    environment = os.environ | {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(index),
        "PIP_CONFIG_FILE": os.devnull,
        "PYTHONPATH": "",
    }

    def run(*words):
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    if installed_first:  # as README says
        run(sys.executable, "-m", "venv", ".venv")
        run(
            ".venv/bin/python",
            "-m",
            "pip",
            "install",
            str(tmp_path / made["wheel"](tmp_path, "torch", installed_first)),
        )
    run("make", ".venv/.ready", f"PYTHON={sys.executable}")
    shown = run(".venv/bin/python", "-c", "import torch; print(torch.VERSION)")
    assert shown == kept


def test_the_pythons_that_are_named_start_with_the_oldest_that_is_allowed(project):
    named = [text.rpartition(" ")[2] for text in project["classifiers"] if re.search(r":: 3\.\d+$", text)]
    assert named == [f"3.{minor}" for minor in range(11, 11 + len(named))]
    assert project["requires-python"] == f">={named[0]}"


def test_the_container_is_for_a_user_who_is_not_root_and_copies_what_is_there():
    folder = ROOT / ".devcontainer"
    settings = json.loads((folder / "devcontainer.json").read_text(encoding="utf-8"))
    lines = (
        (folder / settings["build"]["dockerfile"])
        .read_text(encoding="utf-8")
        .replace("\\\n", " ")
        .splitlines()
    )
    steps = [line.split() for line in lines if line and not line.startswith("#")]
    users = [words[1] for words in steps if words[0] == "USER"]
    assert users == [settings["remoteUser"]] != ["root"]
    copied = [word for words in steps if words[0] == "COPY" for word in words[1:-1] if word[0] != "-"]
    assert all((ROOT / word).exists() for word in copied)
    # The packages are installed before the rest is copied, so what the set-up reads has to be among the first.
    assert {"pyproject.toml", "requirements.lock", "README.md", "Makefile", "src/k2c/__init__.py"} <= set(
        copied
    )
    assert [words[0] for words in steps][:2] == ["FROM", "RUN"]
