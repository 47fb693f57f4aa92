"""``malote doctor``: all examinations, and what they found."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from itertools import groupby

from rich.console import Console
from rich.table import Table

from actors.settings import Settings
from deploy.doctor import endpoints, machine, postgres, ray, redis
from deploy.doctor import settings as settings_
from deploy.doctor.finding import Area, Finding, Grade
from deploy.errors import CommandError
from deploy.lock import running

DEADLINE = 60.0
MARKS = {Grade.OK: "✓", Grade.SKIPPED: "-", Grade.WARNING: "!", Grade.PROBLEM: "✗"}


async def show_findings(settings: Settings, out: Console, *, as_json: bool) -> None:
    """Examine everything, and print what was found.

    Raises:
        CommandError: there are problems.
    """
    found = await examine(settings)
    if as_json:
        out.print_json(data=[finding.model_dump(mode="json") for finding in found])
    else:
        _print(found, out)
    problems = sum(finding.grade is Grade.PROBLEM for finding in found)
    if problems:
        count = "one problem" if problems == 1 else f"{problems} problems"
        raise CommandError(f"{count} found", "What to do stands beside each (✗).")


async def examine(settings: Settings) -> list[Finding]:
    """Everything that Malote needs, as seen from this machine."""
    found = [*settings_.examine(settings, os.environ), *await asyncio.to_thread(machine.examine, settings)]
    note = running(settings.data_dir.expanduser().absolute())
    if note is not None:
        # What runs was given its own: the demonstration, for one, delivers to this machine.
        settings = settings.model_copy(update={"prefix": note.prefix, "allow_hosts": note.allow_hosts})
    url = settings.redis_url or (note.redis_url if note else None)
    if url is None:
        found.append(redis.area.skipped("server", "`malote up` starts its own, and does not run now"))
    else:
        found += await _within(redis.area, redis.examine(url))
    if settings.session_store and settings.session_store.startswith(("postgres://", "postgresql://")):
        found += await _within(postgres.area, postgres.examine(settings.session_store))
    else:
        found.append(postgres.area.skipped("server", "not used: sessions are kept in files"))
    found += await _within(ray.area, ray.examine(settings))
    if url is not None:
        found += await _within(endpoints.area, endpoints.examine(settings, url))
    return found


async def _within(area: Area, examination: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        async with asyncio.timeout(DEADLINE):
            return await examination
    except TimeoutError:
        return [
            area.problem(
                "all", f"not done within {DEADLINE:.0f} s", "See whether this machine is overloaded."
            )
        ]


def _print(found: list[Finding], out: Console) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, findings in groupby(found, lambda finding: finding.area):
        for index, finding in enumerate(findings):
            head = name if not index else ""
            table.add_row(head, MARKS[finding.grade], finding.subject, finding.said)
            if finding.remedy:
                table.add_row("", "", "", f"→ {finding.remedy}")
    out.print(table, markup=False)
