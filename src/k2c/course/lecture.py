"""The lecture that is open in this kernel: its checked parameters, its profile and its seeds."""

import importlib.util
import random
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

ASIDE = "# Aside:"  # how a cell begins that stands beside the lecture's main road
SKIPPED = "This cell is an aside, and is skipped: 'everything' is false."  # what is printed in its place

_open: dict[str, Any] = {"profile": "custom", "everything": True}


def open_lecture(name: str, variables: Mapping[str, Any]) -> str:
    """Open a lecture: check its parameters, seed every random generator, set the style of its figures.

    Where a lecture has a parameter `everything` and that is false, cells that begin with `# Aside:` are skipped from
    now on.

    Parameters
    ----------
    name
        The notebook's name, as in `course/syllabus.yml`.
    variables
        The notebook's variables, `globals()`; those named as parameters are read.

    Returns
    -------
    str
        The profile that the parameters make: `lecture` (the defaults), `full`, `smoke`, or `custom`.

    Raises
    ------
    k2c.course.syllabus.ParameterError
        When a parameter is missing, of the wrong type or out of range.
    """
    from k2c._system.machine import keep_to_quota

    keep_to_quota()
    # pydantic and matplotlib load here, so that `import k2c` stays cheap.
    from k2c.course.syllabus import ParameterError, load_syllabus
    from k2c.display.style import use_style

    lecture = load_syllabus().lecture(name)
    missing = [key for key in lecture.parameters if key not in variables]
    if missing:
        raise ParameterError(
            f"The parameter cell of {name} no longer sets {', '.join(missing)}. Put it back."
        )
    values = lecture.resolve({key: variables[key] for key in lecture.parameters})
    _open.update(profile=lecture.profile_of(values), everything=bool(values.get("everything", True)))
    _watch_asides()
    seed_everything(int(values.get("seed", 0)))
    use_style()
    return current_profile()


def current_profile() -> str:
    """Return the profile of the lecture that is open in this process (`custom` when none is)."""
    return str(_open["profile"])


def skip_aside(lines: list[str]) -> list[str]:
    """Return a cell's lines, or a line that says why they are skipped: what IPython calls before it runs a cell."""
    aside = bool(lines) and lines[0].startswith(ASIDE)
    return [f"print({SKIPPED!r})\n"] if aside and not _open["everything"] else lines


def _watch_asides() -> None:
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is not None and skip_aside not in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.append(skip_aside)


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and torch's generators (torch's on every device)."""
    import numpy as np

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries that use the global generator are seeded too
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)
    else:
        sys.meta_path[:] = [_SeedTorch(seed), *(one for one in sys.meta_path if type(one) is not _SeedTorch)]


class _SeedTorch(MetaPathFinder):
    """Seeds torch when it is imported: the import takes two seconds, and a lecture without torch is spared them."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_seed(module: ModuleType) -> None:
                load(module)
                module.manual_seed(self.seed)

            spec.loader.exec_module = load_and_seed  # type: ignore[method-assign]
        return spec
