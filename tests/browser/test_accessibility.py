"""Lectures, site and slides as pages: nothing serious for axe-core, nothing too wide, nothing from the network."""

import re
from functools import cache
from pathlib import Path

import nbformat
import pytest

from k2c._system.paths import project_root
from k2c.course.syllabus import load_syllabus
from k2c.runs.reports.export import write_html
from k2c.runs.slides import write_slides

LECTURES = list(load_syllabus(project_root() / "course/syllabus.yml").lectures)
AROUND = ["index", "install", "start", "own", "instructors", "glossary", "search"]
LOOKS = [pytest.param("light", 1440, id="light-1440"), pytest.param("dark", 390, id="dark-390")]


@pytest.fixture
def open_page(browser):
    """Return a function that opens a file at a width and in a mode, and remembers what it asked the network for."""
    contexts = []

    def opened(path: Path, scheme: str, width: int, query: str = ""):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page, asked = context.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri() + query, timeout=240_000)
        assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
        return page

    yield opened
    for context in contexts:
        context.close()


# Contrast follows from an element's look and the looks around it. A lecture has 9,000 pieces of text of 250 looks, most
# of them tokens of code: the first, the middle and the last of each look are measured, not all of them, for a minute.
ONE_OF_EACH = """() => {
  const looks = new WeakMap(), pieces = new Map();
  const look = (element) => {
    if (element && !looks.has(element)) {
      const style = getComputedStyle(element);
      looks.set(element, JSON.stringify([
        element.localName, element.getAttribute("class"), element.getAttribute("style"), style.color, style.opacity,
        style.backgroundColor, style.backgroundImage, style.fontSize, style.fontWeight, style.textShadow,
      ]) + look(element.parentElement));
    }
    return element ? looks.get(element) : "";
  };
  for (const element of document.body.querySelectorAll("*")) {
    if (![...element.childNodes].some((node) => node.nodeType == Node.TEXT_NODE && node.data.trim())) continue;
    const kind = look(element) + element.checkVisibility();
    pieces.set(kind, [...(pieces.get(kind) ?? []), element]);
  }
  for (const alike of pieces.values())
    for (const number of [0, alike.length >> 1, alike.length - 1]) alike[number].dataset.contrast = "asked";
  axe.configure({rules: [{id: "color-contrast", selector: "[data-contrast]"}]});
}"""


def serious(page):
    from axe_playwright_python.sync_playwright import Axe

    page.evaluate(Axe().axe_script)
    page.evaluate(ONE_OF_EACH)
    # What passes is counted, not listed: the list has every word of a lecture, and takes most of the time.
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [
        f"{violation['impact']}: {violation['help']}: {node['html'][:200]}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def test_of_many_words_that_look_alike_the_one_that_is_hard_to_read_is_found(tmp_path, open_page):
    token, faint = "<i class=n>word</i> ", "color: #ccc"
    pages = {
        "none": token * 500,
        "itself": token * 300 + f"<i class=n style='{faint}'>faint</i> " + token * 200,
        "around": token * 300 + f"<span style='{faint}'><i class=n>faint</i></span> " + token * 200,
        "behind": token * 300 + "<span class=dark><i class=n>faint</i></span> " + token * 200,
        "hidden": f"<div hidden style='{faint}'>{token * 3}</div><div style='{faint}'>{token}</div>",
    }
    found = {}
    for name, words in pages.items():
        style = "<style>.dark { background: #111 }</style>"
        (tmp_path / "page.html").write_text(
            f"<!doctype html><html lang=en><title>Words</title>{style}<main><h1>Words</h1><p>{words}</p></main></html>"
        )
        found[name] = len(serious(open_page(tmp_path / "page.html", "light", 1440)))
    assert found == {"none": 0} | dict.fromkeys(["itself", "around", "behind", "hidden"], 1)


def too_wide(page):
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
@pytest.mark.parametrize("name", [*AROUND, *LECTURES])
def test_the_site_can_be_used_by_everyone(site, open_page, name, scheme, width):
    page = open_page(site / f"{name}.html", scheme, width)
    assert serious(page) == []
    assert too_wide(page) <= 0


@pytest.fixture(scope="module")
def notebook_page(tmp_path_factory):
    """Return a function that writes a lecture's notebook as a page, once."""

    @cache
    def write(name):
        path = tmp_path_factory.mktemp("page") / "notebook.html"
        notebook = nbformat.read(project_root() / f"notebooks/{name}.ipynb", as_version=4)
        write_html(notebook, path, name)
        return path

    return write


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
@pytest.mark.parametrize("name", LECTURES)
def test_a_lecture_s_page_can_be_used_by_everyone(notebook_page, open_page, name, scheme, width):
    page = open_page(notebook_page(name), scheme, width)
    assert serious(page) == []
    assert too_wide(page) <= 0


EXPLAINED = {  # the section that explains a word comes first
    "smoothing": "7. How much smoothing?",
    "momentum": "8. Training",
    "convolution": "6. Convolution and pooling, forward and backward",
    "backpropagation": "3. Backpropagation: the same for any formula",
    "dropout": "Problem 6: find the mistake from the curves",
    "calibration": "9. How sure is sure?",
    "Grad-CAM": "7. What the answer rests on",
    "work-group": "1. One program, many work-items",
    "roofline": "6. Under the roofline",
    "augmentation": "4. Augmentation",
    "bag of words": "14. Words, pairs of words, pieces of words",
}


def test_search_finds_the_section_on_a_word_with_its_sentence_and_without_a_server(site, open_page):
    page = open_page(site / "search.html", "light", 1440, query="?q=momentum")
    first = page.locator("#search-results ol.found li").first
    assert first.locator("a").get_attribute("href") == "02_lenet_mnist.html#training"
    assert first.locator("mark").first.inner_text() == "Momentum"
    found = {word: page.evaluate("word => k2cSearch.find(word)[0].title", word) for word in EXPLAINED}
    assert found == EXPLAINED
    assert "06_distributed" in page.evaluate("k2cSearch.find('all-reduce')[0].url")
    page.locator(".bd-search-container input").fill("split_by_patient")
    assert page.locator("#search-results h2").last.inner_text().startswith("API reference")
    page.locator(".bd-search-container input").fill("<img src=x onerror=alert(1)> a&b")
    assert page.locator("#search-results img").count() == 0
    page.locator(".bd-search-container input").fill("qwxyz")
    assert page.locator("#search-results").inner_text() == "No section has any of these words."


def test_a_lecture_is_printed_without_controls(site, open_page):
    page = open_page(site / "02_lenet_mnist.html", "dark", 1440)
    page.emulate_media(media="print")
    assert (
        not page.locator(".bd-sidebar-primary, .bd-header-article, .prev-next-footer")
        .locator("visible=true")
        .count()
    )
    assert page.locator(".bd-article img").locator("visible=true").count() > 10
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) < 60


@pytest.mark.parametrize("name", LECTURES)
def test_slides_hold_what_is_on_them_turn_by_keys_and_print_one_a_page(tmp_path, open_page, name):
    count = write_slides(name, tmp_path / "slides.html")
    page = open_page(tmp_path / "slides.html", "light", 1280)
    assert page.evaluate("slides.length") == count > 10
    spilled = page.evaluate("""() => slides.filter(slide =>
        [slide.querySelector(".body"), ...slide.querySelectorAll(".words")].some(part =>
            part.scrollHeight > part.clientHeight + 1 || part.scrollWidth > part.clientWidth + 1)
    ).map(slide => slide.innerText)""")
    assert spilled == []
    for key, place in (
        ("ArrowRight", "#2"),
        (" ", "#3"),
        ("ArrowLeft", "#2"),
        ("End", f"#{count}"),
        ("Home", "#1"),
    ):
        page.keyboard.press(key)
        page.wait_for_function(f"location.hash == '{place}'")
    assert serious(page) == []
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == count
