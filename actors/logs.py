"""Structured logs: one JSON object a line, for every process of Malote."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; the rest came by ``extra`` and is shown, but for what Ray adds."""


EVENTS = "actors.trace"
"""The logger with a line for each event and each attempt."""

INPUT = re.compile(r"input_value=.*, (?=input_type=)")
"""What a validation error of pydantic shows of a record that is not valid: texts of messages, for one."""

_process: dict[str, Any] = {}
_bound: ContextVar[Mapping[str, Any]] = ContextVar("facts of log lines", default={})  # noqa: B039 - never changed


def bind(**facts: Any) -> None:
    """Show these facts in every further line of this task, and of tasks that it starts."""
    _bound.set({**_bound.get(), **facts})


@contextmanager
def bound(**facts: Any) -> Iterator[None]:
    """Show these facts in every line within."""
    token = _bound.set({**_bound.get(), **facts})
    try:
        yield
    finally:
        _bound.reset(token)


class JsonFormatter(logging.Formatter):
    """``{"time", "level", "logger", "message", …facts of the process, …of the task, …extra}``."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _without_input(record.getMessage()),
        }
        line.update(_process)
        line.update(_bound.get())
        line.update(
            {
                key: _without_input(value)
                for key, value in vars(record).items()
                if key not in STANDARD and key[0] != "_"
            }
        )
        if record.exc_info:
            line["exception"] = _without_input(self.formatException(record.exc_info))
        return json.dumps(line, default=str, ensure_ascii=False)


def _without_input(value: Any) -> Any:
    return INPUT.sub("", value) if isinstance(value, str) and "input_value=" in value else value


def configure(level: str, *, events: bool, **facts: Any) -> None:
    """Log to stderr, as JSON, from ``level`` on. Libraries only from WARNING on.

    Args:
        events: a line for each event and each attempt, too.
        facts: shown in every line of this process.
    """
    _process.clear()
    _process.update(facts)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("actors", "api", "deploy", "lab", "gateway"):
        logging.getLogger(name).setLevel(level)
    if not events:
        logging.getLogger(EVENTS).setLevel(logging.WARNING)
