import pytest

from cti_bridge.domain.account import ContactKind
from storage.contact_points import contact_point, fold


@pytest.mark.parametrize(
    ("kind", "as_given", "value"),
    [
        (ContactKind.PHONE, " 020 7946 0018 ", "+442079460018"),
        (ContactKind.FAX, "+31 20 123 4567", "+31201234567"),
        (ContactKind.EMAIL, "Zoe.Q+x@Example.ORG", "zoe.q+x@example.org"),
        (ContactKind.EMAIL, "李雷@例子.cn", "李雷@例子.cn"),
        (ContactKind.WEB, "HTTPS://Example.ORG/Zoë/", "https://example.org/Zoë"),
        (ContactKind.MESSENGER, "WeChat: Zoe_Q", "wechat: zoe_q"),
        (ContactKind.POSTAL, "1  High Street", "1 high street"),
        (ContactKind.CUSTOMER_NUMBER, "Ｋ-1001", "k-1001"),
    ],
)
def test_a_contact_point_reads_the_same_however_it_was_written(kind: ContactKind, as_given: str, value: str):
    point = contact_point(kind, as_given, None, region="GB")

    assert (point.kind, point.value, point.as_given) == (kind, value, as_given.strip())


@pytest.mark.parametrize(
    ("kind", "as_given", "why"),
    [
        (ContactKind.PHONE, "12", "no phone number of GB"),
        (ContactKind.PHONE, " ", "phone is empty"),
        (ContactKind.EMAIL, "zoe", "no e-mail address"),
        (ContactKind.EMAIL, "a@b@c", "no e-mail address"),
        (ContactKind.EMAIL, "a b@c", "no e-mail address"),
        (ContactKind.EMAIL, "x" * 250 + "@c.de", "no e-mail address"),
        (ContactKind.WEB, "javascript:alert(1)", "no web address"),
        (ContactKind.WEB, "https://a b", "no web address"),
        (ContactKind.WEB, "https://[", "IPv6|web address"),
        (ContactKind.POSTAL, "a\nb", "control characters"),
        (ContactKind.MESSENGER, "a\0", "control characters"),
        (ContactKind.MESSENGER, "\ud800", "control characters"),
        (ContactKind.CUSTOMER_NUMBER, "x" * 501, "longer than 500"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(kind: ContactKind, as_given: str, why: str):
    with pytest.raises(ValueError, match=why):
        contact_point(kind, as_given, None, region="GB")


def test_an_empty_label_is_none():
    assert contact_point(ContactKind.PHONE, "020 7946 0018", "", region="GB").label is None


@pytest.mark.parametrize(("text", "folded"), [(" Zoë  QUINN ", "zoë quinn"), ("ＡＢＣ", "abc"), ("Straße", "strasse"), ("", "")])
def test_fold_ignores_case_width_and_spacing(text: str, folded: str):
    assert fold(text) == folded
