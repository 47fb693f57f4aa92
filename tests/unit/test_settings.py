"""Settings as people write them into an environment, and what they are told of a mistake."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsError

from actors.settings import Settings
from actors.settings.errors import explained


@pytest.mark.parametrize(
    ("written", "read"),
    [("5,30", (5, 30)), (" 5, 0.5 ", (5, 0.5)), ("[5, 30]", (5, 30)), ("5", (5,)), ("[]", ())],
)
def test_a_list_of_numbers(monkeypatch: pytest.MonkeyPatch, written: str, read: tuple[float, ...]) -> None:
    monkeypatch.setenv("MALOTE_COURIER_SCHEDULE", written)
    assert Settings().courier.schedule == read


def test_lists_of_names_and_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALOTE_ALLOW_HOSTS", "[::1], 10.0.0.0/8,hooks.internal")
    monkeypatch.setenv("MALOTE_MEDIA_LINK_KEYS", f"{'a' * 32}, {'b' * 32}")
    settings = Settings()
    assert settings.allow_hosts == ("[::1]", "10.0.0.0/8", "hooks.internal")
    assert [key.get_secret_value() for key in settings.media.link_keys] == ["a" * 32, "b" * 32]


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a file for Docker or systemd has them that names all there are."""
    before = Settings()
    for name in (
        "REDIS_URL",
        "SESSION_STORE",
        "ADMIN_KEY",
        "GATEWAY_PORT",
        "COURIER_SCHEDULE",
        "ALLOW_HOSTS",
    ):
        monkeypatch.setenv(f"MALOTE_{name}", "")
    assert Settings() == before


def test_no_error_repeats_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALOTE_REDIS_URL", "redis:/:hush@host")
    monkeypatch.setenv("MALOTE_SESSION_STORE", "postgres:/user:hush@host")
    with pytest.raises(ValidationError) as raised:
        Settings()
    assert "hush" not in str(raised.value)
    assert "hush" not in " ".join(explained(raised.value))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("MALOTE_GATEWAY_PORT", "eighty", "MALOTE_GATEWAY_PORT: Input should be a valid integer"),
        ("MALOTE_COURIER_SCHEDULE", "5,soon", "MALOTE_COURIER_SCHEDULE: Input should be a valid number"),
        ("MALOTE_COURIER_SCHEDULE", "-5", "MALOTE_COURIER_SCHEDULE: Input should be greater than or equal"),
        ("MALOTE_REDIS_URL", "localhost:6379", "MALOTE_REDIS_URL: a URL of Redis begins with redis://"),
        ("MALOTE_SESSION_STORE", "mysql://x", "MALOTE_SESSION_STORE: a URL of PostgreSQL begins with"),
        ("MALOTE_REDIS_URL", "redis://host:port", "MALOTE_REDIS_URL: not a URL of Redis"),
        ("MALOTE_ADMIN_KEY", "of a file\n", "MALOTE_ADMIN_KEY: a key has no blanks around it"),
        ("MALOTE_ADMIN_KEY", "k" * 513, "MALOTE_ADMIN_KEY: a key has no blanks around it"),
        ("MALOTE_PREFIX", "a b", "MALOTE_PREFIX: String should match"),
        ("MALOTE_COURIER_PROXY", "ftp://h", "MALOTE_COURIER_PROXY: the proxy must be http://"),
        ("MALOTE_MEDIA_LINK_KEYS", "short", "MALOTE_MEDIA_LINK_KEYS: a key for links needs at least 32"),
        ("MALOTE_MEDIA_S3_ACCESS_KEY_ID", "1", "MALOTE_MEDIA_…: set both the S3 access key's id and"),
        (
            "MALOTE_LAB",
            "here",
            "MALOTE_LAB: there is no such setting, only those that begin with MALOTE_",
        ),
    ],
)
def test_a_mistake_is_told_by_the_name_that_it_was_made_at(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises((ValidationError, SettingsError)) as raised:
        Settings()
    (line,) = explained(raised.value)
    assert line.startswith(told)
