"""A classifier as one web page: an image is dropped on it, and stays on the computer."""

import base64
import gzip
import json
import os
import re
from dataclasses import asdict
from pathlib import Path

import jinja2
from markupsafe import Markup

from k2c import __version__
from k2c._system.atomic import atomic_path
from k2c._system.printable import printable
from k2c.models.own_classifier import OwnClassifier
from k2c.own.onnx_file import onnx_bytes

STATIC = Path(__file__).parent / "static"


def export_page(
    own: OwnClassifier, file: str | os.PathLike[str], title: str = "", *, alarm: float | None = None, runtime: str = "",
) -> None:  # fmt: skip
    """Write a classifier as one HTML file that needs no server, no network and no installation.

    It shows the probabilities of the classes of each image that is dropped on it, and maps of where the image speaks
    for them. Its header has the classifier's card. The page's own rules forbid it to send or to fetch anything.
    Weights have 16 bits in it, and computing is ONNX Runtime Web's: for EfficientNet-Lite0, 17 MB in all.

    Parameters
    ----------
    own
        The classifier: see `load_classifier` and `imagenet_classifier`.
    file
        Where to write; it appears when it is complete.
    title
        The heading; the classes by default.
    alarm
        The probability of the last class from which the page says that the image is positive.
    runtime
        A file beside the page that holds the runtime, for several pages (see `write_runtime`); by default it is in the
        page.

    Raises
    ------
    K2CError
        When the package onnx is missing, or the network has no class activation map.
    """
    page = _template().render(
        title=title or _heading(own),
        card=own.card,
        version=__version__,
        network=own.network.name,
        runtime_version=re.findall(r"^version=(\S+)", _text("runtime.sh"), re.M)[0],
        model=_in_script({
            "classes": own.classes,
            "kind": own.kind,
            "preprocessing": asdict(own.network.preprocessing),
            "alarm": alarm,
        }),
        runtime_file=runtime,
        runtime="" if runtime else _runtime(),
        weights=_base64(gzip.compress(onnx_bytes(own, half=True), mtime=0)),
        ort=Markup(_text("ort.js")),
        image=Markup(_text("image.js")),
        page=Markup(_text("page.js")),
    )  # fmt: skip
    with atomic_path(file) as part:
        part.write_text(page, encoding="utf-8")


def write_runtime(file: Path) -> None:
    """Write the script that pages with `runtime=file.name` load."""
    script = f"document.getElementById('runtime').textContent = '{_runtime()}';\n"
    with atomic_path(file) as part:
        part.write_text(script, encoding="utf-8")


def _runtime() -> Markup:
    return _base64((STATIC / "ort.wasm.gz").read_bytes())


def _heading(own: OwnClassifier) -> str:
    if len(own.classes) > 6:
        return f"Which of {len(own.classes):,} {'findings does it show' if own.multi_label else 'classes is it'}?"
    *names, last = own.classes
    listed = f"{', '.join(names)} or {last}" if names else last
    return f"Does it show {listed}?" if own.multi_label else f"Is it {listed}?"


def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(STATIC)
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        trim_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else printable(value, lines=True),
    )
    return environment.get_template("page.html.j2")


def _text(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def _in_script(value: object) -> Markup:
    """Return JSON that stands in a script element: no name of a class may end the element."""
    return Markup(json.dumps(value, ensure_ascii=True).replace("<", "\\u003c"))


def _base64(content: bytes) -> Markup:
    return Markup(base64.b64encode(content).decode("ascii"))
