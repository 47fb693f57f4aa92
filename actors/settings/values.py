"""What settings are made of: how they are written in an environment, and what makes one a good one."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from yarl import URL

KEY_LENGTH_MAX = 512
"""Characters of a key of access."""

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _split_bare(value: object) -> object:
    return _split(value.strip().removeprefix("[").removesuffix("]") if isinstance(value, str) else value)


# As users write lists into an environment: separated by commas, not as JSON, though numbers may be.
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
Delays = Annotated[tuple[Annotated[float, Field(ge=0)], ...], NoDecode, BeforeValidator(_split_bare)]


def _check_proxy(proxy: SecretStr | None) -> SecretStr | None:
    if proxy is None:
        return None
    try:
        url = URL(proxy.get_secret_value())
        good = url.scheme == "http" and bool(url.host) and url.path in ("", "/") and not url.query_string
    except ValueError:
        good = False
    if not good:
        raise ValueError("the proxy must be http://host:port or http://user:password@host:port")
    return proxy


def _check_redis(url: str | None) -> str | None:
    if url is None:
        return None
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("a URL of Redis begins with redis://, rediss:// or unix://")
    from redis.asyncio.connection import parse_url  # 0.2 s, for who has a use for it only

    try:
        parse_url(url)
    except ValueError as error:
        raise ValueError("not a URL of Redis, as in redis://user:password@host:6379/0") from error
    return url


def _check_postgres(url: str | None) -> str | None:
    if url is not None and not url.startswith(("postgres://", "postgresql://")):
        raise ValueError("a URL of PostgreSQL begins with postgres:// or postgresql://")
    return url


def _check_key(key: SecretStr | None) -> SecretStr | None:
    text = "-" if key is None else key.get_secret_value()
    if text != text.strip() or not text.isprintable() or len(text) > KEY_LENGTH_MAX:
        raise ValueError(f"a key has no blanks around it, and at most {KEY_LENGTH_MAX} characters")
    return key


Proxy = Annotated[SecretStr | None, AfterValidator(_check_proxy)]
RedisUrl = Annotated[str | None, AfterValidator(_check_redis)]
PostgresUrl = Annotated[str | None, AfterValidator(_check_postgres)]
Key = Annotated[SecretStr | None, AfterValidator(_check_key)]


class Group(BaseSettings):
    """What all settings have in common: they never change, an empty variable is an unset one, and no error
    repeats a value, which can be a password.
    """

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, hide_input_in_errors=True)
