"""Whatever text is given as an address or a number: one normal form, or a refusal that does not depend on luck."""

from collections.abc import Callable

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qrumb import normal_forms
from qrumb.normal_forms import normal_email, normal_phone

NUMBERS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["+", "00", "(+", " tel:+", ""]),
    st.sampled_from(["43", "1", "7", "39", "36", "370", "225", "44", "999"]),
    st.text("0123456789() -/.8０（）‑\u200b", max_size=16),
)
ADDRESSES = st.text("aÄß\u0308İ１.@@-<>\"' ,\u200bxn:%?+", max_size=20)


def outcome(normal: Callable[[str], str], text: str) -> str | None:
    """The normal form; None: refused."""
    try:
        return normal(text)
    except ValueError:
        return None


@given(NUMBERS)
@example("+54 11 15 2345 6789")
@example("+43 (0)660 1234567")
def test_the_extra_changes_no_number(text: str) -> None:
    """Two programs, with it and without, never make two persons of one text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(normal_forms, "_phonenumbers", lambda: phonenumbers)
        known = outcome(normal_phone, text)
        patch.setattr(normal_forms, "_phonenumbers", lambda: None)
        plain = outcome(normal_phone, text)
    assert known is None or plain is None or known == plain


@given(NUMBERS | st.text())
def test_a_numbers_normal_form_is_its_own(text: str) -> None:
    """What is stored as E.164 hashes as what was typed."""
    normal = outcome(normal_phone, text)
    assert normal is None or normal_phone(normal) == normal


@given(ADDRESSES | st.emails() | st.text())
@example("mailto:Jürgen@xn--bcher-kva.example")
@example("'ada@example.com'")
def test_an_addresss_normal_form_is_its_own(text: str) -> None:
    """And it has a part on each side of one @, without white space or upper case."""
    normal = outcome(normal_email, text)
    if normal is not None:
        assert normal_email(normal) == normal
        assert normal.count("@") == 1
        assert "".join(normal.split()).lower().replace("ς", "σ") == normal.replace("ς", "σ")
