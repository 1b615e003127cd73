"""One message: damaged transfer encodings, and headers in any charset."""

import base64

import pytest

from k2c.datasets.mail import parse_mail

TEXT = "Dear friend, the meeting is at noon. Bring the report and some soup for everybody."
CODED = base64.encodebytes(TEXT.encode()).decode()
FOOTER = "____________\nlist mailing list\nlist@example.org"
HEADER = "Subject: x\nContent-Transfer-Encoding: {}\nContent-Type: text/plain; charset={}\n\n"


def text_of(coded: str | bytes, transfer: str, charset: str = "utf-8") -> str:
    body = coded if isinstance(coded, bytes) else coded.encode()
    return parse_mail(HEADER.format(transfer, charset).encode() + body).text.removeprefix("Subject: x\n\n")


@pytest.mark.parametrize(
    ("coded", "text"),
    [
        (CODED, TEXT),
        (CODED.rstrip().rstrip("="), TEXT),
        (CODED[:61], TEXT[:45]),  # cut after one letter of four, which is worth nothing
        (CODED[:62], TEXT[:46]),
        (CODED[:40] + "!\r\n!" + CODED[40:], TEXT),
        (CODED + FOOTER, f"{TEXT}\n{FOOTER}"),
        ("This is not base64 at all.\n", "This is not base64 at all."),
    ],
    ids=["whole", "no padding", "cut by one", "cut by two", "bytes between", "a list's footer", "plain text"],
)  # fmt: skip
def test_damaged_base64_gives_what_is_there(coded, text):
    assert text_of(coded, "base64") == text


@pytest.mark.parametrize(
    ("coded", "text"),
    [
        ("caf=C3=A9 =E2=82=AC", "café €"),
        ("caf=c3=a9", "café"),  # small letters, against the rules
        ("long =\nline", "long line"),
        ("100 =ZZ off =", "100 =ZZ off"),
        ("caf=E9", "café"),  # Windows-1252 labelled UTF-8
    ],
)
def test_damaged_quoted_printable_gives_what_is_there(coded, text):
    assert text_of(coded, "quoted-printable") == text


@pytest.mark.parametrize(
    ("transfer", "charset", "codec", "text"),
    [
        ("base64", "gb2312", "gbk", "代开发票，请联系朱镕先生"),
        ("base64", "iso-8859-8-i", "iso8859-8", "שלום רב לכולם"),
        ("base64", "utf-16", "utf-16-be", "Dear friend"),
        ("8bit", "unknown-8bit", "koi8-r", "Приглашаем вас на семинар по налогам"),
        ("quoted-printable", "ks_c_5601-1987", "cp949", "안녕하세요 뷁"),
    ],
)
def test_charset_and_transfer_encoding_go_together(transfer, charset, codec, text):
    raw = text.encode(codec)
    coded = base64.encodebytes(raw) if transfer == "base64" else raw
    if transfer == "quoted-printable":
        coded = "".join(f"={byte:02X}" for byte in raw).encode()
    assert text_of(coded, transfer, charset) == text


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        (b"=?gb2312?B?" + base64.b64encode("朱镕发票".encode("gbk")) + b"?=", "朱镕发票"),
        (b"=?iso-8859-8-i?B?" + base64.b64encode("שלום".encode("iso8859-8")) + b"?=", "שלום"),
        (b"=?x-unknown?Q?caf=E9?=", "café"),
        (b"=?utf-8?Q?a=20?=\n =?utf-8?Q?b?= c", "a b c"),
        ("代开各类发票，欢迎来电咨询".encode("gbk"), "代开各类发票，欢迎来电咨询"),  # bytes as they are
        ("Grüße".encode(), "Grüße"),
        (b"=?utf-8?B?!!!?= text", "text"),
        (b"=?utf-8?B?YQ?= text", "a text"),  # without its padding
    ],
)
def test_subjects_come_in_every_charset(header, subject):
    raw = b"Subject: " + header + b"\nContent-Type: text/plain; charset=gb2312\n\nbody"
    assert parse_mail(raw).text == f"Subject: {subject}\n\nbody"


def test_html_without_a_label_names_its_charset_itself():
    html = '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251"><p>Привет</p>'
    assert (
        parse_mail(b"Subject: x\nContent-Type: text/html\n\n" + html.encode("cp1251")).text
        == "Subject: x\n\nПривет"
    )


def test_text_below_a_lone_subject_is_no_header():
    """Files of Enron-Spam have a subject, no empty line, and lines such as `re : ...` or `http://...` next."""
    raw = b"Subject: meeting\nre:yesterday\nhttp://example.org\nsee you"
    assert parse_mail(raw).text == "Subject: meeting\n\nre:yesterday\nhttp://example.org\nsee you"
    with_headers = b"Subject: meeting\nX-Mailer: y\nTo: b@c.example\n\nsee you"
    assert parse_mail(with_headers).text == "Subject: meeting\n\nsee you"
