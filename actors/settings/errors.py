"""What is wrong with the settings that the environment gives, as whoever wrote them can correct it."""

from __future__ import annotations

import re

from pydantic import ValidationError
from pydantic_settings import SettingsError

UNREAD = re.compile(r'field "(\w+)"')
REMEDY = "Correct the environment; docs/settings.md lists every setting."


def explained(error: ValidationError | SettingsError) -> list[str]:
    """A line for each fault, which begins with the variable's name."""
    if isinstance(error, SettingsError):
        # A whole group of settings would be JSON. Nobody writes them so but by mistake.
        found = UNREAD.search(str(error))
        name = f"MALOTE_{found[1].upper()}" if found else "MALOTE_…"
        return [f"{name}: there is no such setting, only those that begin with {name}_"]
    group = error.title.removesuffix("Settings").upper()
    prefix = f"MALOTE_{group}_" if group else "MALOTE_"
    # What follows a field in the place of a fault is within its value.
    return [
        f"{prefix}{str(fault['loc'][0]).upper() if fault['loc'] else '…'}: "
        f"{fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors()
    ]
