from __future__ import annotations

import copy
import random

import pytest

from lab.accounts import Account
from lab.network import Lab
from lab.wire import LIDS, SERVER, USERS, Jid, Node, Value, node
from tests.lab.client import Client, Keys
from tests.lab.conftest import ANA, BIA, back, online

STANZAS = 1500
WORDS = ["", "0", "1", "-1", "M1", "get", "set", "result", "read", "retry", "lid", "é" * 30, "9" * 40]
BODIES = [None, b"", b"\0", b"\xff\xfe\xfd", b"12345", b"x" * 80, []]


def templates(ana: Account, bia: Account) -> list[Node]:
    """One of every stanza that the network knows, as a client would send it."""
    user = node("user", {"jid": Jid(bia.lid, LIDS)}, node("contact", {}, f"+{BIA}"))
    wanted = [node(tag) for tag in ("contact", "devices", "lid", "status", "picture")]
    key = node("key", {}, [node("id", {}, b"\0\0\7"), node("value", {}, b"k" * 32)])
    signed = node("skey", {}, [*key.children(), node("signature", {}, b"s" * 64)])
    enc = node("enc", {"v": "2", "type": "pkmsg"}, b"sealed")
    copies = [node("to", {"jid": Jid(bia.lid, LIDS, 1)}, enc), node("to", {"jid": Jid(ana.lid, LIDS)}, enc)]
    link = {"jid": Jid(ANA), "stage": "companion_hello"}
    wrapped = [
        node("link_code_pairing_wrapped_companion_ephemeral_pub", {}, b"w" * 80),
        node("link_code_pairing_wrapped_key_bundle", {}, b"w" * 80),
        node("link_code_pairing_ref", {}, b"ref"),
    ]
    token = node("token", {"jid": Jid(BIA), "t": "1", "type": "trusted_contact"})
    item = node("item", {"jid": Jid(bia.lid, LIDS), "action": "unblock"})
    picture = node("picture", {"type": "image", "id": "1"}, b"\xff\xd8\xff")
    queries: list[tuple[str, str, list[Node]]] = [
        ("usync", "get", [node("usync", {"sid": "1"}, [node("query", {}, wanted), node("list", {}, user)])]),
        ("encrypt", "set", [node("list", {}, key), signed]),
        ("encrypt", "set", [node("rotate", {}, signed)]),
        ("encrypt", "get", [node("key", {}, user)]),
        ("encrypt", "get", [node("count")]),
        ("w:profile:picture", "get", [picture]),
        ("w:profile:picture", "set", [picture]),
        ("privacy", "set", [node("privacy", {}, node("category", {"name": "last", "value": "all"}))]),
        ("privacy", "set", [node("tokens", {}, token)]),
        ("blocklist", "set", [item]),
        ("status", "get", [node("status", {}, user)]),
        ("status", "set", [node("status", {}, b"about")]),
        ("w:sync:app:state", "set", [node("sync", {}, node("collection", {"name": "regular"}))]),
        ("w:g2", "get", [node("participating")]),
        ("md", "set", [node("link_code_companion_reg", link, wrapped)]),
        ("passive", "set", [node("active")]),
        ("w:m", "set", [node("media_conn")]),
    ]
    to = {"to": Jid(bia.lid, LIDS), "id": "M1"}
    iqs = [
        node("iq", {"id": "1", "xmlns": namespace, "type": kind, "target": Jid(BIA)}, content)
        for namespace, kind, content in queries
    ]
    return [
        *iqs,
        node("iq", {"id": "1", "type": "result"}, node("pair-device-sign", {}, node("device-identity"))),
        node("message", to, [node("participants", {}, copies), node("device-identity", {}, b"signed")]),
        node("message", {**to, "recipient": Jid(BIA), "category": "peer"}, enc),
        node("receipt", {**to, "type": "read"}, node("list", {}, node("item", {"id": "M2"}))),
        node("receipt", {**to, "type": "retry"}, node("retry", {"count": "1"})),
        node("ack", {**to, "class": "message", "type": "x"}),
        node("presence", {"type": "available", "name": "Ana"}),
        node("presence", {"type": "subscribe", "to": Jid(bia.lid, LIDS)}),
        node("chatstate", {"to": Jid(bia.lid, LIDS)}, node("composing")),
    ]


class Mutations:
    """Known stanzas, each with something wrong somewhere."""

    def __init__(self, seed: int, ana: Account, bia: Account) -> None:
        self._random = random.Random(seed)
        self._templates = templates(ana, bia)
        self._jids = [Jid(ANA), Jid(bia.lid, LIDS, 1), Jid("999", USERS, 1), Jid("1", "g.us"), SERVER]

    def next(self) -> Node:
        stanza = copy.deepcopy(self._random.choice(self._templates))
        for _ in range(self._random.randrange(4)):
            self._spoil(self._random.choice(self._parts(stanza)))
        return stanza

    def _parts(self, root: Node) -> list[Node]:
        return [root, *(part for child in root.children() for part in self._parts(child))]

    def _spoil(self, part: Node) -> None:
        name = self._random.choice([*part.attrs, "jid", "to", "type"])
        kind = self._random.randrange(5)
        if kind == 0:
            part.attrs.pop(name, None)
        elif kind == 1:
            part.attrs[name] = self._value()
        elif kind == 2:
            part.content = copy.copy(self._random.choice(BODIES))
        elif kind == 3 and isinstance(part.content, list) and part.content:
            part.content.pop(self._random.randrange(len(part.content)))
        elif kind == 4 and isinstance(part.content, list) and part.content:
            part.content.append(copy.deepcopy(self._random.choice(part.content)))

    def _value(self) -> Value:
        return self._random.choice([self._random.choice(self._jids), self._random.choice(WORDS)])


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_stanza_breaks_the_network(lab: Lab, ana: Account, bia: Account, seed: int) -> None:
    client, peer = await online(lab, ANA), await online(lab, BIA)
    mutations = Mutations(seed, ana, bia)
    for _ in range(STANZAS):
        await client.send(mutations.next())
    for one in (client, peer):
        answer = await one.query("w:p", "get", None)
        assert answer.text("type") == "result"
    assert not lab.board.errors
    await client.close()
    await peer.close()
    await (await back(lab, client.keys)).close()


async def test_no_stanza_of_an_unlinked_client_breaks_the_network(
    lab: Lab, ana: Account, bia: Account
) -> None:
    mutations = Mutations(4, ana, bia)
    async with Client(lab.target, Keys()) as client:
        await client.first("iq", "pair-device")
        for _ in range(STANZAS):
            await client.send(mutations.next())
        answer = await client.query("w:p", "get", node("ping"))
        assert answer.child("error").text("code") == "401"
    assert not lab.board.errors
