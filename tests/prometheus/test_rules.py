"""The alert rules by Prometheus' own tools: every one fires when it should, and only then."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from actors import metrics
from actors.metrics_files import exposition
from actors.metrics_node import Exporter
from actors.settings import Settings
from deploy.reference import metrics_of, settings_of
from tests.prometheus.cases import CASES
from tests.prometheus.tools import RULES, exported, look, rules, run, scenario, suite


def test_the_rules_are_valid(promtool: str) -> None:
    run(promtool, "check", "rules", "--lint=all", "--lint-fatal", RULES)
    run(promtool, "check", "config", "--syntax-only", RULES.with_name("prometheus.yml"))


def test_every_alert_fires_when_it_should_and_only_then(promtool: str, tmp_path: Path) -> None:
    assert CASES.keys() == {rule["alert"] for rule in rules()}
    scenarios = []
    for alert, case in CASES.items():
        scenarios += [
            scenario(f"{alert} fires", case.fires, [look(alert, case.at, True)]),
            scenario(f"{alert} stays silent", case.silent, [look(alert, case.at, False)]),
        ]
    run(promtool, "test", "rules", suite(tmp_path, scenarios))


def test_a_suite_can_fail(promtool: str, tmp_path: Path) -> None:
    case = CASES["MaloteRedisDown"]
    wrong = scenario("wrong", case.silent, [look("MaloteRedisDown", case.at, True)])
    done = subprocess.run(
        [promtool, "test", "rules", str(suite(tmp_path, [wrong]))], capture_output=True, check=False
    )
    assert done.returncode != 0


def test_what_is_exported_is_in_prometheus_style(promtool: str, tmp_path: Path) -> None:
    exporter = Exporter(tmp_path, "gateway")
    try:
        for family in vars(metrics).values():
            if isinstance(family, metrics.Gauge | metrics.Histogram | metrics.Counter) and family._labelnames:
                family.labels(*("x" for _ in family._labelnames))
        exporter.write()
        text = exposition(tmp_path)
    finally:
        exporter.close()
    said = run(promtool, "check", "metrics", text=text)
    assert not said.strip(), said
    served = set(re.findall(r"^# TYPE (\S+) ", text.decode(), re.MULTILINE))
    assert served == {name for name, _, _, _ in metrics_of()}, "what docs/metrics.md says is what is served"


def test_every_metric_that_a_rule_uses_is_exported() -> None:
    known = exported() | {"up"}
    for rule in rules():
        used = set(re.findall(r"\b(malote_\w+|up)\b(?=[\[{ )]|$)", rule["expr"]))
        assert used, rule["alert"]
        assert used <= known, rule["alert"]


def test_every_alert_says_what_to_do() -> None:
    for rule in rules():
        assert len(rule["annotations"]["runbook"]) > 60, rule["alert"]
        assert rule["labels"]["severity"] in ("warning", "critical")


def test_what_a_runbook_names_exists() -> None:
    text = RULES.read_text()
    alerts = {rule["alert"] for rule in rules()}
    assert set(re.findall(r"\b(Malote[A-Z]\w+)\b", text)) <= alerts
    assert set(re.findall(r"\bMALOTE_[A-Z_]+\b", text)) <= {name for name, _, _ in settings_of(Settings)}
    known = exported()
    for rule in rules():
        assert set(re.findall(r"\bmalote_\w+", rule["annotations"]["runbook"])) <= known | {
            name.removesuffix("_bucket") for name in known
        }


def test_no_label_can_be_a_name_a_number_or_a_path() -> None:
    allowed = {"type", "reason", "cause", "kind", "outcome", "place", "role", "state", "step"}
    allowed |= {"method", "route", "status", "instance_id", "endpoint_id"}
    for metric in vars(metrics).values():
        if isinstance(metric, metrics.Gauge | metrics.Histogram | metrics.Counter):
            labels = set(metric._labelnames)
            assert labels <= allowed
            if labels & {"instance_id", "endpoint_id"}:
                assert isinstance(metric, metrics.Gauge)
