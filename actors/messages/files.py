"""The file of a message to send: where it is stored, what WhatsApp is told of it, where it was uploaded."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from actors.instance.connection import engine_pb2 as pb
from actors.media.worker.job import Made
from actors.messages.compose_media import Uploaded


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")


class MessageFile(_Kept):
    """A stored file, ready to be uploaded."""

    id: str = Field(description="Of the stored file")
    mime_type: str
    size: int = Field(description="Bytes")
    file_name: str | None = None
    width: int | None = None
    height: int | None = None
    seconds: int | None = None
    thumbnail: bytes | None = None
    waveform: bytes | None = None
    animated: bool = False

    @classmethod
    def of(cls, made: Made, media_id: str, size: int, file_name: str | None) -> MessageFile:
        """What was made, and stored."""
        return cls(
            id=media_id,
            mime_type=made.mime_type,
            size=size,
            file_name=file_name,
            width=made.width,
            height=made.height,
            # Phones show nothing of what lasts no second.
            seconds=None if made.seconds is None else max(1, round(made.seconds)),
            thumbnail=made.thumbnail,
            waveform=made.waveform,
            animated=made.animated,
        )


class Upload(_Kept):
    """Where WhatsApp has a file, and its key: a secret.

    Args:
        at: when it was uploaded, seconds since 1970.
        handle: of one that is not encrypted, and has no key.
    """

    url: str
    direct_path: str
    media_key: bytes
    file_sha256: bytes
    file_enc_sha256: bytes
    file_length: int
    at: float
    handle: str = ""

    @classmethod
    def of(cls, result: pb.UploadResult, at: float) -> Upload:
        """What the engine said."""
        return cls(
            url=result.url,
            direct_path=result.direct_path,
            media_key=result.media_key,
            file_sha256=result.file_sha256,
            file_enc_sha256=result.file_enc_sha256,
            file_length=result.file_length,
            at=at,
            handle=result.handle,
        )

    def described(self, file: MessageFile) -> Uploaded:
        """The file, as a message describes it."""
        return Uploaded(
            url=self.url,
            direct_path=self.direct_path,
            media_key=self.media_key,
            file_sha256=self.file_sha256,
            file_enc_sha256=self.file_enc_sha256,
            file_length=self.file_length,
            mime_type=file.mime_type,
            width=file.width,
            height=file.height,
            seconds=file.seconds,
            waveform=file.waveform,
            thumbnail=file.thumbnail,
            file_name=file.file_name,
            animated=file.animated,
            handle=self.handle,
        )
