"""Frames, cut anywhere, come out whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.frames import HEADER_SIZE, MAX_SIZE, Decoder, FrameError, encode

bodies = st.lists(st.binary(max_size=300), max_size=8)


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(HEADER_SIZE, "big") + body


@given(bodies, st.data())
def test_any_cut_gives_the_same_frames(sent: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(frame, sent))
    decoder = Decoder()
    got: list[bytes] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        got += decoder.feed(stream[:size])
        stream = stream[size:]
    assert got == sent
    assert not decoder.partial


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_torn_frame_is_noticed(body: bytes, data: st.DataObject) -> None:
    whole = frame(body)
    decoder = Decoder()
    assert list(decoder.feed(whole[: data.draw(st.integers(1, len(whole) - 1))])) == []
    assert decoder.partial


@given(st.integers(MAX_SIZE + 1, 2**32 - 1))
def test_a_length_beyond_the_bound_is_refused(size: int) -> None:
    with pytest.raises(FrameError):
        list(Decoder().feed(size.to_bytes(HEADER_SIZE, "big")))


@given(st.binary(max_size=100), st.binary(max_size=20))
def test_frames_before_a_broken_one_are_delivered(body: bytes, rest: bytes) -> None:
    feed = Decoder().feed(frame(body) + b"\xff\xff\xff\xff" + rest)
    assert next(feed) == body
    with pytest.raises(FrameError):
        next(feed)


@given(st.integers(0, 2**64 - 1), st.text(max_size=50))
def test_messages_survive(id_: int, phone: str) -> None:
    command = pb.ToEngine(id=id_, pair_phone=pb.PairPhone(phone=phone))
    [body] = Decoder().feed(encode(command))
    assert pb.ToEngine.FromString(body) == command


def test_a_message_beyond_the_bound_is_not_sent() -> None:
    with pytest.raises(FrameError):
        encode(pb.ToEngine(send=pb.Send(message=bytes(MAX_SIZE))))
