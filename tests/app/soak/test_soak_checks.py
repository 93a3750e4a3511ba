"""The checks against a running backend, and against one that misbehaves."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from link import Link
from medianest.soak.auth_cache import AuthCache
from medianest.soak.memory import CONNECTIONS, FILES, MEMORY, STARTED, Memory
from medianest.soak.pictures import picture
from medianest.soak.workers import TERMINATED, UNASKED, Workers
from PIL import Image
from soaking import Outcome, StandIn, after, backend_process, soaked, target

HEALTHY = {MEMORY: 80e6, FILES: 20, CONNECTIONS: 2, STARTED: 1.0}


async def test_logins_and_reads_of_a_running_backend_pass(environment: dict[str, str]) -> None:
    async with backend_process(environment) as port:
        check = AuthCache(target(port, environment["DEMO_PASSWORD"]))
        outcome = await soaked(check, 1.5)
    assert outcome.passed, outcome.verdict
    assert outcome.verdict["reasons"] == []
    assert outcome.figure("logins that succeed")["value"] == 100
    assert outcome.figure("cache hit ratio")["ok"] is True
    assert outcome.figure("reads")["value"] > 50
    assert outcome.figure("read, p99")["value"] > 0
    # It told of its progress before.
    assert "verdict" not in outcome.lines[0]
    assert environment["DEMO_PASSWORD"] not in json.dumps(outcome.lines)


async def test_a_dead_redis_fails_the_hit_ratio_with_its_reason(
    environment: dict[str, str], redis_link: Link
) -> None:
    async with backend_process(environment) as port:
        await redis_link.cut()
        check = AuthCache(target(port, environment["DEMO_PASSWORD"]))
        outcome = await soaked(check, 1.5)
    assert not outcome.passed
    (reason,) = [reason for reason in outcome.verdict["reasons"] if "hit ratio" in reason]
    assert reason.startswith("cache hit ratio: 0.0 %, the goal is at least 95 % (bypass: ")


async def test_a_wrong_password_says_so(environment: dict[str, str]) -> None:
    async with backend_process(environment) as port:
        outcome = await soaked(AuthCache(target(port, "not the password")), 1)
    assert outcome.verdict["reasons"] == ["the demo user cannot log in and read its profile: status 401"]
    assert outcome.verdict["figures"] == []


async def test_the_command_ends_with_its_verdict_on_sigterm(environment: dict[str, str]) -> None:
    async with backend_process(environment) as port:
        inherited = {k: v for k, v in os.environ.items() if k in ("PATH", "PYTHONPATH") or "COV" in k}
        own = {"SOAK_MINUTES": "5", "TARGET_URL": f"http://127.0.0.1:{port}"}
        check = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "medianest.soak", "auth-cache"),
            env={**inherited, **environment, **own},
            stdout=asyncio.subprocess.PIPE,
        )
        assert check.stdout is not None
        async with asyncio.timeout(30):
            await check.stdout.readline()
            check.send_signal(signal.SIGTERM)
            said = (await check.stdout.read()).decode()
            assert await check.wait() == 0
    assert json.loads(said.splitlines()[-1])["verdict"] == "passed"


async def test_nobody_there_says_so() -> None:
    async with StandIn().serving() as stand_in:
        port = stand_in.port
    for check in (AuthCache(target(port)), Memory(target(port)), Workers(target(port))):
        outcome = await soaked(check, 1)
        assert outcome.verdict["reasons"] == ["the gateway does not answer: ConnectionRefusedError"]


async def memory_of(metrics: Callable[[], Mapping[str, float]], seconds: float) -> Outcome:
    async with StandIn(metrics=metrics).serving() as stand_in:
        check = Memory(target(stand_in.port), look_seconds=0.1, return_seconds=0.2)
        return await soaked(check, seconds)


async def test_a_backend_that_keeps_its_memory_passes() -> None:
    outcome = await memory_of(lambda: HEALTHY, 1.5)
    assert outcome.passed, outcome.verdict
    assert outcome.figure("growth of 127.0.0.1")["value"] == 0
    assert outcome.figure("requests that succeed")["value"] == 100
    assert outcome.figure("uploads")["note"] == "not offered"


async def test_a_leak_fails_and_names_the_replica() -> None:
    began = time.monotonic()
    outcome = await memory_of(lambda: HEALTHY | {MEMORY: 80e6 + (time.monotonic() - began) * 5e6}, 1.5)
    (reason,) = outcome.verdict["reasons"]
    assert reason.startswith("growth of 127.0.0.1: ")
    assert "the goal is at most 4" in reason


async def test_what_is_not_given_back_fails() -> None:
    files = itertools.count(20, step=5)
    outcome = await memory_of(lambda: HEALTHY | {CONNECTIONS: 9, FILES: next(files)}, 1.5)
    connections, more = outcome.verdict["reasons"]
    assert connections == "database connections: 9, the goal is at most 2 (after the load)"
    assert more.startswith("open files more than before: ")


async def test_a_replica_that_restarts_fails() -> None:
    began = time.monotonic()
    outcome = await memory_of(lambda: HEALTHY | {STARTED: float(time.monotonic() - began > 0.5)}, 1.5)
    assert outcome.verdict["reasons"] == ["replicas that ended: 1, the goal is at most 0"]


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({}, "the backend tells no metrics: /metrics answers 404"),
        ({FILES: 1.0}, f"the backend tells no memory: /metrics has no {MEMORY}"),
        ({MEMORY: 1.0}, f"the backend tells no open files: /metrics has no {FILES}"),
        ({MEMORY: 1.0, FILES: 1.0}, f"the backend tells no connections: /metrics has no {CONNECTIONS}"),
    ],
)
async def test_a_backend_that_does_not_tell_its_memory_fails(metrics: dict[str, float], words: str) -> None:
    outcome = await memory_of(lambda: metrics, 1)
    assert outcome.verdict["reasons"] == [words]


async def test_a_run_that_is_too_short_to_judge_fails() -> None:
    outcome = await memory_of(lambda: HEALTHY, 0.3)
    (reason,) = outcome.verdict["reasons"]
    assert reason.startswith("growth of 127.0.0.1: nothing was seen")


async def test_an_interrupted_wait_judges_only_what_it_has_seen() -> None:
    stop = asyncio.Event()
    async with StandIn(metrics=lambda: HEALTHY | {CONNECTIONS: 9}).serving() as stand_in:
        stopping = asyncio.create_task(after(2, stop.set))
        outcome = await soaked(Memory(target(stand_in.port), look_seconds=0.1), 1.5, stop)
        await stopping
    assert outcome.passed, outcome.verdict
    assert outcome.figure("database connections")["ok"] is None


class Media:
    """Takes pictures and keeps jobs, as a backend does; `state` says what a look at a job shows."""

    def __init__(self, state: Callable[[int], dict[str, Any]] = lambda _: {"state": "done"}) -> None:
        self.looks: dict[str, int] = {}
        self.deleted = 0
        self.terminated = 0.0
        self._state = state
        self.stand_in = StandIn(
            {
                "GET /api/media": (200, {"items": []}),
                "POST /api/media": self._accept,
                "GET /api/media/*": self._look,
                "DELETE /api/media/*": self._delete,
            },
            metrics=lambda: HEALTHY | self._terminated(),
        )

    def _terminated(self) -> dict[str, float]:
        ended = {f'{TERMINATED}{{reason="{reason}"}}': 0.0 for reason in UNASKED}
        return ended | {f'{TERMINATED}{{reason="crashed"}}': self.terminated}

    def _accept(self) -> tuple[int, dict[str, Any]]:
        self.looks[str(len(self.looks))] = 0
        return 202, {"id": str(len(self.looks) - 1), "state": "queued"}

    def _look(self) -> tuple[int, dict[str, Any]]:
        identifier = self.stand_in.requests[-1].rpartition("/")[2]
        self.looks[identifier] += 1
        return 200, self._state(self.looks[identifier])

    def _delete(self) -> tuple[int, dict[str, Any]]:
        self.deleted += 1
        return 204, {}


async def workers_of(media: Media, seconds: float = 1.2) -> Outcome:
    async with media.stand_in.serving() as stand_in:
        return await soaked(Workers(target(stand_in.port), job_seconds=0.5), seconds)


async def test_pictures_that_are_done_pass_and_are_removed() -> None:
    media = Media(lambda look: {"state": "done" if look > 1 else "running"})
    outcome = await workers_of(media)
    assert outcome.passed, outcome.verdict
    assert outcome.figure("pictures accepted")["value"] == media.deleted >= 2
    assert outcome.figure("throughput")["value"] > 0


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (lambda _: {"state": "running"}, "jobs lost or doubled: .*not ended in time"),
        (lambda _: {"state": "failed"}, "jobs lost or doubled: .*failed without a reason"),
        (lambda _: {"state": "failed", "error": "bad picture"}, "jobs that are done: 0.0 %.*bad picture"),
        (
            lambda look: {"state": "failed" if look % 2 == 0 else "done"},
            "jobs lost or doubled: .*ended twice",
        ),
    ],
)
async def test_a_job_that_does_not_end_once_and_well_fails(
    state: Callable[[int], dict[str, Any]], words: str
) -> None:
    outcome = await workers_of(Media(state))
    assert not outcome.passed
    assert any(re.match(words, reason) for reason in outcome.verdict["reasons"]), outcome.verdict


async def test_two_pictures_with_one_id_are_told() -> None:
    media = Media(lambda _: {"state": "running"})
    media.stand_in.answers["POST /api/media"] = (202, {"id": "0", "state": "queued"})
    media.looks["0"] = 0
    outcome = await workers_of(media)
    assert any("without an id of its own" in reason for reason in outcome.verdict["reasons"])


async def test_a_worker_that_ended_fails() -> None:
    media = Media()
    ending = asyncio.create_task(after(0.5, lambda: setattr(media, "terminated", 3.0)))
    outcome = await workers_of(media)
    await ending
    assert outcome.verdict["reasons"] == ["workers that ended: 3, the goal is at most 0"]


async def test_a_backend_without_pictures_or_without_workers_says_so() -> None:
    async with StandIn(metrics=lambda: HEALTHY).serving() as stand_in:
        outcome = await soaked(Workers(target(stand_in.port)), 1)
        assert outcome.verdict["reasons"] == ["this backend takes no pictures: there is no /api/media"]
        stand_in.answers["GET /api/media"] = (200, {})
        outcome = await soaked(Workers(target(stand_in.port)), 1)
        assert outcome.verdict["reasons"] == [f"the backend tells no workers: /metrics has no {TERMINATED}"]


async def test_the_memory_check_uploads_where_pictures_are_taken() -> None:
    media = Media()
    async with media.stand_in.serving() as stand_in:
        outcome = await soaked(Memory(target(stand_in.port), look_seconds=0.1, return_seconds=0.2), 3)
    assert outcome.passed, outcome.verdict
    assert outcome.figure("uploads")["value"] == media.deleted >= 1


def test_pictures_are_small_valid_and_each_another() -> None:
    first, second = picture(), picture()
    assert first != second
    assert len(first) < 64_000
    with Image.open(io.BytesIO(first)) as opened:
        assert (opened.format, opened.size) == ("PNG", (320, 240))
