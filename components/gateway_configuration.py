"""The gateway's configuration for HAProxy 3.0: pure text, so that it can be read and tested as such.

Source of the keywords: https://docs.haproxy.org/3.0/configuration.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from components.settings import BackendSettings, GatewaySettings

PUBLIC_PORT = 8080
INTERNAL_PORT = 8405
# The entry point of images/gateway asks here for the servers' state, to hand it to a new worker.
STATE_PORT = 8406
# Docker's DNS, as every container on a network of the user's sees it.
DNS = "127.0.0.11:53"

BUFFER_BYTES = 16384
REWRITE_BYTES = 1024
# Connections of the health check and of the metrics, on top of those of clients.
INTERNAL_CONNECTIONS = 50
RETRY_AFTER_SECONDS = 2

_PROBLEMS = {
    400: ("Bad Request", "The request cannot be read: its header is malformed or too large."),
    404: ("Not Found", "There is nothing here."),
    408: ("Request Timeout", "The request did not arrive in time."),
    411: ("Length Required", "A body of this size needs a Content-Length."),
    413: ("Content Too Large", "The body is larger than is accepted here."),
    500: ("Internal Server Error", "The gateway failed to handle the request."),
    502: ("Bad Gateway", "The service gave no valid answer."),
    503: ("Service Unavailable", "The service is not available at the moment. Try again shortly."),
    504: ("Gateway Timeout", "The service did not answer in time."),
}


def gateway_configuration(gateway: GatewaySettings, backend: BackendSettings) -> str:
    """Write haproxy.cfg: clients on port 8080, health and metrics for the inside on port 8405.

    Backends are those that Docker's DNS gives for the name `backend`; the gateway checks their
    readiness itself, so it serves from the first that is ready and stops at the first that drains.
    """
    return (
        "\n\n".join(
            [
                "# Written by components/gateway_configuration.py: edit the settings, not this file.",
                _global(gateway),
                _resolvers(),
                _defaults(gateway, backend.health.timeout_seconds),
                _clients(gateway),
                _backends(backend),
                _internal(),
            ]
        )
        + "\n"
    )


def server_slots(replicas: int) -> int:
    """Room for the servers of two releases at once, and for two that failed and linger."""
    return 2 * replicas + 2


def milliseconds(seconds: float) -> str:
    """A duration in HAProxy's form; never 0, which would mean for ever."""
    return f"{max(1, round(seconds * 1000))}ms"


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([title, *(f"    {line}".rstrip() for line in lines)])


def _global(gateway: GatewaySettings) -> str:
    return _section(
        "global",
        [
            "log stdout format raw local0 info",
            f"maxconn {gateway.max_connections + INTERNAL_CONNECTIONS}",
            f"nbthread {max(1, round(gateway.limits.cpus))}",
            f"tune.bufsize {BUFFER_BYTES}",
            f"tune.maxrewrite {REWRITE_BYTES}",
            "tune.http.maxhdr 100",
            "# An old worker ends what it has begun after a reload, but not for ever.",
            f"hard-stop-after {milliseconds(gateway.response_timeout_seconds)}",
            f"stats socket ipv4@127.0.0.1:{STATE_PORT} level user",
            "lua-load /usr/local/share/haproxy/admission.lua",
            "server-state-file /run/haproxy/servers.state",
        ],
    )


def _resolvers() -> str:
    return _section(
        "resolvers docker",
        [
            f"nameserver dns {DNS}",
            "accepted_payload_size 8192",
            "resolve_retries 3",
            "timeout resolve 500ms",
            "timeout retry 500ms",
            "# A container that is gone is forgotten at once, unless it is the DNS that fails.",
            "hold valid 500ms",
            "hold obsolete 500ms",
            "hold nx 500ms",
            "hold timeout 30s",
            "hold refused 30s",
            "hold other 30s",
        ],
    )


def _defaults(gateway: GatewaySettings, check_timeout: float) -> str:
    response = milliseconds(gateway.response_timeout_seconds)
    return _section(
        "defaults",
        [
            "mode http",
            "log global",
            "option dontlognull",
            "option http-keep-alive",
            "# On a reload a client that holds a connection is told with its next answer, not cut off.",
            "option idle-close-on-response",
            f"timeout connect {milliseconds(gateway.connect_timeout_seconds)}",
            f"timeout http-request {milliseconds(gateway.request_timeout_seconds)}",
            "timeout http-keep-alive 15s",
            f"timeout client {response}",
            "timeout client-fin 5s",
            f"timeout server {response}",
            "timeout server-fin 5s",
            f"timeout queue {milliseconds(gateway.connect_timeout_seconds)}",
            f"timeout check {milliseconds(check_timeout)}",
            "timeout tunnel 1h",
            *(_error(status) for status in _PROBLEMS if status != 411),
        ],
    )


def _problem(status: int) -> str:
    """The body of an error as RFC 9457 has it, quoted for HAProxy."""
    title, detail = _PROBLEMS[status]
    body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail})
    return f"content-type application/problem+json string '{body}'"


def _error(status: int) -> str:
    retry = f" hdr Retry-After {RETRY_AFTER_SECONDS}" if status == 503 else ""
    return f"http-error status {status} {_problem(status)}{retry}"


def _clients(gateway: GatewaySettings) -> str:
    limit = gateway.body_limit_mb * 1024 * 1024
    return _section(
        "frontend clients",
        [
            f"bind :{PUBLIC_PORT}",
            f"maxconn {gateway.max_connections}",
            "# HTTP/2 without TLS is asked for by nobody who means well.",
            "option disable-h2-upgrade",
            "# Without the query string and without headers: both may hold tokens.",
            'log-format "%{+json}o %(client)ci %(method)HM %(path)HPO %(status)ST %(server)s %(total_ms)Ta'
            ' %(response_ms)Tr %(bytes)B %(retries)rc %(end)tsc %(request)[var(txn.request_id)]"',
            "",
            "# What a client says about itself and its request's name is believed only if harmless.",
            "http-request set-var(txn.request_id) req.fhdr(x-request-id)"
            " if { req.fhdr(x-request-id) -m reg ^[A-Za-z0-9._-]{1,64}$ }",
            "http-request set-var(txn.request_id) uuid() unless { var(txn.request_id) -m found }",
            "http-request set-header X-Request-ID %[var(txn.request_id)]",
            "http-after-response set-header X-Request-ID %[var(txn.request_id)]",
            "http-request del-header x-forwarded- -m beg",
            "http-request del-header forwarded",
            "http-request del-header x-real-ip",
            "http-request set-header X-Forwarded-For %[src]",
            "http-request set-header X-Forwarded-Proto http",
            "",
            *_internal_path_rules(gateway.internal_paths),
            "",
            f"http-request deny deny_status 413 if {{ req.body_size gt {limit} }}",
            "# A body without a length can be measured only as far as it fits into a buffer.",
            "acl chunked req.hdr(transfer-encoding) -m found",
            f"http-request wait-for-body time {milliseconds(gateway.request_timeout_seconds)} if chunked",
            f"http-request return status 411 {_problem(411)}"
            f" if chunked {{ req.body_len ge {BUFFER_BYTES - 2 * REWRITE_BYTES} }}",
            "",
            "default_backend backends",
        ],
    )


def _internal_path_rules(paths: Sequence[str]) -> list[str]:
    """404 for internal paths, however they are written.

    A backend may decode %2F, take // for / and cut off ;parameters, so the path is compared in the
    form that the most lenient one would see. A dot segment has no place in a path that a client
    sends (RFC 3986, 5.2.4 takes them out before), so it is answered with 404 wherever it leads.
    """
    if not paths:
        return []
    names = [path.strip("/") for path in paths]
    return [
        "# As the most lenient backend would read it.",
        "http-request set-var(txn.path) path,url_dec,'regsub(;[^/]*,,g)','regsub([/\\\\\\\\]+,/,g)'",
        "http-request deny deny_status 400 unless { var(txn.path) -m found }",
        "http-request deny deny_status 400 if { path -m sub %00 }",
        "http-request deny deny_status 404 if { var(txn.path) -m reg /\\.\\.?(/|$) }",
        *(
            f"http-request deny deny_status 404 if {{ var(txn.path) -m reg -i ^/{re.escape(name)}(/|$) }}"
            for name in names
        ),
    ]


def _backends(backend: BackendSettings) -> str:
    return _section(
        "backend backends",
        [
            "balance leastconn",
            "load-server-state-from-file global",
            "option httpchk",
            f"http-check send meth GET uri {backend.health.ready} ver HTTP/1.1 hdr Host backend"
            " hdr User-Agent gateway",
            "http-check expect status 200",
            "",
            "# A connection that failed is tried again elsewhere; a request that may have been handled",
            "# is repeated only where that is safe (RFC 9110, 9.2.1).",
            "retries 2",
            "option redispatch 1",
            "retry-on conn-failure empty-response response-timeout 503",
            "http-request disable-l7-retry unless { method GET HEAD OPTIONS }",
            "",
            "# Idle connections are given up before a backend does, or a request might run into its closing.",
            "http-reuse safe",
            "# One that takes no connection, three times, is out until a check passes: the address of a dead",
            "# container soon belongs to the next one, which must not get requests before it is ready.",
            "default-server inter 500ms fastinter 200ms downinter 100ms fall 2 rise 1 pool-purge-delay 1s"
            " observe layer4 error-limit 3 on-error mark-down",
            f"server-template backend {server_slots(backend.replicas)} backend:{backend.port} check"
            " resolvers docker resolve-prefer ipv4 init-addr last,none",
        ],
    )


def _internal() -> str:
    return _section(
        "frontend internal",
        [
            f"bind :{INTERNAL_PORT}",
            "no log",
            "monitor-uri /health",
            "http-request use-service prometheus-exporter if { path /metrics }",
            "http-request deny deny_status 404",
        ],
    )
