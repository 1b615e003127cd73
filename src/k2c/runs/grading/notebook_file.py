"""A notebook as an editor left it: byte order marks, other encodings, old formats and lost metadata do no harm."""

import json
import re
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

MAXIMUM_CELLS = 2000
_MAKE = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}


def read_notebook(content: bytes) -> NotebookNode:
    """Return a notebook's cells with their sources, ids and tags, as a notebook of the newest format.

    Outputs, which are never used, and whatever else an editor writes are left out, so that nothing of it can be wrong.

    Raises
    ------
    ValueError
        When it is no notebook, or one of more cells than anybody writes.
    """
    found = _json(content)
    sheets = found.get("worksheets") if isinstance(found, dict) else None
    cells = found.get("cells") if isinstance(found, dict) else None
    if isinstance(sheets, list) and not cells:  # format 3 and older
        cells = _upgraded(found, sheets)
    if not isinstance(cells, list):
        raise ValueError("it has no list of cells")
    if len(cells) > MAXIMUM_CELLS:
        raise ValueError(f"it has {len(cells)} cells, and {MAXIMUM_CELLS} are the limit")
    made = [_cell(cell) for cell in cells if isinstance(cell, dict)]
    taken: set[str] = set()
    for cell in made:
        if cell.id in taken:  # the copy of a cell
            cell.id = nbformat.v4.new_raw_cell().id
        taken.add(cell.id)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = new_notebook(cells=made, metadata={"kernelspec": kernel})
    nbformat.validate(notebook)
    return notebook


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)  # UTF-8, UTF-16 and UTF-32, with and without a mark
    except UnicodeDecodeError:
        import charset_normalizer

        best = charset_normalizer.from_bytes(content).best()
        text = str(best) if best else content.decode("utf-8", errors="replace")
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"it is not JSON ({error})") from error
    return json.loads(text)


def _upgraded(found: dict[str, Any], sheets: list[Any]) -> list[Any]:
    cells = [cell for sheet in sheets if isinstance(sheet, dict) for cell in sheet.get("cells", ())]
    for cell in cells:
        if cell.get("cell_type") == "code":
            cell["outputs"] = []
        cell.setdefault("metadata", {})
    old = {"metadata": {}, "nbformat": 3, "nbformat_minor": 0}
    old["worksheets"] = [{"cells": cells, "metadata": {}}]
    return list(nbformat.convert(nbformat.from_dict(old), 4).cells)


def _cell(cell: dict[str, Any]) -> NotebookNode:
    source, metadata, name = cell.get("source", ""), cell.get("metadata"), cell.get("id")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    kept = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    made = _MAKE.get(str(cell.get("cell_type")), new_raw_cell)(text, metadata={"tags": kept} if kept else {})
    if isinstance(name, str) and re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
        made.id = name
    return made
