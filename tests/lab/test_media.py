"""Media: the servers that keep it, tried by hand, and contacts that send, receive and vote."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from actors.instance.connection import whatsapp_pb2 as wa
from lab.accounts import Account, LabError
from lab.attachments import KINDS, Attachment
from lab.faults import CorruptMedia, LoseMedia, RefuseUpload
from lab.media import Media
from lab.network import Lab
from lab.state import State
from lab.wire import node
from tests.lab.client import Client
from tests.lab.conftest import ANA, BIA, back, online
from tests.lab.test_control import Control, control
from tests.wait import until

__all__ = ["control"]


def token(body: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode()


async def permission(client: Client) -> str:
    answer = await client.query("w:m", "set", node("media_conn"))
    found = answer.child("media_conn")
    assert found
    assert [host.text("hostname") for host in found.children("host")] == [client.target.address]
    return found.text("auth")


@pytest.fixture
async def https(lab: Lab) -> AsyncIterator[aiohttp.ClientSession]:
    context = ssl.create_default_context(cadata=lab.target.tls_ca_pem.decode())
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(f"https://{lab.target.address}", connector=connector) as session:
        yield session


async def upload(
    https: aiohttp.ClientSession, auth: str, body: bytes, *, named: str = "", kind: str = "image"
) -> tuple[int, dict[str, Any]]:
    path = f"/mms/{kind}/{named or token(body)}"
    async with https.post(path, params={"auth": auth}, data=body) as answer:
        return answer.status, await answer.json() if answer.status == 200 else {}


async def fetch(https: aiohttp.ClientSession, direct_path: str) -> tuple[int, bytes]:
    async with https.get(f"{direct_path}&hash=x&mms-type=image&__wa-mms=") as answer:
        return answer.status, await answer.read()


# ---- the servers -----------------------------------------------------------------------------------------


async def test_what_is_uploaded_can_be_fetched(lab: Lab, ana: Account, https: aiohttp.ClientSession) -> None:
    client = await online(lab, ANA)
    auth, body = await permission(client), os.urandom(100_000)
    status, told = await upload(https, auth, body)
    assert (status, told["url"]) == (200, f"https://{lab.target.address}{told['direct_path']}")
    assert await fetch(https, told["direct_path"]) == (200, body)
    assert (await fetch(https, "/v/t62/missing?x=1"))[0] == 404
    assert (await upload(https, auth, body))[1] == told
    assert [(blob.phone, blob.kind, blob.size) for blob in lab.board.media.all()] == [(ANA, "image", 100_000)]
    await client.close()


async def test_only_linked_devices_may_upload(lab: Lab, ana: Account, https: aiohttp.ClientSession) -> None:
    client = await online(lab, ANA)
    auth = await permission(client)
    late = auth.split(".")
    late[2] = "9" * 10
    for bad in ("", "lab", auth[:-1], auth + "0", ".".join(late), "…"):
        assert (await upload(https, bad, b"body"))[0] == 401, bad
    lab.log_out(ANA, 1)
    assert (await upload(https, auth, b"body"))[0] == 401
    await client.close()


async def test_a_permission_ends(
    lab: Lab, ana: Account, https: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await online(lab, ANA)
    with monkeypatch.context() as patched:
        patched.setattr("lab.media.PERMISSION_S", -1)
        ended = await permission(client)
    assert (await upload(https, ended, b"body"))[0] == 401
    assert (await upload(https, await permission(client), b"body"))[0] == 200
    await client.close()


async def test_a_file_is_what_its_token_says(lab: Lab, ana: Account, https: aiohttp.ClientSession) -> None:
    client = await online(lab, ANA)
    auth = await permission(client)
    for named in (token(b"another"), "short", "!!", token(b"body")[:-2]):
        assert (await upload(https, auth, b"body", named=named))[0] == 400, named
    assert lab.board.media.all() == []
    assert list((lab.state_dir / "media").iterdir()) == []
    await client.close()


async def test_a_file_has_a_bound(
    lab: Lab, ana: Account, https: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await online(lab, ANA)
    auth = await permission(client)
    monkeypatch.setattr("lab.media_server.MAX_FILE", 1000)
    assert (await upload(https, auth, bytes(1001)))[0] == 413
    assert (await upload(https, auth, bytes(1000)))[0] == 200
    await client.close()


async def test_the_oldest_files_make_room(tmp_path: Path) -> None:
    state = State(tmp_path / "lab.db")
    media = Media(state, tmp_path / "media", max_total=1000)
    names = []
    for number in range(5):
        with media.draft() as draft:
            draft.write(bytes((number,)) * 300)
            names.append(media.keep(draft, "image", ANA, 1).name)
    assert [blob.name for blob in media.all()] == names[2:]
    assert sorted(path.name for path in (tmp_path / "media").iterdir()) == sorted(names[2:])
    state.close()


async def test_what_a_death_left_over_is_swept(tmp_path: Path) -> None:
    state = State(tmp_path / "lab.db")
    media = Media(state, tmp_path / "media")
    with media.draft() as draft:
        draft.write(b"whole")
        kept = media.keep(draft, "image", ANA, 1)
    (tmp_path / "media" / "1234.draft").write_bytes(b"half")
    again = Media(state, tmp_path / "media")
    assert [path.name for path in (tmp_path / "media").iterdir()] == [kept.name]
    assert again.path(kept).read_bytes() == b"whole"
    state.close()


async def test_media_outlives_a_restart(lab: Lab, ana: Account, https: aiohttp.ClientSession) -> None:
    client = await online(lab, ANA)
    auth = await permission(client)
    _, told = await upload(https, auth, b"body")
    await lab.stop()
    again = await Lab.start(lab.state_dir)
    assert await fetch(https, told["direct_path"]) == (200, b"body")
    assert (await upload(https, auth, b"more"))[0] == 200
    second = await back(again, client.keys)
    await second.close()
    await client.close()
    await again.stop()


async def test_media_goes_wrong_on_purpose(lab: Lab, ana: Account, https: aiohttp.ClientSession) -> None:
    client = await online(lab, ANA)
    auth = await permission(client)
    lab.faults.add(RefuseUpload(phone=ANA, code=507, times=1))
    assert (await upload(https, auth, b"body"))[0] == 507
    _, told = await upload(https, auth, b"body")
    path = told["direct_path"]
    lab.faults.add(LoseMedia(phone=BIA))
    lab.faults.add(LoseMedia(phone=ANA, code=404, times=1))
    lab.faults.add(CorruptMedia(times=1))
    assert (await fetch(https, path))[0] == 404
    status, corrupt = await fetch(https, path)
    assert (status, len(corrupt), corrupt == b"body") == (200, 4, False)
    assert await fetch(https, path) == (200, b"body")
    await client.close()


async def test_a_file_is_deleted(
    lab: Lab, ana: Account, https: aiohttp.ClientSession, control: Control
) -> None:
    client = await online(lab, ANA)
    _, told = await upload(https, await permission(client), b"body")
    [listed] = await control("GET", "/media")
    assert (listed["phone"], listed["size"], listed["direct_path"]) == (ANA, 4, told["direct_path"])
    await control("DELETE", f"/media/{listed['name']}", status=204)
    assert (await fetch(https, told["direct_path"]))[0] == 404
    assert await control("GET", "/media") == []
    assert (await control.problem("DELETE", f"/media/{listed['name']}", 404))["code"] == "no_such_media"
    assert (await control.problem("DELETE", "/media/..%2Flab.db", 404))["code"] == "no_such_media"
    await client.close()


# ---- contacts --------------------------------------------------------------------------------------------


@pytest.mark.engine
async def test_contacts_send_each_other_files(lab: Lab, control: Control) -> None:
    for phone in (ANA, BIA):
        await control("POST", "/contacts", json={"phone": phone}, status=201)
    bodies = {kind: os.urandom(5000 + number) for number, kind in enumerate(KINDS)}
    for kind, body in bodies.items():
        query = {"to": BIA, "kind": kind, "caption": "look", "file_name": "a.bin", "id": kind}
        written = await control("POST", f"/contacts/{ANA}/media", params=query, data=body, status=201)
        assert (written["ids"], written["sent"], written["error"]) == ([kind], 1, None)
    await until(lambda: lab.contacts.get(BIA).arrived == len(bodies))
    for arrival in await control("GET", f"/contacts/{BIA}/messages"):
        assert arrival["kind"] == f"{arrival['id']}Message"
        async with control.session.get(f"/contacts/{BIA}/messages/{arrival['id']}/media") as answer:
            assert (answer.status, await answer.read()) == (200, bodies[arrival["id"]])
    image = wa.Message.FromString(base64.b64decode(lab.contacts.get(BIA).arrivals()[0].message)).image_message
    assert (image.caption, image.mimetype, image.file_length) == ("look", "image/jpeg", 5000)
    assert [path.name for path in (lab.state_dir / "contacts" / ANA).glob("*.file")] == []


@pytest.mark.engine
async def test_a_large_file_from_a_contact(lab: Lab, control: Control) -> None:
    for phone in (ANA, BIA):
        await control("POST", "/contacts", json={"phone": phone}, status=201)
    body = os.urandom(6_000_000)
    query = {"to": BIA, "kind": "document"}
    file = io.BytesIO(body)
    written = await control("POST", f"/contacts/{ANA}/media", params=query, data=file, status=201)
    bia = lab.contacts.get(BIA)
    await until(lambda: bia.arrived == 1)
    async with control.session.get(f"/contacts/{BIA}/messages/{written['ids'][0]}/media") as answer:
        assert await answer.read() == body
    lab.faults.add(LoseMedia())
    with pytest.raises(LabError) as refusal:
        await bia.fetch(written["ids"][0])
    assert refusal.value.code == "media_gone"


@pytest.mark.engine
async def test_what_is_no_file_is_refused(lab: Lab, control: Control) -> None:
    for phone in (ANA, BIA):
        await control("POST", "/contacts", json={"phone": phone}, status=201)
    path = f"/contacts/{ANA}/media"
    for query in ({"to": BIA}, {"to": BIA, "kind": "painting"}, {"to": "x", "kind": "image"}):
        await control.problem("POST", path, 422, params=query, data=b"body")
    query = {"to": BIA, "kind": "image", "id": "../x"}
    await control.problem("POST", path, 422, params=query, data=b"body")
    await lab.contacts.get(ANA).write(BIA, "no file", id_prefix="T")
    await until(lambda: lab.contacts.get(BIA).arrived == 1)
    problem = await control.problem("GET", f"/contacts/{BIA}/messages/T000001/media", 409)
    assert problem["code"] == "no_media"
    problem = await control.problem("GET", f"/contacts/{BIA}/messages/other/media", 404)
    assert problem["code"] == "no_such_message"


@pytest.mark.engine
async def test_contacts_ask_and_vote(lab: Lab, control: Control) -> None:
    for phone in (ANA, BIA):
        await control("POST", "/contacts", json={"phone": phone}, status=201)
    question = wa.Message(message_context_info=wa.MessageContextInfo(message_secret=os.urandom(32)))
    question.poll_creation_message.name = "Tea?"
    question.poll_creation_message.options.add(option_name="yes")
    question.poll_creation_message.options.add(option_name="no")
    asked = {"to": BIA, "message": base64.b64encode(question.SerializeToString()).decode(), "id": "P1"}
    assert (await control("POST", f"/contacts/{ANA}/raw", json=asked, status=201))["ids"] == ["P1"]
    ana, bia = lab.contacts.get(ANA), lab.contacts.get(BIA)
    await until(lambda: bia.arrived == 1)
    [arrival] = bia.arrivals()
    assert (arrival.kind, arrival.vote) == ("pollCreationMessage", None)
    heard_question = wa.Message.FromString(base64.b64decode(arrival.message)).poll_creation_message
    assert heard_question.name == "Tea?"
    ballot = {"chat": ANA, "poll_id": "P1", "sender": ANA}
    for options in (["yes"], []):
        voted = await control(
            "POST", f"/contacts/{BIA}/votes", json=ballot | {"options": options}, status=201
        )
        assert voted["sent"] == 1
    await until(lambda: ana.arrived == 2)
    heard = ana.arrivals()
    assert [arrival.vote for arrival in heard] == [[hashlib.sha256(b"yes").hexdigest()], []]
    assert {(arrival.target, arrival.undecrypted) for arrival in heard} == {("P1", False)}
    unknown = await control("POST", f"/contacts/{BIA}/votes", json=ballot | {"poll_id": "P2"}, status=201)
    assert unknown["sent"] == 0
    assert "poll_unknown" in unknown["error"]


@pytest.mark.engine
async def test_a_file_is_written_again_when_its_upload_failed(lab: Lab, tmp_path: Path) -> None:
    ana, bia = await lab.contacts.create(ANA), await lab.contacts.create(BIA)
    path = tmp_path / "file"
    path.write_bytes(b"body")
    lab.faults.add(RefuseUpload(code=500, times=1))
    written = await ana.write_file(BIA, path, Attachment("audio", voice=True))
    assert (written.sent, written.error) == (1, None)
    await until(lambda: bia.arrived == 1)
    assert await bia.fetch(written.ids[0]) == b"body"
    assert wa.Message.FromString(base64.b64decode(bia.arrivals()[0].message)).audio_message.ptt
