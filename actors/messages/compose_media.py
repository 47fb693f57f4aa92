"""Messages with a file, which has been uploaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from actors.instance.connection import whatsapp_pb2 as wa
from actors.messages import content as c


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file that was uploaded to WhatsApp, and what is known of it.

    Args:
        file_length: bytes of the plain file.
        seconds: of sound and videos.
        waveform: of a voice note: 64 loudnesses, 0 to 100.
        thumbnail: a small JPEG; of a sticker, a PNG.
        handle: of one that is not encrypted, as in newsletters: it goes with the message, not in it.
    """

    url: str
    direct_path: str
    media_key: bytes
    file_sha256: bytes
    file_enc_sha256: bytes
    file_length: int
    mime_type: str
    width: int | None = None
    height: int | None = None
    seconds: int | None = None
    waveform: bytes | None = None
    thumbnail: bytes | None = None
    file_name: str | None = None
    pages: int | None = None
    animated: bool = False
    handle: str = ""


class NoMedia(Exception):
    """A content with a file was composed without the file."""


def compose_media(
    content: c.MediaMessage, file: Uploaded | None, made_at_ms: int, context: wa.ContextInfo | None
) -> wa.Message:
    """The message with this file.

    Raises:
        NoMedia
    """
    if file is None:
        raise NoMedia
    place: dict[str, Any] = {
        "url": file.url,
        "direct_path": file.direct_path,
        "media_key": file.media_key or None,
        "media_key_timestamp": made_at_ms // 1000 if file.media_key else None,
        "file_sha256": file.file_sha256,
        "file_enc_sha256": file.file_enc_sha256 or None,
        "file_length": file.file_length,
        "mimetype": file.mime_type,
        "context_info": context,
    }
    size: dict[str, Any] = {"width": file.width, "height": file.height}
    match content:
        case c.Image():
            image = wa.ImageMessage(
                caption=content.caption,
                view_once=content.view_once or None,
                jpeg_thumbnail=file.thumbnail,
                **size,
                **place,
            )
            return _once(wa.Message(image_message=image), content.view_once)
        case c.Video() | c.Gif():
            once = isinstance(content, c.Video) and content.view_once
            video = wa.VideoMessage(
                caption=content.caption,
                seconds=file.seconds,
                gif_playback=isinstance(content, c.Gif) or None,
                view_once=once or None,
                jpeg_thumbnail=file.thumbnail,
                **size,
                **place,
            )
            return _once(wa.Message(video_message=video), once)
        case c.Audio():
            return wa.Message(audio_message=wa.AudioMessage(seconds=file.seconds, **place))
        case c.Voice():
            voice = wa.AudioMessage(
                ptt=True,
                seconds=file.seconds,
                waveform=file.waveform,
                view_once=content.view_once or None,
                **place,
            )
            return _once(wa.Message(audio_message=voice), content.view_once)
        case c.Sticker():
            sticker = wa.StickerMessage(
                is_animated=file.animated or None, png_thumbnail=file.thumbnail, **size, **place
            )
            return wa.Message(sticker_message=sticker)
        case c.Document():
            name = content.file_name or file.file_name
            document = wa.DocumentMessage(
                file_name=name,
                title=name,
                page_count=file.pages,
                caption=content.caption,
                jpeg_thumbnail=file.thumbnail,
                **place,
            )
            return captioned(wa.Message(document_message=document))
    raise TypeError(f"no content: {type(content).__name__}")


def captioned(message: wa.Message) -> wa.Message:
    """The message; a document with a caption wrapped, as phones expect it."""
    if not message.document_message.HasField("caption"):
        return message
    return wa.Message(document_with_caption_message=wa.Wrapper(message=message))


def _once(message: wa.Message, view_once: bool) -> wa.Message:
    if not view_once:
        return message
    wrapper = wa.Wrapper(message=message)
    if message.HasField("audio_message"):
        return wa.Message(view_once_message_v2_extension=wrapper)
    return wa.Message(view_once_message=wrapper)
