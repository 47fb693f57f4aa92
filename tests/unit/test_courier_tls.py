"""Which client certificates are taken, and what is said of the others."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from actors.courier.records import EndpointChange, EndpointRecord
from actors.courier.tls import CA_MAX, PEM_MAX, ClientTls
from tests.courier.authority import Authority, key_pem

AUTHORITY = Authority()
MINE, OTHER = AUTHORITY.issue("mine"), AUTHORITY.issue("other")
LOCKED = key_pem(ec.generate_private_key(ec.SECP256R1()), b"password")


def given(**values: Any) -> dict[str, Any]:
    return {"certificate": MINE.certificate, "key": MINE.key, **values}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"ca": AUTHORITY.pem},
        {"ca": AUTHORITY.pem + Authority("another").pem},
        {"certificate": MINE.certificate + AUTHORITY.pem},
        {"certificate": f"subject=CN = mine\n{MINE.certificate}"},
        {"certificate": MINE.certificate.replace("\n", "\r\n"), "key": MINE.key.replace("\n", "\r\n")},
        {"certificate": MINE.certificate.strip(), "key": MINE.key.strip()},
    ],
    ids=["certificate and key", "CA", "two CAs", "chain", "text before it", "CRLF", "no newline at the end"],
)
def test_what_can_be_used(values: dict[str, Any]) -> None:
    tls = EndpointChange.model_validate({"tls": given(**values)}).tls
    assert tls is not None
    assert tls.context().get_ca_certs() is not None
    assert tls.fingerprint == ClientTls(**given()).fingerprint
    assert len(tls.fingerprint) == 64


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"key": OTHER.key}, "does not belong to the certificate"),
        ({"certificate": AUTHORITY.pem + MINE.certificate}, "put the certificate of this key first"),
        ({"key": LOCKED}, "encrypted: decrypt it first"),
        ({"key": "secret"}, "begins with -----BEGIN PRIVATE KEY-----"),
        ({"key": MINE.certificate}, "begins with -----BEGIN PRIVATE KEY-----"),
        ({"key": MINE.key.replace("A", "B", 3)}, "damaged|cannot be used"),
        ({"certificate": "nothing"}, "begins with -----BEGIN CERTIFICATE-----"),
        ({"certificate": MINE.certificate[:200] + "*" + MINE.certificate[200:]}, "damaged"),
        ({"certificate": MINE.certificate[:200] + "é" + MINE.certificate[200:]}, "damaged"),
        ({"certificate": MINE.certificate + MINE.key}, "give that as key"),
        ({"ca": "nothing"}, "give one or more as PEM"),
        ({"ca": "ü"}, "give one or more as PEM"),
        ({"ca": AUTHORITY.pem[:200]}, "give one or more as PEM"),
        ({"ca": ""}, "at least 1 character"),
        ({"ca": "x" * (CA_MAX + 1)}, f"at most {CA_MAX}"),
        ({"key": "x" * (PEM_MAX + 1)}, f"at most {PEM_MAX}"),
        ({"certificate": "x" * (PEM_MAX + 1)}, f"at most {PEM_MAX}"),
        ({"verify": False}, "not permitted"),
    ],
)
def test_what_cannot_says_why_and_never_what_the_key_is(values: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why) as caught:
        EndpointChange.model_validate({"tls": given(**values)})
    key = str(values.get("key", MINE.key))
    lines = [line for line in key.splitlines() if len(line) > 30 and "-----" not in line]
    assert all(line not in str(caught.value) for line in [*lines, "secret"])


def test_a_key_is_in_no_text_of_its_owner() -> None:
    line = MINE.key.splitlines()[1]
    change = EndpointChange.model_validate({"tls": given()})
    assert line not in repr(change)
    assert line in change.model_dump_json()
    record = {"id": "ep_1", "url": "https://a.example/", "tls": given(), "secrets": [{"value": "short"}]}
    with pytest.raises(ValidationError) as caught:
        EndpointRecord.model_validate(record)
    assert line not in str(caught.value)
    assert "short" not in str(caught.value)


def test_no_key_stays_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ClientTls(**given()).check()
    with pytest.raises(ValueError, match="does not belong"):
        ClientTls(**given(key=OTHER.key)).check()
    assert list(tmp_path.iterdir()) == []
