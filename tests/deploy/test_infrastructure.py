"""What the linters of `make deploy-lint` do not know: that image, compose file and templates fit Malote."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from actors.settings import Settings
from actors.supervisor.elastic import WORKER
from deploy.autoscaler.config import completed
from deploy.autoscaler.tasks import NODE_TYPE_TAG
from deploy.errors import CommandError
from deploy.reference import settings_of
from tests.autoscaler.files import CLUSTER_FILE
from tests.valkey import Valkey

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "deploy" / "docker"
ENTRYPOINT = DOCKER / "entrypoint.sh"
STACKS = ("network", "stores", "cluster", "node")
SECRET = {
    "MALOTE_REDIS_URL",
    "MALOTE_SESSION_STORE",
    "MALOTE_ADMIN_KEY",
    "MALOTE_MEDIA_LINK_KEYS",
    "MALOTE_NODE_GCS_REDIS_URL",
    "RAY_AUTH_TOKEN",
}


class Template(yaml.SafeLoader):
    """CloudFormation's short forms, as a mapping from the function to what it is given."""


def _function(loader: Template, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    assert isinstance(node, yaml.SequenceNode)
    return {name: loader.construct_sequence(node, deep=True)}


Template.add_multi_constructor("!", _function)


def resources(stack: str, kind: str) -> dict[str, dict[str, Any]]:
    text = (ROOT / "deploy" / "ecs" / f"{stack}.yaml").read_text()
    loaded = yaml.load(text, Template)
    return {
        name: resource["Properties"]
        for name, resource in loaded["Resources"].items()
        if resource["Type"] == kind
    }


def containers() -> list[dict[str, Any]]:
    tasks = [*resources("node", "AWS::ECS::TaskDefinition").values()]
    tasks += resources("cluster", "AWS::ECS::TaskDefinition").values()
    return [container for task in tasks for container in task["ContainerDefinitions"]]


def names(entries: list[dict[str, Any]]) -> set[str]:
    """Of variables, those under a condition too."""
    plain = [entry if "Name" in entry else entry["If"][1] for entry in entries]
    return {entry["Name"] for entry in plain}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    assert isinstance(loaded, dict)
    return loaded


def test_every_setting_that_is_given_exists(compose: dict[str, Any]) -> None:
    known = {name for name, _, _ in settings_of(Settings)}
    given = {name for container in containers() for name in names(container["Environment"])}
    given |= {name for container in containers() for name in names(container["Secrets"])}
    for service in compose["services"].values():
        given |= {name.removesuffix("_FILE") for name in service.get("environment", {})}
    given = {name for name in given if name.startswith("MALOTE_")}
    assert "MALOTE_REDIS_URL" in given
    if "node" not in Settings.model_fields:
        given = {name for name in given if not name.startswith("MALOTE_NODE_")}
    assert given <= known


def test_secrets_are_given_by_reference_only(compose: dict[str, Any]) -> None:
    for container in containers():
        assert not names(container["Environment"]) & SECRET
        assert names(container["Secrets"]) <= SECRET
    for service in compose["services"].values():
        assert not set(service.get("environment", {})) & SECRET


def statements(role: str) -> list[dict[str, Any]]:
    policies = resources("cluster", "AWS::IAM::Role")[role].get("Policies", [])
    return [one for policy in policies for one in policy["PolicyDocument"]["Statement"]]


def test_the_head_alone_may_run_tasks_and_stops_only_those_that_it_ran() -> None:
    (task,) = resources("node", "AWS::ECS::TaskDefinition").values()
    assert [str(one).count("HeadRole") for one in task["TaskRoleArn"]["If"]] == [0, 1, 0]
    assert not statements("NodeRole")
    allowed = {action: one for one in statements("HeadRole") for action in listed(one["Action"])}
    assert set(allowed) == {
        *("ecs:RunTask", "ecs:TagResource", "ecs:ListTasks", "ecs:DescribeTasks", "ecs:StopTask"),
        "iam:PassRole",
    }
    tag = {f"aws:ResourceTag/{NODE_TYPE_TAG}": WORKER}
    assert allowed["ecs:StopTask"]["Condition"]["StringEquals"] == tag
    assert all("Condition" in one for action, one in allowed.items() if action != "ecs:DescribeTasks")
    assert "${Workers}:*" in allowed["ecs:RunTask"]["Resource"]["Sub"]
    assert len(allowed["iam:PassRole"]["Resource"]) == 2


def listed(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given


def test_the_head_is_told_all_that_its_autoscaler_needs() -> None:
    told = names(next(one for one in containers() if one["Name"] == "node")["Environment"])
    with pytest.raises(CommandError) as lacking:
        completed(CLUSTER_FILE, Settings())
    needed = set(re.findall(r"MALOTE_(?:ELASTIC|ECS)_[A-Z_]+", lacking.value.remedy))
    assert len(needed) == 5
    assert needed <= told
    copied = re.search(r"^COPY ray-cluster.yaml (\S+)$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    assert copied is not None
    assert copied[1] in (ROOT / "deploy" / "ecs" / "node.yaml").read_text()
    assert "!ray-cluster.yaml" in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()


def test_there_are_never_two_heads() -> None:
    service = resources("node", "AWS::ECS::Service")["Service"]
    assert service["DesiredCount"]["If"][:2] == ["IsHead", 1]
    deployment = service["DeploymentConfiguration"]
    assert deployment["MinimumHealthyPercent"]["If"][:2] == ["IsHead", 0]
    assert deployment["MaximumPercent"]["If"][:2] == ["IsHead", 100]


def test_a_node_has_the_time_to_drain_that_it_is_told_of(compose: dict[str, Any]) -> None:
    node = next(one for one in containers() if one["Name"] == "node")
    told = {entry["Name"]: entry["Value"] for entry in node["Environment"] if "Name" in entry}
    assert told["MALOTE_NODE_STOP_TIMEOUT"] == str(node["StopTimeout"])
    nodes = [one for one in compose["services"].values() if "deploy.node" in one.get("command", ())]
    assert len(nodes) == 3
    for service in nodes:
        given = int(service["stop_grace_period"].removesuffix("s"))
        assert given >= int(service["environment"]["MALOTE_NODE_STOP_TIMEOUT"])


def test_only_the_load_balancer_is_public() -> None:
    rules = []
    for stack in STACKS:
        for group in resources(stack, "AWS::EC2::SecurityGroup").values():
            rules += group.get("SecurityGroupIngress", [])
        rules += resources(stack, "AWS::EC2::SecurityGroupIngress").values()
    assert [(rule["FromPort"], rule["ToPort"]) for rule in rules if "CidrIp" in rule] == [(443, 443)]
    assert resources("node", "AWS::ECS::Service")["Service"]["NetworkConfiguration"]["AwsvpcConfiguration"][
        "AssignPublicIp"
    ] == "DISABLED"  # fmt: skip


def test_the_load_balancer_closes_idle_connections_before_gateways_do() -> None:
    balancers = resources("cluster", "AWS::ElasticLoadBalancingV2::LoadBalancer").values()
    (attributes,) = [balancer["LoadBalancerAttributes"] for balancer in balancers]
    told = {one["Key"]: one["Value"] for one in attributes}
    assert int(told["idle_timeout.timeout_seconds"]) < Settings().gateway.idle_timeout


def test_only_this_machine_reaches_what_compose_publishes(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert compose["networks"]["cluster"]["internal"] is True
    stores = [name for name in compose["services"] if name.startswith(("valkey", "postgres"))]
    assert all(compose["services"][name]["networks"] == ["cluster"] for name in stores)


def test_compose_refers_to_nothing_that_is_not_there(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        assert set(service.get("secrets", ())) <= set(compose["secrets"]), name
        assert set(service["networks"]) <= set(compose["networks"]), name
        sources = [
            source for source, colon, _ in (v.partition(":") for v in service.get("volumes", ())) if colon
        ]
        for source in sources:
            known = (DOCKER / source).exists() if source.startswith(".") else source in compose["volumes"]
            assert known, f"{name}: {source}"
    used = {secret for service in services.values() for secret in service.get("secrets", ())}
    assert used == set(compose["secrets"])


def test_the_image_has_versions_that_malote_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (DOCKER / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    for text in [*project["dependencies"], *project["optional-dependencies"]["ecs"]]:
        needed = Requirement(text)
        version = pinned[canonicalize_name(needed.name)]
        assert needed.specifier.contains(version), f"{text}: the image has {version}"


def test_the_entrypoint_reads_secrets_from_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("it's $HOME `here`\n")
    script = 'printf "%s|%s|%s" "$MALOTE_ONE" "${MALOTE_ONE_FILE-unset}" "$0"'
    answer = run([str(ENTRYPOINT), "sh", "-c", script], {"MALOTE_ONE_FILE": str(secret)})
    assert answer.stdout == "it's $HOME `here`|unset|sh"


def test_the_entrypoint_does_not_start_without_a_secret(tmp_path: Path) -> None:
    answer = run([str(ENTRYPOINT), "echo", "started"], {"MALOTE_ONE_FILE": str(tmp_path / "none")})
    assert answer.returncode == 78
    assert not answer.stdout
    assert "MALOTE_ONE_FILE" in answer.stderr


def test_secrets_are_made_once_and_open_the_stores_as_far_as_needed(tmp_path: Path) -> None:
    script = tmp_path / "secrets.sh"
    script.write_text((DOCKER / "secrets.sh").read_text())
    made = []
    for _ in range(2):
        assert run(["bash", str(script)], {}).returncode == 0
        made.append({file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()})
    assert made[0] == made[1]
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    wanted = yaml.safe_load((DOCKER / "compose.yaml").read_text())["secrets"]
    assert {Path(secret["file"]).name for secret in wanted.values()} <= made[0].keys()

    password = urlsplit(made[0]["redis_url"]).password
    server = Valkey(tmp_path / "valkey", options=("--aclfile", str(tmp_path / "secrets" / "valkey.acl")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Valkey, "_serves", lambda self: answers(self.port))
        server.start()
    try:
        with redis.Redis(port=server.port, username="malote", password=password) as client:
            client.set("malote:{a}:mailbox", "1")
            client.info()
            assert client.config_get("appendfsync")
            for refused in (
                ["SET", "other", "1"],
                ["FLUSHALL"],
                ["CONFIG", "SET", "dir", "/"],
                ["KEYS", "*"],
            ):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    client.execute_command(*refused)
        with redis.Redis(port=server.port) as nobody, pytest.raises(redis.exceptions.AuthenticationError):
            nobody.get("malote:{a}:mailbox")
    finally:
        server.kill()


def answers(port: int) -> bool:
    """Whether a server is there, be it only to ask for a password."""
    try:
        with redis.Redis(port=port, socket_timeout=5) as client:
            return bool(client.ping())
    except redis.exceptions.AuthenticationError:
        return True
    except redis.RedisError:
        return False


def run(command: list[str], more: dict[str, str]) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], **more}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=30)


def test_python_in_the_image_is_one_that_malote_runs_on() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bases = re.findall(r"^FROM python:([\d.]+)-", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert Requirement(f"python{project['requires-python']}").specifier.contains(bases[0])
