"""What the engine knows of a container that failed, gathered before anything is done about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.engine import log_tail

if TYPE_CHECKING:
    from docker import APIClient

LOG_LINES = 15


@dataclass(frozen=True)
class ContainerEvidence:
    """A container at the moment of its failure. `verdict` says why it was given up, if it was."""

    name: str
    status: str
    exit_code: int
    out_of_memory: bool
    restarts: int
    health_output: str
    health_exit_code: int
    log: Sequence[str]
    verdict: str = ""


def gather_evidence(api: APIClient, container: str, verdict: str = "") -> ContainerEvidence | None:
    """The evidence; None where the container is gone."""
    from docker.errors import NotFound

    try:
        inspected = api.inspect_container(container)
    except NotFound:
        return None
    state = inspected["State"]
    health = state.get("Health") or {}
    results = health.get("Log") or [{}]
    word = health.get("Status", "")
    return ContainerEvidence(
        name=inspected["Name"].lstrip("/"),
        status=word if state["Status"] == "running" and word else state["Status"],
        exit_code=state["ExitCode"],
        out_of_memory=state["OOMKilled"],
        restarts=inspected["RestartCount"],
        health_output=results[-1].get("Output", ""),
        health_exit_code=results[-1].get("ExitCode", 0),
        log=log_tail(api, container, LOG_LINES),
        verdict=verdict,
    )
