"""What Sphinx is taught for the course: formulas as MathML, words for every image, and a search that explains."""

from pathlib import PurePosixPath
from typing import Any, NoReturn

from docutils import nodes  # type: ignore[import-untyped]
from sphinx.application import Sphinx

from k2c.runs.reports.export import formula_to_mathml
from k2c.runs.site.search import write_search_index


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension with Sphinx."""
    app.add_html_math_renderer("mathml", (_draw_inline, None), (_draw_block, None))
    app.add_config_value("k2c_alternative_text", {}, "env", dict)
    app.connect("doctree-read", _describe_images)
    app.connect("build-finished", write_search_index)
    app.connect("autodoc-skip-member", _skip_inherited)
    app.connect("html-page-context", _describe_download, priority=900)  # the theme's buttons are there
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _skip_inherited(app: Sphinx, kind: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what scikit-learn and others add to a class of ours; their own pages describe it."""
    return True if not str(getattr(member, "__module__", None) or "k2c").startswith("k2c") else None


def _draw_inline(translator: Any, node: nodes.math) -> NoReturn:
    translator.body.append(formula_to_mathml(node.astext(), display="inline"))
    raise nodes.SkipNode


def _draw_block(translator: Any, node: nodes.math_block) -> NoReturn:
    translator.body.append(formula_to_mathml(node.astext(), display="block"))
    raise nodes.SkipNode


def _describe_images(app: Sphinx, doctree: nodes.document) -> None:
    """Give each image of a notebook its alternative text; myst-nb names its file by the hash of its bytes."""
    for image in doctree.findall(nodes.image):
        text = app.config.k2c_alternative_text.get(PurePosixPath(image["uri"]).stem)
        if text:
            image["alt"] = text


def _describe_download(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Say beside the link to a notebook what was left out of it (see `build_site`)."""
    groups = [button.get("buttons", ()) for button in context.get("header_buttons", ())]
    for button in (button for group in groups for button in group):
        if button.get("label") == "download-source-button" and button["text"] == ".ipynb":
            button["text"] += " without its images: a run draws them again"
