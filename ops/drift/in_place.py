"""Puts back what the engine can change in a running container, where Pulumi could only replace it.

The state stays as it is: it is what the container is put back to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ops.drift.container import MEGABYTE
from ops.drift.images import name_again
from ops.drift.model import ABSENT, Finding
from ops.drift.record import Inputs, Recorded
from ops.errors import OperationError

if TYPE_CHECKING:
    from docker import APIClient

_LIMITS = frozenset({"memory", "memorySwap", "cpus", "processes", "restart"})


def limits_of(inputs: Inputs, processes: int | None) -> dict[str, Any]:
    """What the engine's update of a container takes, out of its record.

    Source: https://docs.docker.com/reference/api/engine/ ("ContainerUpdate")
    """
    wanted: dict[str, Any] = {"RestartPolicy": {"Name": str(inputs.get("restart") or "no")}}
    if inputs.get("memory"):
        wanted["Memory"] = int(inputs["memory"]) * MEGABYTE
    if inputs.get("memorySwap"):
        wanted["MemorySwap"] = int(inputs["memorySwap"]) * MEGABYTE
    if inputs.get("cpus"):
        wanted["NanoCpus"] = round(float(inputs["cpus"]) * 1e9)
    if processes is not None:
        wanted["PidsLimit"] = processes
    return wanted


def put_back(
    api: APIClient,
    findings: Sequence[Finding],
    record: Mapping[str, Recorded],
    processes: Mapping[str, int],
) -> None:
    """Put back all `findings`; `record` is by URN, `processes` by container id. Raises OperationError."""
    from docker.errors import APIError

    limited = {finding.target: finding.urn for finding in findings if finding.property in _LIMITS}
    try:
        for container, urn in limited.items():
            wanted = limits_of(record[urn].inputs, processes.get(container))
            url = f"{api.base_url}/v{api.api_version}/containers/{container}/update"
            _check(api.post(url, json=wanted))
        for finding in findings:
            if finding.property not in _LIMITS:
                _put_back_one(api, finding, record[finding.urn])
    except APIError as error:
        raise OperationError(f"the engine could not put it back: {error.explanation or error}") from error


def _check(answer: Any) -> None:
    if answer.status_code >= 400:
        raise OperationError(f"the engine could not put limits back: {answer.json().get('message', '')}")


def _put_back_one(api: APIClient, finding: Finding, recorded: Recorded) -> None:
    what, _, detail = finding.property.partition(".")
    if what == "state":
        if finding.live == "paused":
            api.unpause(finding.target)
    elif what == "networks" and finding.recorded == ABSENT:
        api.disconnect_container_from_network(finding.target, detail)
    elif what == "networks":
        aliases = next(
            network.get("aliases")
            for network in recorded.inputs["networksAdvanced"]
            if network["name"] == detail
        )
        api.connect_container_to_network(finding.target, detail, aliases=aliases)
    elif finding.kind == "image":
        name_again(api, finding.target, str(recorded.inputs["name"]))
    else:
        raise OperationError(f"nobody knows how to put back {finding.property} of {finding.resource}")
