"""Cards of people: vCard 3.0, as WhatsApp writes and reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence

FOLD = re.compile(r"\r?\n[ \t]")
LINE = re.compile(r"(?:[\w-]+\.)?([A-Za-z-]+)((?:;[^:]*)?):(.*)")
ACCOUNT = re.compile(r"waid=([0-9]{5,15})", re.IGNORECASE)


def write(name: str, phones: Sequence[str], company: str | None = None) -> str:
    """A card.

    Args:
        phones: as E.164.
    """
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"N:;{_escaped(name)};;;", f"FN:{_escaped(name)}"]
    if company:
        lines.append(f"ORG:{_escaped(company)}")
    lines += [f"TEL;type=CELL;waid={phone[1:]}:{phone}" for phone in phones]
    return "\n".join([*lines, "END:VCARD"])


def read(card: str) -> tuple[str | None, tuple[str, ...], str | None]:
    """Name, phones and company of a card, as far as it tells."""
    name: str | None = None
    company: str | None = None
    phones: list[str] = []
    for line in re.split(r"\r?\n", FOLD.sub("", card)):
        found = LINE.fullmatch(line)
        if not found:
            continue
        label, parameters, value = found.group(1).upper(), found.group(2), found.group(3)
        if label == "FN":
            name = _plain(value) or None
        elif label == "ORG":
            company = _plain(re.split(r"(?<!\\);", value)[0]) or None
        elif label == "TEL":
            account = ACCOUNT.search(parameters)
            phones.append(f"+{account.group(1)}" if account else value.removeprefix("tel:").strip())
    return name, tuple(phones), company


def _escaped(text: str) -> str:
    return re.sub(r"\r\n?|\n", r"\\n", re.sub(r"([\\,;])", r"\\\1", text))


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found.group(1) in "nN" else found.group(1), text)
