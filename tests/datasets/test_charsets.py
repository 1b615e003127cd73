"""Bytes to text: by their label, then by their content."""

import pytest

from k2c.datasets.charsets import codec_of, decode

CHINESE = "您好，本公司可以代开各类发票，欢迎来电咨询。"
TRADITIONAL = "您好，本公司提供低利貸款，歡迎來電洽詢。"
JAPANESE = "おめでとうございます。あなたは当選しました。今すぐクリック"
KOREAN = "안녕하세요. 대출 상담을 무료로 해 드립니다. 지금 전화하세요."
RUSSIAN = "Здравствуйте! Приглашаем вас на семинар по налогам в Москве."
HEBREW = "שלום רב, אנו שמחים להזמין אתכם לכנס השנתי"
GREEK = "Καλημέρα, σας προσκαλούμε στην εκδήλωση"
ARABIC = "مرحبا بكم في موقعنا، لدينا عروض خاصة اليوم"
THAI = "สวัสดีครับ ขอเชิญร่วมงานสัมมนา ในวันจันทร์ที่จะถึงนี้"
TURKISH = "Değerli müşterimiz, ücretsiz kargo fırsatını kaçırmayın"
POLISH = "Dzień dobry, proszę o przesłanie faktury za źródło"
SMART = "“Free” – it’s 100 €"


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("gb2312", "gbk", CHINESE + "镕喆"),  # two characters that GB 2312 does not have
        ("GB_2312-80", "gb18030", CHINESE),
        ("x-gbk", "gbk", CHINESE),
        ("hz-gb-2312", "hz", CHINESE),
        ("big5", "big5hkscs", TRADITIONAL + "啲"),
        ("big5-hkscs", "big5hkscs", TRADITIONAL + "啲"),
        ("x-x-big5", "big5", TRADITIONAL),
        ("ks_c_5601-1987", "cp949", KOREAN + "뷁"),
        ("euc-kr", "cp949", KOREAN + "뷁"),
        ("windows-949", "cp949", KOREAN),
        ("shift_jis", "cp932", JAPANESE + "①髙"),
        ("x-sjis", "cp932", JAPANESE),
        ("iso-2022-jp", "iso2022_jp", JAPANESE),
        ("euc-jp", "euc_jp", JAPANESE),
        ("iso-8859-8-i", "iso8859-8", HEBREW),
        ("iso-8859-8-e", "iso8859-8", HEBREW),
        ("windows-1255", "cp1255", HEBREW),
        ("koi8-r", "koi8-r", RUSSIAN),
        ("x-cp1251", "cp1251", RUSSIAN),
        ("iso-8859-1", "cp1252", SMART),
        ("us-ascii", "cp1252", SMART),
        ("iso-8859-9", "cp1254", TURKISH + " …"),
        ("iso-8859-2", "iso8859-2", POLISH),
        ("tis-620", "cp874", THAI),
        ("windows-874", "cp874", THAI),
        ("utf-7", "utf-7", RUSSIAN),
        ("unicode-1-1-utf-7", "utf-7", RUSSIAN),
        ("utf-16", "utf-16", "Dear friend, see you at noon."),
        ("utf-16", "utf-16-be", "Dear friend, see you at noon."),
        ("utf-16le", "utf-16-le", CHINESE),
        ("iso-8859-1", "utf-8", "Grüße, 見る"),
        ('"utf-8"', "utf-8", CHINESE),
    ],
)
def test_a_label_is_read_as_senders_use_it(label, codec, text):
    assert decode(text.encode(codec), label) == text


@pytest.mark.parametrize(
    "label", [None, "us-ascii", "iso-8859-1", "unknown-8bit", "x-unknown", "8bit", "utf-8"]
)
@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("utf-8", CHINESE),
        ("gb18030", CHINESE),
        ("big5", TRADITIONAL),
        ("cp932", JAPANESE),
        ("euc_jp", JAPANESE),
        ("iso2022_jp", JAPANESE),
        ("cp949", KOREAN),
        ("koi8_r", RUSSIAN),
        ("cp1251", RUSSIAN),
        ("cp1253", GREEK),
        ("cp1256", ARABIC),
        ("cp874", THAI),
        ("cp1252", SMART),
        ("cp1252", "Grüße aus München, wir sehen uns am Samstag"),
        ("cp1252", "café"),
        ("utf-16", "Dear friend"),
        ("utf-16-le", "Dear friend, see you at noon."),
        ("utf-16-be", "Dear friend, see you at noon."),
    ],
)
def test_without_a_true_label_the_content_tells(label, codec, text):
    assert decode(text.encode(codec), label) == text


@pytest.mark.parametrize("codec", ["gb18030", "utf-8", "cp949", "koi8_r"])
def test_a_damaged_byte_costs_a_character(codec):
    raw = CHINESE.encode(codec) if codec in ("gb18030", "utf-8") else (RUSSIAN * 2).encode(codec)
    text = decode(raw[:36] + b"\xff" + raw[36:], codec)
    assert text[:9] == raw.decode(codec)[:9] and text[-4:] == raw.decode(codec)[-4:]


@pytest.mark.parametrize(
    "label", ["rot13", "base64", "idna", "unicode_escape", "undefined", "../../x", "\0", "", None]
)
def test_what_is_no_charset_is_none(label):
    assert codec_of(label) is None
    assert decode(b"plain", label) == "plain"


def test_any_bytes_give_text_that_can_be_written():
    for label in (None, "utf-8", "gb2312", "utf-16", "iso-2022-jp", "utf-7"):
        for raw in (bytes(range(256)), b"\xff" * 9, b"\0" * 9, b"\x1b$B", b"+AGEA", b""):
            decode(raw, label).encode("utf-8", "replace")
