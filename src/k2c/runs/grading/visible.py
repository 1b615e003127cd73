"""What a submission may read: Python, its packages, the kit without solutions, and the cached public data."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import k2c
from k2c._system.paths import data_dir, project_root
from k2c._system.yaml_file import read_yaml

KIT = ("course/syllabus.yml", "course/results", "data")  # and the package itself
_COMPUTED = ("features", "kernels", "synthetic_*", "weights")  # in the cache, beside the data sets


def python_path() -> list[str]:
    """Return where this Python looks for modules, without the current folder and the script's."""
    command = [sys.executable, "-P", "-c", "import json, sys; print(json.dumps(sys.path))"]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [entry for entry in json.loads(found.stdout.splitlines()[-1]) if Path(entry).is_absolute()]


def of_python(path: Iterable[str], hidden: Iterable[Path]) -> list[Path]:
    """Return the folders of Python and of its packages, without what is hidden."""
    executable = Path(sys.executable).resolve()
    wanted = {Path(sys.prefix), Path(sys.base_prefix), executable.parent.parent}
    # A path for modules that leads to all that a user has is not followed.
    private = (Path.home(), project_root())
    wanted |= {Path(one) for one in path if not any(has.is_relative_to(one) for has in private)}
    package = Path(k2c.__file__).parent
    if not any(package.is_relative_to(folder) for folder in wanted):
        wanted.add(package)  # an editable installation that finds it by a hook
    return _outermost(part for folder in wanted for part in without(folder, [*hidden]))


def of_kit(root: Path) -> list[Path]:
    """Return the kit's files that a lecture reads. `course/solutions` is none of them."""
    return [root / name for name in KIT if (root / name).exists()]


def of_cache(folder: Path) -> list[Path]:
    """Return the folders of the cache with public data sets, and with what was computed of such."""
    names = read_yaml(data_dir() / "registry.yml") or {}  # its keys; `k2c.datasets` would bring torch
    found = [folder / name for name in names] + [one for name in _COMPUTED for one in folder.glob(name)]
    return sorted(one for one in found if one.is_dir())


def without(folder: Path, hidden: list[Path]) -> list[Path]:
    """Return a folder, or those of its parts that hold nothing of what is hidden."""
    if folder in hidden or not folder.exists():
        return []
    if not any(one.is_relative_to(folder) for one in hidden):
        return [folder]
    return [part for child in sorted(folder.iterdir()) for part in without(child, hidden)]


def _outermost(folders: Iterable[Path]) -> list[Path]:
    kept: list[Path] = []
    for folder in sorted(set(folders)):
        if not any(folder.is_relative_to(one) for one in (*kept, Path("/usr"))):
            kept.append(folder)
    return kept
