"""What follows when a connection ends: pure decisions, no clock, no network."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from actors.registry import ConnectionState
from actors.settings import InstanceSettings

PAIRING_ROUNDS = 5
"""Series of QR codes that are offered before pairing waits for somebody to ask for it again."""


class Ending(StrEnum):
    """Why a connection, or the attempt at one, ended."""

    WANTED = "wanted"
    LOST = "lost"
    SILENT = "silent"
    CONNECT_FAILED = "connect_failed"
    LOGIN_TIMEOUT = "login_timeout"
    REFUSED = "refused"
    BANNED = "banned"
    REPLACED = "replaced"
    LOGGED_OUT = "logged_out"
    SESSION_LOST = "session_lost"
    PARKED = "parked"
    PAIRING_EXPIRED = "pairing_expired"
    PAIRING_FAILED = "pairing_failed"
    ENGINE_GONE = "engine_gone"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a connection ended, with what the other side said about it."""

    ending: Ending
    reason: str = ""
    retry_after: float = 0.0
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class Next:
    """What to do after a connection ended.

    Args:
        state: what to show.
        delay: seconds until the next attempt; None: not before somebody asks for it.
        fresh_engine: end the engine's process first, since its session is gone or its state unknown.
    """

    state: ConnectionState
    delay: float | None
    fresh_engine: bool = False


def backoff(failures: int, settings: InstanceSettings) -> float:
    """Delay before attempt ``failures`` + 1, in seconds: doubling, capped, with full jitter above half."""
    longest: float = min(settings.reconnect_max, settings.reconnect_first * 2.0 ** min(failures, 30))
    return longest * random.uniform(0.5, 1.0)


def after(ended: Ended, *, failures: int, rounds: int, settings: InstanceSettings) -> Next:
    """Decide what follows.

    Args:
        ended: how the connection ended.
        failures: attempts in a row that did not lead to a login.
        rounds: series of QR codes that expired in a row.
        settings: delays.
    """
    again = backoff(failures, settings)
    match ended.ending:
        case Ending.WANTED:
            return Next(ConnectionState.DISCONNECTED, None)
        case Ending.REPLACED:
            # Whoever replaced us may be our own successor or a person: fighting would get the account banned.
            return Next(ConnectionState.CONFLICT, settings.conflict_backoff + again)
        case Ending.LOGGED_OUT:
            return Next(ConnectionState.LOGGED_OUT, None, fresh_engine=True)
        case Ending.BANNED:
            return Next(ConnectionState.BANNED, max(ended.retry_after, settings.reconnect_max))
        case Ending.REFUSED:
            if ended.permanent:
                return Next(ConnectionState.DISCONNECTED, None)
            return Next(ConnectionState.CONNECTING, max(ended.retry_after, again))
        case Ending.PARKED:
            return Next(ConnectionState.PARKED, again)
        case Ending.PAIRING_EXPIRED:
            if rounds >= PAIRING_ROUNDS:
                return Next(ConnectionState.DISCONNECTED, None, fresh_engine=True)
            return Next(ConnectionState.PAIRING, 0.0, fresh_engine=True)
        case Ending.PAIRING_FAILED:
            return Next(ConnectionState.PAIRING, again, fresh_engine=True)
        case Ending.ENGINE_GONE:
            return Next(ConnectionState.CONNECTING, 0.0 if failures == 0 else again, fresh_engine=True)
        case Ending.LOST | Ending.SILENT:
            return Next(ConnectionState.CONNECTING, 0.0 if failures == 0 else again)
        case Ending.CONNECT_FAILED | Ending.LOGIN_TIMEOUT | Ending.SESSION_LOST:
            return Next(ConnectionState.CONNECTING, again)
