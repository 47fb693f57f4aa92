"""WhatsApp's binary XML: nodes, addresses, and their encoding."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from lab.tokens import CODE_OF_WORD, DOUBLE, SINGLE

USERS = "s.whatsapp.net"
LIDS = "lid"
GROUPS = "g.us"
NEWSLETTERS = "newsletter"

_LIST_EMPTY, _DICTIONARY_0, _DICTIONARY_3 = 0, 236, 239
_INTEROP_JID, _FB_JID, _AD_JID = 245, 246, 247
_LIST_8, _LIST_16, _JID_PAIR, _HEX_8 = 248, 249, 250, 251
_BINARY_8, _BINARY_20, _BINARY_32, _NIBBLE_8 = 252, 253, 254, 255

_NIBBLES = "0123456789-."
_HEX_DIGITS = "0123456789ABCDEF"
_NIBBLES_TO_HEX = str.maketrans("-.", "ab")
_HEX_TO_NIBBLES = str.maketrans("ab", "-.")
_MAX_PACKED = 254
_CACHED = 8192

_DOMAIN_OF_SERVER = {USERS: 0, LIDS: 1, "hosted": 128, "hosted.lid": 129}
_SERVER_OF_DOMAIN = {domain: server for server, domain in _DOMAIN_OF_SERVER.items()}


class WireError(ValueError):
    """Bytes that are not a node, or a node that cannot be written."""


@dataclass(frozen=True, slots=True)
class Jid:
    """An address: a user, a device of a user (device above 0), or with an empty user a server."""

    user: str
    server: str = USERS
    device: int = 0

    def __str__(self) -> str:
        if not self.user:
            return self.server
        return f"{self.user}:{self.device}@{self.server}" if self.device else f"{self.user}@{self.server}"

    def bare(self) -> Jid:
        """The user without the device."""
        return Jid(self.user, self.server)


SERVER = Jid("", USERS)
"""WhatsApp itself."""

STATUS = Jid("status", "broadcast")
"""What is written here goes to everybody whom the writer chose, as it goes to a group."""

Value = str | int | Jid
Attrs = Mapping[str, Value | None]
"""Attributes to build a node from; those that are None are left out."""
Content = bytes | list["Node"] | None


@dataclass(slots=True)
class Node:
    """One element: what a stanza is made of."""

    tag: str
    attrs: dict[str, Value] = field(default_factory=dict)
    content: Content = None

    def text(self, name: str, default: str = "") -> str:
        """An attribute as text, ``default`` if it is missing."""
        value = self.attrs.get(name)
        return default if value is None else str(value)

    def jid(self, name: str) -> Jid | None:
        """An attribute that is an address, None if it is missing or something else."""
        value = self.attrs.get(name)
        return value if isinstance(value, Jid) else None

    def children(self, tag: str | None = None) -> list[Node]:
        """The children, of one tag if given."""
        if not isinstance(self.content, list):
            return []
        return [child for child in self.content if tag is None or child.tag == tag]

    def child(self, *path: str) -> Node | None:
        """The first descendant along a path of tags."""
        node: Node | None = self
        for tag in path:
            node = next((c for c in node.children() if c.tag == tag), None) if node else None
        return node

    def data(self) -> bytes:
        """The content as bytes, empty if there is none or if it is a list."""
        return self.content if isinstance(self.content, bytes) else b""

    def words(self) -> str:
        """The content as text; what is no UTF-8 in it is replaced."""
        return self.data().decode(errors="replace")


def node(tag: str, attrs: Attrs | None = None, content: Content | Node | str = None) -> Node:
    """A node from loose parts; one child needs no list."""
    kept = {name: value for name, value in (attrs or {}).items() if value is not None}
    if isinstance(content, Node):
        return Node(tag, kept, [content])
    return Node(tag, kept, content.encode() if isinstance(content, str) else content)


def encode(root: Node) -> bytes:
    """A node as an uncompressed frame body (with its leading flag byte)."""
    out = bytearray(b"\0")
    _write_node(out, root)
    return bytes(out)


def decode(frame: bytes) -> Node:
    """The node in a frame body. Raises WireError."""
    if not frame:
        raise WireError("empty frame")
    try:
        body = zlib.decompress(frame[1:]) if frame[0] & 2 else frame[1:]
    except zlib.error as error:
        raise WireError(f"bad compression: {error}") from error
    reader = _Reader(body)
    try:
        root = reader.node()
    except RecursionError as error:
        raise WireError("a node is nested too deep") from error
    if reader.position != len(body):
        raise WireError(f"{len(body) - reader.position} bytes after the node")
    return root


def _write_node(out: bytearray, item: Node) -> None:
    out += _list_head(1 + 2 * len(item.attrs) + (item.content is not None))
    out += _text_code(item.tag)
    for name, value in item.attrs.items():
        out += _text_code(name)
        out += _jid_code(value) if isinstance(value, Jid) else _text_code(str(value))
    if isinstance(item.content, bytes):
        out += _bytes_head(len(item.content))
        out += item.content
    elif item.content is not None:
        out += _list_head(len(item.content))
        for child in item.content:
            _write_node(out, child)


def _list_head(size: int) -> bytes:
    if size == 0:
        return bytes((_LIST_EMPTY,))
    if size < 1 << 8:
        return bytes((_LIST_8, size))
    if size < 1 << 16:
        return bytes((_LIST_16, size >> 8, size & 0xFF))
    raise WireError(f"a list of {size} items is too long")


def _bytes_head(size: int) -> bytes:
    if size < 1 << 8:
        return bytes((_BINARY_8, size))
    if size < 1 << 20:
        return bytes((_BINARY_20, size >> 16, size >> 8 & 0xFF, size & 0xFF))
    return bytes((_BINARY_32,)) + size.to_bytes(4, "big")


@lru_cache(_CACHED)
def _text_code(text: str) -> bytes:
    if (code := CODE_OF_WORD.get(text)) is not None:
        return code
    if text and len(text) <= _MAX_PACKED:
        if not text.strip(_NIBBLES):
            return _packed_code(text.translate(_NIBBLES_TO_HEX), _NIBBLE_8)
        if not text.strip(_HEX_DIGITS):
            return _packed_code(text, _HEX_8)
    data = text.encode()
    return _bytes_head(len(data)) + data


def _packed_code(digits: str, tag: int) -> bytes:
    odd = len(digits) % 2
    return bytes((tag, odd << 7 | (len(digits) + odd) // 2)) + bytes.fromhex(digits + "f" * odd)


@lru_cache(_CACHED)
def _jid_code(jid: Jid) -> bytes:
    if jid.device:
        if jid.server not in _DOMAIN_OF_SERVER or jid.device > 255:
            raise WireError(f"no device address: {jid}")
        return bytes((_AD_JID, _DOMAIN_OF_SERVER[jid.server], jid.device)) + _text_code(jid.user)
    user = _text_code(jid.user) if jid.user else bytes((_LIST_EMPTY,))
    return bytes((_JID_PAIR,)) + user + _text_code(jid.server)


class _Reader:
    """Reads one frame body from its start to its end."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.position = 0

    def byte(self) -> int:
        try:
            value = self.body[self.position]
        except IndexError:
            raise WireError("the frame ends inside a node") from None
        self.position += 1
        return value

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        end = self.position + size
        if end > len(self.body):
            raise WireError("the frame ends inside a node")
        data = self.body[self.position : end]
        self.position = end
        return data

    def node(self) -> Node:
        size = self.list_size(self.byte())
        if size == 0:
            raise WireError("an empty list where a node should be")
        tag = self.text()
        attrs: dict[str, Value] = {}
        for _ in range((size - 1) // 2):
            name = self.text()
            attrs[name] = self.value(self.byte())
        return Node(tag, attrs, self.content() if size % 2 == 0 else None)

    def list_size(self, tag: int) -> int:
        if tag == _LIST_EMPTY:
            return 0
        if tag == _LIST_8:
            return self.byte()
        if tag == _LIST_16:
            return self.number(2)
        raise WireError(f"tag {tag} where a list should be")

    def content(self) -> Content:
        tag = self.byte()
        if tag in (_LIST_EMPTY, _LIST_8, _LIST_16):
            return [self.node() for _ in range(self.list_size(tag))]
        raw = self.raw(tag)
        if raw is not None:
            return raw
        value = self.value(tag)
        return str(value).encode()

    def text(self) -> str:
        value = self.value(self.byte())
        if isinstance(value, Jid):
            raise WireError("an address where text should be")
        return str(value)

    def raw(self, tag: int) -> bytes | None:
        if tag == _BINARY_8:
            return self.take(self.byte())
        if tag == _BINARY_20:
            return self.take(self.number(3) & 0xFFFFF)
        if tag == _BINARY_32:
            return self.take(self.number(4))
        return None

    def value(self, tag: int) -> Value:
        if tag < _DICTIONARY_0:
            return SINGLE[tag]
        if tag <= _DICTIONARY_3:
            return DOUBLE[tag - _DICTIONARY_0][self.byte()]
        raw = self.raw(tag)
        if raw is not None:
            try:
                return raw.decode()
            except UnicodeDecodeError as error:
                raise WireError(str(error)) from error
        if tag in (_NIBBLE_8, _HEX_8):
            return self.packed(tag)
        return self.address(tag)

    def packed(self, tag: int) -> str:
        head = self.byte()
        text = self.take(head & 127).hex()
        if head >> 7:
            text = text[:-1]
        if tag == _HEX_8:
            return text.upper()
        text = text.translate(_HEX_TO_NIBBLES)
        if text.strip(_NIBBLES):
            raise WireError("a packed string has a symbol outside its alphabet")
        return text

    def address(self, tag: int) -> Jid:
        if tag == _JID_PAIR:
            user = self.text()
            return Jid(user, self.text())
        if tag == _AD_JID:
            domain, device = self.byte(), self.byte()
            return Jid(self.text(), _SERVER_OF_DOMAIN.get(domain, USERS), device)
        if tag == _FB_JID:
            user, device = self.text(), self.number(2)
            return Jid(user, self.text(), device)
        if tag == _INTEROP_JID:
            user, device = self.text(), self.number(2)
            self.number(2)
            return Jid(user, self.text(), device)
        raise WireError(f"unknown tag {tag}")
