"""When a connection is probed, and when it is given up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.instance.watchdog import Probe, Reconnect, Sleep, Watchdog

SILENCE, FAILURES = 60.0, 2


def watchdog(silence: float = SILENCE, failures: int = FAILURES) -> Watchdog:
    return Watchdog(silence=silence, failures=failures, now=0.0)


def test_silence_is_probed_when_it_lasted_long_enough() -> None:
    dog = watchdog()
    assert dog.decide(0.0) == Sleep(60.0)
    assert dog.decide(59.0) == Sleep(1.0)
    assert dog.decide(60.0) == Probe()


def test_evidence_puts_the_probe_off() -> None:
    dog = watchdog()
    dog.heard(50.0)
    dog.heard(40.0)
    assert dog.decide(60.0) == Sleep(50.0)


def test_a_doubt_does_not_wait_and_is_gone_with_the_answer() -> None:
    dog = watchdog()
    dog.doubt()
    assert dog.decide(1.0) == Probe()
    dog.heard(2.0)
    assert dog.decide(2.0) == Sleep(60.0)


def test_a_doubt_alone_gives_nothing_up() -> None:
    dog = watchdog()
    for moment in range(10):
        dog.doubt()
        assert dog.decide(float(moment)) == Probe()


def test_unanswered_probes_in_a_row_end_the_connection() -> None:
    dog = watchdog()
    assert dog.decide(60.0) == Probe()
    dog.unanswered(60.0)
    assert dog.decide(70.0) == Probe(), "at once"
    dog.unanswered(70.0)
    assert dog.decide(80.0) == Reconnect(80.0, 2)


def test_an_answer_between_two_unanswered_probes_starts_the_count_again() -> None:
    dog = watchdog()
    dog.unanswered(60.0)
    dog.heard(75.0)
    assert dog.decide(75.0) == Sleep(60.0)
    dog.unanswered(135.0)
    assert dog.decide(145.0) == Probe()


def test_a_probe_is_not_missed_when_something_else_was_heard_meanwhile() -> None:
    dog = watchdog()
    dog.unanswered(60.0)
    dog.heard(72.0)
    dog.unanswered(70.0)
    assert dog.decide(80.0) == Sleep(52.0)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["wait", "heard", "doubt", "missed", "missed, but something was heard"]),
        st.integers(1, 200).map(float),
    ),
    max_size=60,
)


@given(STEPS, st.integers(1, 100).map(float), st.integers(1, 5))
def test_a_connection_is_given_up_only_after_its_probes_in_a_row(
    steps: list[tuple[str, float]], silence: float, failures: int
) -> None:
    """Whatever happens and when: against the plain account of what was heard and missed."""
    dog = watchdog(silence, failures)
    now, heard, missed = 0.0, 0.0, 0
    doubted = False
    for step, passed in steps:
        asked, now = now, now + passed
        match step:
            case "heard":
                dog.heard(now)
                heard, missed = now, 0
            case "missed, but something was heard":
                dog.heard(asked + passed / 2)
                dog.unanswered(asked)
                heard, missed = asked + passed / 2, 0
            case "missed":
                dog.unanswered(asked)
                missed += 1
            case "doubt":
                dog.doubt()
                doubted = True
        decision = dog.decide(now)
        if missed >= failures:
            assert decision == Reconnect(now - heard, missed)
        elif missed or doubted or now >= heard + silence:
            assert decision == Probe()
            doubted = False
        else:
            assert decision == Sleep(heard + silence - now)
            assert 0 < decision.seconds <= silence


@given(st.lists(st.floats(0.0, 59.0), min_size=1, max_size=50))
def test_a_connection_on_which_something_is_heard_is_left_alone(gaps: list[float]) -> None:
    dog, now = watchdog(), 0.0
    for gap in gaps:
        now += gap
        assert isinstance(dog.decide(now), Sleep)
        dog.heard(now)


@given(st.integers(1, 20), st.floats(0.1, 30.0))
def test_a_dead_connection_is_found_with_exactly_its_probes(failures: int, timeout: float) -> None:
    dog, now, probes = watchdog(failures=failures), 0.0, 0
    while not isinstance(decision := dog.decide(now), Reconnect):
        match decision:
            case Sleep(seconds):
                now += seconds
            case Probe():
                probes += 1
                asked, now = now, now + timeout
                dog.unanswered(asked)
    assert probes == decision.probes == failures
