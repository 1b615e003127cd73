"""One entry to all fundus photographs."""

import inspect
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from k2c._system.advice import set_parameter
from k2c.datasets.fetching import FetchError
from k2c.datasets.fundus.folder import fundus_folder
from k2c.datasets.fundus.retina_mnist import retina_mnist
from k2c.datasets.fundus.synthetic import synthetic_fundus
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.own_images import only_of_a_folder
from k2c.errors import K2CError, unknown

SOURCES: dict[str, Callable[..., LabelledImages]] = {
    "synthetic": synthetic_fundus,
    "retinamnist": retina_mnist,
}


def load_fundus(
    source: str | os.PathLike[str] = "synthetic",
    *,
    labels: str | os.PathLike[str] | None = None,
    missing: str = "error",
    **options: Any,
) -> LabelledImages:
    """Load fundus photographs with labels: healthy (0) or retinopathy (1).

    Parameters
    ----------
    source
        `"synthetic"`: synthetic photographs with known truth, which need no network. `"retinamnist"`: RetinaMNIST,
        downloaded once. Anything else is a folder of photographs with a CSV file.
    labels
        Of a folder: its CSV file. None (or an empty text) takes the one in the folder.
    missing
        Of a folder: what to do about rows without an image or a label, `"error"` or `"skip"` them.
    **options
        Of `synthetic_fundus`, `retina_mnist` or `fundus_folder`.

    Raises
    ------
    FetchError
        When RetinaMNIST is neither cached nor to be had.
    K2CError
        When there is no such source or option.
    """
    if source in SOURCES:
        only_of_a_folder(str(source), labels, missing)
        load = SOURCES[str(source)]
    elif (folder := Path(source).expanduser()).is_dir():
        load = partial(fundus_folder, folder, labels, missing=missing)
    else:
        raise K2CError(
            f"{unknown('source of fundus photographs', str(source), SOURCES)}. A folder of photographs with a CSV "
            "file is a source too."
        )
    known = [
        name for name in inspect.signature(load).parameters if name not in ("folder", "labels", "missing")
    ]
    for option in options:
        if option not in known:
            raise K2CError(unknown("option of these photographs", option, known))
    try:
        return load(**options)
    except FetchError as error:
        advice = f"Without a network, use synthetic photographs: {set_parameter('source', 'synthetic')}"
        raise FetchError(f"{str(error).rstrip('.')}. {advice}") from error
