"""What the tests of rules and dashboards have in common: promtool, and what it reads."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from actors import metrics

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy/prometheus/rules.yml"
SCRAPE = 15


def run(*command: str | Path, text: bytes | None = None) -> str:
    done = subprocess.run(command, input=text, capture_output=True, check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def exported() -> set[str]:
    """Names as Prometheus has them."""
    names = set()
    for family in metrics.REGISTRY.collect():
        if family.type == "histogram":
            names |= {f"{family.name}_{part}" for part in ("bucket", "count", "sum")}
        else:
            names.add(f"{family.name}_total" if family.type == "counter" else family.name)
    return names


def look(alert: str, at: int, fires: bool) -> dict[str, Any]:
    return {
        "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})',
        "eval_time": f"{at}s",
        "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
    }


def scenario(name: str, series: dict[str, str], looks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "interval": f"{SCRAPE}s",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "promql_expr_test": looks,
    }


def suite(folder: Path, scenarios: list[dict[str, Any]], interval: int = SCRAPE) -> Path:
    """A file of tests; ``interval`` is that of the rules, in seconds: what it takes is all evaluations."""
    file = folder / "test.yml"
    content = {"rule_files": [str(RULES)], "evaluation_interval": f"{interval}s", "tests": scenarios}
    file.write_text(json.dumps(content))
    return file
