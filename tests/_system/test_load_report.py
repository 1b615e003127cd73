from k2c._system.load_report import LoadReport


def test_nothing_left_out_is_said_too():
    assert str(LoadReport("messages", read=1200)) == "Read 1,200 messages; left out none."


def test_one_reason_makes_one_sentence_and_names_a_few():
    report = LoadReport("images", read=1)
    for number in range(5):
        report.leave_out(f"notes{number}.txt", "not an image")
    assert str(report) == (
        "Read 1 image; left out 5, because: not an image (notes0.txt, notes1.txt, notes2.txt, and 2 more)."
    )


def test_several_reasons_are_a_line_each_the_most_frequent_first():
    report = LoadReport("images", read=7)
    report.leave_out("a.png", "damaged")
    report.leave_out("b.txt", "not an image")
    report.leave_out("c.txt", "not an image")
    report.note("16-bit values were scaled.")
    report.note("16-bit values were scaled.")
    assert str(report).splitlines() == [
        "Read 7 images; left out 3, because:",
        "       2  not an image (b.txt, c.txt)",
        "       1  damaged (a.png)",
        "16-bit values were scaled.",
    ]


def test_names_cannot_move_the_terminals_cursor():
    report = LoadReport("images")
    report.leave_out("a\x1b[2J.png", "damaged")
    report.note("b\x1b[2J.csv was read as UTF-16.")
    assert "\x1b" not in str(report)
    assert report.as_json()["left_out"] == {"damaged": ["a\x1b[2J.png"]}


def test_outside_a_notebook_it_is_printed(capsys):
    LoadReport("images", read=2).announce()
    assert capsys.readouterr().out == "Read 2 images; left out none.\n"
