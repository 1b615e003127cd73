"""A folder of checkpoints: how they are written, checked, and read again."""

import io
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from k2c._system.atomic import atomic_path
from k2c._system.sealed import problem_of, seal
from k2c.errors import K2CError

FORMAT = 3
LAST, PREVIOUS, BEST = "last.pt", "previous.pt", "best.pt"

_KIND = f"checkpoint {FORMAT}"
_SCHEMA = {
    "format": int, "settings": dict, "epoch": int, "steps": int, "model": dict, "optimizer": dict,
    "callbacks": dict, "history": list, "random": dict, "loaders": list,
}  # fmt: skip
# Who reads it has either named the checkpoint, or only the folder of the whole run.
ANEW = (
    "To start from the beginning, leave `resume_from` out of fit(); for parallel.train() and `k2c train`, name another "
    "folder."
)


class CheckpointError(K2CError):
    """A checkpoint is missing, damaged, or belongs to another model, optimiser or set of callbacks."""


def write_checkpoint(state: dict[str, Any], folder: Path, *names: str) -> None:
    """Write a state under each name, in this order; a `last.pt` that is good becomes `previous.pt` first.

    Parameters
    ----------
    state
        What `capture` returned.
    folder
        It is made when it is missing.
    names
        `LAST` or `BEST`.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    content += seal(content, _KIND)
    for name in names:
        if name == LAST:
            _keep_previous(folder, first=state["epoch"] == 0)
        with atomic_path(folder / name) as part:
            part.write_bytes(content)


def _keep_previous(folder: Path, first: bool) -> None:
    """Give `last.pt` its second name, so that there are two good files while the next one is written."""
    last, previous = folder / LAST, folder / PREVIOUS
    if first:  # what lies here is of an earlier run
        previous.unlink(missing_ok=True)
    elif last.is_file() and problem_of(last.read_bytes(), _KIND) is None:
        with atomic_path(previous) as part:
            part.unlink()
            try:
                os.link(last, part)
            except OSError:  # a file system without second names
                shutil.copyfile(last, part)


def latest(folder: str | os.PathLike[str]) -> Path | None:
    """Return the newest checkpoint in `folder`, or None: `fit(..., resume_from=latest(folder))` starts or goes on."""
    paths = Path(folder) / LAST, Path(folder) / PREVIOUS
    return next((path for path in paths if path.is_file()), None)


def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a checkpoint and check all of it; nothing in it is executed.

    Parameters
    ----------
    path
        The file, or a folder that holds `last.pt`.

    Returns
    -------
    dict
        What `capture` returned, on the CPU; the model's weights are in `["model"]`.

    Raises
    ------
    CheckpointError
        When there is no such file, or a single bit of it is not as it was written, or it is something else.
    """
    file = _file(path)
    state = _read(file)
    if isinstance(state, str):
        raise CheckpointError(f"{state} {_advice(file)}")
    return state


def load_to_resume(
    path: str | os.PathLike[str], tell: Callable[[str], object] | None = None
) -> dict[str, Any]:
    """Read the checkpoint that a run goes on from: `path`, or the last good one where that is damaged.

    Parameters
    ----------
    path
        As for `load_checkpoint`. For a folder or its `last.pt`, `previous.pt` and `best.pt` stand in.
    tell
        Takes the sentence that says so; a warning, when it is left out.

    Raises
    ------
    CheckpointError
        When none of them is good.
    """
    file = _file(path)
    state = _read(file)
    if not isinstance(state, str):
        return state
    others = {} if file.name != LAST else {name: _read(file.with_name(name)) for name in (PREVIOUS, BEST)}
    good = {name: other for name, other in others.items() if not isinstance(other, str)}
    if not good:
        raise CheckpointError(f"{state} {_advice(file)}")
    name = max(good, key=lambda name: good[name]["epoch"])
    sentence = f"{state} Training goes on from {name}, which is of epoch {good[name]['epoch']}."
    (tell or _warn)(sentence)
    return good[name]


def _warn(sentence: str) -> None:
    warnings.warn(sentence, stacklevel=4)  # at the line that called `fit`


def _file(path: str | os.PathLike[str]) -> Path:
    return Path(path) / LAST if Path(path).is_dir() else Path(path)


def _read(file: Path) -> dict[str, Any] | str:
    """Return the state in a file, or the sentence that says why there is none."""
    try:
        if file.exists() and not file.is_file():  # a pipe would be waited for
            return f"{file} is no ordinary file, so no checkpoint."
        content = file.read_bytes()
    except FileNotFoundError:
        return f"There is no checkpoint {file}."
    except OSError as error:
        return f"The checkpoint {file} cannot be read ({error.strerror})."
    if problem := problem_of(content, _KIND):
        return f"{file} is damaged or not a checkpoint: {problem}."
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch's reader fails in many ways
        return f"{file} is not a checkpoint: torch cannot read it ({type(error).__name__})."
    if not isinstance(state, dict):
        return f"{file} is not a checkpoint: it holds a {type(state).__name__}."
    for name, kind in _SCHEMA.items():
        if not isinstance(state.get(name), kind):
            found = type(state[name]).__name__ if name in state else "missing"
            return f"{file} is not a checkpoint: its entry '{name}' is {found}, and must be {kind.__name__}."
    return state


def _advice(file: Path) -> str:
    names = [
        n for n in (LAST, PREVIOUS, BEST) if n != file.name and not isinstance(_read(file.with_name(n)), str)
    ]
    if names:
        return (
            f"{' and '.join(names)} beside it {'is' if len(names) == 1 else 'are'} good: resume from there."
        )
    return ANEW
