"""Actors by the names that Ray's dashboard shows: readable, and the same for as long as they live."""

from __future__ import annotations

from typing import Any

from actors.courier.actor import CourierActor
from actors.instance.actor import InstanceActor
from actors.supervisor.actor import SupervisorActor
from tests.store.samples import record


def shown(actor: Any, **state: Any) -> str:
    kind = actor.__ray_metadata__.modified_class
    made = kind.__new__(kind)
    vars(made).update(state)
    return repr(made)


def test_actors_are_named_after_what_they_are() -> None:
    assert shown(InstanceActor, _record=record("support")) == "Instance(support)"
    assert shown(InstanceActor, _record=record("support", name="other", revision=7)) == "Instance(support)"
    assert shown(CourierActor, _index=3) == "Courier(3)"
    assert shown(SupervisorActor) == "Supervisor()"
