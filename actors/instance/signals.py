"""What an engine's signals say: pure functions."""

from __future__ import annotations

from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import Gone, Signal
from actors.instance.policy import Ended, Ending


def ended_by(signal: Signal | object) -> Ended | None:
    """What a signal says about the end of a connection; None if it goes on."""
    match signal:
        case Gone():
            return Ended(Ending.ENGINE_GONE, f"the engine ended with status {signal.exit_code}")
        case pb.StoreLost():
            return Ended(Ending.ENGINE_GONE, f"the session store's lock was lost: {signal.detail}")
        case pb.Disconnected():
            return Ended(Ending.LOST, signal.reason or "the connection was closed by the other side")
        case pb.Replaced():
            return Ended(Ending.REPLACED, "another connection of this device took over")
        case pb.LoggedOut():
            return Ended(Ending.LOGGED_OUT, signal.reason or "the device was unlinked")
        case pb.Parked():
            return Ended(Ending.PARKED, f"{signal.cause}: {signal.detail}" if signal.detail else signal.cause)
        case pb.PairFailed(code="expired"):
            return Ended(Ending.PAIRING_EXPIRED, "nobody scanned the QR codes in time")
        case pb.PairFailed():
            return Ended(Ending.PAIRING_FAILED, f"{signal.code}: {signal.message}")
        case pb.ConnectFailure():
            banned = signal.reason == "temporary_ban"
            return Ended(
                Ending.BANNED if banned else Ending.REFUSED,
                signal.reason,
                retry_after=signal.retry_after_ms / 1000,
                permanent=signal.permanent,
            )
        case _:
            return None


def lid_of(number: str) -> str | None:
    """``1234`` to ``1234@lid``."""
    return f"{number}@lid" if number else None


def phone_of(device: str) -> str | None:
    """``5511999999999:3@s.whatsapp.net`` to ``+5511999999999``."""
    user = device.partition("@")[0].partition(":")[0].partition(".")[0]
    return f"+{user}" if user.isdigit() else None
