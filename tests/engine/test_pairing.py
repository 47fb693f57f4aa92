"""Pairing, resuming, ending a pairing."""

from __future__ import annotations

import pytest

from actors.instance.connection import engine_pb2 as pb
from lab.network import Lab
from tests.engine.conftest import ANA, BIA, MakeDevice
from tests.engine.device import refused
from tests.wait import until

pytestmark = pytest.mark.engine


async def test_pairing_by_qr_code(device: MakeDevice, lab: Lab) -> None:
    ana = await device(ANA, pair=False)
    assert (await ana.engine.stats()).events_sent == 0
    await ana.connect()
    shown = ana.signals_of(pb.Qr)[0]
    assert shown.valid_ms > 0
    assert shown.left > 0
    paired = ana.signals_of(pb.Paired)[0]
    connected = ana.signals_of(pb.Connected)[0]
    assert paired.device == connected.device
    assert paired.device.startswith(f"{ANA}:")
    assert paired.lid == lab.account(ANA).lid


async def test_pairing_by_phone_code(device: MakeDevice, lab: Lab) -> None:
    ana = await device(ANA, pair=False)
    ana.scans = False
    assert (await refused(ana.engine.pair_phone(ANA))).code == "not_connected"
    await ana.engine.connect()
    assert (await refused(ana.engine.pair_phone("12"))).code == "bad_request"
    code = await ana.engine.pair_phone(ANA)
    await lab.confirm(ANA, code)
    await ana.signal(pb.Connected)
    assert (await refused(ana.engine.pair_phone(ANA))).code == "already_paired"


async def test_a_paired_device_connects_again_without_a_code(device: MakeDevice) -> None:
    ana = await device(ANA)
    first = ana.signals_of(pb.Connected)[0].device
    await ana.engine.close()
    ana.signals.clear()
    opened = await ana.start()
    assert opened.device == first
    await ana.connect()
    assert not ana.signals_of(pb.Qr)
    assert ana.signals_of(pb.Connected)[0].device == first


async def test_a_pairing_that_nobody_scans_survives_disconnecting(device: MakeDevice) -> None:
    ana = await device(ANA, pair=False)
    ana.scans = False
    await ana.engine.connect()
    await ana.signal(pb.Qr)
    await ana.engine.disconnect()
    shown = len(ana.signals_of(pb.Qr))
    ana.scans = True
    await ana.connect()
    assert len(ana.signals_of(pb.Qr)) > shown
    assert not ana.signals_of(pb.PairFailed)


async def test_logout_forgets_the_device(device: MakeDevice, lab: Lab) -> None:
    ana = await device(ANA)
    await ana.engine.logout()
    await until(lambda: not lab.account(ANA).devices)
    assert (await refused(ana.engine.connect())).code == "not_paired"
    await ana.engine.close()
    assert (await ana.start()).device == ""
    await ana.connect()


async def test_logout_from_the_phone(device: MakeDevice, lab: Lab) -> None:
    ana = await device(ANA)
    lab.log_out(ANA, next(iter(lab.account(ANA).devices)))
    assert (await ana.signal(pb.LoggedOut)).server_code == 401
    await ana.engine.close()
    assert (await ana.start()).device == ""


async def test_logged_out_while_away(device: MakeDevice, lab: Lab) -> None:
    ana = await device(ANA)
    await ana.engine.disconnect()
    lab.log_out(ANA, next(iter(lab.account(ANA).devices)))
    await ana.engine.connect()
    assert (await ana.signal(pb.LoggedOut)).on_connect


async def test_two_devices_of_one_account(device: MakeDevice, lab: Lab) -> None:
    first, second = await device(ANA, name="first"), await device(ANA, name="second")
    assert len(lab.account(ANA).devices) == 2
    bia = await device(BIA)
    await bia.send(ANA, "to both", "X1")
    assert await first.received(1) == ["to both"]
    assert await second.received(1) == ["to both"]
