"""Phone numbers and recipients, as people write them."""

from __future__ import annotations

import string

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.messages.phones import BadPhone, parse_phone
from actors.messages.recipients import BadRecipient, parse_recipient


@pytest.mark.parametrize(
    ("written", "phone"),
    [
        ("+55 11 91234-5678", "+5511912345678"),
        ("5511912345678", "+5511912345678"),
        ("+55 (11) 91234.5678", "+5511912345678"),
        ("+55/11/912345678", "+5511912345678"),
        ("  +55\u00a011 91234-5678 ", "+5511912345678"),
        ("+55 (0) 11 91234-5678", "+5511912345678"),
        ("+55 011 91234-5678", "+5511912345678"),
        ("+551112345678", "+551112345678"),
        ("+1 (415) 555-2671", "+14155552671"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("+39 06 698 12345", "+390669812345"),
        ("+52 1 55 1234 5678", "+5215512345678"),
        ("+54 9 11 2345-6789", "+5491123456789"),
    ],
)
def test_good_numbers(written: str, phone: str) -> None:
    assert parse_phone(written) == phone


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "country code"),
        ("+", "country code"),
        ("()", "country code"),
        ("(0)", "country code"),
        ("++5511912345678", "country code"),
        ("hello", "country code"),
        ("1-800-FLOWERS", "country code"),
        ("00 55 11 91234-5678", "instead of 0"),
        ("011 91234-5678", "instead of 0"),
        ("+999 1234567", "no such country"),
        ("+55 11 9", "too short"),
        ("+55", "too short"),
        ("+55 11 91234-5678 999", "too long"),
        ("+" + "5" * 30, "too long"),
        ("1" * 50, "at most 15"),
        ("+55 11 91234-5678;ext=1", "country code"),
        ("५५११९१२३४५६७८", "country code"),
    ],
)
def test_bad_numbers_say_why(written: str, why: str) -> None:
    with pytest.raises(BadPhone, match=why):
        parse_phone(written)


REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


@given(st.sampled_from(REGIONS), st.sampled_from(["E164", "INTERNATIONAL"]), st.booleans())
def test_every_country_s_numbers(region: str, form: str, plus: bool) -> None:
    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    if number is None:
        return
    written = phonenumbers.format_number(number, getattr(phonenumbers.PhoneNumberFormat, form))
    expected = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    assert parse_phone(written if plus else written.removeprefix("+")) == expected


@given(st.text(alphabet=string.digits + "+ -().x", max_size=25))
def test_a_result_is_a_number_and_stays_itself(written: str) -> None:
    try:
        phone = parse_phone(written)
    except BadPhone:
        return
    assert phone.startswith("+")
    assert phone[1:].isdecimal()
    assert phone.isascii()
    assert len(phone) <= 19
    assert parse_phone(phone) == phone


@given(st.text(max_size=60))
def test_any_text_is_a_recipient_or_refused(written: str) -> None:
    try:
        jid = parse_recipient(written)
    except BadRecipient:
        return
    assert jid.count("@") == 1
    assert jid.isascii()
    assert parse_recipient(jid) == jid


@given(
    st.from_regex(r"[0-9]{5,20}([.:][0-9]{1,3}){0,2}", fullmatch=True),
    st.sampled_from(["s.whatsapp.net", "c.us", "lid"]),
)
def test_devices_are_left_out(user: str, server: str) -> None:
    jid = parse_recipient(f"{user}@{server}")
    assert ":" not in jid
    assert jid.partition("@")[0] == user.replace(".", ":").partition(":")[0]
    assert jid.partition("@")[2] == ("lid" if server == "lid" else "s.whatsapp.net")
