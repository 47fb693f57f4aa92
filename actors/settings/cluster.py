"""Settings of the cluster: its supervisor, its nodes, and where they come from."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from actors.settings.values import Count, Group, Names, Seconds


class SupervisorSettings(Group):
    """Placement and recovery."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_SUPERVISOR_")

    reconcile: Seconds = Field(1.0, description="Seconds between two looks at desired against actual")
    sweep: Seconds = Field(30.0, description="Seconds between two looks for actors that nobody needs")
    start_concurrency: Count = Field(4, description="Actors started at a time")
    start_timeout: Seconds = Field(60.0, description="An actor that is not up by then is replaced")
    handoffs: Count = Field(4, description="Handoffs at a time in the whole cluster")
    handoffs_per_node: Count = Field(2, description="Handoffs at a time to one node")
    handoffs_kept: Count = Field(50, description="Records of past handoffs kept per instance")
    connect_gap: float = Field(0.02, ge=0, description="Least seconds between two connects of the cluster")
    prepare_timeout: Seconds = Field(30.0, description="Deadline of a handoff's successor to get warm")
    quiesce_timeout: Seconds = Field(10.0, description="Deadline of the predecessor to finish its send")
    disconnect_timeout: Seconds = Field(5.0, description="Deadline of the predecessor to disconnect")
    activate_timeout: Seconds = Field(30.0, description="Deadline of the successor to connect, twice")
    retire_timeout: Seconds = Field(5.0, description="Deadline of the predecessor to exit")
    drain_deadline: Seconds = Field(
        90.0, description="After which a drain goes on without predecessors' help"
    )
    rebalance: bool = Field(False, description="Move instances to nodes that joined")
    standby_patience: Seconds = Field(
        60.0,
        description="A new version's supervisor that does not work for so long in a roll-out is replaced by "
        "the old one's",
    )


class ElasticSettings(Group):
    """Workers that Ray's autoscaler starts and ends as they are needed."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_ELASTIC_")

    workers: int = Field(0, ge=0, description="Most of them at a time; 0: there is no autoscaler")
    slots: Count = Field(40, description="Instances that fit on each")
    headroom: int = Field(
        10, ge=0, description="Slots kept free: for instances to come, and for those of a node that is lost"
    )
    least: int = Field(0, ge=0, description="Slots that are there however few instances there are")
    look: Seconds = Field(5.0, description="Seconds between two looks at how many slots are needed")
    shrink_after: Seconds = Field(
        300.0, description="Seconds for which a worker has to be one too many before it is emptied"
    )


class EcsSettings(Group):
    """Where on ECS the autoscaler of a head runs workers."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_ECS_")

    cluster: str | None = Field(None, description="Name or ARN of the ECS cluster")
    task: str | None = Field(
        None, description="Family of the workers' task definition; its latest revision is run"
    )
    container: str = Field("node", description="The container in it that is the node")
    subnets: Names = Field((), description="Comma-separated ids of the subnets they are put in")
    security_groups: Names = Field((), description="Comma-separated ids of their security groups")


class NodeSettings(Group):
    """A node of a cluster, as ``python -m deploy.node`` runs it."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_NODE_")

    head: str | None = Field(
        None, pattern=r"^[^\s:/]+:\d+$", description="host:port of the head's GCS; a worker needs it"
    )
    address: str | None = Field(None, description="This node's own; unset: from ECS, or as Ray finds it")
    slots: int | None = Field(
        None, ge=0, description="Instances that fit; unset: as many as memory allows, none on the head"
    )
    instance_memory: Count = Field(
        160 * 1024**2, description="Bytes reckoned for an instance with its engine"
    )
    reserved_memory: int = Field(
        1024**3, ge=0, description="Bytes kept for Ray's own processes, couriers, and converting files"
    )
    niceness: int = Field(0, ge=0, le=19, description="Of actors; Ray's own default is 15")
    gateway: bool = Field(False, description="Run a gateway on this node, too")
    gcs_port: int = Field(6379, gt=0, le=65535, description="Where the head's GCS listens")
    dashboard_host: str = Field("127.0.0.1", description="Where the head takes jobs; never a public address")
    dashboard_port: int = Field(8265, gt=0, le=65535)
    first_port: int = Field(
        6400,
        gt=0,
        le=65530,
        description="First of six in a row: node manager, object manager, dashboard agent (two), runtime "
        "environments, metrics",
    )
    worker_ports: str = Field(
        "10002-19999", pattern=r"^\d{1,5}-\d{1,5}$", description="Each actor on the node takes one"
    )
    gcs_redis_url: SecretStr | None = Field(
        None,
        description="redis(s)://… where the head keeps the cluster's state, so that it can die; another "
        "server than MALOTE_REDIS_URL",
    )
    autoscaling: Path | None = Field(
        None, description="Cluster configuration of Ray's autoscaler, to run it on the head: ray-cluster.yaml"
    )
    gcs_patience: Count = Field(180, description="Seconds for which a node lives on without the head")
    stop_timeout: Seconds = Field(
        120.0, gt=20, description="Seconds from SIGTERM to SIGKILL, as the container's platform is told"
    )
    protection_minutes: int = Field(
        60, ge=1, le=2880, description="How long each ECS scale-in protection lasts; it is renewed at half"
    )
    protection_look: Seconds = Field(10.0, description="Seconds between two looks at what the node owns")
    tls_cert: Path | None = Field(None, description="This node's certificate; set all three of them or none")
    tls_key: Path | None = Field(None, description="Its private key")
    tls_ca: Path | None = Field(None, description="The authority that signed every node's certificate")

    @model_validator(mode="after")
    def _all_of_tls(self) -> NodeSettings:
        if len({self.tls_cert is None, self.tls_key is None, self.tls_ca is None}) > 1:
            raise ValueError("set the certificate, its key and the authority, or none of them")
        return self
