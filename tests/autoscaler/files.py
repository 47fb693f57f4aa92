"""The cluster configurations of this tree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CLUSTER_FILE: dict[str, Any] = yaml.safe_load((ROOT / "ray-cluster.yaml").read_text())
LOCAL_FILE: dict[str, Any] = yaml.safe_load((ROOT / "ray-cluster.local.yaml").read_text())
