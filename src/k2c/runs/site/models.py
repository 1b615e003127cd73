"""The page "Models": the lectures' own models as web pages, with what their users must know."""

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

from k2c._system.atomic import atomic_path
from k2c._system.paths import cache_dir
from k2c.course.syllabus import load_syllabus

FOLDER = "models"  # of the pages, beside the others
RUNTIME = "runtime.js"
_HEAD = """# Models

The models that the lectures train, each as a page that computes in your browser: drop an image on it. No image leaves
the computer, and no network is needed. Each is a teaching example. **None is a medical device**, and none may be used
to decide about people. A page of [your own model](own.md) is made in the same way.
"""
_ENTRY = """
## {title}

<a class="open-model" href="{folder}/{name}.html">Open the page</a> ({size:.0f} MB). Trained in
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
    from k2c.own import lecture_models
    from k2c.own.page import STATIC, export_page, write_runtime

    known = load_syllabus().lectures
    sources = [Path(lecture_models.__file__), *sorted(STATIC.iterdir())]
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:24]
    kept, entries = cache_dir() / "lecture_models" / key, [_HEAD]
    (extra / FOLDER).mkdir(parents=True)
    write_runtime(extra / FOLDER / RUNTIME)
    for name, make in lecture_models.LECTURE_MODELS.items():
        page, about = kept / f"{name}.html", kept / f"{name}.json"
        if not about.is_file():  # written last
            model = make()
            export_page(model.own, page, model.title, alarm=model.alarm, runtime=RUNTIME)
            with atomic_path(about) as part:
                part.write_text(
                    json.dumps(asdict(model.own.card) | {"title": model.title, "lecture": model.lecture})
                )
        told = json.loads(about.read_text())
        if told["lecture"] not in known:
            continue
        number = told["lecture"].split("_")[0].lstrip("0")
        entries.append(
            _ENTRY.format(folder=FOLDER, name=name, size=page.stat().st_size / 1e6, number=number, **told)
        )
        shutil.copy(page, extra / FOLDER)
    (folder / "models.md").write_text("".join(entries), encoding="utf-8")
