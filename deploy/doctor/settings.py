"""Whether the settings fit together, and are what somebody meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping

from actors.settings import Settings
from deploy.doctor.finding import Area, Finding
from deploy.reference import settings_of

OTHERS = frozenset({"MALOTE_ENGINE_LOG", "MALOTE_TEST_SEED"})
"""Variables that are no settings, and mean something all the same."""
LEAST_KEY = 20
area = Area("settings")


def examine(settings: Settings, environment: Mapping[str, str]) -> list[Finding]:
    """All that can be said without looking elsewhere."""
    found = [*_unknown(environment), *_relations(settings), *_cluster(settings), *_doors(settings)]
    return found or [area.ok("all", "they fit together")]


def _unknown(environment: Iterable[str]) -> Iterator[Finding]:
    known = {name for name, _, _ in settings_of(Settings)}
    for name in sorted(environment):
        if name.startswith("MALOTE_") and name not in known | OTHERS:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]}?" if near else "docs/settings.md lists all there are."
            yield area.warning(name, "there is no such setting: it changes nothing", hint)


def _relations(settings: Settings) -> Iterator[Finding]:
    mailbox, instance, courier = settings.mailbox, settings.instance, settings.courier
    if mailbox.soft_bound >= mailbox.hard_bound:
        yield area.problem(
            "MALOTE_MAILBOX_SOFT_BOUND",
            f"{mailbox.soft_bound} is not below MALOTE_MAILBOX_HARD_BOUND ({mailbox.hard_bound})",
            "Make it half of that, so that what may be lost goes before instances park.",
        )
    if courier.backlog >= mailbox.hard_bound:
        yield area.problem(
            "MALOTE_COURIER_BACKLOG",
            f"{courier.backlog} is not below MALOTE_MAILBOX_HARD_BOUND ({mailbox.hard_bound})",
            "Make it less than half of that, or one endpoint that is down parks its instance.",
        )
    if instance.lease_renew * 2 > instance.lease_ttl:
        yield area.problem(
            "MALOTE_INSTANCE_LEASE_RENEW",
            f"{instance.lease_renew:g} s is more than half of MALOTE_INSTANCE_LEASE_TTL "
            f"({instance.lease_ttl:g} s)",
            "Renew three times in a lease, or one slow answer of Redis disconnects every instance.",
        )
    if mailbox.append_timeout >= instance.answer_timeout:
        yield area.problem(
            "MALOTE_MAILBOX_APPEND_TIMEOUT",
            f"{mailbox.append_timeout:g} s is not below MALOTE_INSTANCE_ANSWER_TIMEOUT "
            f"({instance.answer_timeout:g} s)",
            "Make it less, or engines give up on events that are just being stored.",
        )
    if courier.connect_timeout >= courier.timeout:
        yield area.problem(
            "MALOTE_COURIER_CONNECT_TIMEOUT",
            f"{courier.connect_timeout:g} s leaves nothing of MALOTE_COURIER_TIMEOUT ({courier.timeout:g} s)",
            "Make it a fifth of that.",
        )


def _cluster(settings: Settings) -> Iterator[Finding]:
    if settings.ray_address is None:
        return
    if not settings.session_store:
        yield area.problem(
            "MALOTE_SESSION_STORE",
            "sessions are kept in files of one machine, and the cluster may have several",
            "Set it to postgres://…; with one machine only, leave MALOTE_RAY_ADDRESS unset.",
        )
    if settings.redis_url is None:
        yield area.problem(
            "MALOTE_REDIS_URL",
            "the embedded Redis can be reached from one machine only, and the cluster may have several",
            "Set it to a Redis that all nodes reach.",
        )
    if settings.media.s3_bucket is None:
        yield area.warning(
            "MALOTE_MEDIA_S3_BUCKET",
            "files are kept in a folder of each machine, and the cluster may have several",
            "Set it, or let MALOTE_MEDIA_FOLDER be a folder that all nodes share.",
        )


def _doors(settings: Settings) -> Iterator[Finding]:
    gateway = settings.gateway
    if gateway.public_url is None and gateway.host not in ("127.0.0.1", "::1", "localhost"):
        yield area.warning(
            "MALOTE_GATEWAY_PUBLIC_URL",
            "unset: links to files in events are paths, which customers have to complete",
            "Set it to where customers reach the API, as in https://wa.example.com.",
        )
    if settings.admin_key is not None and len(settings.admin_key.get_secret_value()) < LEAST_KEY:
        yield area.warning(
            "MALOTE_ADMIN_KEY",
            f"it has fewer than {LEAST_KEY} characters, and opens everything",
            "Choose a random one, as `openssl rand -hex 32` makes.",
        )
    if settings.courier.allow_private:
        yield area.warning(
            "MALOTE_COURIER_ALLOW_PRIVATE",
            "every webhook may lead into the private network",
            "Unset it, and name what is meant in MALOTE_ALLOW_HOSTS.",
        )
