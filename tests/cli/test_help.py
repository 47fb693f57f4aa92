from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import malote

COMMANDS = ("up", "demo", "lab", "status", "doctor", "down", "nodes", "move", "drain", "handoffs", "rollout")


def test_the_overview_names_every_command(tmp_path: Path) -> None:
    shown = malote("--help", cwd=tmp_path)
    assert shown.status == 0
    for command in COMMANDS:
        assert f"\n  {command} " in shown.out
    assert "Exit status" in shown.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_that_are_this_command(command: str, tmp_path: Path) -> None:
    shown = malote(command, "--help", cwd=tmp_path)
    assert shown.status == 0
    _, _, end = shown.out.partition("Examples:\n")
    lines = [line.strip() for line in end.splitlines() if line.strip()]
    assert lines
    assert all(f"malote {command}" in line for line in lines)


def test_without_a_command_the_help_is_shown_and_it_is_wrong_usage(tmp_path: Path) -> None:
    shown = malote(cwd=tmp_path)
    assert shown.status == 2
    assert "Usage:" in shown.out + shown.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("fly",),
        ("up", "--port", "70000"),
        ("up", "--port", "x"),
        ("demo", "--instances", "0"),
        ("down", "extra"),
        ("nodes", "extra"),
        ("handoffs", "one", "two"),
    ],
)
def test_wrong_usage_is_status_2_and_says_what(arguments: tuple[str, ...], tmp_path: Path) -> None:
    refused = malote(*arguments, cwd=tmp_path)
    assert refused.status == 2
    assert arguments[-1] in refused.err or "port" in refused.err or "instances" in refused.err
    assert "Traceback" not in refused.err
