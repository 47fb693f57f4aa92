"""The dashboards ask for what is exported, and Prometheus understands what they ask."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.reference import metrics_of
from tests.prometheus.tools import exported, run

GRAFANA = Path(__file__).resolve().parents[2] / "deploy/grafana"
DASHBOARDS = sorted(GRAFANA.glob("dashboards/*.json"))
LEFT_OUT = {
    "malote_census_age_seconds",
    "malote_connects_total",
    "malote_dead_letters_dropped_total",
    "malote_event_handlers",
    "malote_gateway_instance_call_seconds",
    "malote_gateway_instance_calls_total",
    "malote_http_request_seconds",
    "malote_http_streams",
    "malote_redis_up",
    "malote_rollout_rolled_back",
    "malote_send_seconds",
}
"""Metrics that alerts or people with a question use, not dashboards."""
LABELS = {name: set(labels) for name, _, labels, _ in metrics_of()}


def expressions(dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Title and expression of everything that is asked."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"]


def test_there_are_four() -> None:
    found = [path.stem for path in DASHBOARDS]
    assert found == ["malote-deliveries", "malote-handoffs", "malote-instance", "malote-operations"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_what_a_dashboard_asks_for_is_exported(path: Path) -> None:
    dashboard = json.loads(path.read_text())
    assert dashboard["uid"] == path.stem
    known = exported()
    for title, expression in expressions(dashboard):
        used = set(re.findall(r"\bmalote_\w+", expression))
        assert used or "ALERTS" in expression, title
        assert used <= known, title
        labels = {"le", "alertname", "severity", "alertstate"}
        for name in used:
            labels |= LABELS.get(name, set()) | LABELS.get(re.sub(r"_(bucket|count|sum)$", "", name), set())
        grouped = re.findall(r"by \(([^)]*)\)", expression)
        matched = re.findall(r"(\w+)\s*(?:=~|!=|!~|=)\s*\"", expression)
        asked = {label.strip() for group in grouped for label in group.split(",")} | set(matched)
        assert asked <= labels, title


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_do_not_overlap(path: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(path.read_text())["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_prometheus_understands_every_expression(promtool: str, tmp_path: Path) -> None:
    rules = []
    for path in DASHBOARDS:
        for title, expression in expressions(json.loads(path.read_text())):
            if expression.startswith("label_values("):
                continue
            filled = expression.replace("$__rate_interval", "1m").replace("$instance_id", "a")
            rules.append({"record": "a:b", "expr": filled, "labels": {"n": str(len(rules)), "t": title}})
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}))
    run(promtool, "check", "rules", file)


def test_every_metric_is_shown_or_left_out_on_purpose() -> None:
    shown = "".join(path.read_text() for path in DASHBOARDS)
    assert {name for name in LABELS if name not in shown} == LEFT_OUT


def test_what_grafana_is_provisioned_with_can_be_read() -> None:
    for kind in ("dashboards", "datasources"):
        (file,) = GRAFANA.glob(f"provisioning/{kind}/*.yml")
        assert yaml.safe_load(file.read_text())["apiVersion"] == 1
