"""What README and the site's pages tell people to type is what the kit understands."""

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from k2c.cli import main
from k2c.syllabus import load_syllabus

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "course/site").glob("*.md"))]
STAND_INS = ["photographs", "submissions"]  # folders of the reader's own


def commands(first_word):
    """Return each command in the pages' code blocks that begins with a word, without its comment."""
    found = []
    for page in PAGES:
        for block in re.findall(
            r"^```(?:sh|powershell)\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M
        ):
            for line in block.splitlines():
                words = shlex.split(line.replace("\\", "/"), comments=True)
                while words and re.match(r"\w+=", words[0]):
                    del words[0]
                if words and Path(words[0]).name == first_word:
                    found.append(pytest.param(words[1:], id=f"{page.stem}: {' '.join(words)}"))
    return found


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """Stand where a reader stands: in the kit's folder, which has the course and the reader's own folders."""
    (tmp_path / "course").symlink_to(ROOT / "course")
    for name in STAND_INS:
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("words", commands("k2c"))
def test_the_command_line_understands_it(words, reader):
    command, place = main, click.Context(main, info_name="k2c")
    while isinstance(command, click.Group):
        _, command, words = command.resolve_command(place, list(words))
        place = click.Context(command, place, info_name=command.name)
    parsed = command.make_context(command.name, words, parent=place.parent)
    if command is main.commands["run"]:
        syllabus = load_syllabus(ROOT / "course/syllabus.yml")
        names = parsed.params["lectures"] or list(syllabus.lectures)
        for name in names:
            syllabus.lecture(name).resolve(dict(change.split("=") for change in parsed.params["changes"]))
    if command.name == "slides":
        load_syllabus(ROOT / "course/syllabus.yml").lecture_name(parsed.params["lecture"])


@pytest.mark.parametrize("words", commands("make"))
def test_make_has_the_target(words):
    done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_can_be_run_at_once_runs(k2c):
    assert "01_spam_naive_bayes" in k2c("list").stdout
    assert k2c("--help").returncode == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_are_there(page):
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
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    assert citation["version"] == version[1]
    assert citation["cff-version"] == "1.2.0"
    assert citation["authors"]
