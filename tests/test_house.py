"""The rules of the house that a reader relies on when looking for the place of a change."""

import ast
import json
import re
import subprocess
import sys
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/k2c"
MODULES = sorted(PACKAGE.rglob("*.py"))


def imports_of(module: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_importing_the_package_is_cheap_and_leaves_torch_alone():
    code = (
        "import sys, time; start = time.process_time(); import k2c;"
        "print(time.process_time() - start, {'torch', 'numpy', 'matplotlib', 'pydantic'} & set(sys.modules))"
    )
    seconds, heavy = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split(maxsplit=1)
    assert heavy.strip() == "set()"
    assert float(seconds) < 0.3


@pytest.mark.parametrize(
    "name",
    ["cli.app", "datasets", "runs", "runs.batch", "runs.reports.batch", "runs.grading", "course.syllabus"],
)
def test_what_a_command_imports_leaves_torch_alone(name):
    heavy = "{'torch', 'scipy.stats', 'matplotlib.pyplot', 'sklearn'}"
    code = f"import sys, k2c.{name}; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stdout + done.stderr


@pytest.mark.parametrize("name", ["training", "kernels"])
def test_training_and_kernels_run_on_a_bare_gpu_machine(name):
    if not (PACKAGE / name).exists():
        pytest.skip(f"k2c.{name} is not here yet")
    absent = [
        "pydantic",
        "yaml",
        "pandas",
        "sklearn",
        "requests",
        "click",
        "rich",
        "papermill",
        "torchvision",
    ]
    code = f"import sys; sys.modules.update(dict.fromkeys({absent!r})); import k2c.{name}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def arrows() -> dict[str, set[str]]:
    """Return which modules of the package each module imports, anywhere in it: late and for types alone as well."""
    names = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in MODULES
    }
    found = {}
    for name, path in names.items():
        # `from k2c.models import LeNet` imports the package, `from k2c.models import lenet` the module alone.
        imported = {used for used in imports_of(path) if used in names and used != name}
        found[name] = {used for used in imported if not any(more.startswith(used + ".") for more in imported)}
    return found


def test_no_import_goes_round_in_a_circle():
    files = arrows()
    tuple(TopologicalSorter(files).static_order())
    rooms = defaultdict(set)
    for module, imported in files.items():
        rooms[room(module)] |= {room(used) for used in imported} - {room(module)}
    tuple(TopologicalSorter(rooms).static_order())


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def test_a_public_name_means_one_thing():
    places = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                places[node.name].append(path.relative_to(PACKAGE).as_posix())
    # A program of its own begins with `main`; the commands are named after what they call.
    assert {name: there for name, there in places.items() if len(there) > 1 and name != "main"
            and len([place for place in there if not place.startswith("cli/")]) > 1} == {}  # fmt: skip


def test_lectures_come_in_by_the_front_doors():
    behind = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        used = set(re.findall(r"^\s*(?:from|import) (k2c[\w.]+)", source, re.M))
        # Images are many, and each subject of theirs is a front door.
        behind |= {f"{path.stem}: {name}": name for name in used if not is_door(name)}
    assert list(behind) == []


def is_door(name: str) -> bool:
    return (PACKAGE.parent / name.replace(".", "/")).is_dir() or name.startswith(
        ("k2c.display.", "k2c.errors")
    )


# The opened lecture sets the style of its images; the command line and the runs use both.
@pytest.mark.parametrize("layer", ["runs", "display"])
def test_data_flows_one_way(layer):
    allowed = {
        *(PACKAGE / "cli").rglob("*.py"),
        *(PACKAGE / "runs").rglob("*.py"),
        *(PACKAGE / "display").rglob("*.py"),
    }
    if layer == "display":
        allowed.add(PACKAGE / "course/lecture.py")
    users = {
        module.relative_to(PACKAGE).as_posix()
        for module in MODULES
        if module not in allowed and any(name.startswith(f"k2c.{layer}") for name in imports_of(module))
    }
    assert users == set()


def test_a_public_name_is_not_replaced_by_the_module_of_the_same_name():
    code = """if True:
        import importlib, inspect, pkgutil, k2c
        for found in pkgutil.walk_packages(k2c.__path__, "k2c."):
            door = importlib.import_module(found.name) if found.ispkg else None
            for name in getattr(door, "__all__", ()):
                if importlib.util.find_spec(f"{found.name}.{name}"):
                    importlib.import_module(f"{found.name}.{name}")  # as somebody may do later
                    if inspect.ismodule(getattr(door, name)):
                        print(f"{found.name}.{name}")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def test_a_module_fits_one_sitting():
    long = {path.name: lines for path in MODULES if (lines := len(path.read_text().splitlines())) > 320}
    assert long == {}


def test_a_function_fits_one_screen():
    long = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                docstring = ast.get_docstring(node, clean=False)
                length = node.end_lineno - node.lineno - (len(docstring.splitlines()) if docstring else 0)
                if length > 40:
                    long.append(f"{path.relative_to(PACKAGE)}:{node.name} has {length} lines")
    assert long == []


def test_a_subpackage_lists_its_public_names_and_nothing_else():
    for path in PACKAGE.glob("*/__init__.py"):
        tree = ast.parse(path.read_text())
        kinds = {type(node).__name__ for node in tree.body}
        assert kinds <= {"Expr", "ImportFrom", "Assign"}, f"{path} does more than list names"
