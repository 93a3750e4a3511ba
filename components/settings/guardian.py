"""Settings of the guardian: how it heals, what it reports, how its proxy reaches the engine."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from components.settings.base import HostAddress, LimitSettings, Port, Settings


class BudgetSettings(Settings):
    """How much is done to one service before people are called instead."""

    actions: int = Field(5, ge=1, le=100, description="So many actions on it …")
    minutes: float = Field(10, gt=0, description="… within so long.")


class BackoffSettings(Settings):
    """Between two actions on one container: doubled with each, and a little longer or shorter by chance."""

    first_seconds: float = Field(10, gt=0, description="After the first action.")
    longest_seconds: float = Field(300, gt=0, description="It is never longer than this.")

    @model_validator(mode="after")
    def _in_order(self) -> BackoffSettings:
        if self.first_seconds > self.longest_seconds:
            raise ValueError("first_seconds must not be above longest_seconds")
        return self


class ReportSettings(Settings):
    """How often the stack reports on itself, and how long reports are kept."""

    memory_minutes: float = Field(5, gt=0, description="Between two reports on memory.")
    health_minutes: float = Field(1, gt=0, description="Between two reports on health.")
    workers_hours: float = Field(24, gt=0, description="Between two reports on the worker processes.")
    keep_days: int = Field(30, ge=1, description="Reports older than this go.")


class EngineSettings(Settings):
    """The Docker socket, which the engine proxy alone holds."""

    socket: Annotated[str, Field(pattern=r"^/[A-Za-z0-9_./-]+$")] | None = Field(
        None, description="Its path on the engine's host; null for that of DOCKER_HOST, else the usual one."
    )
    socket_group: int | None = Field(
        None,
        ge=0,
        description="Numeric group that may use it; null for that of the socket here, where it is here.",
    )


class DashboardSettings(Settings):
    """Where the dashboard is published. It has a login, and no encryption of its own: on another address
    than loopback put something in front of it that speaks TLS."""

    address: HostAddress = Field("127.0.0.1", description="The one address of the host that publishes it.")
    port: Port = Field(3100, description="Published port on the host.")


class GuardianSettings(Settings):
    """Part of a stack that is watched (`monitoring.enabled`). What it does and never does:
    docs/healing.md."""

    budget: BudgetSettings = BudgetSettings()
    backoff: BackoffSettings = BackoffSettings()
    settle_seconds: float = Field(
        60, gt=0, description="So long after an action an alert may go on before it counts as not helped."
    )
    rollback_minutes: float = Field(
        60, ge=0, description="A page about errors names the way back to a release that is not older."
    )
    watchdog_minutes: float = Field(
        5, gt=0, description="Without the Watchdog alert for so long, the team is told past Alertmanager."
    )
    evidence_cases: int = Field(50, ge=1, le=1000, description="So many cases are kept.")
    reports: ReportSettings = ReportSettings()
    engine: EngineSettings = EngineSettings()
    dashboard: DashboardSettings | None = Field(
        None, description="Publishes the dashboard (docs/dashboard.md); null for a stack without one."
    )
    limits: LimitSettings = LimitSettings(memory_mb=96, cpus=0.5, pids=50)
    proxy_limits: LimitSettings = LimitSettings(memory_mb=64, cpus=0.5, pids=50)
