"""What the documentation says is what the code does, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from actors.settings import CourierSettings, Settings
from api.app import GROUPS
from deploy.reference import pages, settings_of

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.pt-BR.md")


def read(name: str) -> str:
    return (ROOT / name).read_text()


@pytest.mark.parametrize("name", ["settings.md", "api.md", "metrics.md"])
def test_the_tables_in_docs_are_up_to_date(name: str) -> None:
    assert read(f"docs/{name}") == pages()[name], "run `make docs`"


@pytest.mark.parametrize("readme", READMES)
def test_every_setting_that_is_named_exists(readme: str) -> None:
    known = {name for name, _, _ in settings_of(Settings)}
    named = set(re.findall(r"`(MALOTE_\w+)", read(readme)))
    assert named
    assert named <= known


@pytest.mark.parametrize("readme", READMES)
def test_every_route_that_is_named_exists(readme: str) -> None:
    known = {f"{route.method} {route.path}" for group in GROUPS for route in group.routes}
    named = set(re.findall(r"`((?:GET|POST|PATCH|DELETE|PUT) /\S+)`", read(readme)))
    assert named
    assert named <= known


@pytest.mark.parametrize("readme", READMES)
def test_every_file_that_is_named_exists(readme: str) -> None:
    text = read(readme)
    linked = [target for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    tested = [word for line in re.findall(r"`\.venv/bin/pytest ([^`]+)`", text) for word in line.split()]
    paths = [path for path in (*linked, *tested) if "/" in path or path.endswith(".md")]
    assert paths
    for path in paths:
        assert (ROOT / path).exists(), path


def test_both_languages_have_the_same_commands_and_sections() -> None:
    english, portuguese = (read(name) for name in READMES)
    commands = re.compile(r"```sh\n(.*?)```", re.DOTALL)
    assert commands.findall(english) == commands.findall(portuguese)
    for mark in (r"^## ", r"^\| `", r"^\| "):
        found = re.compile(mark, re.MULTILINE)
        assert len(found.findall(english)) == len(found.findall(portuguese))
    names = re.compile(r"`[^`\n]+`")
    assert set(names.findall(english)) == set(names.findall(portuguese))


@pytest.mark.parametrize("readme", READMES)
def test_how_long_a_delivery_is_retried(readme: str) -> None:
    hours = round(sum(CourierSettings().schedule) / 3600)
    assert f" {hours} ho" in read(readme)
