"""Settings of the media room that depend on one another."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from actors.settings import MediaSettings


def test_keys_for_links_are_a_list_and_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALOTE_MEDIA_LINK_KEYS", f"{'n' * 32}, {'o' * 40}")
    assert [len(key.get_secret_value()) for key in MediaSettings().link_keys] == [32, 40]
    monkeypatch.setenv("MALOTE_MEDIA_LINK_KEYS", "a short secret")
    with pytest.raises(ValidationError, match="at least 32 characters") as refused:
        MediaSettings()
    assert "a short secret" not in str(refused.value)


def test_one_half_of_the_keys_to_a_bucket_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALOTE_MEDIA_S3_SECRET_ACCESS_KEY", "the secret half")
    with pytest.raises(ValidationError, match=r"both .* or neither") as refused:
        MediaSettings()
    assert "the secret half" not in str(refused.value)


@pytest.mark.parametrize("prefix", ["/a", "a/", "a//b", "a b"])
def test_a_prefix_in_the_bucket_is_a_path(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALOTE_MEDIA_S3_PREFIX", prefix)
    with pytest.raises(ValidationError):
        MediaSettings()
