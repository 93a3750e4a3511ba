"""What Prometheus reads, from where, and what of it is kept: its configuration, from the settings. Pure."""

from __future__ import annotations

from typing import Any

import yaml

from components.gateway_configuration import INTERNAL_PORT
from components.monitoring.windows import duration
from components.settings import MonitoringSettings, StackSettings

PROMETHEUS_PORT = 9090
ALERTMANAGER_PORT = 9093
NODE_EXPORTER_PORT = 9100
REDIS_EXPORTER_PORT = 9121
POSTGRES_EXPORTER_PORT = 9187
GUARDIAN_PORT = 8080
_TARGETS = {
    "prometheus": f"localhost:{PROMETHEUS_PORT}",
    "alertmanager": f"alertmanager:{ALERTMANAGER_PORT}",
    "gateway": f"gateway:{INTERNAL_PORT}",
    "postgres-exporter": f"postgres-exporter:{POSTGRES_EXPORTER_PORT}",
    "redis-exporter": f"redis-exporter:{REDIS_EXPORTER_PORT}",
    "node-exporter": f"node-exporter:{NODE_EXPORTER_PORT}",
    "guardian": f"guardian:{GUARDIAN_PORT}",
}
# The longest that a reading may take. Below the pause between two, so that detection is not delayed.
PROBE_SECONDS = 3.0

# Between two checks of health. Each costs the container more than a reading does, and the first ends
# the wait of a deploy.
HEALTH_SECONDS = 5.0
# Between two readings of what tells of no outage that a client would notice.
ASIDE_SECONDS = 15.0
_ASIDE = ("prometheus", "alertmanager", "node-exporter")

# Series cost memory: of each part those are kept that a rule, a dashboard or a person asks for.
KEPT = {
    "gateway": (
        "haproxy_frontend_(http_requests_total|http_responses_total|current_sessions|limit_sessions"
        "|bytes_(in|out)_total|request_errors_total)"
        "|haproxy_backend_(active_servers|current_queue|connection_errors_total|response_errors_total"
        "|retry_warnings_total|redispatch_warnings_total|(response|total)_time_average_seconds)"
        "|haproxy_server_(status|http_responses_total|check_failures_total|current_sessions)"
        "|haproxy_process_(start_time_seconds|max_connections|current_connections)"
    ),
    "node-exporter": "node_.+",
    "postgres-exporter": (
        "pg_(up|database_size_bytes|locks_count|wal_.+|stat_database_(numbackends|xact_.+|deadlocks|blks_.+"
        "|temp_bytes|tup_(fetched|inserted|updated|deleted)))"
    ),
    "redis-exporter": (
        "redis_(up|uptime_in_seconds|connected_clients|blocked_clients|rejected_connections_total"
        "|memory_(used|max|used_rss)_bytes|keyspace_(hits|misses)_total|evicted_keys_total"
        "|commands_processed_total|db_keys|aof_current_size_bytes|aof_last_write_status)"
    ),
    "prometheus": (
        "prometheus_(rule_evaluation_failures_total|notifications_(errors|sent|dropped)_total"
        "|tsdb_(head_series|storage_blocks_bytes|wal_storage_size_bytes)|config_last_reload_successful)"
        "|process_(resident_memory_bytes|cpu_seconds_total)"
    ),
    "alertmanager": (
        "alertmanager_(notifications_(total|failed_total)|alerts|config_last_reload_successful)"
        "|process_(resident_memory_bytes|cpu_seconds_total)"
    ),
}


def prometheus_configuration(project: str, stack: str, settings: StackSettings) -> str:
    """Write prometheus.yml. The rules are in rules.yml beside it.

    Source: https://prometheus.io/docs/prometheus/2.53/configuration/configuration/
    """
    monitoring, backend = settings.monitoring, settings.backend
    interval = monitoring.scrape_seconds
    document = {
        "global": {
            "scrape_interval": duration(interval),
            "scrape_timeout": duration(min(PROBE_SECONDS, 0.8 * interval)),
            "evaluation_interval": duration(interval),
            "external_labels": {"project": project, "stack": stack},
        },
        "rule_files": ["rules.yml"],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [f"alertmanager:{ALERTMANAGER_PORT}"]}]}]
        },
        "scrape_configs": [
            *(_single(job, target, monitoring) for job, target in _TARGETS.items()),
            *(
                [_replicas("backend", backend.port, monitoring.backend_metrics, interval)]
                if monitoring.backend_metrics
                else []
            ),
        ],
    }
    return yaml.safe_dump(document, sort_keys=False, width=1000)


def jobs(settings: StackSettings) -> set[str]:
    """The names of what is read."""
    parsed = yaml.safe_load(prometheus_configuration("", "", settings))
    return {job["job_name"] for job in parsed["scrape_configs"]}


def _single(job: str, target: str, monitoring: MonitoringSettings) -> dict[str, Any]:
    """A part of which there is one: by its name, so that its series go on when its address changes."""
    configuration: dict[str, Any] = {"job_name": job, "static_configs": [{"targets": [target]}]}
    if job in _ASIDE:
        seconds = max(ASIDE_SECONDS * monitoring.time_scale, monitoring.scrape_seconds)
        configuration["scrape_interval"] = duration(seconds)
    if job == "gateway":
        # Without its free slots for servers.
        configuration["params"] = {"no-maint": [""]}
    if job in KEPT:
        configuration["metric_relabel_configs"] = [
            {"source_labels": ["__name__"], "regex": KEPT[job], "action": "keep"}
        ]
    return configuration


def _replicas(job: str, port: int, path: str, interval: float) -> dict[str, Any]:
    """Every container that Docker's DNS gives for a name."""
    return {
        "job_name": job,
        "metrics_path": path,
        "dns_sd_configs": [
            {"names": [job], "type": "A", "port": port, "refresh_interval": duration(interval)}
        ],
    }
