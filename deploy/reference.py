"""The tables in ``docs/``, written from the code they describe: ``python -m deploy.reference``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client import Counter, Gauge, Histogram
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from actors.settings import Settings

DOCS = Path(__file__).resolve().parent.parent / "docs"
MEASURED = {"MALOTE_TEMP_DIR": "the system's"}
"""Defaults that depend on the machine."""


MESSAGES = (
    "`type` says what is sent. A `quote` answers a message; `message_id` names one that is reacted to, "
    "edited, deleted or forwarded: the id of any message that the instance received or sent of late. What "
    "cannot be sent is refused with a problem that names the field, has a `code`, and says what to do. "
    "`media` is a file: the `id` of one that was uploaded or received, a `url`, or small ones as `base64`."
)
EVENTS = (
    "Every event has `type` and `data`; `openapi.json` describes `data` of each type under `webhooks`. A "
    "message's `data.content` is typed as what is sent is, by its own `type`. What is done to another "
    "message has types of its own, so that `message.received` is only ever a message to read. What this "
    "account does with another device comes under the same types, with `from_me`; what is sent through the "
    "API is told by `message.sent` or `message.failed`, whatever its kind. In groups, and of a status, a "
    "message's status stays `sent`: `message.status` tells of each person."
)


def settings_page() -> str:
    """Every setting, as ``docs/settings.md`` has it."""
    lines = [
        "# Settings",
        "",
        "All of them are environment variables; an empty one counts as unset. Written by `make docs` from "
        "`actors/settings/`.",
        "",
        "| name | default | meaning |",
        "|---|---|---|",
    ]
    lines += [f"| `{name}` | {default} | {meaning} |" for name, default, meaning in settings_of(Settings)]
    return "\n".join(lines) + "\n"


def routes_page() -> str:
    """Every route of the API, every kind of message and type of event, as ``docs/api.md`` has them."""
    from api.app import GROUPS
    from api.contents import EXAMPLES, SendMessage
    from api.event_kinds import KINDS

    lines = [
        "# The API",
        "",
        "A running gateway describes it in full: `/docs` to read and try, `/openapi.json` for programs. "
        "Written by `make docs` from the table of routes.",
    ]
    for group in GROUPS:
        lines += ["", f"## {group.tag}", "", group.description, "", "| request | what it does |", "|---|---|"]
        lines += [f"| `{route.method} {route.path}` | {route.summary} |" for route in group.routes]
    lines += ["", "## Kinds of messages", "", MESSAGES, "", "| message | body of the request |", "|---|---|"]
    for name, body in EXAMPLES.items():
        SendMessage.model_validate(body)
        lines.append(f"| {name} | `{json.dumps(body, ensure_ascii=False)}` |")
    lines += ["", "## Types of events", "", EVENTS, "", "| type | when |", "|---|---|"]
    lines += [f"| `{kind.value}` | {described.meaning} |" for kind, described in KINDS.items()]
    return "\n".join(lines) + "\n"


METRICS = (
    "Each node's gateway answers `/metrics` for all of Malote's processes on its node: sum over your nodes. "
    "What a process counts is written every `MALOTE_METRICS_INTERVAL` seconds; one that is killed loses what "
    "it has counted since. Of a gauge the values of several processes are added, or the greatest is shown: "
    "the table says which. What the supervisor counts of the whole cluster is in the metrics of its node. "
    "`instance_id` is on gauges only, unless `MALOTE_METRICS_PER_INSTANCE` is false: then the greatest value "
    "stands under an empty one, where that means something. An id that could be a phone number is shown as "
    "a hash. `endpoint_id` has to be asked for by `MALOTE_METRICS_PER_ENDPOINT`."
)


def metrics_page() -> str:
    """Every metric, as ``docs/metrics.md`` has it."""
    lines = [
        "# Metrics",
        "",
        METRICS,
        "",
        "Alert rules are in `deploy/prometheus`, dashboards in `deploy/grafana`. Written by `make docs` from "
        "`actors/metrics.py`.",
        "",
        "| name | kind | labels | meaning |",
        "|---|---|---|---|",
    ]
    for name, kind, labels, meaning in metrics_of():
        lines.append(f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {meaning} |")
    return "\n".join(lines) + "\n"


def metrics_of() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """Name, kind, labels and meaning of every metric, in the order in which they are defined."""
    from actors import metrics

    kinds = Counter | Gauge | Histogram
    for metric in (value for value in vars(metrics).values() if isinstance(value, kinds)):
        (family,) = metric.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        merged = {"sum": ", added", "max": ", greatest"}.get(metrics.MERGE.get(family.name, ""), "")
        yield name, family.type + merged, metric._labelnames, family.documentation


def pages() -> dict[str, str]:
    """All pages, by file name."""
    return {"settings.md": settings_page(), "api.md": routes_page(), "metrics.md": metrics_page()}


def settings_of(group: type[BaseSettings]) -> Iterator[tuple[str, str, str]]:
    """Name, default and meaning of every setting of a group and of the groups in it."""
    prefix = group.model_config["env_prefix"]
    for field, info in group.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseSettings):
            yield from settings_of(kind)
            continue
        name = f"{prefix}{field.upper()}"
        meaning = (info.description or "").replace("|", "\\|")
        yield name, MEASURED.get(name) or _default(info.default), meaning


def _default(value: Any) -> str:
    if value is None or value is PydanticUndefined or value == ():
        return "unset"
    if isinstance(value, tuple):
        return f"`{json.dumps(value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def main() -> None:
    """Write all pages."""
    DOCS.mkdir(exist_ok=True)
    for name, page in pages().items():
        (DOCS / name).write_text(page)


if __name__ == "__main__":
    main()
