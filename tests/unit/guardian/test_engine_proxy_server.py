"""What the proxy does with an engine that breaks off in the middle of an answer."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from guardian.engine_proxy.rules import Ownership
from guardian.engine_proxy.server import EngineProxy
from tests.unit.guardian.loopback import served

BEGUN = b"the first part"


async def breaks_off(request: web.Request) -> web.StreamResponse:
    """Begins an answer and ends the connection, as an engine that is restarted does."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(BEGUN)
    # What is written is on its way.
    await asyncio.sleep(0.05)
    assert request.transport is not None
    request.transport.close()
    return response


def test_an_answer_that_breaks_off_is_cut_off_and_no_second_one_follows(tmp_path: Path) -> None:
    async def run() -> bytes:
        engine = web.Application()
        engine.router.add_get("/containers/json", breaks_off)
        runner = web.AppRunner(engine, shutdown_timeout=0.1)
        await runner.setup()
        await web.UnixSite(runner, tmp_path / "engine.sock").start()
        proxy, application = (
            EngineProxy(str(tmp_path / "engine.sock"), Ownership("s", "o")),
            web.Application(),
        )
        application.router.add_route("*", "/{target:.*}", proxy.handle)
        try:
            async with served(application) as url:
                return await asked(int(url.rpartition(":")[2]))
        finally:
            await proxy.close()
            await runner.cleanup()

    said = asyncio.run(run())
    assert said.startswith(b"HTTP/1.1 200")
    assert BEGUN in said
    assert said.count(b"HTTP/1.1") == 1
    # The last chunk, which would make it look whole (RFC 9112, section 7.1).
    assert not said.endswith(b"0\r\n\r\n")


async def asked(port: int) -> bytes:
    """All that comes for a list of the containers until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /containers/json HTTP/1.1\r\nHost: engine\r\n\r\n")
    said = b""
    try:
        async with asyncio.timeout(10):
            while part := await reader.read(65536):
                said += part
    except ConnectionResetError:
        pass
    finally:
        writer.close()
    return said
