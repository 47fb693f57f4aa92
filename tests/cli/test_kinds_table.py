"""The README's table of kinds: nothing in it without a test that says so, and no kind left out.

A test says what it sees done with ``@pytest.mark.kinds(send=…, receive=…)``: names of rows, which are the
first word in backticks of the row's first cell or, without one, the names in `ROWS`. Such a test is one of
``tests/instance``, and is marked as one that goes through the lab with the built engine.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest

from actors.messages.content import AnyContent
from actors.messages.received import ShownContent

TESTS = Path(__file__).resolve().parents[1] / "instance"
READMES = {"README.md": ("| kind |", "no"), "README.pt-BR.md": ("| tipo |", "não")}
NOTHING = "–"
COLUMNS = ("send", "receive")

ROWS = {
    "mentions": "mentions",
    "link preview": "link preview",
    "quote": "quote",
    "chats whose messages disappear": "disappearing chats",
    "status": "status",
    "a message that cannot be decrypted": "undecryptable",
    "delivered, read, played": "receipts",
    "typing and recording, also before a message": "typing",
    "delay before a message": "delay",
    "messages in groups": "messages in groups",
    "groups: create, list, settings, picture": "groups",
    "members of groups: add, remove, promote, demote, let in": "group members",
    "links to groups: show, reset, join; leave": "group invitations",
    "chats: archive, pin, mute, mark read and unread": "chats",
    "stars on messages": "stars",
    "communities": "communities",
    "channels (newsletters): list, look behind a link, create, follow, mute": "newsletters",
    "messages in channels": "messages in newsletters",
    "reactions and views in channels": "newsletter messages",
    "calls": "calls",
    "presence: online or not": "presence",
    "people: look up, check numbers, picture": "contacts",
    "block and unblock": "blocklist",
    "own profile: name, about, picture": "profile",
    "own privacy": "privacy",
    "history: what the phone has of before": "history",
    "files of before": "files of before",
}
"""Rows of things that have no name in the API: the first cell, and the name in tests."""


@dataclass(frozen=True)
class Row:
    """A row: its name, whether a column promises something, and the modules that show it."""

    name: str | None
    promises: dict[str, bool]
    modules: frozenset[str]


def table(readme: str) -> list[Row]:
    head, no = READMES[readme]
    lines = (TESTS.parents[1] / readme).read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(head))
    rows: list[Row] = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        kind, send, receive, shown = (cell.strip() for cell in line.strip("|").split("|"))
        code = re.match(r"`(\w+)`", kind)
        promises = {
            column: cell != NOTHING and not re.match(rf"{no}\b", cell)
            for column, cell in zip(COLUMNS, (send, receive), strict=True)
        }
        name = code[1] if code else ROWS.get(kind)
        rows.append(Row(name, promises, frozenset(re.findall(r"`(\w+)`", shown))))
    return rows


def claims() -> dict[tuple[str, str], set[str]]:
    """Row and column, and the modules with a test that says it sees that."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for path in sorted(TESTS.glob("test_*.py")):
        source = path.read_text()
        for test in ast.parse(source).body:
            for mark in getattr(test, "decorator_list", []):
                if not (isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.kinds"):
                    continue
                assert re.search(r"^pytestmark = pytest\.mark\.engine$", source, re.MULTILINE), path.name
                for keyword in mark.keywords:
                    value: Any = ast.literal_eval(keyword.value)
                    for name in (value,) if isinstance(value, str) else value:
                        found[name, str(keyword.arg)].add(path.stem)
    return found


def types_of(union: Any) -> set[str]:
    """The values of ``type`` that tell the members of a union apart."""
    members = get_args(get_args(union)[0])
    return {member.model_fields["type"].default for member in members}


def test_each_cell_has_a_test_and_each_test_a_cell() -> None:
    rows, claimed = table("README.md"), claims()
    assert all(row.name for row in rows), "a row without a name: add it to ROWS"
    promised = {(row.name, column) for row in rows for column in COLUMNS if row.promises[column]}
    assert promised - set(claimed) == set(), "no test shows this"
    assert set(claimed) - promised == set(), "a test shows what the table does not say"
    for row in rows:
        shown = set().union(*(claimed.get((str(row.name), column), set()) for column in COLUMNS))
        assert shown == row.modules, row.name


def test_every_type_of_message_has_a_row() -> None:
    rows = {row.name: row.promises for row in table("README.md")}
    assert {name for name in types_of(AnyContent) if not rows.get(name, {}).get("send")} == set()
    received = types_of(ShownContent)
    assert {name for name in received if not rows.get(name, {}).get("receive")} == set()


@pytest.mark.parametrize("column", COLUMNS)
def test_both_languages_promise_the_same(column: str) -> None:
    english, portuguese = (table(readme) for readme in READMES)
    assert [row.promises[column] for row in english] == [row.promises[column] for row in portuguese]
    assert [row.modules for row in english] == [row.modules for row in portuguese]
