from __future__ import annotations

import contextlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.tokens import CODE_OF_WORD, DOUBLE, SINGLE
from lab.wire import LIDS, SERVER, USERS, Jid, Node, WireError, decode, encode, node

words = st.sampled_from([*SINGLE[1:50], *DOUBLE[0][:50]])
texts = st.one_of(
    words,
    st.text(max_size=40),
    st.text("0123456789-.", min_size=1, max_size=300),
    st.text("0123456789ABCDEF", min_size=1, max_size=300),
    st.just("ana@example.com"),
)
users = st.text("0123456789", min_size=1, max_size=15)
jids = st.one_of(
    st.builds(Jid, users, st.sampled_from([USERS, LIDS, "g.us", "broadcast"])),
    st.builds(Jid, users, st.sampled_from([USERS, LIDS, "hosted", "hosted.lid"]), st.integers(1, 255)),
    st.just(SERVER),
)
attributes = st.dictionaries(texts.filter(bool), st.one_of(texts, jids), max_size=6)
nodes = st.recursive(
    st.builds(Node, words, attributes, st.one_of(st.none(), st.binary(max_size=300))),
    lambda children: st.builds(Node, words, attributes, st.lists(children, max_size=4)),
    max_leaves=12,
)


@given(nodes)
def test_what_is_written_is_read_again(root: Node) -> None:
    assert decode(encode(root)) == root


@given(nodes)
def test_compressed_frames_are_read(root: Node) -> None:
    assert decode(b"\2" + zlib.compress(encode(root)[1:])) == root


@given(st.binary(max_size=200))
def test_any_bytes_are_a_node_or_an_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        assert isinstance(decode(data), Node)


@given(nodes, st.data())
def test_a_cut_frame_is_an_error(root: Node, data: st.DataObject) -> None:
    whole = encode(root)
    with pytest.raises(WireError):
        decode(whole[: data.draw(st.integers(0, len(whole) - 1))])


def test_bytes_of_a_known_stanza() -> None:
    """Checked against the published tables: list of 5, receipt, id as packed hex, to as a user's address."""
    stanza = node("receipt", {"id": "3EB0AB", "to": Jid("5511900000001")})
    assert encode(stanza) == bytes(
        [0, 248, 5, 7, 8, 251, 3, 0x3E, 0xB0, 0xAB, 17, 250, 255, 0x87, 0x55, 0x11, 0x90, 0, 0, 0, 0x1F, 3]
    )


def test_a_device_is_addressed_with_domain_and_number() -> None:
    stanza = node("to", {"jid": Jid("123", LIDS, 7)})
    assert encode(stanza).endswith(bytes([247, 1, 7, 255, 0x82, 0x12, 0x3F]))


def test_content_written_as_a_word_is_read_as_bytes() -> None:
    word = CODE_OF_WORD["1"]
    assert decode(bytes([0, 248, 2, 4]) + word) == Node("type", {}, b"1")


def test_large_content_keeps_its_length() -> None:
    for size in (255, 256, 70_000, 1 << 20):
        assert decode(encode(Node("enc", {}, b"x" * size))).data() == b"x" * size


def test_every_word_has_its_own_code() -> None:
    assert len(set(CODE_OF_WORD.values())) == len(CODE_OF_WORD)
    assert all(len(code) <= 2 for code in CODE_OF_WORD.values())


@pytest.mark.parametrize("jid", [Jid("1", "g.us", 3), Jid("1", USERS, 256)])
def test_an_address_without_a_form_is_refused(jid: Jid) -> None:
    with pytest.raises(WireError):
        encode(node("to", {"jid": jid}))


def test_parts_of_a_node() -> None:
    root = node("a", {"x": "1", "gone": None, "j": SERVER}, [node("b", {}, node("c", {}, "text")), node("b")])
    assert root.attrs == {"x": "1", "j": SERVER}
    assert [child.tag for child in root.children("b")] == ["b", "b"]
    deep = root.child("b", "c")
    assert deep is not None
    assert deep.data() == b"text"
    assert root.child("b", "nothing") is None
    assert root.jid("j") == SERVER
    assert root.jid("x") is None
    assert str(Jid("1", LIDS, 2).bare()) == "1@lid"
