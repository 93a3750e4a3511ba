import asyncio
from typing import Any

from conftest import Running
from medianest.shutdown import Step, close_in_order


async def test_steps_follow_one_another_whatever_becomes_of_them(logged: list[dict[str, Any]]) -> None:
    order: list[str] = []

    async def good() -> None:
        order.append("good")

    async def broken() -> None:
        order.append("broken")
        raise ConnectionError("with details")

    async def late() -> None:
        order.append("late")
        await asyncio.Event().wait()

    steps = [Step("a", broken, 1), Step("b", late, 0.01), Step("c", good, 1)]
    await close_in_order(steps)
    assert order == ["broken", "late", "good"]
    assert [(line["event"], line["step"], line["error"]) for line in logged] == [
        ("Could not be closed", "a", "ConnectionError"),
        ("Could not be closed", "b", "TimeoutError"),
    ]


async def test_connections_are_closed_last(running: Running, logged: list[dict[str, Any]]) -> None:
    names = [step.name for step in running.backend.steps]
    assert names[-2:] == ["cache", "database"]
    await running.backend.stop()
    assert logged == []
