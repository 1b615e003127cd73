"""The page "Models": the lectures' own models as web pages, with what their users must know."""

import hashlib
import inspect
import json
from pathlib import Path
from typing import Any

from k2c._system.atomic import atomic_path
from k2c._system.paths import cache_dir, project_root
from k2c.course.syllabus import load_syllabus

FOLDER = "models"  # of the pages, beside the others
_HEAD = """# Models

The models that the lectures train, each as a page that computes in your browser: drop an image on it. No image leaves
the computer, and no network is needed. Each is a teaching example. **None is a medical device**, and none may be used
to decide about people. A page of [your own model](own.md) is made in the same way.
"""
_ENTRY = """
## {title}

<a class="open-model" href="{folder}/{name}.html">Open the page</a>. Trained in
[lecture {number}]({lecture}.ipynb).

- **Trained on:** {trained_on}
- **Measured:** {measured}
- **Not for:** {not_for}
"""


def write_models(folder: Path, extra: Path) -> None:
    """Train the models, or take them from the cache, and write their pages and the page that lists them.

    Parameters
    ----------
    folder, extra
        Where Sphinx reads, and the files that go into the site as they are.
    """
    from k2c.own.page import write_model_pages

    known, entries = load_syllabus().lectures, [_HEAD]
    models = {name: found for name, found in _trained().items() if found[0]["lecture"] in known}
    write_model_pages(extra / FOLDER, models)
    for name, (about, _) in models.items():
        number = about["lecture"].split("_")[0].lstrip("0")
        entries.append(_ENTRY.format(folder=FOLDER, name=name, number=number, **about, **about["card"]))
    (folder / "models.md").write_text("".join(entries), encoding="utf-8")


def _trained() -> dict[str, tuple[dict[str, Any], bytes]]:
    """Return, by name, what the page of each model says, and the model as ONNX; both are kept."""
    from k2c.own import lecture_models, onnx_file
    from k2c.own.page import about_page

    sources = [Path(inspect.getfile(module)) for module in (lecture_models, onnx_file)]
    sources.append(project_root() / "course/results/real_films.csv")  # a card states it
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:24]
    kept, found = cache_dir() / "lecture_models" / key, {}
    for name, make in lecture_models.LECTURE_MODELS.items():
        file, about = kept / f"{name}.onnx", kept / f"{name}.json"
        if not about.is_file():  # written last
            model = make()
            with atomic_path(file) as part:
                part.write_bytes(onnx_file.onnx_bytes(model.own, short=True))
            told = about_page(model.own, model.title, model.alarm) | {"lecture": model.lecture}
            with atomic_path(about) as part:
                part.write_text(json.dumps(told), encoding="utf-8")
        found[name] = json.loads(about.read_text(encoding="utf-8")), file.read_bytes()
    return found
