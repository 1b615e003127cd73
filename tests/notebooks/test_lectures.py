"""The contract of a lecture notebook, kept by every notebook of the course."""

import ast
import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest

from k2c import guard, kernels
from k2c._system.forkserver import can_fork
from k2c._system.outputs import RESULT_MIME
from k2c._system.paths import project_root
from k2c.course.cases import hidden_cases
from k2c.course.exercises import answers, judge, load_solutions
from k2c.course.syllabus import load_syllabus
from k2c.runs import collect_results
from k2c.runs.builds import fill_exercises
from k2c.runs.execution.engine import Execution
from k2c.runs.execution.forked_kernel import kernel_server
from k2c.runs.reports.export import write_html

SANITIZE = Path(__file__).with_name("sanitize.cfg")
ROOT = project_root()
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SYLLABUS = load_syllabus(ROOT / "course/syllabus.yml")
SOLUTIONS = load_solutions(ROOT / "course/solutions")
SKIPPED = {"nbval-ignore-output", "nbval-skip", "raises-exception"}
KERNEL = "python3"

pytestmark = pytest.mark.filterwarnings("ignore")
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def tags(cell):
    return set(cell.metadata.get("tags", []))


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_course_notebooks_and_solutions_name_the_same_lectures():
    names = [path.stem for path in NOTEBOOKS]
    assert names == list(SYLLABUS.lectures)
    assert names == list(SOLUTIONS)


@every_notebook
def test_parameters_stand_as_in_the_syllabus(path):
    first, *others = code_cells(read(path))
    assert "parameters" in tags(first)
    assert not any("parameters" in tags(cell) for cell in others)
    lines = [line for line in first.source.splitlines() if line.strip()]
    found = {}
    for line in lines:
        statement, _, comment = line.partition("  # ")
        node = ast.parse(statement).body[0]
        found[node.target.id] = (node.annotation.id, ast.literal_eval(node.value), comment)
    expected = {
        name: (parameter.type, parameter.default, parameter.help)
        for name, parameter in SYLLABUS.lectures[path.stem].parameters.items()
    }
    assert found == expected


@every_notebook
def test_cells_come_in_the_order_of_the_contract(path):
    notebook = read(path)
    text = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    lecture = SYLLABUS.lectures[path.stem]
    assert notebook.cells[0].source.startswith(f"# {lecture.title}")
    assert f"{lecture.minutes} minutes" in notebook.cells[0].source
    for objective in lecture.objectives:
        assert objective in notebook.cells[0].source
    headings = [line for cell in text for line in cell.splitlines() if line.startswith("## ")]
    assert headings[-2:] in (["## Summary", "## Sources"], ["## Summary", "## Further reading"])
    assert 2 <= sum("exercise" in tags(cell) for cell in notebook.cells) <= 7  # checks, and problems
    assert "k2c.open_lecture(" in code_cells(notebook)[1].source


@every_notebook
def test_outputs_are_committed_and_say_nothing_of_the_machine(path):
    notebook, content = read(path), path.read_text(encoding="utf-8")
    assert len(content.encode()) <= 2_000_000
    assert all(cell.execution_count for cell in code_cells(notebook)), (
        "a cell without its count is not compared"
    )
    guarded = [cell for cell in code_cells(notebook) if "k2c.guard(" in cell.source]
    assert guarded
    for cell in guarded:
        assert not tags(cell) & SKIPPED, f"the guard in {cell.id} is not compared"
        results = [output.get("metadata", {}).get(RESULT_MIME, {}) for output in cell.outputs]
        assert any(result.get("guard", {}).get("status") == "ok" for result in results), cell.id
    assert not re.search(r"/(home|Users|root|tmp|work)/", content)
    assert "papermill" not in notebook.metadata
    assert not any(output.output_type == "error" for cell in code_cells(notebook) for output in cell.outputs)
    assert not [
        cell.id for cell in code_cells(notebook) if any(o.get("name") == "stderr" for o in cell.outputs)
    ]


@every_notebook
def test_nothing_is_left_to_read_that_was_not_meant_to_be_read(path):
    for cell in code_cells(read(path)):
        for output in cell.outputs:
            text = output.get("data", {}).get("text/plain", "")
            pictured = {"image/png", "image/jpeg", "text/html"} & set(output.get("data", {}))
            assert pictured or not re.match(r"<[\w. ]+ (at 0x|size )|\[<matplotlib|Text\(", text), (
                f"{cell.id}: {text}"
            )


@every_notebook
def test_a_lecture_tells_its_story_and_leaves_the_plumbing_to_the_package(path):
    names = []
    for number, cell in enumerate(code_cells(read(path))):
        # the cell of imports may be longer, and so may a script that is written into a file
        longest = 40 if number == 1 or "%%writefile" in cell.source else 25
        assert len(cell.source.splitlines()) <= longest, f"{cell.id} is too long for a lecture"
        tree = ast.parse(without_magics(cell.source))
        names += [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        assert not any(
            isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in ast.walk(tree)
        )
    assert len(names) == len(set(names)), "defined twice"


@every_notebook
def test_formulas_survive_the_way_to_the_page(path, tmp_path):
    page = tmp_path / "page.html"
    write_html(read(path), page, "title")
    formulas = re.findall(r"<math.*?</math>", page.read_text(encoding="utf-8"), re.S)
    assert not [formula for formula in formulas if re.search(r"<m[ion][^>]*>\\", formula)]


@every_notebook
def test_each_stub_is_its_solution_with_holes(path):
    stubs = [cell.source for cell in code_cells(read(path)) if "exercise" in tags(cell)]
    solutions = [entry["solution"].strip() for entry in SOLUTIONS[path.stem].values()]
    assert len(stubs) == len(solutions)
    for stub, solution in zip(stubs, solutions, strict=True):
        assert "..." in stub
        pattern = ".+?".join(map(re.escape, stub.strip().split("...")))
        assert re.fullmatch(pattern, solution, re.S), (
            f"not the same but for the holes:\n{stub}\n---\n{solution}"
        )


def imports_and_functions(path):
    """Return what the cells of a lecture import and define, without running anything else."""
    statements = [
        node for cell in code_cells(read(path)) for node in ast.parse(without_magics(cell.source)).body
    ]
    kept = [node for node in statements if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef)]
    names = {"ops": kernels.open("opencl")}  # the only value of a lecture that its answers need
    for node in kept:
        with contextlib.suppress(NameError):  # a function whose defaults are values of the lecture
            exec(compile(ast.Module([node], []), str(path), "exec"), names)
    return names


def without_magics(source):
    return "\n".join(line for line in source.splitlines() if not line.startswith("%"))


@every_notebook
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # one of the mistakes overflows
def test_each_likely_mistake_gets_the_hint_for_it(path):
    names = imports_and_functions(path)
    for exercise, entry in SOLUTIONS[path.stem].items():
        assert len(entry["mistakes"]) >= 2
        for mistake in entry["mistakes"]:
            assert mistake["part"] in entry["solution"]
            wrong = entry["solution"].replace(mistake["part"], mistake["written"])
            name = ast.parse(wrong).body[0].name
            exec(wrong, names)
            calls = [case["call"] for case in entry["checks"]]
            given = answers(calls, names[name], entry.get("uses", ()))
            verdict = judge(entry["checks"], given)
            expected = entry["checks"][mistake["case"] - 1]["hint"]
            assert "NameError" not in verdict.complaint
            assert (verdict.status, verdict.hint) == ("wrong", expected), f"{exercise}: {mistake}"


def learnt_by_heart(answer, calls, uses):
    """Return an answer that gives in the calls what is right there, and in others what was right in the first."""
    table, learns = {}, True

    def recall(name, function):
        def given(*args, **options):
            asked = (name, repr((args, options)))
            if learns:
                table[asked] = function(*args, **options)
            known = table.get(asked, next(value for (other, _), value in table.items() if other == name))
            return Parrot(known) if isinstance(known, kernels.Attempt) else known

        return given

    class Parrot:  # a kernel is asked for by its methods
        def __init__(self, attempt):
            self.attempt = attempt

        def __getattr__(self, name):
            return recall(name, getattr(self.attempt, name) if learns else None)

    spoken = recall("answer", answer)
    list(answers(calls, spoken, uses))
    learns = False
    return spoken


@every_notebook
def test_hidden_cases_take_the_solution_and_not_what_was_learnt_by_heart(path):
    names = imports_and_functions(path)
    for exercise, entry in SOLUTIONS[path.stem].items():
        exec(entry["solution"], names)
        answer, uses = names[ast.parse(entry["solution"]).body[0].name], entry.get("uses", ())
        public = entry["checks"]
        parrot = learnt_by_heart(answer, [case["call"] for case in public], uses)
        for seed in (2, 6, 7):
            cases = hidden_cases(exercise, entry, seed)
            calls = [case["call"] for case in cases]
            assert judge(cases, answers(calls, answer, uses)).status == "right", (exercise, seed)
            assert judge(cases, answers(calls, parrot, uses)).status == "wrong", (exercise, seed)


@pytest.fixture(scope="module")
def server():
    """Return what forks kernels with the lectures' slow imports made; nbval starts ordinary ones."""
    if not can_fork():
        yield None
        return
    server = kernel_server(
        ["k2c.models", "k2c.metrics", "k2c.training", "pandas", "sklearn.pipeline", "torch"]
    )
    yield server
    server.close()


@every_notebook
def test_with_its_solutions_the_lecture_runs_and_every_check_passes(path, tmp_path, server):
    lecture, notebook = SYLLABUS.lectures[path.stem], read(path)
    fill_exercises(notebook, path.stem)
    solved = tmp_path / path.name
    nbformat.write(notebook, solved)
    executed = papermill.execute_notebook(
        solved, None, parameters=lecture.settings("smoke"), kernel_name=KERNEL, progress_bar=False,
        execution_timeout=300, engine_name="k2c", execution=Execution(str(path.parent), server=server),
    )  # fmt: skip
    assert collect_results(executed)["exercises"] == dict.fromkeys(SOLUTIONS[path.stem], "right")


@every_notebook
def test_a_committed_claim_shows_the_value_that_was_recorded(path, capsys):
    outputs = [output for cell in read(path).cells for output in cell.get("outputs", [])]
    for output in outputs:
        claim = output.get("metadata", {}).get(RESULT_MIME, {}).get("guard")
        if claim and claim["status"] == "ok":
            guard(claim["name"], float(claim["value"]), low=claim["low"], high=claim["high"])
            assert output.data["text/plain"] == capsys.readouterr().out.rstrip("\n")


def test_a_wrong_number_in_a_guarded_line_fails(tiny_course, k2c):
    assert k2c("notebooks").returncode == 0
    notebook = tiny_course / "notebooks/00_tiny.ipynb"
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=60",
               f"--nbval-sanitize-with={SANITIZE}", "-p", "no:cacheprovider",
               f"--rootdir={tiny_course}", str(notebook)]  # fmt: skip
    honest = subprocess.run(command, cwd=tiny_course, capture_output=True, text=True)
    assert honest.returncode == 0, honest.stdout
    content = json.loads(notebook.read_text())
    assert "at least 1.5" in notebook.read_text()
    notebook.write_text(json.dumps(content).replace("at least 1.5", "at least 1.6"))
    planted = subprocess.run(command, cwd=tiny_course, capture_output=True, text=True)
    assert planted.returncode == 1, planted.stdout
    assert "at least 1.6" in planted.stdout
