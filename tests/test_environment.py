"""pyproject.toml, the lock and the conda file name the same packages."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib", "pocl": "pocl-binary-distribution"}
EXTRAS_IN_CONDA = ("dev",)


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
