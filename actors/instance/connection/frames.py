"""Length-prefixed protobuf frames, as the header of engine.proto defines them."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import Message

HEADER_SIZE = 4
MAX_SIZE = 64 << 20


class FrameError(Exception):
    """The other side does not speak in frames."""


def encode(message: Message) -> bytes:
    """One message as a frame.

    Raises:
        FrameError: it is larger than 64 MiB.
    """
    body = message.SerializeToString()
    if len(body) > MAX_SIZE:
        raise FrameError(f"a frame of {len(body)} bytes is too large")
    return len(body).to_bytes(HEADER_SIZE, "big") + body


class Decoder:
    """Cuts a stream of bytes, fed in pieces of any size, into the bodies of frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def partial(self) -> bool:
        """True if the stream so far ends within a frame."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bodies that are complete with these bytes.

        Raises:
            FrameError: a length beyond 64 MiB. The decoder is of no use after that.
        """
        self._buffer += data
        start = 0
        try:
            while len(self._buffer) - start >= HEADER_SIZE:
                size = int.from_bytes(self._buffer[start : start + HEADER_SIZE], "big")
                if size > MAX_SIZE:
                    raise FrameError(f"a frame announces {size} bytes")
                end = start + HEADER_SIZE + size
                if len(self._buffer) < end:
                    break
                body = bytes(self._buffer[start + HEADER_SIZE : end])
                start = end
                yield body
        finally:
            del self._buffer[:start]
