"""Phone numbers as people write them, to E.164."""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import NumberParseException, ValidationResult

LENGTH_MAX = 40
WRITTEN = re.compile(r"\+?[0-9 ().\-/\u00a0]+")
MEXICAN_MOBILE = re.compile("521[0-9]{10}")
"""The numbering plan dropped the 1, WhatsApp's identities of these numbers keep it."""

NORTH_AMERICAN = re.compile("1[2-9][0-9]{2}[2-9][0-9]{6}")
"""Tells a number of country code 1 from one without its country code, such as 11 91234-5678."""

EXAMPLE = "as in +5511912345678"

REASONS = {
    ValidationResult.INVALID_COUNTRY_CODE: "there is no such country code",
    ValidationResult.TOO_SHORT: "it is too short for its country",
    ValidationResult.TOO_LONG: "it is too long for its country",
    ValidationResult.INVALID_LENGTH: "no number of its country has this length",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "its area code is missing",
}


class BadPhone(ValueError):
    """What was written is not a phone number; says why."""


def parse_phone(text: str) -> str:
    """Turn a phone number with its country code into E.164.

    Mostly the length is checked against the country's numbering plan, not the number's range: ranges are
    opened faster than any table of them is updated.

    Args:
        text: with or without ``+``, with or without the usual separators.

    Returns:
        As in ``+5511912345678``.

    Raises:
        BadPhone: it is none.
    """
    if len(text) > LENGTH_MAX:
        raise BadPhone(f"A phone number has at most 15 digits, {EXAMPLE}.")
    written = text.strip()
    if not WRITTEN.fullmatch(written) or not re.search("[0-9]", written):
        raise BadPhone(f"Not a phone number: write the country code and the number, {EXAMPLE}.")
    digits = re.sub("[^0-9]", "", re.sub(r"\(\s*0\s*\)", "", written))
    if digits.startswith("0") or not digits:
        raise BadPhone(f"Start with the country code instead of 0, {EXAMPLE}.")
    try:
        number = phonenumbers.parse(f"+{digits}")
    except NumberParseException as error:
        raise BadPhone(f"Not a phone number: {_why(error)}. Write it {EXAMPLE}.") from error
    if MEXICAN_MOBILE.fullmatch(digits):
        return f"+{digits}"
    result = phonenumbers.is_possible_number_with_reason(number)
    if result != ValidationResult.IS_POSSIBLE:
        raise BadPhone(f"Not a phone number: {REASONS[result]}. Write it {EXAMPLE}.")
    if digits.startswith("1") and not NORTH_AMERICAN.fullmatch(digits):
        raise BadPhone(f"Not a phone number: no number of country code 1 looks so. Write it {EXAMPLE}.")
    standard: str = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    code = str(number.country_code)
    # Digits that a country's plan calls superfluous can belong to WhatsApp's identity of the number, so only
    # a plain trunk zero is taken out.
    return standard if digits == f"{code}0{standard[1 + len(code) :]}" else f"+{digits}"


def _why(error: NumberParseException) -> str:
    if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
        return "there is no such country code"
    if error.error_type == NumberParseException.TOO_LONG:
        return "it is too long"
    return "it is too short"
