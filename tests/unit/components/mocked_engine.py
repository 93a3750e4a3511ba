"""Declares stacks against a stand-in for the Pulumi engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime.stack import wait_for_rpcs

from components.backend import Backend
from components.gateway import Gateway
from components.guardian import Guardian, dashboard_password, guardian_token
from components.hardening.enforcement import enforce
from components.images import Images
from components.lease import lease_volume
from components.monitoring.component import Monitoring
from components.networks import Networks
from components.owner import StackOwner
from components.postgres import Postgres
from components.redis import Redis
from components.settings import StackSettings
from components.stack import Stack

ROOT = Path(__file__).parents[3]


@dataclass
class Declared:
    """One resource as the engine would get it."""

    type: str
    name: str
    inputs: dict[str, Any]


@dataclass
class Engine(pulumi.runtime.Mocks):
    """Stands in for the Pulumi engine: notes what is declared and answers as the providers would."""

    declared: list[Declared] = field(default_factory=list)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        self.declared.append(Declared(args.typ, args.name, args.inputs))
        outputs = dict(args.inputs)
        outputs.setdefault("name", args.name)
        if args.typ == "docker:index/remoteImage:RemoteImage":
            outputs["imageId"] = f"sha256:{args.name}"
        if args.typ == "pulumi-python:dynamic:Resource":
            made = {
                "current": f"value-of-{args.name}",
                "previous": "",
                "version": f"v-{args.name}",
                "slot": "a",
                "made_at": "2026-01-01T00:00:00+00:00",
            }
            outputs |= {"owner": "0123456789ab"} if args.name == "owner" else made
        return f"id-{args.name}", outputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], None]:
        raise AssertionError(f"the program calls {args.token}, which it should not need")

    def of(self, type_name: str) -> dict[str, dict[str, Any]]:
        return {item.name: item.inputs for item in self.declared if item.type.endswith(f":{type_name}")}


@contextmanager
def mocked() -> Iterator[Engine]:
    """Pulumi's runtime with the engine above, its threads and event loops closed at the end."""
    loops = [asyncio.new_event_loop()]

    def own_loop() -> None:
        # Pulumi's mocks make one for each thread otherwise, and never close it.
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    asyncio.set_event_loop(loops[0])
    executor = ThreadPoolExecutor(max_workers=4, initializer=own_loop)
    loops[0].set_default_executor(executor)
    engine = Engine()
    pulumi.runtime.set_mocks(engine, project="medianest", stack="staging", preview=False)
    enforce()
    try:
        yield engine
    finally:
        settle()
        for task in asyncio.all_tasks(loops[0]):
            loops[0].run_until_complete(task)
        executor.shutdown()
        for loop in loops:
            loop.close()
        asyncio.set_event_loop(None)


def settle() -> None:
    """Wait until everything declared has reached the engine."""
    asyncio.get_event_loop().run_until_complete(wait_for_rpcs())


def declare(settings: StackSettings) -> None:
    """Declare a whole stack with the given settings."""
    owner = StackOwner("owner", "medianest", "staging").owner
    stack = Stack("medianest", "staging", ROOT, settings, owner)
    if settings.lease:
        lease_volume(stack, settings.lease)
    images, networks = Images(stack), Networks(stack)
    postgres = Postgres(stack, networks, images)
    redis = Redis(stack, networks, images)
    token, password = guardian_token(stack), dashboard_password(stack)
    backend = Backend(stack, networks, images, postgres, redis, {}, token)
    Gateway(stack, networks, images)
    Monitoring(stack, networks, postgres, redis, backend, token, password)
    Guardian(stack, networks, token, password)
    settle()
