"""Settings of the HTTP API."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from actors.settings.values import Count, Group, Seconds


class GatewaySettings(Group):
    """The HTTP door."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_GATEWAY_")

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535, description="0: a free one")
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/?#]+(/[^\s?#]*[^\s?#/])?$",
        description="Where customers reach the API, as in https://wa.example.com: links to files begin with "
        "it. Unset: they are paths",
    )
    body_bytes: Count = Field(1024 * 1024, description="Largest request body")
    page_size: Count = Field(100, description="Entries of a page, unless asked")
    page_size_max: Count = Field(1_000)
    rate: Count = Field(200, description="Requests per second and key, sustained")
    burst: Count = Field(400, description="Requests a key may have saved up")
    idle_timeout: Seconds = Field(
        150.0,
        description="A connection on which no whole request head has come for so long is closed; more than "
        "a load balancer in front keeps its own idle",
    )
    send_wait: float = Field(10.0, ge=0, le=60, description="How long a send waits for WhatsApp's answer")
    actor_timeout: Seconds = Field(20.0, description="Deadline of a call to an actor")
    stream_limit: Count = Field(100, description="Live streams of one instance at a time, per gateway")
    stream_heartbeat: Seconds = Field(15.0, description="Seconds between two signs of life on a live stream")
    stream_poll: Seconds = Field(2.0, description="Seconds between two looks for news, rings or not")
    stream_write_timeout: Seconds = Field(
        30.0, description="A live stream or file whose reader takes nothing for so long is closed"
    )
    check_max: Count = Field(100, description="Phone numbers in one check")
    shutdown_timeout: Seconds = Field(20.0, description="What running requests have to finish at shutdown")
