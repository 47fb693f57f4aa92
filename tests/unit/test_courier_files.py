"""Messages that are completed by what is told of their file."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actors.courier.bodies import Parcel
from actors.courier.files import awaited, completed


def message(media: dict[str, Any], text: str = "") -> Parcel:
    event = {"seq": 1, "received_at": "1970-01-01T00:00:09+00:00"}
    data = {"text": text, "content": {"caption": text, "media": media}}
    return Parcel("e", 1, "message.received", json.dumps(event | {"data": data}).encode())


def told(kind: str, **data: Any) -> Parcel:
    return Parcel("t", 2, kind, json.dumps({"seq": 2, "data": data}).encode())


@given(text=st.text(), ready=st.booleans(), other=st.booleans())
def test_only_its_own_file_completes_a_message_and_only_there(text: str, ready: bool, other: bool) -> None:
    parcel = message({"id": "f", "state": "pending", "size": 3}, text)
    assert awaited(parcel) == ("f", 9.0)
    file = {"id": "g" if other else "f", "url": text, "expires_at": "x"}
    news = told("media.ready", media=file) if ready else told("media.failed", media=file, reason="gone")
    whole = completed(parcel, news)
    if other:
        assert whole == parcel
        return
    expected = json.loads(parcel.body)
    media = {"state": "ready", "url": text, "expires_at": "x"} if ready else {"state": "failed"}
    expected["data"]["content"]["media"] |= media if ready else media | {"reason": "gone"}
    assert json.loads(whole.body) == expected
    assert awaited(whole) is None
    assert (whole.event_id, whole.seq, whole.type) == (parcel.event_id, parcel.seq, parcel.type)


@given(state=st.sampled_from(["off", "failed", "ready"]))
def test_a_message_without_a_pending_file_waits_for_nothing(state: str) -> None:
    assert awaited(message({"id": "f", "state": state}, "pending")) is None
