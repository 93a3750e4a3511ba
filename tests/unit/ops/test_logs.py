"""Logs of several containers as one stream."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from components import labels
from ops.logs import Line, followed, named_containers, nothing_to_show, parse_line, print_line, read

LISTED = [
    {
        "Id": "b0",
        "Names": ["/p-s-backend-0-abc123"],
        "State": "running",
        "Labels": {labels.COMPONENT: "backend"},
    },
    {"Id": "r", "Names": ["/p-s-redis-abc124"], "State": "exited", "Labels": {labels.COMPONENT: "redis"}},
    {"Id": "l", "Names": ["/p-s-loader-abc125"], "State": "created", "Labels": {labels.COMPONENT: "files"}},
]


class Engine:
    """Answers as the engine's API does."""

    def __init__(self, written: dict[str, list[bytes]]) -> None:
        self.written = written

    def containers(self, **_: object) -> list[dict[str, Any]]:
        return LISTED

    def logs(self, identifier: str, *, stream: bool = False, **_: object) -> bytes | Iterator[bytes]:
        chunks = self.written[identifier]
        return iter(chunks) if stream else b"".join(chunks)


def test_containers_are_named_as_people_do_and_loaders_left_out() -> None:
    api = cast(Any, Engine({}))
    assert named_containers(api, "p", "s", None) == {"b0": "backend-0", "r": "redis"}
    assert named_containers(api, "p", "s", "redis") == {"r": "redis"}


def test_an_unknown_component_is_answered_with_the_known_ones() -> None:
    error = nothing_to_show(cast(Any, Engine({})), "p", "s", "cache")
    assert "no component 'cache'" in error.message
    assert error.hint == "Its components: backend, redis"


def test_a_line_is_split_into_time_and_text() -> None:
    line = parse_line("2026-11-23T22:36:41.254061962Z hello  world\r", "web")
    assert line == Line("2026-11-23T22:36:41.254061962Z", "web", "hello  world")


def test_broken_characters_do_not_stop_the_log() -> None:
    (line,) = read(cast(Any, Engine({"b0": [b"2026-11-23T22:36:41Z caf\xe9\n"]})), "b0", "web", 10)
    assert line.text == "caf�"


def test_following_puts_lines_together_across_chunks_and_containers() -> None:
    api = cast(Any, Engine({"b0": [b"t1 o", b"ne\nt2 two\nt3 un"], "r": [b"t1 three\n"]}))
    sources = {"b0": "backend-0", "r": "redis"}
    lines = itertools.islice(followed(api, lambda: sources, 10), 3)
    assert {(line.source, line.text) for line in lines} == {
        ("backend-0", "one"),
        ("backend-0", "two"),
        ("redis", "three"),
    }


def test_following_takes_up_a_container_that_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.logs.LOOK_SECONDS", 0.02)
    began = time.monotonic()

    def sources() -> dict[str, str]:
        return {"b0": "old", "b1": "new"} if time.monotonic() - began > 0.05 else {"b0": "old"}

    api = cast(Any, Engine({"b0": [b"t1 one\n"], "b1": [b"t2 two\n"]}))
    assert [line.source for line in itertools.islice(followed(api, sources, 10), 2)] == ["old", "new"]


def test_away_from_a_terminal_there_are_no_colours(capsys: pytest.CaptureFixture[str]) -> None:
    print_line(Line("t", "redis", "hello"), as_json=False)
    print_line(Line("t", "redis", "hello"), as_json=True)
    assert capsys.readouterr().out == (
        'redis        hello\n{"time": "t", "source": "redis", "text": "hello"}\n'
    )
