"""The lecture that is open in this kernel: its checked parameters, its profile and its seeds."""

import random
from collections.abc import Mapping
from typing import Any

_open: dict[str, str] = {"name": "", "profile": "custom"}


def open_lecture(name: str, variables: Mapping[str, Any]) -> str:
    """Open a lecture: check its parameters, seed every random generator, set the style of its pictures.

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
    k2c.syllabus.ParameterError
        When a parameter is missing, of the wrong type or out of range.
    """
    # pydantic, matplotlib and torch load here, so that `import k2c` stays cheap.
    from k2c.display.style import use_style
    from k2c.syllabus import ParameterError, load_syllabus

    lecture = load_syllabus().lecture(name)
    missing = [key for key in lecture.parameters if key not in variables]
    if missing:
        raise ParameterError(
            f"The parameter cell of {name} no longer sets {', '.join(missing)}. Put it back."
        )
    values = lecture.resolve({key: variables[key] for key in lecture.parameters})
    _open.update(name=name, profile=lecture.profile_of(values))
    seed_everything(int(values.get("seed", 0)))
    use_style()
    return _open["profile"]


def current_lecture() -> str:
    """Return the name of the lecture that is open in this process, or an empty string."""
    return _open["name"]


def current_profile() -> str:
    """Return the profile of the lecture that is open in this process (`custom` when none is)."""
    return _open["profile"]


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and torch's generators (torch's on every device)."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries that use the global generator are seeded too
    torch.manual_seed(seed)
