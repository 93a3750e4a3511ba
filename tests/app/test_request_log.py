from typing import Any

import pytest
from conftest import Running


@pytest.mark.parametrize("given", ["abc-123", "A.b_c", "x" * 64])
async def test_a_sound_request_id_is_kept(running: Running, given: str) -> None:
    answer = await running.client.get("/nowhere", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "two words", 'quo"te', "new\tline", "ünï"])
async def test_an_unsound_request_id_is_replaced(running: Running, given: str) -> None:
    answer = await running.client.get("/nowhere", headers={b"X-Request-ID": given.encode()})
    assert len(answer.headers["X-Request-ID"]) == 32


async def test_every_request_has_an_id_of_its_own(running: Running) -> None:
    ids = {(await running.client.get("/nowhere")).headers["X-Request-ID"] for _ in range(5)}
    assert len(ids) == 5


async def test_a_request_is_one_line(running: Running, logged: list[dict[str, Any]]) -> None:
    await running.client.get("/nowhere?token=secret", headers={"X-Request-ID": "r-1"})
    (line,) = logged
    assert line.pop("milliseconds") >= 0
    assert line == {
        "event": "Request",
        "log_level": "info",
        "component": "requests",
        "method": "GET",
        "path": "/nowhere",
        "status": 404,
    }


async def test_health_probes_are_not_logged(running: Running, logged: list[dict[str, Any]]) -> None:
    for path in ("/api/health", "/api/health/live", "/api/health/ready"):
        await running.client.get(path)
    assert logged == []
