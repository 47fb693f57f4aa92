"""The cluster configurations, as Ray reads them, and with Malote's numbers in them."""

from __future__ import annotations

import copy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.providers import _get_node_provider_cls
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.autoscaler.v2.instance_manager.config import FileConfigReader

from actors.settings import EcsSettings, ElasticSettings, NodeSettings, Settings
from actors.supervisor.elastic import WORKER
from deploy.autoscaler import config
from deploy.autoscaler.provider import EcsNodeProvider
from deploy.errors import CommandError
from deploy.node import plan
from deploy.node.ecs import Task
from deploy.node.plan import Role
from tests.autoscaler.files import CLUSTER_FILE, LOCAL_FILE, ROOT

GIVEN = Settings(
    redis_url="redis://redis",
    elastic=ElasticSettings(workers=3, slots=5),
    ecs=EcsSettings(cluster="malote", task="malote-worker", subnets=("subnet-1",), security_groups=("sg-1",)),
    node=NodeSettings(autoscaling=ROOT / "ray-cluster.yaml"),
)


@pytest.mark.parametrize("given", [CLUSTER_FILE, LOCAL_FILE], ids=["ecs", "local"])
def test_ray_takes_it(given: dict[str, Any]) -> None:
    validate_config(prepare_config(copy.deepcopy(given)))
    broken = copy.deepcopy(given) | {"idle_timeout_minute": 1}
    with pytest.raises(Exception, match="idle_timeout_minute"):
        validate_config(prepare_config(broken))


def test_ray_finds_the_provider() -> None:
    assert _get_node_provider_cls(CLUSTER_FILE["provider"]) is EcsNodeProvider


def test_a_head_writes_it_with_the_slots_that_a_worker_gets(tmp_path: Path) -> None:
    settings = GIVEN.model_copy(update={"data_dir": tmp_path / "data"})
    written = config.write(settings)
    assert written is not None
    read = FileConfigReader(str(written), skip_content_hash=True).get_cached_autoscaling_config()
    types = read.get_node_type_configs()
    # Ray ends what is above its bound without draining it: nobody ever wants so many.
    assert read.get_max_num_worker_nodes() == types[WORKER].max_worker_nodes == 1000
    assert types[WORKER].resources == {"instance_slot": 5}
    # Ray would start another one in the place of each that the supervisor empties.
    assert types[WORKER].min_worker_nodes == 0
    # Ray would end nodes at once, with what they own.
    assert read.disable_launch_config_check()
    assert read.disable_node_updaters()
    assert read.get_head_node_type() == Role.HEAD
    assert types[Role.HEAD].resources == {}


def test_nothing_is_written_without_an_autoscaler() -> None:
    assert config.write(Settings()) is None


def test_what_is_missing_is_said() -> None:
    with pytest.raises(CommandError) as caught:
        config.completed(CLUSTER_FILE, Settings(redis_url="redis://redis"))
    assert "MALOTE_ELASTIC_WORKERS" in caught.value.remedy
    assert "MALOTE_ECS_SUBNETS" in caught.value.remedy
    assert "MALOTE_REDIS_URL" not in caught.value.remedy


def test_a_file_that_is_not_there_is_an_error_of_use(tmp_path: Path) -> None:
    settings = GIVEN.model_copy(update={"node": NodeSettings(autoscaling=tmp_path / "none.yaml")})
    with pytest.raises(CommandError, match="MALOTE_NODE_AUTOSCALING"):
        config.write(settings)


def test_machines_that_are_there_anyway_are_not_counted() -> None:
    prepared = prepare_config(copy.deepcopy(LOCAL_FILE))
    assert config.completed(prepared, Settings()) == prepared
    (kind,) = prepared["available_node_types"].values()
    assert kind["min_workers"] == kind["max_workers"] == len(LOCAL_FILE["provider"]["worker_ips"])


def test_the_commands_for_machines_are_a_shell_s() -> None:
    commands = LOCAL_FILE["setup_commands"]
    commands = [*commands, *LOCAL_FILE["head_start_ray_commands"], *LOCAL_FILE["worker_start_ray_commands"]]
    for command in commands:
        subprocess.run(["bash", "-n", "-c", command], check=True, timeout=10)
    told = " ".join(commands)
    assert "-m deploy.node head" in told
    assert "-m deploy.node worker" in told


def test_a_head_says_who_it_is_to_the_autoscaler_s_second_version() -> None:
    told = plan.identity(Role.HEAD, GIVEN, Task(id="task-1"), {})
    assert told["RAY_enable_autoscaler_v2"] == "1"
    assert (told["RAY_CLOUD_INSTANCE_ID"], told["RAY_NODE_TYPE_NAME"]) == ("task-1", "head")
    assert plan.identity(Role.HEAD, Settings(), Task(id="task-1"), {}) == {}
    # As `ray up` gives it.
    given = {"RAY_CLOUD_INSTANCE_ID": "10.0.0.10", "RAY_NODE_TYPE_NAME": "local.cluster.node"}
    assert not plan.identity(Role.HEAD, GIVEN, Task(), given).keys() & given.keys()
    assert "--autoscaling-config" in plan.arguments(Role.HEAD, GIVEN, Task(), 2**32, Path("file"))


def test_only_a_worker_of_the_autoscaler_says_who_it_is() -> None:
    started = {"RAY_NODE_TYPE_NAME": "worker"}
    assert plan.identity(Role.WORKER, Settings(), Task(id="task-2"), started) == {
        "RAY_CLOUD_INSTANCE_ID": "task-2"
    }
    # Of a service: the autoscaler leaves it alone.
    assert plan.identity(Role.WORKER, Settings(), Task(id="task-2"), {}) == {}


def test_lists_are_given_as_users_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALOTE_ECS_SUBNETS", "subnet-1, subnet-2,")
    assert EcsSettings().subnets == ("subnet-1", "subnet-2")


def test_the_local_file_names_no_secret() -> None:
    text = (ROOT / "ray-cluster.local.yaml").read_text()
    assert yaml.safe_load(text)["file_mounts"]["~/malote.env"] == "./malote.env"
