"""CSV files of labels as people have them, and the true line of what is wrong in them."""

import gzip

import numpy as np
import pytest

from k2c.datasets.labels_csv import read_labels_csv, read_list
from k2c.errors import K2CError

ROWS = [["a.png", "0"], ["b.png", "2"]]


@pytest.fixture
def read(tmp_path):
    def read(content: str | bytes, encoding: str = "utf-8"):
        path = tmp_path / "labels.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return read_labels_csv(path)

    return read


@pytest.mark.parametrize(
    "content",
    [
        "image,level\na.png,0\nb.png,2\n",
        "image;level\r\na.png;0\r\nb.png;2\r\n",
        "image\tlevel\na.png\t0\nb.png\t2\n",
        "sep=;\nimage;level\na.png;0\nb.png;2\n",
        "sep=\t\nimage\tlevel\na.png\t0\nb.png\t2\n",
        "image|level\na.png|0\nb.png|2\n",
        "image,level\n\u200ba.png,0\u2060\n\xa0b.png\ufeff,2\n",
        '"sep=,"\nimage,level\na.png,0\nb.png,2\n',
        "\ufeffimage,level\na.png,0\nb.png,2\n",
        "image,level,\na.png,0,\nb.png,2,\n",
        "image,level\na.png,0,,,\nb.png,2,,,\n",
        '# made by hand, "quoted\n\nimage,level\n# eyes, "left\na.png,0\n\n,\nb.png,2\n\n',
        ' image , level \n a.png , 0 \n"b.png", "2"\n',
        "image,level\ra.png,0\rb.png,2\r",
        gzip.compress(b"image,level\na.png,0\nb.png,2\n"),
    ],
)
def test_forms_of_one_table(read, content):
    csv = read(content)
    assert list(csv.rows) == ["image", "level"] and csv.rows.to_numpy().tolist() == ROWS


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_encodings(read, encoding):
    csv = read("image,level,who\na.png,0,Müller\nb.png,2,Žižka\n", encoding)
    assert csv.rows["who"].tolist() == ["Müller", "Žižka"]
    assert bool(csv.notes) == (not encoding.startswith("utf-8"))


@pytest.mark.parametrize("word", ["", "NA", "n/a", "-", "NaN", "#N/A", "null"])
def test_what_is_not_known(read, word):
    csv = read(f"image,level\na.png,{word}\nb.png,1\n")
    assert csv.rows["level"][0] == "" and np.isnan(csv.numbers("level")[0])


def test_lines_are_those_of_the_file(read):
    csv = read('# one\nimage,note\na.png,"two\nlines"\n\n# x\nb.png,"three\r\nmore\nlines"\nc.png,\n')
    assert csv.lines == [3, 7, 10]
    assert csv.at(2).endswith("labels.csv, line 10")
    assert csv.notes == ["Lines of labels.csv that begin with # are comments: 2."]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04...", "not a CSV file but an Excel workbook .*Save it as CSV"),
        (b"\xd0\xcf\x11\xe0...", "an old Excel workbook"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1", "its content is no text"),
        (gzip.compress(b"image,level\na,1\n" * 99)[:40], "packed with gzip, and damaged"),
        ("image,level\n", "is empty"),
        ("image,level\na,0\nb,1,2\n", "line 3: there are 3 values, but the header names 2 columns"),
        ('image,level\n# x\n"a\n",0\nb,"1\nc,2\n', "line 5: .*a quotation mark"),
        ("image,Level,level \na,0,1\n", r"'Level' \(column 2\) and 'level' \(column 3\)"),
        ("image,dr grade,DR_Grade\na,0,1\n", r"'dr grade' \(column 2\) and 'DR_Grade' \(column 3\)"),
    ],
)
def test_what_is_no_table_of_labels_is_told_in_a_sentence(read, content, said):
    with pytest.raises(K2CError, match=said):
        read(content)


def test_ages(read):
    csv = read("image,age\n" + "".join(f"{n},{age}\n" for n, age in enumerate(
        ["58", "058Y", "011M", "26W", "3D", "411", "old", "", "7 years"]
    )))  # fmt: skip
    ages = csv.ages("age")
    assert np.allclose(
        ages, [58, 58, 11 / 12, 0.498, 0.0082, np.nan, np.nan, np.nan, 7], atol=1e-3, equal_nan=True
    )
    assert csv.notes == ["Ages that are impossible count as not known: 2, such as '411'."]


def test_a_comma_in_a_number_where_semicolons_separate(read):
    assert read("image;quality\na;0,25\nb;1,0\n").numbers("quality").tolist() == [0.25, 1]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lists_of_names(tmp_path, encoding):
    (tmp_path / "test_list.txt").write_bytes("\r\na.png  \r\n\r\n b.png\r\n".encode(encoding))
    assert read_list(tmp_path / "test_list.txt") == [(2, "a.png"), (4, "b.png")]
