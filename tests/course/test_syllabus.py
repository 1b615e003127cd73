"""Parameters are typed and bounded; what is wrong is said in sentences before anything starts."""

from pathlib import Path

import nbformat
import pytest

from k2c._system.paths import project_root
from k2c.course.syllabus import ParameterError, load_syllabus
from k2c.errors import K2CError
from k2c.runs.execution.results import collect_results


@pytest.fixture
def lecture(tiny_course):
    return load_syllabus(tiny_course / "course/syllabus.yml").lecture("00")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stpes": 3}, "no parameter 'stpes'; did you mean 'steps'"),
        ({"steps": "abc"}, "steps must be a whole number from 1 to 9, not 'abc'"),
        ({"steps": -1}, "from 1 to 9, not -1"),
        ({"steps": 2.5}, "from 1 to 9, not 2.5"),
        ({"steps": True}, "from 1 to 9, not True"),
        ({"rate": "nan"}, "a number from 0 to 1, not 'nan'"),
        ({"source": "nowhere"}, "one of here, there, not 'nowhere'"),
    ],
)
def test_a_wrong_parameter_is_refused_with_what_is_allowed(lecture, values, message):
    with pytest.raises(ParameterError, match=message):
        lecture.resolve(values)


def test_a_lectures_headline_is_a_result_of_it():
    for name, lecture in load_syllabus().lectures.items():
        notebook = nbformat.read(project_root() / f"notebooks/{name}.ipynb", as_version=4)
        results = collect_results(notebook)
        assert lecture.headline in {guard["name"] for guard in results["guards"]} | set(results["recorded"])


def test_every_problem_is_reported_at_once(lecture):
    with pytest.raises(ParameterError) as error:
        lecture.resolve({"stpes": 1, "rate": 7, "steps": 3})
    assert "stpes" in str(error.value)
    assert "rate" in str(error.value)


def test_text_from_a_command_line_gets_the_parameters_type(lecture):
    assert lecture.resolve({"steps": "4", "rate": "1"}) == {"steps": 4, "rate": 1.0}


def test_settings_tell_their_profile(lecture):
    assert lecture.settings("full")["steps"] == 9
    assert [lecture.profile_of(lecture.settings(name)) for name in ("smoke", "lecture", "full")] == [
        "smoke", "lecture", "full",
    ]  # fmt: skip
    assert lecture.profile_of(lecture.settings() | {"rate": 0.25}) == "custom"


def test_a_lecture_is_found_by_the_start_of_its_name(tiny_course):
    syllabus = load_syllabus(tiny_course / "course/syllabus.yml")
    assert syllabus.lecture_name("notebooks/00_tiny.ipynb") == "00_tiny"
    with pytest.raises(ParameterError, match="no lecture '00_tny'; did you mean '00_tiny'"):
        syllabus.lecture_name("00_tny")


@pytest.mark.parametrize(
    ("typed", "lecture"),
    [
        ("2", "02_lenet_mnist"),
        ("02", "02_lenet_mnist"),
        ("lenet", "02_lenet_mnist"),
        ("MNIST", "02_lenet_mnist"),
        ("notebooks/03_pretrained_imagenet.ipynb", "03_pretrained_imagenet"),
        ("chest", "06_distributed_chest_xray"),
        ("n", "01_spam_naive_bayes"),  # of naive
    ],
)
def test_a_lecture_of_the_course_is_found_by_number_or_word(typed, lecture):
    found = load_syllabus(project_root() / "course/syllabus.yml").lecture_name(typed)
    assert found == lecture


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("0", "'0' may be 01_spam_naive_bayes or 02_lenet_mnist or"),
        ("7", "There is no lecture '7'"),
        ("9" * 5000, "There is no lecture"),
        ("p", "'p' may be 03_pretrained_imagenet or 09_parallel"),
        ("lenat", "There is no lecture 'lenat'"),
        ("", "There is no lecture ''"),
    ],
)
def test_a_name_that_is_no_lecture_or_may_be_two_is_refused(tmp_path, typed, said):
    text = (project_root() / "course/syllabus.yml").read_text()
    (tmp_path / "syllabus.yml").write_text(text.replace("04_gpu_kernels", "09_parallel"))
    with pytest.raises(ParameterError, match=said):
        load_syllabus(tmp_path / "syllabus.yml").lecture_name(typed)


def test_a_text_that_is_no_choice_is_a_path_where_the_syllabus_says_so():
    lecture = load_syllabus(project_root() / "course/syllabus.yml").lecture("05")
    assert lecture.parameters["source"].allowed() == "synthetic, retinamnist, or a path"
    assert lecture.paths(lecture.settings()) == {}
    values = lecture.resolve({"source": "eyes", "labels": "eyes.csv", "missing": "skip"})
    assert lecture.paths(lecture.settings() | values) == {"source": Path("eyes"), "labels": Path("eyes.csv")}
    with pytest.raises(ParameterError, match="missing must be one of error, skip, not 'no'"):
        lecture.resolve({"missing": "no"})


def test_a_mistake_in_the_syllabus_is_named_with_its_place(tiny_course):
    path = tiny_course / "course/syllabus.yml"
    path.write_text(path.read_text().replace("default: 3", "default: 30"))
    with pytest.raises(
        K2CError, match=r"line \d+: lectures\.00_tiny\.parameters\.steps.*from 1 to 9, not 30"
    ):
        load_syllabus(path).lecture("00")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("", r"line 3: lectures.01_new: Input should be a valid dictionary"),
        ("\n    title: New\n    minutes: 0", r"line 5: lectures.01_new.minutes: .*greater than 0"),
        ("\n    title: New\n    title: Newer", r"line 5: title is given twice"),
    ],
)
def test_an_entry_that_is_half_written_stops_no_other_lecture(tiny_course, entry, said):
    path = tiny_course / "course/syllabus.yml"
    course, lectures = path.read_text().split("lectures:\n")
    path.write_text(f"{course}lectures:\n  01_new:{entry}\n{lectures}")
    syllabus = load_syllabus(path)
    assert syllabus.lecture("00").title
    assert list(syllabus.lectures) == ["00_tiny"]
    for name in ("1", "01_new", "new"):
        with pytest.raises(ParameterError, match=said):
            syllabus.lecture_name(name)


def test_a_mistake_outside_the_lectures_stops_the_course(tiny_course):
    path = tiny_course / "course/syllabus.yml"
    path.write_text(path.read_text().replace("course: ", "coarse: "))
    with pytest.raises(K2CError, match=r"(?s)line 1: course: Field required.*line 1: coarse"):
        load_syllabus(path)


def test_another_course_in_the_same_process_is_read_as_itself(
    tiny_course, make_tiny_course, tmp_path, monkeypatch
):
    first, other = load_syllabus(), make_tiny_course(tmp_path / "other")
    text = (other / "course/syllabus.yml").read_text()
    (other / "course/syllabus.yml").write_text(text.replace("A tiny course", "Another course"))
    monkeypatch.setenv("K2C_HOME", str(other))
    assert (first.course, load_syllabus().course) == ("A tiny course", "Another course")
