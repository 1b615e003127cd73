"""What a run's result rests on: the notebook's source, and the files of this package that it reaches by imports."""

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

import k2c
from k2c._system.paths import project_root
from k2c.course.syllabus import Value
from k2c.runs.execution.own_data import Found

PACKAGE = Path(k2c.__file__).parent


def notebook_path(lecture: str) -> Path:
    """Return the path of a lecture's notebook."""
    return project_root() / "notebooks" / f"{lecture}.ipynb"


def run_id(lecture: str, parameters: Mapping[str, Value], data: Found | None = None) -> str:
    """Return the name of the run's folder: the same for the same notebook, parameters, data and code of this package.

    The code is that which the notebook imports, directly or through other modules, so that a change elsewhere in
    the package leaves the runs of this lecture valid. The data is that of the user's own, by its content.
    """
    content: list[Any] = [_source_hash(lecture, notebook_path(lecture)), sorted(parameters.items())]
    if data:
        content.append(sorted((name, found.sha256) for name, found in data.items()))
    return f"{lecture}-{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:10]}"


def imported_modules(lecture: str) -> list[str]:
    """Return the names of the modules that a lecture's cells import, in order."""
    names: dict[str, None] = {}
    for source in _code(lecture):
        names |= dict.fromkeys(_imports(source))
    return list(names)


@cache
def _source_hash(lecture: str, _notebook: Path) -> str:
    # The notebook's place tells two courses in one process apart.
    digest = hashlib.sha256(json.dumps(_cells(lecture)).encode())
    for file in sorted(_files(lecture)):
        digest.update(str(file.relative_to(PACKAGE)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _cells(lecture: str) -> list[tuple[str, str]]:
    notebook = nbformat.read(notebook_path(lecture), as_version=4)
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def _code(lecture: str) -> list[str]:
    return [source for kind, source in _cells(lecture) if kind == "code"]


def _files(lecture: str) -> set[Path]:
    """Return the package's files that the lecture reaches; beside a module, also what is no Python in its folder."""
    found: set[Path] = set()
    waiting = imported_modules(lecture)
    while waiting:
        for file in _module_files(waiting.pop()):
            if file in found:
                continue
            found.add(file)
            waiting += _imports(file.read_text(encoding="utf-8"))
    folders = {file.parent for file in found} - {PACKAGE}
    beside = {file for folder in folders for file in folder.rglob("*") if file.is_file()}
    return found | {file for file in beside if file.suffix not in (".py", ".pyc")}


def _module_files(name: str) -> Iterator[Path]:
    """Yield the files that importing a name executes: the module and the packages above it."""
    first, *rest = name.split(".")
    if first != PACKAGE.name:
        return
    place = PACKAGE
    yield place / "__init__.py"
    for part in rest:
        if (place / f"{part}.py").is_file():
            yield place / f"{part}.py"
        place = place / part
        if (place / "__init__.py").is_file():
            yield place / "__init__.py"


def _imports(source: str) -> list[str]:
    """Return every name that may be a module: `from a import b` gives `a` and `a.b`."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a cell with a magic command
        return []
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names
