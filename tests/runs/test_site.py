"""The course as a site: what a reader finds, and that nothing is asked of the network."""

import base64
import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.figure
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from k2c import metrics
from k2c.course.syllabus import load_syllabus
from k2c.display.widgets.base import FRONTS
from k2c.display.widgets.scaling import RingSteps
from k2c.errors import K2CError
from k2c.runs.site.links import launch_links

pytest.importorskip("sphinx_book_theme", reason="the extra 'site' is not installed")

ROOT = Path(__file__).parents[2]
NAMES = ("MessageBox", "DigitPad", "ImagePicker", "GroupStepper", "SyntheticEye", "AugmentationSliders",
         "ThresholdSlider", "ScalingCurves", "RingSteps")  # fmt: skip
WIDGET = re.compile(rf"^\s*(?:display\()?(?:{'|'.join(NAMES)})\(", re.MULTILINE)
STORY = r"""## 1. A formula

Inline $p_i$ and

$$\frac{a}{b} = \sum_i p_i$$

| word | meaning |
|---|---|
| spam | nobody asked for it |
"""
LINKS = """
repository: https://github.com/ada/kit
jupyterhub: https://hub.example.org
binder: https://mybinder.org
"""


class Resources(HTMLParser):
    """What a page loads, and its images."""

    def __init__(self, page):
        super().__init__()
        self.loaded, self.images = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "img":
            self.images.append(attrs)
        if "src" in attrs:
            self.loaded.append(attrs["src"])
        if tag == "link" and attrs.get("rel") not in ("search", "next", "prev", "index", "canonical"):
            self.loaded.append(attrs["href"])


def an_image(values):
    figure = matplotlib.figure.Figure(figsize=(2, 1))
    figure.subplots().plot(values)
    file = io.BytesIO()
    figure.savefig(file)
    return base64.b64encode(file.getvalue()).decode()


def a_still_image():
    told = {"image/png": {"alt": "A ring of three."}}
    return new_output("display_data", {"image/png": an_image([3]), "text/plain": "ring"}, metadata=told)


@pytest.fixture
def illustrated_course(tiny_course):
    """Give the tiny lecture a formula, a table and two images, one of which says what it shows."""
    path = tiny_course / "notebooks/00_tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    told = {"image/png": {"alt": "A line that rises."}}
    outputs = [
        new_output("display_data", {"image/png": an_image([1, 2]), "text/plain": "figure"}, metadata=told),
        new_output("display_data", {"image/png": an_image([2, 1]), "text/plain": "figure"}),
        new_output("display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}),
    ]
    ring = new_code_cell("RingSteps()", id="ring", outputs=[a_still_image()], execution_count=2)
    notebook.cells += [
        new_markdown_cell(STORY),
        new_code_cell("show()", outputs=outputs, execution_count=1),
        ring,
    ]
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    nbformat.write(notebook, path)
    site = tiny_course / "course/site"
    site.mkdir()
    (site / "links.yml").write_text(LINKS)
    pages = "```{toctree}\n:hidden:\n\ninstall\n```\n"
    (site / "index.md").write_text(f"# A course\n\nHello.\n\n<!-- lectures -->\n\n{pages}")
    shutil.copy(ROOT / "course/site/install.md", site)
    (site / "widgets/00_tiny").mkdir(parents=True)
    (site / "widgets/00_tiny/ring.json").write_text(json.dumps(RingSteps(3).live()))
    return tiny_course


def test_a_site_has_the_lectures_and_loads_nothing_from_elsewhere(illustrated_course, tmp_path, k2c):
    out = tmp_path / "runs/site"
    out.mkdir(parents=True)
    for name in ("searchindex.js", "old.html"):  # an older site: it is replaced as a whole
        (out / name).write_text("old")
    result = k2c("site")
    assert result.returncode == 0, result.stderr
    assert "Sphinx warns" not in result.stderr
    assert f"Site: {out / 'index.html'}" in result.stdout
    assert "Without a network" in (out / "install.html").read_text(encoding="utf-8")
    assert not (out / "old.html").exists()
    assert [path.name for path in out.parent.iterdir()] == ["site"]
    start, lecture = ((out / name).read_text(encoding="utf-8") for name in ("index.html", "00_tiny.html"))
    assert 'href="00_tiny.html"' in start
    assert "A tiny lecture" in start
    assert [image["alt"] for image in Resources(lecture).images if "_static/" not in image["src"]] == [
        "A line that rises.", "Image under the heading: 1. A formula", "A ring of three."]  # fmt: skip
    assert len(re.findall(r"<math", lecture)) == 2
    assert "<th" in lecture
    assert "Show the parameters" in lecture
    assert not re.search("widget-(view|state)|model_id", lecture)
    guard = (out / "reference/k2c.guard.html").read_text(encoding="utf-8")
    assert 'href="reference/k2c.guard.html"' in lecture and 'href="../00_tiny.html"' in guard
    assert "Check a claim, print the measured value beside it" in guard
    room = (out / "reference/k2c.metrics.html").read_text(encoding="utf-8")
    assert all(f'href="k2c.metrics.{name}.html"' in room for name in metrics.__all__)
    for page in out.glob("*.html"):
        loaded = Resources(page.read_text(encoding="utf-8")).loaded
        assert not [name for name in loaded if re.match(r"(https?:)?//", name)], page.name
        missing = [
            name
            for name in loaded
            if not name.startswith("data:") and not (out / name.split("?")[0]).exists()
        ]
        assert not missing, page.name
    styles = "".join(path.read_text(encoding="utf-8") for path in out.rglob("*.css"))
    assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", styles)

    assert '<div class="k2c-live" data-widget="00_tiny.ring">' in lecture, (
        "a still image until the script runs"
    )
    assert '"workers":3' in (out / "live/00_tiny.ring.js").read_text(encoding="utf-8")
    assert "function ringStates" in (out / "live/fronts.js").read_text(encoding="utf-8")
    assert not (out / "_sources/widgets").exists()
    assert "without its images: a run draws them again<" in lecture
    download = nbformat.read(out / "_sources/00_tiny.ipynb", as_version=4)
    shown = [
        set(output.data) for cell in download.cells for output in cell.get("outputs", ()) if "data" in output
    ]
    assert {"text/plain"} in shown
    assert "k2c-live" not in str(download) and not any(
        kind.startswith("image/") for kinds in shown for kind in kinds
    )
    index = json.loads(
        (out / "searchindex.js").read_text(encoding="utf-8").removeprefix("const k2cPages = ")[:-2]
    )
    sections = {title: (anchor, text) for _, anchor, title, text, _, _ in index["sections"]}
    assert ["00_tiny.html", "Lecture 0: A tiny lecture", "lecture"] in index["pages"]
    assert sections["1. A formula"] == ("a-formula", "Inline pi and word meaning spam nobody asked for it")
    places = "https://mybinder.org/v2/gh/ada/kit/main", "https://hub.example.org/hub/user-redirect/git-pull"
    assert all(f'href="{place}?' in lecture and f'href="{place}?' not in start for place in places)
    assert "urlpath=lab/tree/kit/notebooks/00_tiny.ipynb" in lecture
    assert "colab" not in lecture


def test_every_widget_of_the_lectures_is_kept_alive():
    """`k2c notebooks` keeps them; a notebook saved otherwise leaves its widget as a still image."""
    fronts = {path.stem for path in FRONTS.glob("*.js")}
    for lecture in load_syllabus(ROOT / "course/syllabus.yml").lectures:
        notebook = nbformat.read(ROOT / f"notebooks/{lecture}.ipynb", as_version=4)
        made = {cell.id for cell in notebook.cells if cell.cell_type == "code" and WIDGET.search(cell.source)}
        kept = {
            path.stem: json.loads(path.read_text())
            for path in (ROOT / "course/site/widgets" / lecture).glob("*.json")
        }
        assert set(kept) == made, lecture
        assert {live["front"] for live in kept.values()} <= fronts


def test_nothing_is_linked_until_somebody_says_where():
    assert launch_links(Path(__file__).parents[2] / "course/site") == {}


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ("jupyterhub: https://hub.example.org", r"line 1: repository: Field required"),
        (
            "repository: https://github.com/ada/kit\nbinder: mybinder.org",
            r"line 2: binder: String should match",
        ),
        (
            "repository: https://git.example.org/ada/kit\ncolab: https://colab.example.org",
            "Colab opens notebooks of",
        ),
        ("repository: https://github.com/ada/kit\nhub: x", r"line 2: hub: Extra inputs are not permitted"),
        ("- 1", "should be a valid dictionary"),
    ],
)
def test_a_wrong_link_is_refused_with_its_line(tmp_path, entries, sentence):
    (tmp_path / "links.yml").write_text(entries)
    with pytest.raises(K2CError, match=sentence):
        launch_links(tmp_path)


def test_a_folder_of_something_else_is_left_alone(tiny_course, tmp_path, k2c):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("four years")
    refused = k2c("site", str(mine))
    assert refused.returncode == 2
    assert "holds something else than a course site" in refused.stderr
    assert (mine / "thesis.txt").read_text() == "four years"


def test_without_the_extra_a_sentence_says_what_to_install(monkeypatch, tmp_path):
    import importlib.util

    from k2c.runs.site import build_site

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(K2CError, match=r"Install them with: .* -m pip install"):
        build_site(tmp_path / "site")
