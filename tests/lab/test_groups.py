"""The network's rules about groups, by hand: what an engine would not show."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lab.accounts import Account
from lab.groups import Group
from lab.network import Lab
from lab.stanzas import group_members as membership
from lab.stanzas import group_settings as settings
from lab.switchboard import devices_hash
from lab.wire import GROUPS, LIDS, STATUS, Jid, Node, node
from tests.lab.client import Client, lid
from tests.lab.conftest import ANA, BIA, back, online

CAIO = "5511900000003"
SERVER = Jid("", GROUPS)


@pytest.fixture
def caio(lab: Lab) -> Account:
    return lab.account(CAIO, "Caio")


@pytest.fixture
def group(lab: Lab, ana: Account, bia: Account, caio: Account) -> Group:
    made, _ = membership.create(lab.board, ana, "Family", [bia, caio])
    return made


@pytest.fixture
async def clients(lab: Lab, group: Group) -> AsyncIterator[tuple[Client, Client, Client]]:
    """A device each of Ana, Bia and Caio."""
    made = await online(lab, ANA), await online(lab, BIA), await online(lab, CAIO)
    yield made
    for client in made:
        await client.close()


def error_of(answer: Node) -> str:
    error = answer.child("error")
    assert error, answer
    return error.text("code")


async def write(client: Client, to: Jid, id_: str, *keys: Jid, **attrs: str | Jid) -> Node:
    """Send a message to many, with a key for some devices; the network's answer."""
    listed = [node("to", {"jid": jid}, node("enc", {"type": "msg"}, b"key")) for jid in keys]
    content = [node("participants", {}, listed), node("enc", {"type": "skmsg"}, b"sealed")]
    await client.send(node("message", {"to": to, "id": id_, "type": "text", **attrs}, content))
    return await client.first("ack", id=id_)


# ---- messages --------------------------------------------------------------------------------------------


async def test_everybody_gets_the_message_and_some_a_key(
    lab: Lab, group: Group, bia: Account, clients: tuple[Client, Client, Client]
) -> None:
    ana, _, _ = clients
    await write(ana, group.jid, "M1", lid(bia.lid, 1))
    found = {}
    for name, client in zip(("bia", "caio"), clients[1:], strict=True):
        [message] = await client.messages(1)
        found[name] = [enc.text("type") for enc in message.children("enc")]
        assert (message.jid("from"), message.jid("participant")) == (group.jid, ana.own())
        assert message.jid("participant_pn") == Jid(ANA)
        assert message.text("addressing_mode") == "lid"
    assert found == {"bia": ["msg", "skmsg"], "caio": ["skmsg"]}
    await ana.query("w:p", "get", None)
    assert ana.all("message") == [], "the writer's device got its own message"


async def test_a_writer_learns_that_it_does_not_know_all_devices(
    lab: Lab, group: Group, clients: tuple[Client, Client, Client]
) -> None:
    members = [lab.account(phone) for phone in (ANA, BIA, CAIO)]
    right = devices_hash(jid for member in members for jid in member.device_jids(LIDS))
    assert (await write(clients[0], group.jid, "M1", phash=right)).text("phash") == ""
    assert (await write(clients[0], group.jid, "M2", phash="2:old")).text("phash") == right


async def test_a_key_does_not_let_a_stranger_read(
    lab: Lab, group: Group, ana: Account, caio: Account, clients: tuple[Client, Client, Client]
) -> None:
    membership.remove(lab.board, group, ana, [caio])
    await write(clients[0], group.jid, "M1", lid(caio.lid, 1))
    await write(clients[0], group.jid, "M2", participant=lid(caio.lid, 1))
    await clients[2].query("w:p", "get", None)
    assert clients[2].all("message") == []


@pytest.mark.parametrize("code", ["400", "403", "404"])
async def test_messages_that_are_refused(
    lab: Lab, group: Group, ana: Account, caio: Account, clients: tuple[Client, Client, Client], code: str
) -> None:
    client = clients[2]
    if code == "400":
        await client.send(node("message", {"to": group.jid, "id": "M1"}))
    elif code == "403":
        membership.remove(lab.board, group, ana, [caio])
        await write(client, group.jid, "M1")
    else:
        await write(client, Jid("120363000000000001", GROUPS), "M1")
    assert (await client.first("ack", id="M1")).text("error") == code
    await clients[0].query("w:p", "get", None)
    assert clients[0].all("message") == []


async def test_who_could_not_read_is_written_to_again_alone(
    group: Group, clients: tuple[Client, Client, Client]
) -> None:
    ana, bia, caio = clients
    await write(ana, group.jid, "M1")
    [message] = await bia.messages(1)
    wanted = {"to": group.jid, "id": "M1", "type": "retry", "participant": message.attrs["participant"]}
    await bia.send(node("receipt", wanted, node("retry", {"count": 1, "id": "M1"})))
    request = await ana.first("receipt", type="retry")
    assert (request.jid("from"), request.jid("participant")) == (group.jid, bia.own())
    again = {"to": group.jid, "id": "M1", "type": "text", "participant": request.attrs["participant"]}
    await ana.send(node("message", again, node("enc", {"type": "pkmsg", "count": 1}, b"again")))
    _, second = await bia.messages(2)
    assert [(enc.text("type"), enc.data()) for enc in second.children("enc")] == [("pkmsg", b"again")]
    await caio.query("w:p", "get", None)
    assert len(caio.all("message")) == 1


async def test_acknowledgements_name_who_wrote(
    lab: Lab, group: Group, clients: tuple[Client, Client, Client]
) -> None:
    ana, bia, caio = clients
    for client in (ana, bia):
        await write(client, group.jid, "SAME")
    queue = lab.device(CAIO, 1).queue
    first, second = await caio.messages(2)
    for message in (second, first):
        await caio.send(
            node("receipt", {"to": group.jid, "id": "SAME", "participant": message.attrs["participant"]})
        )
        await caio.query("w:p", "get", None)
    assert "message" not in queue.kinds()
    told = [(await client.first("receipt")).jid("participant") for client in (ana, bia)]
    assert told == [caio.own(), caio.own()]


async def test_a_read_message_is_told_to_its_writer_and_to_own_devices(
    lab: Lab, group: Group, bia: Account, clients: tuple[Client, Client, Client]
) -> None:
    ana, reader, caio = clients
    own = await online(lab, BIA)
    await write(ana, group.jid, "M1")
    read = {"to": group.jid, "id": "M1", "type": "read", "participant": Jid(ANA)}
    await reader.send(node("receipt", read))
    assert (await ana.first("receipt", type="read")).jid("participant") == lid(bia.lid)
    told = await own.first("receipt", type="read")
    assert (told.jid("from"), told.jid("recipient")) == (group.jid, Jid(ANA))
    lab.set_privacy(BIA, "readreceipts", "none")
    await reader.send(node("receipt", {**read, "id": "M2"}))
    await own.first("receipt", id="M2")
    await ana.query("w:p", "get", None)
    assert len(ana.all("receipt")) == 1
    await caio.query("w:p", "get", None)
    assert caio.all("receipt") == []
    await own.close()


async def test_a_status_goes_to_those_who_get_the_key(
    lab: Lab, ana: Account, bia: Account, caio: Account, clients: tuple[Client, Client, Client]
) -> None:
    caio.record.blocked.append(ANA)
    await write(clients[0], STATUS, "S1", Jid(BIA, device=1), Jid(CAIO, device=1))
    [message] = await clients[1].messages(1)
    assert (message.jid("from"), message.jid("participant_lid")) == (STATUS, lid(ana.lid))
    await clients[2].query("w:p", "get", None)
    assert clients[2].all("message") == []


# ---- queries ---------------------------------------------------------------------------------------------


async def test_queries_that_make_no_sense(group: Group, clients: tuple[Client, Client, Client]) -> None:
    client = clients[0]
    unknown = Jid("120363000000000001", GROUPS)
    for kind, content, to, code in (
        ("get", None, group.jid, "400"),
        ("get", node("query"), unknown, "404"),
        ("get", node("nonsense"), SERVER, "400"),
        ("get", node("subject", {}, "x"), group.jid, "400"),
        ("set", node("nonsense"), group.jid, "400"),
        ("set", node("subject", {}, "x" * 101), group.jid, "406"),
        ("set", node("description", {"id": "D", "prev": "wrong"}, node("body", {}, "x")), group.jid, "409"),
        ("set", node("description", {"id": "D"}, node("body", {}, "x" * 2049)), group.jid, "406"),
        ("set", node("ephemeral", {"expiration": 5}), group.jid, "400"),
        ("set", node("ephemeral", {"expiration": "soon"}), group.jid, "400"),
        ("set", node("membership_approval_mode"), group.jid, "400"),
        ("set", node("membership_requests_action"), group.jid, "400"),
        ("set", node("create", {"subject": ""}), SERVER, "406"),
        ("get", node("query"), Jid(BIA), "400"),
    ):
        assert error_of(await client.query("w:g2", kind, content, to=to)) == code, (content, to)


async def test_a_group_is_left_by_its_id(group: Group, clients: tuple[Client, Client, Client]) -> None:
    ids = [group.jid, Jid("120363000000000001", GROUPS)]
    request = node("leave", {}, [node("group", {"id": jid}) for jid in ids])
    answer = await clients[1].query("w:g2", "set", request, to=SERVER)
    assert [item.text("error") for item in answer.child("leave").children("group")] == ["", "404"]
    assert list(group.record.members) == [ANA, CAIO]


async def test_a_full_group_takes_nobody(
    lab: Lab, group: Group, ana: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "MAX_MEMBERS", 3)
    other = lab.account("5511900000004")
    assert membership.add(lab.board, group, ana, [other]) == [(other, 419)]
    with pytest.raises(Exception, match="419"):
        membership.join(lab.board, group, other)


async def test_a_blocked_person_adds_nobody(lab: Lab, ana: Account, bia: Account) -> None:
    bia.record.blocked.append(ANA)
    _, outcomes = membership.create(lab.board, ana, "Family", [bia])
    assert outcomes == [(bia, 403)]


async def test_everything_is_there_after_a_restart(
    lab: Lab, group: Group, ana: Account, caio: Account
) -> None:
    settings.set_description(lab.board, group, ana, "Sundays")
    settings.set_approval(lab.board, group, ana, required=True)
    settings.set_picture(lab.board, group, ana, b"\xff\xd8\xff")
    membership.remove(lab.board, group, ana, [caio])
    membership.join(lab.board, group, caio)
    await lab.stop()
    again = await Lab.start(lab.state_dir)
    try:
        [found] = again.board.groups.all()
        assert found.record == group.record
        assert found.picture == group.picture
        assert found.record.requests.keys() == {CAIO}
    finally:
        await again.stop()


async def test_what_happens_while_a_member_is_away_waits_in_order(
    lab: Lab, group: Group, ana: Account, clients: tuple[Client, Client, Client]
) -> None:
    writer, reader, _ = clients
    await reader.close()
    await write(writer, group.jid, "M1")
    settings.set_subject(lab.board, group, ana, "Relatives")
    await write(writer, group.jid, "M2")
    again = await back(lab, reader.keys)
    await again.messages(2)
    waited = [stanza for stanza in again.seen if stanza.tag in ("message", "notification")]
    assert [stanza.text("id") if stanza.tag == "message" else "renamed" for stanza in waited] == [
        "M1",
        "renamed",
        "M2",
    ]
    await again.close()
