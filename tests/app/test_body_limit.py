from collections.abc import AsyncIterator

import httpx
import pytest
from conftest import Running
from problem_shape import assert_problem

JSON = {"Content-Type": "application/json"}
DETAIL = "The body is too large: at most 65536 bytes"


async def test_a_body_that_announces_too_much_is_refused(running: Running) -> None:
    answer = await running.client.post("/api/auth/login", content=b"x" * 65537, headers=JSON)
    assert_problem(answer, 413, DETAIL)
    assert answer.headers["Connection"] == "close"


async def test_a_body_that_turns_out_too_large_is_refused(running: Running) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(65):
            yield b"x" * 1024

    answer = await running.client.post("/api/auth/login", content=chunks(), headers=JSON)
    assert_problem(answer, 413, DETAIL)


@pytest.mark.parametrize("length", ["65536", "-1", "many", "٣"])
async def test_an_announced_length_that_makes_no_sense_is_counted_instead(
    running: Running, length: str
) -> None:
    headers = JSON | {"Content-Length": length}
    request = running.client.build_request("POST", "/api/auth/login", content=b"{}")
    request.headers = httpx.Headers({k.encode(): v.encode() for k, v in headers.items()})
    answer = await running.client.send(request)
    assert answer.status_code == 422
