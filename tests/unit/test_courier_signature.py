from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from actors.courier.signature import new_secret, secret_key, sign


@given(st.text(max_size=200), st.integers(1, 3))
def test_an_independent_implementation_verifies_every_signature(text: str, count: int) -> None:
    body = b'{"text": ' + repr(text).encode("utf-8", "replace") + b"}"
    secrets = [new_secret() for _ in range(count)]
    timestamp = int(datetime.now(UTC).timestamp())
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secrets, "evt_1", timestamp, body),
    }
    for secret in secrets:
        Webhook(secret).verify(body, headers, json_parse=False)
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(new_secret()).verify(body, headers, json_parse=False)


def test_the_published_vector() -> None:
    signature = sign(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_secrets_are_of_the_standards_size_and_never_the_same() -> None:
    made = {new_secret() for _ in range(50)}
    assert len(made) == 50
    assert {len(secret_key(secret)) for secret in made} == {32}


def encoded(size: int) -> str:
    return "whsec_" + base64.b64encode(b"x" * size).decode()


@pytest.mark.parametrize(
    "bad",
    ["", "whsec_", "whsec_%%%", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_é", encoded(23), encoded(65)],
)
def test_what_is_no_secret_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"secret|base64"):
        secret_key(bad)
