"""A limit on a container's processes and threads, which the docker provider has no property for.

A `nproc` ulimit is no way round it: the kernel counts that per user id on the whole host, so stacks
would use up one another's (https://man7.org/linux/man-pages/man2/getrlimit.2.html, RLIMIT_NPROC).
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, Resource, ResourceProvider, UpdateResult


class _ProcessLimitProvider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        _apply(props)
        return CreateResult(id_=props["container"], outs=props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        return ReadResult(id_, {**props, "limit": _current(id_, props["limit"])})

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        _apply(news)
        return UpdateResult(outs=news)


class ProcessLimit(Resource):
    """Holds a container to `limit` processes and threads, in its control group."""

    def __init__(
        self, name: str, container: pulumi.Input[str], limit: int, opts: pulumi.ResourceOptions
    ) -> None:
        replaced = pulumi.ResourceOptions(replace_on_changes=["container"], delete_before_replace=False)
        super().__init__(
            _ProcessLimitProvider(),
            name,
            {"container": container, "limit": limit},
            pulumi.ResourceOptions.merge(replaced, opts),
        )


def _apply(props: dict[str, Any]) -> None:
    import docker

    engine = docker.from_env()
    try:
        # The SDK's update_container has no argument for it; the API has had it since 1.40.
        url = f"{engine.api.base_url}/v{engine.api.api_version}/containers/{props['container']}/update"
        engine.api.post(url, json={"PidsLimit": int(props["limit"])}).raise_for_status()
    finally:
        engine.close()


def _current(container: str, otherwise: float) -> float:
    import docker
    from docker.errors import NotFound

    engine = docker.from_env()
    try:
        return float(engine.api.inspect_container(container)["HostConfig"]["PidsLimit"] or 0)
    except NotFound:
        # The container's own resource tells that it is gone.
        return otherwise
    finally:
        engine.close()
