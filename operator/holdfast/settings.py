"""What the operator and the worker take from their environment, all of it under ``HOLDFAST_``."""

import socket
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from holdfast.domain.channels import SCHEMES
from holdfast.domain.mail_settings import is_address


def _parts(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class MailingSettings(BaseSettings):
    """Of whoever sends mail: how it looks, and by which server where a policy has none."""

    mail_name: Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f]+$")] = "Holdfast"
    """How mails name their sender."""
    mail_colour: Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")] = "#1f5fa8"
    mail_link: Annotated[str, Field(max_length=2000, pattern=r"^(https?://[^\s\"<>]+)?$")] = ""
    """Where the foot of a mail leads: a dashboard, a runbook."""
    mail_logo: str = ""
    """A PNG, JPEG or GIF of at most 48 KiB, in Base64."""
    smtp_folder: Path | None = None
    """Where the Secret of that server is mounted, one file for each key. None: there is no such server."""


class OperatorSettings(MailingSettings):
    """Of the operator's Deployment."""

    model_config = SettingsConfigDict(env_prefix="HOLDFAST_", frozen=True)

    image: Annotated[str, Field(description="Image of the worker's Jobs.", min_length=1)]
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    watch_namespaces: Annotated[tuple[str, ...], NoDecode] = ()
    """None: all namespaces."""
    lease: Annotated[str, Field(max_length=253, pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$")] = ""
    """Name of the Lease that says which of several operators works. Empty: this is the only one."""
    namespace: str = ""
    """Where the Lease is."""
    identity: Annotated[str, Field(min_length=1)] = socket.gethostname()
    """Our name in the Lease: that of the pod, which no other has while it lives."""
    resync_seconds: Annotated[float, Field(ge=1, le=3600)] = 60
    """How often everything is looked at anew, whatever the events said."""
    workers: Annotated[int, Field(ge=1, le=64)] = 8
    max_concurrent_runs: Annotated[int, Field(ge=0, le=10_000)] = 0
    """How many backups may run at once, in all namespaces that are watched. 0: as many as are due."""
    liveness_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """0: none."""
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 8081
    """0: none."""
    channel_schemes: Annotated[tuple[str, ...], NoDecode] = SCHEMES
    """Which channels policies may name, by Apprise's schemes. None: no channels at all."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("watch_namespaces", "channel_schemes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _parts(value)

    @field_validator("channel_schemes")
    @classmethod
    def _known(cls, schemes: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(schemes) - set(SCHEMES)):
            raise ValueError(f"there is no channel {', '.join(unknown)}; there are {', '.join(SCHEMES)}")
        return schemes

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.lease and not self.namespace:
            raise ValueError("HOLDFAST_LEASE needs HOLDFAST_NAMESPACE, the namespace of the Lease")
        return self


class WebSettings(MailingSettings):
    """Of the Deployment of the HTTP API."""

    model_config = SettingsConfigDict(env_prefix="HOLDFAST_", frozen=True)

    port: Annotated[int, Field(ge=1, le=65535)] = 8082
    audiences: Annotated[tuple[str, ...], NoDecode] = ()
    """A token must be for one of them. None: for the API server itself."""
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    """Addresses or networks of proxies whose X-Forwarded-For is believed. None: nobody is."""
    session_key_file: Path | None = None
    """What sessions of the dashboard are sealed with, the same for all replicas. None: they end with the process."""
    session_seconds: Annotated[int, Field(ge=60, le=86_400)] = 3600
    watch_namespaces: Annotated[tuple[str, ...], NoDecode] = ()
    """None: all namespaces."""
    download: Literal["RBAC", "Authenticated", "Off"] = "Off"
    """Who may download backups: who has the right, everybody whom the cluster knows, or nobody."""
    automated: bool = False
    """Whether backups that are due may be asked for without a token."""
    cron_secret: Annotated[SecretStr | None, Field(min_length=8)] = None
    """Who asks for them must know it, if there is one."""
    admin_email: Annotated[tuple[str, ...], NoDecode] = ()
    """Users of these names may do all that Holdfast does, in all namespaces that it watches. None: nobody by name."""
    test_mail: bool = False
    """Whether mails with sample data may be sent."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("audiences", "trusted_proxies", "watch_namespaces", "admin_email", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _parts(value)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.audiences and self.watch_namespaces:
            raise ValueError(
                "HOLDFAST_AUDIENCES needs a right in the whole cluster, HOLDFAST_WATCH_NAMESPACES has none"
            )
        return self

    @field_validator("admin_email")
    @classmethod
    def _addresses(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not all(is_address(name) for name in names):
            raise ValueError("it holds what is not an address")
        return names

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            ip_network(proxy)
        return proxies


class WorkerSettings(BaseSettings):
    """Of a worker's pod; the operator fills them in."""

    model_config = SettingsConfigDict(env_prefix="HOLDFAST_", frozen=True)

    namespace: str
    policy: str
    policy_uid: str = ""
    pod: str = ""
    pod_uid: str = ""
    job: str
    job_uid: str
    run: str | None = None
    waits_for_turn: bool = False
    parallelism: Annotated[int, Field(ge=1)] = 1
    """How many pods work on the run together."""
    index: Annotated[int, Field(ge=0, validation_alias="JOB_COMPLETION_INDEX")] = 0
    """Which of them this is; the Job's controller says it."""
    mounts: str = "/var/run/holdfast"
    termination_log: str = "/dev/termination-log"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class ArchiveSettings(BaseSettings):
    """Of an archiver's pod, which no Job has started."""

    model_config = SettingsConfigDict(env_prefix="HOLDFAST_", frozen=True)

    namespace: str
    policy: str
    mounts: str = "/var/run/holdfast"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class RestoreSettings(WorkerSettings):
    """Of the pod of a RestoreRun."""

    restore: str
    restore_uid: str
    bytes_per_second: Annotated[float | None, Field(gt=0)] = None
    """How fast past restores were."""
