"""What the engine proxy lets through, and everything else that one could try."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from guardian.engine_proxy.rules import EVENTS, Kind, Ownership, RefusedError, admit

OWN = Ownership("staging", "0123456789ab")
ID = "0123456789abcdef" * 4
LABELS = ["medianest.stack=staging", "medianest.owner=0123456789ab"]

ALLOWED: list[tuple[str, str, Kind, str]] = [
    ("GET", "/_ping", Kind.PING, "/_ping"),
    ("GET", f"/containers/{ID}/json", Kind.INSPECT, f"/containers/{ID}/json"),
    ("GET", f"/v1.41/containers/{ID}/json", Kind.INSPECT, f"/containers/{ID}/json"),
    (
        "GET",
        f"/containers/{ID}/stats?stream=false&one-shot=true",
        Kind.STATS,
        f"/containers/{ID}/stats?stream=false&one-shot=true",
    ),
    # Without the parameter the engine's answer would never end.
    ("GET", f"/containers/{ID}/stats", Kind.STATS, f"/containers/{ID}/stats?stream=false"),
    ("GET", f"/containers/{ID}/stats?stream=0", Kind.STATS, f"/containers/{ID}/stats?stream=false"),
    (
        "GET",
        f"/containers/{ID}/logs?stdout=1&stderr=1&tail=500&since=17.5",
        Kind.LOGS,
        f"/containers/{ID}/logs?stdout=1&stderr=1&tail=500&since=17.5",
    ),
    ("POST", f"/containers/{ID}/restart?t=15", Kind.RESTART, f"/containers/{ID}/restart?t=15"),
    ("POST", f"/containers/{ID}/start", Kind.START, f"/containers/{ID}/start"),
]

REFUSED: list[tuple[str, str]] = [
    # What would change or read more than it may.
    ("POST", f"/containers/{ID}/exec"),
    ("POST", f"/exec/{ID}/start"),
    ("POST", "/containers/create"),
    ("POST", "/containers/create?name=x"),
    ("POST", f"/containers/{ID}/kill"),
    ("POST", f"/containers/{ID}/stop"),
    ("POST", f"/containers/{ID}/pause"),
    ("POST", f"/containers/{ID}/unpause"),
    ("POST", f"/containers/{ID}/update"),
    ("POST", f"/containers/{ID}/rename?name=x"),
    ("DELETE", f"/containers/{ID}"),
    ("GET", f"/containers/{ID}/archive?path=/run/secrets"),
    ("HEAD", f"/containers/{ID}/archive?path=/run/secrets"),
    ("PUT", f"/containers/{ID}/archive?path=/"),
    ("GET", f"/containers/{ID}/export"),
    ("GET", f"/containers/{ID}/top"),
    ("GET", f"/containers/{ID}/changes"),
    ("POST", f"/containers/{ID}/attach"),
    ("GET", f"/containers/{ID}/attach/ws"),
    ("POST", "/containers/prune"),
    ("POST", "/commit"),
    ("POST", "/build"),
    ("GET", "/images/json"),
    ("POST", "/images/create?fromImage=x"),
    ("POST", "/volumes/create"),
    ("DELETE", "/volumes/data"),
    ("GET", "/volumes/data"),
    ("GET", "/networks"),
    ("GET", "/info"),
    ("GET", "/system/df"),
    ("POST", "/session"),
    ("GET", "/secrets"),
    ("GET", "/swarm"),
    ("POST", "/plugins/x/enable"),
    # What is allowed, asked for in another way.
    ("HEAD", "/_ping"),
    ("POST", "/_ping"),
    ("DELETE", f"/containers/{ID}/json"),
    ("GET", f"/containers/{ID}/restart"),
    ("get", "/_ping"),
    # Names and parts of ids: they could be somebody else's.
    ("GET", "/containers/postgres/json"),
    ("POST", f"/containers/{ID[:12]}/restart"),
    ("POST", f"/containers/{ID}0/restart"),
    ("POST", f"/containers/{ID.upper()}/restart"),
    ("POST", "/containers//restart"),
    # Paths that somebody might decode or tidy up.
    ("GET", "/v1.41/../_ping"),
    ("GET", f"/containers/{ID}/json/../../../images/json"),
    ("GET", f"/containers/{ID}/%6ason"),
    ("GET", f"/containers%2f{ID}/json"),
    ("GET", f"/containers/{ID}%2fjson"),
    ("GET", f"//containers/{ID}/json"),
    ("GET", f"/containers/{ID}/json/"),
    ("GET", f"/./containers/{ID}/json"),
    ("GET", f"/v1.41/v1.41/containers/{ID}/json"),
    ("GET", f"/v1.411/containers/{ID}/json"),
    ("GET", f"/containers/{ID}/json\n"),
    ("GET", f"/containers/{ID}/json;x"),
    ("GET", f"http://engine/containers/{ID}/json"),
    ("GET", "/_ping#fragment"),
    ("CONNECT", "engine:80"),
    ("OPTIONS", "*"),
    ("GET", ""),
    # Parameters that are not known, or not so.
    ("GET", f"/containers/{ID}/json?size=1"),
    ("GET", "/containers/json?filters=%7B%7D"),
    ("GET", "/containers/json?all=1&all=0"),
    ("GET", "/containers/json?limit=1"),
    ("GET", "/volumes?filters=%7B%7D"),
    ("GET", "/events?filters=%7B%7D"),
    ("GET", "/events?since=yesterday"),
    ("POST", f"/containers/{ID}/restart?t=-1"),
    ("POST", f"/containers/{ID}/restart?t=10000"),
    ("POST", f"/containers/{ID}/restart?signal=SIGKILL"),
    ("POST", f"/containers/{ID}/start?checkpoint=x"),
    ("POST", f"/containers/{ID}/start?detachKeys=x"),
    ("GET", f"/containers/{ID}/logs?tail=all"),
    ("GET", f"/containers/{ID}/logs?tail=1%0d%0aX"),
    ("GET", f"/containers/{ID}/logs?details=1"),
    # Answers that would never end.
    ("GET", f"/containers/{ID}/logs?stdout=1&follow=1"),
    ("GET", f"/containers/{ID}/logs?stdout=1&follow=0"),
    ("GET", f"/containers/{ID}/stats?stream=1"),
    ("GET", f"/containers/{ID}/stats?stream=true"),
]


@pytest.mark.parametrize(("method", "target", "kind", "passed_on"), ALLOWED)
def test_what_is_allowed(method: str, target: str, kind: Kind, passed_on: str) -> None:
    allowed = admit(method, target, OWN)
    assert (allowed.kind, allowed.method, allowed.target) == (kind, method, passed_on)
    assert allowed.container == (ID if "/containers/" in target else None)


@pytest.mark.parametrize(("method", "target"), REFUSED)
def test_everything_else_is_refused(method: str, target: str) -> None:
    with pytest.raises(RefusedError):
        admit(method, target, OWN)


def test_no_connection_is_handed_over() -> None:
    with pytest.raises(RefusedError, match="no connection"):
        admit("GET", f"/containers/{ID}/logs", OWN, upgrade=True)


@pytest.mark.parametrize(
    ("target", "filters"),
    [
        ("/containers/json", {"label": LABELS}),
        ("/v1.41/containers/json?all=1", {"label": LABELS}),
        ("/events?since=17", {"type": ["container"], "event": list(EVENTS), "label": LABELS}),
        ("/volumes", {"label": [*LABELS, "medianest.component=deploying"]}),
    ],
)
def test_lists_are_filtered_whoever_asks(target: str, filters: dict[str, list[str]]) -> None:
    query = parse_qs(urlsplit(admit("GET", target, OWN).target).query)
    assert json.loads(query["filters"][0]) == filters


@pytest.mark.parametrize(
    ("labels", "holds"),
    [
        ({"medianest.stack": "staging", "medianest.owner": "0123456789ab", "more": "x"}, True),
        ({"medianest.stack": "staging", "medianest.owner": "another"}, False),
        ({"medianest.stack": "other", "medianest.owner": "0123456789ab"}, False),
        ({"medianest.stack": "staging"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_only_what_carries_both_labels_is_own(labels: dict[str, str] | None, holds: bool) -> None:
    assert OWN.holds(labels) is holds
