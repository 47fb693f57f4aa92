"""Settings of files."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from actors.settings.values import Count, Delays, Group, Seconds, Secrets


class MediaSettings(Group):
    """Files that are sent and received."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_MEDIA_")

    folder: Path | None = Field(
        None, description="Where files are kept; with S3, where they wait on their way. Unset: below data_dir"
    )
    s3_bucket: str | None = Field(None, description="An existing bucket to keep files in; unset: the folder")
    s3_endpoint: str | None = Field(None, description="http(s)://… of another S3 than Amazon's")
    s3_region: str = Field("us-east-1", description="Where the bucket is")
    s3_prefix: str | None = Field(
        None, pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", description="Of every key in the bucket"
    )
    s3_access_key_id: SecretStr | None = Field(
        None, description="Unset, with its secret: AWS_… variables, or the role of the task or machine"
    )
    s3_secret_access_key: SecretStr | None = Field(None, description="Set both or neither")
    s3_timeout: Seconds = Field(30.0, description="Deadline of a request to S3, its retries included")
    image_bytes: Count = Field(16 * 1024**2, description="Largest image that is taken")
    video_bytes: Count = Field(100 * 1024**2, description="Largest video")
    gif_bytes: Count = Field(16 * 1024**2, description="Largest GIF")
    audio_bytes: Count = Field(16 * 1024**2, description="Largest audio file")
    voice_bytes: Count = Field(16 * 1024**2, description="Largest recording for a voice note")
    sticker_bytes: Count = Field(5 * 1024**2, description="Largest picture for a sticker")
    document_bytes: int = Field(
        100 * 1024**2, gt=0, le=2 * 1024**3, description="Largest document; WhatsApp takes 2 GiB"
    )
    pixels: Count = Field(50_000_000, description="Most pixels of a picture, or of one of a film")
    frames: Count = Field(1_500, description="Most pictures of an animation that is converted")
    seconds: Seconds = Field(4 * 3600.0, description="Longest audio or video")
    convert_timeout: Seconds = Field(60.0, description="Deadline of checking and converting one file")
    convert_concurrency: Count = Field(2, description="Files that one process has converted at a time")
    convert_wait: Seconds = Field(30.0, description="How long a file waits for its turn")
    convert_memory: Count = Field(1536 * 1024**2, description="Bytes of memory that converting one may take")
    fetch_timeout: Seconds = Field(60.0, description="Deadline of downloading a URL, retries included")
    fetch_connect_timeout: Seconds = Field(5.0, description="Of these, until there is a connection")
    fetch_rate: Count = Field(16 * 1024, description="Bytes per second that a download has to bring")
    fetch_window: Seconds = Field(10.0, description="Seconds over which that is measured")
    fetch_attempts: Count = Field(3, description="Attempts at a URL that is unreachable or breaks off")
    fetch_redirects: int = Field(3, ge=0, description="Redirects that are followed")
    intake: Count = Field(
        16, description="Files that one gateway takes at a time: uploads, and those of messages"
    )
    intake_instance: Count = Field(4, description="Of these, how many of one instance")
    intake_timeout: Seconds = Field(300.0, description="Deadline of receiving an upload")
    upload_timeout: Seconds = Field(300.0, description="Deadline of uploading a file to WhatsApp")
    upload_concurrency: Count = Field(
        2, description="Files that one instance uploads to WhatsApp at a time, ahead of their messages"
    )
    upload_kept: Seconds = Field(
        3600.0, description="Seconds for which what was uploaded is used when a message is sent again"
    )
    download: bool = Field(True, description="Fetch the files of messages; each instance can say otherwise")
    download_bytes: Count = Field(100 * 1024**2, description="Largest file of a message that is fetched")
    download_concurrency: Count = Field(2, description="Files that one instance fetches at a time")
    download_rate: float = Field(5.0, gt=0, description="Files per second that one instance begins to fetch")
    download_timeout: Seconds = Field(300.0, description="Deadline of fetching one file, once")
    download_schedule: Delays = Field(
        (2, 10, 30, 120, 600, 1800, 3600),
        description="Seconds before each further attempt; after the last one it is `media.failed`",
    )
    download_bound: Count = Field(
        5_000,
        description="Files of one instance that wait to be fetched; above, those of new messages are not",
    )
    link_keys: Secrets = Field(
        (),
        description="Comma-separated keys of at least 32 characters: the first signs links to files, all are "
        "accepted. Unset: one that the cluster makes",
    )
    link_lifetime: Count = Field(7 * 86_400, description="Seconds a link to a file is good for")
    retention: Seconds = Field(30 * 86_400, description="Seconds a file is kept")
    retention_bytes: Count = Field(
        5 * 1024**3, description="Bytes of files kept per instance; above, the oldest go"
    )
    retention_interval: Seconds = Field(3600.0, description="Seconds between two looks for files to remove")

    @field_validator("link_keys")
    @classmethod
    def _long(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < 32 for key in keys):
            raise ValueError("a key for links needs at least 32 characters")
        return keys

    @model_validator(mode="after")
    def _both_keys(self) -> MediaSettings:
        if (self.s3_access_key_id is None) != (self.s3_secret_access_key is None):
            raise ValueError("set both the S3 access key's id and its secret, or neither")
        return self
