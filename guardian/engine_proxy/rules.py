"""What may be asked of the engine: one table. What is not in it is refused.

A request is compared as it was written on the wire, not as somebody might decode it, so that an encoded
slash, a doubled one or a `..` fits nothing. The version in front is dropped: what it would change is
the meaning of a request's body, and none is ever passed on.

Source of the paths: https://docs.docker.com/reference/api/engine/version/v1.41/
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl, urlencode

from guardian import labels

EVENTS = ("create", "start", "die", "kill", "stop", "oom", "pause", "unpause", "destroy", "health_status")

# A whole id. A name could be given to another container at any time.
_ID = "(?P<id>[0-9a-f]{64})"
_VERSION = r"(?:/v[0-9]\.[0-9]{1,2})?"
_YES_OR_NO = "0|1|true|false"
_MOMENT = r"[0-9]{1,12}(\.[0-9]{1,9})?"


class Kind(StrEnum):
    """What a request is for."""

    PING = "ping"
    LIST = "list"
    INSPECT = "inspect"
    STATS = "stats"
    LOGS = "logs"
    EVENTS = "events"
    MARKS = "marks"
    RESTART = "restart"
    START = "start"


@dataclass(frozen=True)
class Rule:
    """One kind of request. `query` has the parameters that it may carry, and what each must look like."""

    kind: Kind
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)


RULES: Sequence[Rule] = (
    Rule(Kind.PING, "GET", "/_ping"),
    Rule(Kind.LIST, "GET", "/containers/json", {"all": _YES_OR_NO}),
    Rule(Kind.INSPECT, "GET", f"/containers/{_ID}/json"),
    Rule(Kind.STATS, "GET", f"/containers/{_ID}/stats", {"stream": "0|false", "one-shot": _YES_OR_NO}),
    Rule(
        Kind.LOGS,
        "GET",
        f"/containers/{_ID}/logs",
        {
            **dict.fromkeys(("stdout", "stderr", "timestamps"), _YES_OR_NO),
            **dict.fromkeys(("since", "until"), _MOMENT),
            "tail": "[0-9]{1,5}",
        },
    ),
    Rule(Kind.EVENTS, "GET", "/events", {"since": _MOMENT, "until": _MOMENT}),
    Rule(Kind.MARKS, "GET", "/volumes"),
    Rule(Kind.RESTART, "POST", f"/containers/{_ID}/restart", {"t": "[0-9]{1,3}"}),
    Rule(Kind.START, "POST", f"/containers/{_ID}/start"),
)
# Their answers go on for as long as somebody listens.
ENDLESS = frozenset({Kind.EVENTS})


class RefusedError(Exception):
    """A request that is not let through. The message says why, for the log and for who asked."""


@dataclass(frozen=True)
class Allowed:
    """A request that fits a rule. `target` is what the engine is asked; `container` whom it concerns,
    which has to be looked at before."""

    kind: Kind
    method: str
    target: str
    container: str | None


@dataclass(frozen=True)
class Ownership:
    """Whose containers they are."""

    stack: str
    owner: str

    @property
    def labels(self) -> list[str]:
        """As the engine's filters take them."""
        return [f"{labels.STACK}={self.stack}", f"{labels.OWNER}={self.owner}"]

    def holds(self, found: Mapping[str, str] | None) -> bool:
        """Whether something with these labels belongs to the stack."""
        own = {labels.STACK: self.stack, labels.OWNER: self.owner}
        return own.items() <= (found or {}).items()


def admit(method: str, target: str, ownership: Ownership, *, upgrade: bool = False) -> Allowed:
    """The request that the engine gets in place of the one that was made. Raises RefusedError.

    `target` is the request's, as it was written; `upgrade` tells that it asks for another protocol.
    """
    if upgrade:
        raise RefusedError("no connection is handed over")
    path, _, query = target.partition("?")
    for rule in RULES:
        if rule.method == method and (found := re.fullmatch(_VERSION + rule.path, path)):
            container = found.groupdict().get("id")
            plain = rule.path.replace(_ID, container or "")
            parameters = _checked(rule, query) | _forced(rule.kind, ownership)
            wanted = f"{plain}?{urlencode(parameters)}" if parameters else plain
            return Allowed(rule.kind, method, wanted, container)
    raise RefusedError("only containers of the stack may be listed, looked at, restarted and started")


def _checked(rule: Rule, query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        pattern = rule.query.get(name)
        if pattern is None or name in parameters or not re.fullmatch(pattern, value):
            raise RefusedError(f"{rule.kind} does not take this parameter or value")
        parameters[name] = value
    return parameters


def _forced(kind: Kind, ownership: Ownership) -> dict[str, str]:
    """Filters, so that nothing of others is even seen, which whoever asks cannot set; and an end."""
    own = ownership.labels
    if kind is Kind.LIST:
        return {"filters": json.dumps({"label": own})}
    if kind is Kind.EVENTS:
        # Without the health checks' own events, of which each container has one every second or two.
        return {"filters": json.dumps({"type": ["container"], "event": EVENTS, "label": own})}
    if kind is Kind.MARKS:
        return {"filters": json.dumps({"label": [*own, f"{labels.COMPONENT}={labels.DEPLOYING}"]})}
    if kind is Kind.STATS:
        # What the engine does without the parameter goes on for ever.
        return {"stream": "false"}
    return {}
