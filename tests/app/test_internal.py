from __future__ import annotations

import asyncio

import httpx
import pytest
from conftest import StartBackend
from eventually import eventually
from medianest.health import REPORT
from medianest.internal import RESTART_WORKERS, STACK

TOKEN = "t0KeNoFtHeGuArDiAn-0123456789abcdef"
GUARDIAN = {"Authorization": f"Bearer {TOKEN}"}


async def ask(client: httpx.AsyncClient, path: str, headers: dict[str, str]) -> httpx.Response:
    return await client.request("POST" if path == RESTART_WORKERS else "GET", path, headers=headers)


@pytest.mark.parametrize("path", [RESTART_WORKERS, STACK])
async def test_without_a_guardian_there_is_nothing(start_backend: StartBackend, path: str) -> None:
    async with start_backend() as running:
        assert (await ask(running.client, path, GUARDIAN)).status_code == 404


@pytest.mark.parametrize("path", [RESTART_WORKERS, STACK])
async def test_nobody_else_is_answered(start_backend: StartBackend, path: str) -> None:
    async with start_backend(GUARDIAN_TOKEN=TOKEN) as running:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
            answer = await ask(running.client, path, headers)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        of_a_user = await ask(running.client, path, await running.authorization())
        assert of_a_user.status_code == 401


async def test_the_workers_are_replaced(start_backend: StartBackend) -> None:
    async with start_backend(GUARDIAN_TOKEN=TOKEN) as running:
        before = [worker.pid for worker in running.backend.workers.figures().workers]
        answer = await ask(running.client, RESTART_WORKERS, GUARDIAN)
        assert answer.status_code == 200
        assert answer.json() == {"restarted": 1}
        after = [worker.pid for worker in running.backend.workers.figures().workers]
        assert len(after) == 1
        assert before != after


async def test_a_restart_outlives_its_requester_and_is_joined(start_backend: StartBackend) -> None:
    async with start_backend(GUARDIAN_TOKEN=TOKEN) as running:
        workers = running.backend.workers
        before, really = [worker.pid for worker in workers.figures().workers], workers.restart
        begun, go_on = 0, asyncio.Event()

        async def slow() -> None:
            nonlocal begun
            begun += 1
            await go_on.wait()
            await really()

        workers.restart = slow  # type: ignore[method-assign]
        gone = asyncio.create_task(ask(running.client, RESTART_WORKERS, GUARDIAN))
        await eventually(lambda: begun == 1)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        again = asyncio.create_task(ask(running.client, RESTART_WORKERS, GUARDIAN))
        await asyncio.sleep(0.1)
        go_on.set()
        assert (await again).status_code == 200
        assert begun == 1
        assert before != [worker.pid for worker in workers.figures().workers]


async def test_workers_that_cannot_be_replaced_are_told_of(start_backend: StartBackend) -> None:
    async with start_backend(GUARDIAN_TOKEN=TOKEN) as running:
        await running.backend.workers.stop(0)
        for slot in running.backend.workers._slots:
            slot.up.clear()
            slot.problem = "there is no memory"
        running.backend.workers._options = type(running.backend.workers._options)(size=1, start_seconds=0.1)
        answer = await ask(running.client, RESTART_WORKERS, GUARDIAN)
        assert answer.status_code == 503
        assert "there is no memory" in answer.json()["detail"]


async def test_a_stack_dump_shows_what_everybody_is_at_and_no_value(start_backend: StartBackend) -> None:
    async with start_backend(GUARDIAN_TOKEN=TOKEN) as running:
        secret = "v4lUe-ThAt-MuSt-NoT-sHoW"

        async def waits_for_ever(_: str) -> None:
            await asyncio.Event().wait()

        task = asyncio.create_task(waits_for_ever(secret), name="the one that waits")
        await asyncio.sleep(0)
        answer = await ask(running.client, STACK, GUARDIAN)
        task.cancel()
        assert answer.status_code == 200
        assert "Thread MainThread" in answer.text
        assert "Task the one that waits" in answer.text
        assert "asyncio.Event().wait()" in answer.text
        assert secret not in answer.text
        assert TOKEN not in answer.text


async def test_the_guardian_sees_the_details_of_the_health_document(start_backend: StartBackend) -> None:
    async with start_backend(GUARDIAN_TOKEN=TOKEN) as running:
        answer = await running.client.get(REPORT, headers=GUARDIAN)
        assert answer.status_code == 200
        assert answer.json()["details"]["services"]["workers"]["figures"]["size"] == 1
        refused = await running.client.get(REPORT, headers={"Authorization": "Bearer wrong"})
        assert refused.status_code == 401
