"""README and the site's pages show what there is; tests/documented executes their commands."""

import re
from pathlib import Path

import pytest
import yaml

from k2c.cli import main
from k2c.course.syllabus import load_syllabus

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "course/site").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_images_are_there(page):
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) + re.findall(r'src="([^"]+)"', text)
    missing = [name for name in targets if "://" not in name and not (page.parent / name).exists()]
    assert missing == []


def test_readme_shows_every_lecture():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in load_syllabus(ROOT / "course/syllabus.yml").lectures:
        assert f"notebooks/{name}.ipynb" in text
        assert f"course/site/images/{name}.png" in text


def test_readme_names_every_command():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    told = {name for name in main.commands if re.search(rf"\b(k2c|make) {name}\b", text)}
    assert set(main.commands) - told <= {"notebooks"}  # for those who write lectures: CONTRIBUTING


def test_the_kit_can_be_cited():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["authors"]
