"""What runs out: connections, disk, the host's memory, the time of secrets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from components.monitoring.rules.model import SLOW_SECONDS, Alert, Group, Recording
from components.monitoring.rules.traffic import HOUR, MINUTE, levels
from components.monitoring.rules.trend import falling, rising
from components.monitoring.windows import Windows
from components.settings import StackSettings

# The root of every container lies on the disk that holds Docker's data, and its volumes with it.
FREE = 'node_filesystem_avail_bytes{mountpoint="/"}'
SIZE = 'node_filesystem_size_bytes{mountpoint="/"}'
SECRET_MADE = "medianest_secret_made_timestamp_seconds"  # noqa: S105 - the name of a figure
DAY = 24 * HOUR


def resources(settings: StackSettings, windows: Windows) -> Group:
    """Alerts on Postgres' connections, the disk and the host's memory."""
    alerts, postgres = settings.monitoring.alerts, settings.postgres
    ahead = alerts.disk_trend_hours * HOUR
    database = f'pg_database_size_bytes{{datname="{postgres.database}"}}'
    room = f"on() group_left() (min({FREE}) + on() {database})"
    return Group(
        "resources",
        [
            *(
                Alert(
                    "PostgresConnectionsHigh",
                    severity,
                    "postgres",
                    action,
                    f"sum(pg_stat_database_numbackends) * 100 / {postgres.max_connections} > {level:g}",
                    '{{ printf "%.0f" $value }} % of the connections that Postgres takes are in use.',
                    windows.hold(MINUTE / 2),
                )
                for severity, action, level in levels(
                    "investigate",
                    alerts.connections_percent.warning,
                    "investigate",
                    alerts.connections_percent.critical,
                )
            ),
            *(
                Alert(
                    "DiskSpaceLow",
                    severity,
                    "host",
                    action,
                    f"min({FREE} * 100 / {SIZE}) < {level:g}",
                    '{{ printf "%.1f" $value }} % of the disk with Docker\'s data is free.',
                )
                for severity, action, level in levels(
                    "investigate",
                    alerts.disk_free_percent.warning,
                    "page",
                    alerts.disk_free_percent.critical,
                )
            ),
            Alert(
                "DiskTrend",
                "warning",
                "host",
                "investigate",
                falling(FREE, ahead / 8, ahead, windows),
                "The disk with Docker's data is full within"
                f" {alerts.disk_trend_hours:g} hours, if it goes on like this.",
            ),
            Alert(
                "DatabaseTrend",
                "warning",
                "postgres",
                "investigate",
                rising(database, room, ahead / 8, ahead, windows),
                f"The database {postgres.database} fills the disk within"
                f" {alerts.disk_trend_hours:g} hours, if it goes on like this.",
            ),
            *(
                Alert(
                    "HostMemoryLow",
                    severity,
                    "host",
                    action,
                    f"node_memory_MemAvailable_bytes * 100 / node_memory_MemTotal_bytes < {level:g}",
                    '{{ printf "%.1f" $value }} % of the host\'s memory is available.',
                    windows.hold(MINUTE),
                )
                for severity, action, level in levels(
                    "investigate",
                    alerts.host_memory_free_percent.warning,
                    "page",
                    alerts.host_memory_free_percent.critical,
                )
            ),
        ],
        windows.pause(SLOW_SECONDS),
    )


def secret_ages(settings: StackSettings, made: Mapping[str, str]) -> Group:
    """The alert on old secrets. `made` tells when each got its value, in ISO 8601.

    These times stand in the rules themselves: nothing that runs has to know of them.
    """
    days = settings.monitoring.alerts.secret_days
    return Group(
        "secrets",
        [
            *(
                Recording(
                    SECRET_MADE,
                    f"vector({datetime.fromisoformat(time).timestamp():.0f})",
                    (("secret", name),),
                )
                for name, time in sorted(made.items())
            ),
            Alert(
                "SecretOld",
                "warning",
                "secrets",
                "none",
                f"(time() - {SECRET_MADE}) / {DAY:g} > {days}",
                '{{ $labels.secret }} is {{ printf "%.0f" $value }} days old.',
            ),
        ],
        MINUTE,
    )
