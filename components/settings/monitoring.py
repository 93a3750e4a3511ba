"""Settings of what watches a stack: Prometheus, its alerts, and who is told of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from components.settings.base import LimitSettings, Settings, UrlPath

# Secrets that only a team can give: none of them is generated. Receivers are there when they are.
TEAM_SECRETS = frozenset({"alert_webhook_url", "watchdog_webhook_url", "smtp_password"})

Percent = Annotated[float, Field(gt=0, le=100)]
MailAddress = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]


class Levels(Settings):
    """Where a figure is worth a warning, and where it is critical: the higher, the worse."""

    warning: float = Field(gt=0, description="Above this it is worth a look.")
    critical: float = Field(gt=0, description="Above this something has to happen.")

    @model_validator(mode="after")
    def _in_order(self) -> Levels:
        if self.warning >= self.critical:
            raise ValueError("warning must be below critical")
        return self


class LevelsDown(Settings):
    """The same for a figure that is the worse the lower it is."""

    warning: Percent = Field(description="Below this it is worth a look.")
    critical: Percent = Field(description="Below this something has to happen.")

    @model_validator(mode="after")
    def _in_order(self) -> LevelsDown:
        if self.warning <= self.critical:
            raise ValueError("warning must be above critical: it is a figure that falls")
        return self


class AlertSettings(Settings):
    """From where on an alert fires. What each one means: docs/monitoring.md."""

    memory_mb: Levels = Field(
        Levels(warning=1536, critical=2048),
        description="Of a backend's container. At most 75 % and 90 % of its limit, whatever stands here.",
    )
    response_ms: Levels = Field(Levels(warning=500, critical=2000), description="p95 of the backends.")
    error_percent: Levels = Field(
        Levels(warning=1, critical=5), description="Requests that the gateway answers with 5xx."
    )
    minimum_requests: int = Field(
        20, ge=1, description="With fewer in five minutes, neither errors nor times are judged."
    )
    worker_failures: Levels = Field(Levels(warning=10, critical=50), description="Within an hour.")
    queue_seconds: Levels = Field(
        Levels(warning=30, critical=120), description="How long the oldest task has waited for a worker."
    )
    connections_percent: Levels = Field(
        Levels(warning=80, critical=95), description="Of postgres.max_connections."
    )
    restarts: Levels = Field(
        Levels(warning=3, critical=5), description="Of one container by the engine, within 15 minutes."
    )
    disk_free_percent: LevelsDown = Field(
        LevelsDown(warning=15, critical=5), description="Room on the disk with Docker's data."
    )
    host_memory_free_percent: LevelsDown = Field(
        LevelsDown(warning=10, critical=5), description="Memory of the host that programs may still get."
    )
    objective_percent: Annotated[float, Field(ge=90, lt=100)] = Field(
        99.9, description="Requests that are to succeed in 30 days; what is left is the error budget."
    )
    memory_trend_hours: float = Field(
        4, gt=0, description="A backend whose memory reaches its limit within so long is told of."
    )
    disk_trend_hours: float = Field(24, gt=0, description="The same for a disk, and for the database on it.")
    secret_days: int = Field(180, ge=1, description="A secret older than this is worth a rotation.")


class EmailSettings(Settings):
    """Where e-mails go. The password, where the server wants one, is the secret `smtp_password`."""

    to: Annotated[list[MailAddress], Field(min_length=1, description="Who gets them.")]
    sender: MailAddress = Field(description="Whom they come from.")
    server: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+:[0-9]{1,5}$", description="HOST:PORT")]
    user: str | None = Field(None, description="Account on the server; null where it wants none.")
    tls: bool = Field(True, description="Refuse a server without STARTTLS.")


class PrometheusSettings(Settings):
    """What keeps the figures. The older of both bounds goes first."""

    retention_days: int = Field(15, ge=1, description="Figures older than this go.")
    retention_mb: int = Field(512, ge=64, description="On disk, in MB; the oldest figures go beyond it.")
    limits: LimitSettings = LimitSettings(memory_mb=192)


class AlertmanagerSettings(Settings):
    """What groups alerts and hands them on."""

    limits: LimitSettings = LimitSettings(memory_mb=64, cpus=0.5)


class ExporterSettings(Settings):
    """What asks Postgres, Redis and the host; each in a container of its own."""

    limits: LimitSettings = LimitSettings(memory_mb=48, cpus=0.5, pids=100)


class MonitoringSettings(Settings):
    """Whether and how a stack is watched.

    The team is told by the secret `alert_webhook_url` (Alertmanager's webhook, version 4), by e-mail,
    or by both. `watchdog_webhook_url` is called all the time: a service outside tells when it is not.
    """

    enabled: bool = Field(True, description="Stacks to throw away set it to false.")
    scrape_seconds: float = Field(5.0, ge=1, le=60, description="Between two readings of every figure.")
    time_scale: float = Field(
        1.0, gt=0, le=1, description="Shrinks windows and waits of the alerts, for trying them out."
    )
    backend_metrics: UrlPath | None = Field(
        "/metrics", description="Where a backend shows its figures; null where it has none."
    )
    alerts: AlertSettings = AlertSettings()
    email: EmailSettings | None = None
    prometheus: PrometheusSettings = PrometheusSettings()
    alertmanager: AlertmanagerSettings = AlertmanagerSettings()
    exporters: ExporterSettings = ExporterSettings()
