"""What follows when a connection ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.instance.policy import PAIRING_ROUNDS, Ended, Ending, after, backoff
from actors.registry import ConnectionState
from actors.settings import InstanceSettings

SETTINGS = InstanceSettings()


@given(st.integers(0, 10_000))
def test_backoff_grows_to_its_bound_and_never_hammers(failures: int) -> None:
    delay = backoff(failures, SETTINGS)
    assert SETTINGS.reconnect_first / 2 <= delay <= SETTINGS.reconnect_max


@given(st.sampled_from(list(Ending)), st.integers(0, 100), st.integers(0, 100), st.booleans())
def test_only_an_answer_of_whatsapp_or_a_wish_ends_the_attempts(
    ending: Ending, failures: int, rounds: int, permanent: bool
) -> None:
    following = after(Ended(ending, permanent=permanent), failures=failures, rounds=rounds, settings=SETTINGS)
    gives_up = following.delay is None
    final = {Ending.WANTED, Ending.LOGGED_OUT}
    if permanent:
        final.add(Ending.REFUSED)
    if rounds >= PAIRING_ROUNDS:
        final.add(Ending.PAIRING_EXPIRED)
    assert gives_up == (ending in final)


@given(st.integers(0, 100))
def test_a_replaced_connection_waits_and_never_fights(failures: int) -> None:
    following = after(Ended(Ending.REPLACED), failures=failures, rounds=0, settings=SETTINGS)
    assert following.state is ConnectionState.CONFLICT
    assert following.delay is not None
    assert following.delay >= SETTINGS.conflict_backoff


@pytest.mark.parametrize("ending", [Ending.LOST, Ending.SILENT])
def test_a_first_loss_reconnects_at_once_and_the_next_with_backoff(ending: Ending) -> None:
    assert after(Ended(ending), failures=0, rounds=0, settings=SETTINGS).delay == 0
    again = after(Ended(ending), failures=1, rounds=0, settings=SETTINGS).delay
    assert again is not None
    assert again >= SETTINGS.reconnect_first / 2


@pytest.mark.parametrize("ending", [Ending.BANNED, Ending.REFUSED])
def test_whatsapps_own_delay_is_honoured(ending: Ending) -> None:
    following = after(Ended(ending, retry_after=600), failures=0, rounds=0, settings=SETTINGS)
    assert following.delay is not None
    assert following.delay >= 600
