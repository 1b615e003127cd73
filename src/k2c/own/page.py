"""A classifier as one web page: an image is dropped on it, and stays on the computer."""

import base64
import gzip
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from k2c import __version__
from k2c._system.atomic import atomic_path
from k2c._system.printable import printable
from k2c.models.own_classifier import OwnClassifier
from k2c.own.onnx_file import onnx_bytes, share_weights

STATIC = Path(__file__).parent / "static"


def export_page(
    own: OwnClassifier, file: str | os.PathLike[str], title: str = "", *, alarm: float | None = None
) -> None:
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

    Raises
    ------
    K2CError
        When the package onnx is missing, or the network has no class activation map.
    """
    about, content = about_page(own, title, alarm), onnx_bytes(own, short=True)
    parts = {"about": _in_script(about["model"]), "runtime": _runtime(), "onnx": _packed(content)}
    _write_page(Path(file), about, parts=parts)


def about_page(own: OwnClassifier, title: str = "", alarm: float | None = None) -> dict[str, Any]:
    """Return what a page says of a classifier, and under `model` what its script knows of it, as JSON holds it."""
    preprocessing = asdict(own.network.preprocessing)
    model = {"classes": own.classes, "kind": own.kind, "preprocessing": preprocessing, "alarm": alarm}
    card = asdict(own.card)
    return {"title": title or _heading(own), "network": own.network.name, "card": card, "model": model}


def write_model_pages(folder: Path, models: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    """Write a page for each model, beside scripts that hold the runtime and the weights, what is equal only once.

    The scripts are `runtime.js`, one for each model, and one for the weights that a group of models has in common. Any
    page from the file system may load them: they set `k2cNetwork` and the entries of `k2cParts` (see `network.js`), of
    which `shared` names the scripts of weights that the model needs.

    Parameters
    ----------
    folder
        Of the pages.
    models
        By the name of the page: what it says (see `about_page`), and the model as ONNX.
    """
    slim, shared = share_weights({name: content for name, (_, content) in models.items()})
    _write_script(folder / "runtime.js", _engine(), runtime=_runtime())
    for group, weights in shared.items():
        file = "-".join(group)
        _write_script(folder / f"{file}.js", **{file: _packed(weights)})
    for name, (about, _) in models.items():
        needed = ["-".join(group) for group in shared if name in group]
        _write_script(
            folder / f"{name}.js", about=json.dumps(about["model"]), onnx=_packed(slim[name]), shared=needed
        )
        _write_page(
            folder / f"{name}.html", about, scripts=[f"{file}.js" for file in ("runtime", name, *needed)]
        )


def _write_page(
    file: Path, about: dict[str, Any], *, parts: dict[str, Markup] | None = None, scripts: Sequence[str] = ()
) -> None:
    """Write a page that holds `parts` and the code that reads them, or loads scripts that do."""
    page = _template().render(
        about,
        version=__version__,
        runtime_version=re.findall(r"^version=(\S+)", _text("runtime.sh"), re.M)[0],
        parts=parts or {},
        scripts=scripts,
        engine=_engine() if parts else "",
        page=Markup(_text("page.js")),
    )
    with atomic_path(file) as part:
        part.write_text(page, encoding="utf-8")


def _write_script(file: Path, before: str = "", **parts: str | list[str]) -> None:
    with atomic_path(file) as part:
        part.write_text(
            f"{before}Object.assign(globalThis.k2cParts ??= {{}}, {json.dumps(parts)});\n", encoding="utf-8"
        )


def _engine() -> Markup:
    inside = _in_script("".join(_text(name) for name in ("ort.js", "image.js", "worker.js")))
    code = f"const IN_WORKER = {inside};\n{_text('network.js')}"
    return Markup(f"globalThis.k2cNetwork = (() => {{\n{code}return {{ start, picture }};\n}})();\n")


def _runtime() -> Markup:
    return _base64((STATIC / "ort.wasm.gz").read_bytes())


def _packed(content: bytes) -> Markup:
    return _base64(gzip.compress(content, mtime=0))


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
