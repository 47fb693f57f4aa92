"""What may be configured of an endpoint."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from actors.courier.bodies import Bodies, Parcel
from actors.courier.ledger import LogEntry
from actors.courier.records import Attempt, EndpointChange, EndpointRecord, Secret
from actors.courier.retry import Failure
from actors.courier.signature import new_secret
from actors.courier.url import check_url

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def record(**values: Any) -> EndpointRecord:
    return EndpointRecord(
        **{
            "id": "ep_1",
            "url": "https://example.com/",
            "secrets": (Secret(value=new_secret()),),
            "created_at": NOW,
            **values,
        }
    )


@pytest.mark.parametrize(
    "url",
    ["https://example.com", "http://example.com:8080/a?b=c", "https://exämple.com/ü", "http://[2606:4700::1]/",
     "HTTPS://EXAMPLE.COM/", "http://127.0.0.1/"],
)  # fmt: skip
def test_urls(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "http"),
        ("example.com", "http"),
        ("/hook", "http"),
        ("ftp://example.com/", "http"),
        ("file:///etc/passwd", "http"),
        ("gopher://example.com", "http"),
        ("http://", "host|not a URL"),
        ("http:///path", "host|not a URL"),
        ("https://user:secret@example.com/", "user or password"),
        ("https://user@example.com/", "user or password"),
        ("https://example.com/#a", "fragment"),
        ("https://example.com:0/", "port"),
        ("https://example.com:65536/", "port|not a URL"),
        ("https://example.com:x/", "port|not a URL"),
        ("https://exa mple.com/", "blank"),
        ("https://example.com/\r\nx: y", "blank"),
        ("https://example.com/\0", "control"),
        ("https://[::1/", "not a URL"),
        ("https://example.com/" + "a" * 2048, "longer"),
    ],
)
def test_what_is_no_url_says_why(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_url(url)


@pytest.mark.parametrize(
    ("events", "type_", "wanted"),
    [
        (("*",), "message.received", True),
        (("message.*",), "message.received", True),
        (("message.*",), "connection.changed", False),
        (("message.received", "call.received"), "call.received", True),
        (("message.received",), "message.status", False),
        (("unknown",), "unknown", True),
    ],
)
def test_filter(events: tuple[str, ...], type_: str, wanted: bool) -> None:
    assert record(events=events).wants(type_) is wanted


@pytest.mark.parametrize(
    "events", [(), ("",), ("messages",), ("message.",), ("message.*.x",), ("mess*",), ("x.*",)]
)
def test_a_filter_names_what_exists(events: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        record(events=events)


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook-id": "x"},
        {"Malote-Seq": "1"},
        {"Host": "x"},
        {"Content-Length": "1"},
        {"Transfer-Encoding": "chunked"},
        {"a b": "x"},
        {"": "x"},
        {"x": "a\r\nb: c"},
        {"x": "é"},
        {"x": "a" * 1025},
        {"x": "1", "X": "2"},
        {f"x{number}": "1" for number in range(21)},
    ],
)
def test_headers_cannot_forge_ours(headers: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        record(headers=headers)


def test_a_change_names_what_exists() -> None:
    with pytest.raises(ValidationError):
        EndpointChange.model_validate({"secrets": []})
    with pytest.raises(ValidationError):
        EndpointChange(url="nope")


def test_expired_secrets_do_not_sign() -> None:
    current, old, older = new_secret(), new_secret(), new_secret()
    secrets = (
        Secret(value=current),
        Secret(value=old, expires_at=NOW + timedelta(seconds=1)),
        Secret(value=older, expires_at=NOW),
    )
    assert record(secrets=secrets).active_secrets(NOW.timestamp()) == [current, old]


def test_bodies_are_bounded_and_forget_the_least_used() -> None:
    bodies = Bodies(10)
    for number in range(3):
        bodies.put(number, Parcel(f"e{number}", number, "t", b"xxxx"))
        bodies.get(0)
    assert bodies.size == 8
    assert bodies.get(1) is None
    assert bodies.get(0) is not None
    bodies.put(0, Parcel("new", 0, "t", b"xx"))
    assert bodies.size == 6
    bodies.put(9, Parcel("big", 9, "t", b"x" * 11))
    assert bodies.get(9) is None
    assert bodies.size == 0


def test_what_is_written_into_the_log_is_read_back() -> None:
    entry = LogEntry(
        event_id="evt_1", seq=7, type="message.received", attempt=2, kind="delivery", at=NOW.timestamp(),
        duration_ms=31, result="retry", next_attempt_at=NOW.timestamp() + 30, status=500,
        failure=Failure.STATUS, error="HTTP 500", answer="não",
    )  # fmt: skip
    read = Attempt.model_validate_json(entry.json())
    assert (read.at, read.next_attempt_at) == (NOW, NOW + timedelta(seconds=30))
    assert (read.failure, read.error, read.answer) == ("status", "HTTP 500", "não")


def test_the_log_of_an_earlier_version_can_still_be_read() -> None:
    entry = LogEntry(
        event_id="evt_1", seq=7, type="t", attempt=1, kind="test", at=0.0, duration_ms=1, result="delivered"
    )
    earlier = json.loads(entry.json()) | {"at": "2026-11-24T10:00:00Z"}
    assert Attempt.model_validate(earlier).at.isoformat() == "2026-11-24T10:00:00+00:00"
