"""The worker's side, for the most part in this process; the pool's tests run it in its own."""

import os
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from medianest.workers import child
from medianest.workers.frames import Decoder, encode

from workers import tasks
from workers.pools import BARE, MEASURED, children, resident_kilobytes, until


def told(frame: bytes) -> dict[str, Any]:
    (document,) = Decoder().feed(frame)
    return document


def asked(task: str, **arguments: Any) -> dict[str, Any]:
    request: dict[str, Any] = {"id": 3, "task": task, "arguments": arguments}
    return told(child.answer(request, child.load(["workers.tasks"])))


def test_an_answer_is_the_result_or_what_was_raised(capfd: pytest.CaptureFixture[str]) -> None:
    assert asked("add", a=1, b=2) == {"id": 3, "result": 3}
    assert asked("ping") == {"id": 3, "result": None}
    error = {"name": "ValueError", "message": "no"}
    assert asked("raise_value_error", message="no") == {"id": 3, "error": error}
    assert asked("unserialisable")["error"]["name"] == "TypeError"
    assert asked("nonsense")["error"] == {"name": "KeyError", "message": "'nonsense'"}
    assert "raise_value_error" in capfd.readouterr().err


def test_a_message_is_cut_to_what_can_be_told() -> None:
    document = told(child.failure(3, ValueError("\ud800" + "x" * 5000)))
    assert document["error"]["message"] == "?" + "x" * 999


def test_memory_that_is_not_there_is_told_without_a_trace(capfd: pytest.CaptureFixture[str]) -> None:
    def take() -> None:
        raise MemoryError

    document = told(child.answer({"id": 1, "task": "take", "arguments": {}}, {"take": take}))
    assert document["error"]["name"] == "MemoryError"
    assert capfd.readouterr().err == ""


def test_it_serves_until_the_other_side_is_gone() -> None:
    ours, theirs = socket.socketpair()
    serving = threading.Thread(target=child.serve, args=(theirs.fileno(), {"add": tasks.add}))
    serving.start()
    with ours, theirs:
        request = encode({"id": 1, "task": "add", "arguments": {"a": 1, "b": 1}})
        for byte in request + request:
            ours.send(bytes([byte]))
        received = b""
        while len(received) < 2 * len(encode({"id": 1, "result": 2})):
            received += ours.recv(100)
        assert Decoder().feed(received) == [{"id": 1, "result": 2}] * 2
        ours.shutdown(socket.SHUT_RDWR)
        serving.join(5)
        assert not serving.is_alive()


def start(
    parent: int, *modules: str, environment: dict[str, str] = MEASURED
) -> tuple[subprocess.Popen[str], socket.socket]:
    ours, theirs = socket.socketpair()
    with theirs:
        arguments = [str(theirs.fileno()), str(parent), str(2**30), *modules]
        process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-m", "medianest.workers.child", *arguments],
            pass_fds=(theirs.fileno(),),
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
    return process, ours


def test_it_says_which_tasks_it_has_and_ends_with_its_socket() -> None:
    process, ours = start(os.getpid(), "workers.tasks")
    with ours, process:
        ready = told(ours.recv(65536))
        assert ready["id"] == 0
        assert {"ping", "add", "segfault"} < set(ready["result"])
        ours.close()
        assert process.wait(10) == 0


def test_it_says_why_it_has_none() -> None:
    process, ours = start(os.getpid(), "workers.broken_fails")
    with ours, process:
        error = {"name": "RuntimeError", "message": "no such codec"}
        assert told(ours.recv(65536)) == {"id": 0, "error": error}
        assert process.wait(10) == 1


def test_it_does_not_begin_when_its_parent_is_gone() -> None:
    process, ours = start(os.getpid() + 1)
    with ours, process:
        assert ours.recv(65536) == b""
        assert process.wait(10) == 1


PARENT = """
import asyncio, os, sys
from workers.pools import pool_of, pids, until
async def main():
    pool = pool_of()
    await pool.start()
    tasks = [asyncio.create_task(pool.run("loop", {})), asyncio.create_task(pool.run("nap", {"seconds": 60}))]
    await until(lambda: pool.figures().busy == 2)
    print("pids", *pids(pool), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_no_worker_outlives_the_server() -> None:
    server = subprocess.Popen([sys.executable, "-c", PARENT], env=BARE, stdout=subprocess.PIPE, text=True)
    with server:
        assert server.stdout is not None
        # After what it logs.
        found = next(line for line in server.stdout if line.startswith("pids"))
        workers = [int(pid) for pid in found.split()[1:]]
        assert len(workers) == 2
        server.kill()
    await until(lambda: not any(_lives(pid) for pid in workers), seconds=5)
    assert children() == set()


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_worker_is_small_and_soon_there() -> None:
    started = time.perf_counter()
    process, ours = start(os.getpid(), environment=BARE)
    with ours, process:
        assert told(ours.recv(65536))["result"] == ["ping"]
        assert time.perf_counter() - started < 2
        assert resident_kilobytes(process.pid) < 8 * 1024
        process.kill()
