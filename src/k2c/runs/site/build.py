"""The site's build: Sphinx with myst-nb over the executed notebooks, set up so that no page asks the network."""

import importlib.util
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

import nbformat

from k2c._system.advice import pip_install
from k2c._system.paths import project_root
from k2c.course.syllabus import load_syllabus
from k2c.errors import K2CError
from k2c.runs.site.links import launch_links
from k2c.runs.site.live import WIDGET
from k2c.runs.site.pages import EXTRA, write_pages

STATIC = Path(__file__).parent / "static"
TEMPLATES = Path(__file__).parent / "templates"
MADE_BY_SPHINX = "searchindex.js"


def build_site(out: Path, models: bool = False) -> tuple[Path, str]:
    """Build the course site from the executed notebooks in `notebooks` and the pages in `course/site`.

    Parameters
    ----------
    out
        The folder of the site; one that holds an older site is replaced when the new one is complete.
    models
        Also train the lectures' own models (minutes; they are kept) and put each on a page.

    Returns
    -------
    tuple of pathlib.Path and str
        The start page, and what Sphinx warned of.

    Raises
    ------
    K2CError
        When the extra is missing, `out` is a folder of something else, or Sphinx fails.
    """
    if importlib.util.find_spec("sphinx_book_theme") is None or importlib.util.find_spec("myst_nb") is None:
        raise K2CError(f"The site needs Sphinx and myst-nb. Install them with: {pip_install('[site]')}")
    if out.exists() and not (out / MADE_BY_SPHINX).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise K2CError(f"{out} holds something else than a course site. Name a folder that is new or empty.")
    out.parent.mkdir(parents=True, exist_ok=True)
    # Beside the place where it goes, so that the finished site moves there at once.
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as room:
        warnings = _run_sphinx(Path(room), models)
        if out.exists():
            shutil.rmtree(out)
        (Path(room) / "site").rename(out)
    return out / "index.html", warnings


def _run_sphinx(room: Path, models: bool) -> str:
    from sphinx.application import Sphinx
    from sphinx.errors import SphinxError
    from sphinx.util.console import nocolor
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    nocolor()
    told, warnings = write_pages(room / "source", models), io.StringIO()
    try:
        with patch_docutils(), docutils_namespace():
            app = Sphinx(
                room / "source",
                None,
                room / "site",
                room / "doctrees",
                "html",
                confoverrides=_settings(told) | {"html_extra_path": [str(room / "source" / EXTRA)]},
                status=None,
                warning=warnings,
            )
            app.build()
    except SphinxError as error:
        raise K2CError(f"Sphinx could not build the site: {error}") from error
    (room / "site/.buildinfo").unlink(missing_ok=True)
    _drop_weight(room / "site")
    return warnings.getvalue()


def _drop_weight(site: Path) -> None:
    """Remove what weighs much and nobody reads: maps of minified files, images and widgets in notebooks to download.

    The pages show them, and whoever runs a notebook makes them anew.
    """
    for path in site.rglob("*.map"):
        path.unlink()
    for path in (site / "_sources").glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            for output in cell.get("outputs", ()):
                for kind, content in list(output.get("data", {}).items()):
                    if kind.startswith("image/") or WIDGET in content:
                        del output.data[kind]
        nbformat.write(notebook, path)


def _settings(told: dict[str, str]) -> dict[str, Any]:
    course = load_syllabus().course
    return {
        "extensions": ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "k2c.runs.site.extension"],
        "autodoc_member_order": "bysource",
        "autodoc_preserve_defaults": True,
        "autodoc_typehints_format": "short",
        "default_role": "py:obj",  # `name` in a docstring is a link where there is such a page, and code elsewhere
        "napoleon_google_docstring": False,
        "napoleon_custom_sections": [("Attributes", "params_style")],
        "napoleon_use_rtype": False,
        "python_maximum_signature_line_length": 80,
        "toc_object_entries": False,
        "project": course,
        "html_title": course,
        "language": "en",
        "html_theme": "sphinx_book_theme",
        "html_theme_options": _theme_options(),
        "html_static_path": [str(STATIC)],
        "templates_path": [str(TEMPLATES)],
        "html_css_files": ["course.css", "print.css"],
        "html_js_files": ["course.js", "live.js"],
        "html_show_copyright": False,
        "html_show_sphinx": False,
        "html_math_renderer": "mathml",
        "k2c_alternative_text": told,
        "myst_enable_extensions": ["dollarmath", "amsmath", "deflist"],
        "exclude_patterns": [EXTRA],
        "myst_heading_anchors": 3,
        "nb_execution_mode": "off",
        "nb_ipywidgets_js": {},
        "nb_merge_streams": True,
    }


def _theme_options() -> dict[str, Any]:
    return {
        "use_fullscreen_button": False,
        "use_download_button": True,
        "show_toc_level": 2,
        "collapse_navbar": True,  # not every name of the reference on every page
        "navigation_with_keys": False,
        "navbar_persistent": [],
        "footer_content_items": [],
        "pygments_light_style": "a11y-high-contrast-light",
        "pygments_dark_style": "a11y-high-contrast-dark",
        **launch_links(project_root() / "course/site"),
    }
