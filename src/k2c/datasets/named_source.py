"""A data set by its name: one of the kit's sources, or a folder of the user's own."""

import inspect
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from k2c._system.advice import set_parameter
from k2c._system.printable import printable
from k2c.datasets.fetching import FetchError
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.own_images import check_missing
from k2c.errors import K2CError, unknown


def load_source(
    source: str | os.PathLike[str],
    sources: Mapping[str, Callable[..., LabelledImages]],
    folder: Callable[..., LabelledImages],
    what: str,
    labels: str | os.PathLike[str] | None,
    missing: str,
    options: Mapping[str, Any],
) -> LabelledImages:
    """Load a data set from one of the kit's sources, or from a folder of the user's own.

    Parameters
    ----------
    source
        A key of `sources`, or a folder.
    sources, folder
        The functions that load them.
    what
        The plural of what is loaded, for messages: `"fundus photographs"`.
    labels, missing
        Of a folder only: its CSV file, and what to do about incomplete rows.
    options
        For the function that loads.

    Raises
    ------
    FetchError
        When the data is neither cached nor to be had.
    K2CError
        When there is no such source or option.
    """
    short = what.rpartition(" ")[2]
    if source in sources:
        _only_of_a_folder(str(source), labels, missing)
        load = sources[str(source)]
    elif (path := Path(source).expanduser()).is_dir():
        load = partial(folder, path, labels, missing=missing)
    else:
        raise K2CError(
            f"{unknown(f'source of {what}', str(source), sources)} A folder of {short} with a CSV file is a source "
            "too."
        )
    known = [
        name for name in inspect.signature(load).parameters if name not in ("folder", "labels", "missing")
    ]
    for option in options:
        if option not in known:
            raise K2CError(unknown(f"option of these {short}", option, known))
    try:
        return load(**options)
    except FetchError as error:
        advice = f"Without a network, use synthetic {short}: {set_parameter('source', 'synthetic')}"
        raise FetchError(f"{str(error).rstrip('.')}. {advice}") from error


def _only_of_a_folder(source: str, labels: str | os.PathLike[str] | None, missing: str) -> None:
    """Raise `K2CError` where a CSV file is named for a source that is no folder; `missing` has nothing to do there."""
    check_missing(missing)
    if labels:
        raise K2CError(
            f'labels="{printable(os.fspath(labels))}" names the CSV file of a folder, but the source is "{source}". '
            "Name the folder as the source, or leave labels out."
        )
