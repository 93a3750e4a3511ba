import asyncio
from typing import Any

import pytest
from conftest import DEMO_USER, StartBackend, build
from eventually import eventually
from link import Link
from medianest import backend as backend_module
from medianest.backend import secret_rules
from medianest.lifecycle import Phase
from medianest.settings import Settings


def pauses_in(logged: list[dict[str, Any]]) -> list[float]:
    """Between tries to reach Postgres, in seconds."""
    return [event["retry_in"] for event in logged if "retry_in" in event]


async def stored_hash(start: StartBackend, **changes: str) -> str:
    async with start(**changes) as running:
        known = await running.backend.users.credentials(DEMO_USER)
    assert known is not None
    assert known.password_hash not in repr(known)
    return known.password_hash


async def test_the_demo_user_is_made_once_and_follows_a_changed_password(start_backend: StartBackend) -> None:
    first = await stored_hash(start_backend)
    assert await stored_hash(start_backend) == first
    changed = await stored_hash(start_backend, DEMO_PASSWORD="another password entirely")
    assert changed != first
    async with start_backend(DEMO_PASSWORD="another password entirely") as running:
        credentials = {"username": DEMO_USER, "password": running.demo_password}
        assert (await running.client.post("/api/auth/login", json=credentials)).status_code == 401


async def test_no_demo_user_without_the_setting(start_backend: StartBackend) -> None:
    async with start_backend(DEMO_USER="") as running:
        assert await running.backend.users.credentials(DEMO_USER) is None


async def test_two_replicas_may_start_at_once(start_backend: StartBackend) -> None:
    async def replica() -> Phase:
        async with start_backend() as running:
            await running.token()
            return running.backend.lifecycle.phase

    phases = await asyncio.gather(*(replica() for _ in range(3)))
    assert phases == [Phase.SERVING] * 3


async def test_the_workers_are_up_before_it_serves_and_gone_after(start_backend: StartBackend) -> None:
    async with start_backend(WORKERS="3", WORKER_MEMORY_MB="64") as running:
        workers = running.backend.workers
        assert (workers.state(), workers.figures().size) == ("healthy", 3)
        assert await workers.run("ping", {}) is None
    assert workers.figures().workers == ()


async def test_postgres_is_waited_for(
    environment: dict[str, str], postgres_link: Link, logged: list[dict[str, Any]]
) -> None:
    await postgres_link.cut()
    backend = await build(environment)
    starting = asyncio.create_task(backend.start())
    await eventually(lambda: len(pauses_in(logged)) >= 2)
    phases = [backend.lifecycle.phase]
    await postgres_link.mend()
    async with asyncio.timeout(10):
        await starting
    phases.append(backend.lifecycle.phase)
    assert phases == [Phase.STARTING, Phase.SERVING]
    assert pauses_in(logged)[:2] == [0.1, 0.2]
    await backend.stop()


async def test_the_pause_between_tries_has_a_limit(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, logged: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr(backend_module, "_LONGEST_PAUSE", 0.3)
    backend = await build(environment | {"DATABASE_URL": "postgresql://user:x7Kq2@127.0.0.1:9/medianest"})
    starting = asyncio.create_task(backend.start())
    await eventually(lambda: len(pauses_in(logged)) >= 4, seconds=10)
    assert not starting.done()
    starting.cancel()
    await asyncio.wait({starting})
    assert pauses_in(logged)[:4] == [0.1, 0.2, 0.3, 0.3]
    await backend.stop()


def test_the_demo_password_is_a_secret_only_where_there_is_a_demo_user() -> None:
    def names(environment: dict[str, str]) -> set[str]:
        return {rule.name for rule in secret_rules(Settings.from_environment(environment))}

    always = {"jwt_secret", "jwt_secret_previous", "database_url", "redis_url", "guardian_token"}
    assert names({}) == always
    assert names({"DEMO_USER": "demo"}) == always | {"demo_password"}
