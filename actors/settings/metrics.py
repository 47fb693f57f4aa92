"""Settings of measuring."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from actors.settings.values import Group, Seconds


class MetricsSettings(Group):
    """What Prometheus is told."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_METRICS_")

    folder: Path | None = Field(
        None, description="Where the processes of one node put what they count; unset: below temp_dir"
    )
    interval: Seconds = Field(5.0, description="Seconds between two writes of what a process counts")
    census: Seconds = Field(5.0, description="Seconds between two counts of instances and mailboxes")
    per_instance: bool = Field(True, description="Label gauges with the ids of instances")
    per_endpoint: bool = Field(False, description="Have gauges of each endpoint, labelled with its id")
