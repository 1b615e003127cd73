"""A JupyterLab on a copy of the lectures, and a hand in a real browser: skipped where there is none."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-for-these-tests"
PATIENCE = float(os.environ.get("K2C_BROWSER_PATIENCE", "240"))  # seconds; a loaded machine takes its time
IMAGES = os.environ.get("K2C_BROWSER_IMAGES")  # a folder, to look at what the tests saw
SETTINGS = {
    # Every cell is on the page, also those that are out of sight.
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


def find_chromium() -> str | None:
    return os.environ.get("K2C_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(item.path).is_relative_to(Path(__file__).parent)]
    missing = None if find_chromium() else "needs Chromium: install it, or name it by K2C_CHROMIUM"
    if "browser" not in config.getoption("markexpr"):
        missing = "takes minutes: make browser"
    try:
        import playwright  # noqa: F401
    except ModuleNotFoundError:
        missing = 'needs playwright: pip install "k2c[browser]"'
    for item in here:
        item.add_marker(pytest.mark.browser)
        item.add_marker(pytest.mark.timeout(4 * PATIENCE))
        if missing:
            item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Lab:
    """A JupyterLab that serves a folder of notebooks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "notebooks"
        shutil.copytree(ROOT / "notebooks", self.folder, ignore=shutil.ignore_patterns(".*"))
        for name, content in SETTINGS.items():
            path = folder / f"settings/@jupyterlab/{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
                   f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}",
                   "--expose-app-in-browser", f"--ServerApp.root_dir={self.folder}"]  # fmt: skip
        places = {
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython",
        }
        environment = {name: str(folder / place) for name, place in places.items()}
        self.log = (folder / "lab.log").open("w+")
        self.process = subprocess.Popen(
            command, env=os.environ | environment | {"K2C_STUDENT": "off"}, stdout=self.log, stderr=self.log,
            cwd=folder,
        )  # fmt: skip

    def wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self.process.poll() is None, Path(self.log.name).read_text()
            try:
                self.ask("status")
                return
            except OSError:
                time.sleep(0.2)
        raise AssertionError("JupyterLab did not start:\n" + Path(self.log.name).read_text())

    def ask(self, path: str) -> Any:
        request = urllib.request.Request(
            f"{self.url}/api/{path}", headers={"Authorization": f"token {TOKEN}"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    try:
        lab.wait()
        yield lab
    finally:
        lab.close()


class OpenNotebook:
    """A notebook in JupyterLab, with what a hand does to it."""

    def __init__(self, page: Any, lab: Lab, name: str) -> None:
        self.page, self.lab, self.name = page, lab, name
        self.open()

    def open(self) -> None:
        self._open("isReady")
        self.wait_until_idle()

    def _open(self, state: str) -> None:
        self.page.set_default_timeout(PATIENCE * 1000)
        self.page.goto(f"{self.lab.url}/lab/tree/{self.name}.ipynb?token={TOKEN}&reset")
        self.until(f"panel?.content?.model?.cells?.length > 0 && panel.sessionContext.{state}")

    def save_and_close(self) -> None:
        """Save, and close the browser's tab: the kernel goes on."""
        self.choose("File", "Save Notebook")
        self.until("!panel.context.model.dirty")
        self.page.close()

    def open_again(self) -> None:
        """Open it in a new tab, whatever the kernel does meanwhile."""
        self.page = self.page.context.new_page()
        self._open("session?.kernel")

    def choose(self, menu: str, item: str) -> None:
        """Choose an item of a menu."""
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{item}…?$")).click()

    def run_all(self) -> None:
        """Choose Run, then Run All Cells."""
        self.choose("Run", "Run All Cells")

    def run(self, name: str) -> None:
        """Run one cell."""
        self.cell(name).locator(".jp-InputArea-prompt").click()
        self.page.keyboard.press("Control+Enter")

    def shut_down(self) -> None:
        """Close the notebook and end its kernel."""
        self.choose("File", "Close and Shut Down Notebook")
        self.page.locator(".jp-Dialog button.jp-mod-accept").click()

    def wait_until_done(self) -> None:
        """Wait until every cell has run or one has failed; no cell may have failed."""
        self.until(
            "errors.length > 0 || (cells.every(cell => cell.model.executionCount > 0 && "
            "cell.model.executionState != 'running') && panel.sessionContext.session.kernel.status == 'idle')"
        )
        assert self.errors() == []

    def wait_until_idle(self) -> None:
        self.until("panel.sessionContext.session?.kernel?.status == 'idle'")

    def errors(self) -> list[str]:
        return self.look("errors")

    def cell(self, name: str) -> Any:
        """Return the cell with this id, scrolled into sight."""
        index = self.look(
            f"[...panel.content.widgets].findIndex(cell => cell.model.sharedModel.getId() == '{name}')"
        )
        cell = self.page.locator(".jp-Notebook .jp-Cell").nth(index)
        cell.scroll_into_view_if_needed()
        return cell

    def look(self, expression: str) -> Any:
        """Evaluate JavaScript in which `panel` is the notebook, `cells` its code cells, `errors` what failed."""
        return self.page.evaluate(_LOOK.format(expression))

    def until(self, expression: str) -> None:
        """Wait until an expression (see `look`) is true."""
        self.page.wait_for_function(_LOOK.format(expression), polling=250, timeout=4 * PATIENCE * 1000)

    def image(self, name: str) -> None:
        if IMAGES:
            self.page.screenshot(path=Path(IMAGES) / f"{name}.png")

    def wait_until_no_kernel_is_known(self) -> None:
        """Wait until the server has forgotten every kernel, which it does some time after the process has ended."""
        deadline = time.monotonic() + PATIENCE
        while left := self.lab.ask("kernels"):
            assert time.monotonic() < deadline, left
            time.sleep(0.2)


_LOOK = """() => {{
  const panel = window.jupyterapp?.shell?.currentWidget;
  const cells = [...(panel?.content?.widgets ?? [])].filter(cell => cell.model.type == 'code');
  const errors = cells.flatMap(cell => cell.model.outputs.toJSON())
    .filter(output => output.output_type == 'error').map(output => output.ename + ': ' + output.evalue);
  return {};
}}"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return the folder of the course's site, built once for all workers."""
    from k2c.runs.site import build_site

    own = tmp_path_factory.getbasetemp()
    folder = own if worker_id == "master" else own.parent
    with FileLock(folder / "site.lock"):
        if not (folder / "site").exists():
            _, warnings = build_site(folder / "site")
            assert warnings == ""
    return folder / "site"


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    yield context.new_page()
    context.close()


@pytest.fixture
def open_lecture(lab: Lab, page: Any) -> Iterator[Callable[..., OpenNotebook]]:
    """Return a function that opens a lecture with other values of its parameters; its kernel ends with the test.

    Cells whose ids are in `shown` run also where they are asides and the others are skipped.
    """

    def opened(name: str, shown: Collection[str] = (), **parameters: Any) -> OpenNotebook:
        path = lab.folder / f"{name}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
        for key, value in parameters.items():
            cell.source, changed = re.subn(
                rf"(?m)^({key}: \w+ = ).*?(  #|$)", rf"\g<1>{value!r}\g<2>", cell.source
            )
            assert changed == 1, key
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
                if cell.id in shown:
                    cell.source = cell.source.replace("# Aside: ", "# ")
        nbformat.write(notebook, path)
        return OpenNotebook(page, lab, name)

    yield opened
    _end_kernels(lab)


@pytest.fixture
def open_notebook(lab: Lab, page: Any) -> Iterator[Callable[..., OpenNotebook]]:
    """Return a function that opens a notebook made of (id, source) pairs; its kernel ends with the test."""

    def opened(name: str, *cells: tuple[str, str]) -> OpenNotebook:
        code = [nbformat.v4.new_code_cell(source, id=cell_id) for cell_id, source in cells]
        kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
        made = nbformat.v4.new_notebook(cells=code, metadata={"kernelspec": kernel})
        nbformat.write(made, lab.folder / f"{name}.ipynb")
        return OpenNotebook(page, lab, name)

    yield opened
    _end_kernels(lab)


def _end_kernels(lab: Lab) -> None:
    for session in lab.ask("sessions"):
        request = urllib.request.Request(
            f"{lab.url}/api/sessions/{session['id']}",
            method="DELETE",
            headers={"Authorization": f"token {TOKEN}"},
        )
        urllib.request.urlopen(request, timeout=60).close()
