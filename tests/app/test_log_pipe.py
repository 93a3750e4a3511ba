import asyncio
import json
import os
import select
import threading
import time
from collections.abc import Iterator

import pytest
from medianest.log_pipe import LogPipe

LINE = b'{"message":"x"}'


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """A pipe: where to read, where to write."""
    pair = os.pipe()
    yield pair
    for descriptor in pair:
        os.close(descriptor)


def read_lines(descriptor: int, seconds: float = 1) -> list[bytes]:
    """What is in the pipe."""
    os.set_blocking(descriptor, False)
    found = b""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found += os.read(descriptor, 1 << 20)
        except BlockingIOError:
            break
    return found.splitlines(keepends=True)


def test_lines_arrive_whole_and_in_order(ends: tuple[int, int]) -> None:
    pipe = LogPipe(ends[1])
    for number in range(3):
        pipe.write(b"%d" % number)
    assert read_lines(ends[0]) == [b"0\n", b"1\n", b"2\n"]
    pipe.close()


def test_a_pipe_that_nobody_reads_costs_one_wait_and_the_loss_is_told(ends: tuple[int, int]) -> None:
    pipe = LogPipe(ends[1], patience=0.2)
    began = time.monotonic()
    for _ in range(100_000):
        pipe.write(LINE)
    assert time.monotonic() - began < 2
    assert pipe.lost > 0
    kept = len(read_lines(ends[0]))
    pipe.write(LINE)
    told, line = read_lines(ends[0])
    assert json.loads(told) == {
        "message": "Log lines lost", "level": "warning", "lines": 100_000 - kept,
    }  # fmt: skip
    assert line == LINE + b"\n"
    assert pipe.lost == 0
    pipe.close()


def test_a_reader_that_is_only_slow_gets_everything(ends: tuple[int, int]) -> None:
    pipe = LogPipe(ends[1], patience=10)
    lines: list[bytes] = []

    def read() -> None:
        data = b""
        while data.count(b"\n") < 100_000:
            data += os.read(ends[0], 4096)
        lines.extend(data.splitlines())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(100_000):
        pipe.write(LINE)
    reader.join(30)
    assert lines == [LINE] * 100_000
    assert pipe.lost == 0
    pipe.close()


def test_a_long_line_is_never_torn(ends: tuple[int, int]) -> None:
    pipe = LogPipe(ends[1], patience=0.01)
    long = b"y" * 100_000
    for _ in range(50):
        pipe.write(long)
    lost = pipe.lost
    assert lost > 0
    first = read_lines(ends[0])
    pipe.write(LINE)
    second = read_lines(ends[0])
    lines = b"".join(first + second).splitlines()
    assert set(lines[:-2]) == {long}
    assert len(lines) - 2 == 50 - lost
    assert json.loads(lines[-2])["lines"] == lost
    assert lines[-1] == LINE
    pipe.close()


def test_a_reader_that_is_gone_harms_nobody(ends: tuple[int, int]) -> None:
    read, write = os.pipe()
    pipe = LogPipe(write)
    os.close(read)
    pipe.write(LINE)
    pipe.write(LINE)
    assert pipe.lost == 2
    pipe.close()
    os.close(write)


def test_others_who_share_the_output_still_write_as_they_are_used_to(ends: tuple[int, int]) -> None:
    pipe = LogPipe(ends[1])
    assert os.get_blocking(ends[1])
    pipe.close()


async def test_lines_that_can_wait_are_written_together(ends: tuple[int, int]) -> None:
    pipe = LogPipe(ends[1])
    for _ in range(5):
        pipe.write_soon(LINE)
    assert read_lines(ends[0]) == []
    await asyncio.get_running_loop().run_in_executor(None, select.select, [ends[0]], [], [], 5)
    assert read_lines(ends[0]) == [LINE + b"\n"] * 5
    pipe.write_soon(LINE)
    pipe.write(b"urgent")
    assert read_lines(ends[0]) == [LINE + b"\n", b"urgent\n"]
    for _ in range(1000):
        pipe.write_soon(LINE)
    assert len(read_lines(ends[0])) == 1000
    pipe.close()


def test_without_an_event_loop_nothing_waits(ends: tuple[int, int]) -> None:
    pipe = LogPipe(ends[1])
    pipe.write_soon(LINE)
    assert read_lines(ends[0]) == [LINE + b"\n"]
    pipe.flush()
    assert read_lines(ends[0]) == []
    pipe.close()
