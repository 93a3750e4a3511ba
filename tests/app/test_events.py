import asyncio
import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from medianest.events import EventFigures, EventManager


class Owner:
    """Has handlers that write down what they heard."""

    def __init__(self, heard: list[Any]) -> None:
        self.heard = heard

    def plain(self, payload: Any) -> None:
        self.heard.append(payload)

    async def asynchronous(self, payload: Any) -> None:
        await asyncio.sleep(0)
        self.heard.append(("asynchronous", payload))

    def broken(self, _payload: Any) -> None:
        raise ValueError("no use")

    async def broken_later(self, _payload: Any) -> None:
        await asyncio.sleep(0)
        raise ValueError("no use")


@pytest.fixture
def events() -> EventManager:
    return EventManager()


@pytest.fixture
def owner() -> Owner:
    return Owner([])


async def test_plain_and_asynchronous_handlers_are_run_and_awaited(
    events: EventManager, owner: Owner
) -> None:
    events.subscribe("postgres", "revocation", owner.plain)
    events.subscribe("postgres", "revocation", owner.asynchronous)
    assert await events.publish("postgres", "revocation", 7) == 2
    assert owner.heard == [7, ("asynchronous", 7)]
    assert events.figures() == EventFigures({"postgres": 2}, delivered=2, failed=0)


async def test_an_event_reaches_those_of_its_source_and_name_only(events: EventManager, owner: Owner) -> None:
    events.subscribe("postgres", "revocation", owner.plain)
    for source, event in (("redis", "revocation"), ("postgres", "media")):
        assert await events.publish(source, event) == 0
    assert owner.heard == []


async def test_handlers_run_in_the_order_in_which_they_subscribed(events: EventManager) -> None:
    heard: list[int] = []

    def handler(number: int) -> Callable[[Any], None]:
        return lambda _payload: heard.append(number)

    handlers = [handler(number) for number in range(50)]
    for one in handlers:
        events.subscribe("source", "event", one)
    await events.publish("source", "event")
    assert heard == list(range(50))


async def test_subscribing_twice_is_as_once_and_unsubscribing_ends_it(
    events: EventManager, owner: Owner
) -> None:
    for _ in range(2):
        events.subscribe("source", "event", owner.plain)
    await events.publish("source", "event", 1)
    for _ in range(2):
        events.unsubscribe("source", "event", owner.plain)
    await events.publish("source", "event", 2)
    assert owner.heard == [1]
    assert events.figures().listeners == {}


@pytest.mark.parametrize("name", ["broken", "broken_later"])
async def test_a_handler_that_raises_is_logged_and_removed_and_the_others_run(
    events: EventManager, owner: Owner, name: str, logged: list[dict[str, Any]]
) -> None:
    events.subscribe("source", "event", getattr(owner, name))
    events.subscribe("source", "event", owner.plain)
    assert await events.publish("source", "event", 1) == 1
    assert await events.publish("source", "event", 2) == 1
    assert owner.heard == [1, 2]
    assert events.figures() == EventFigures({"source": 1}, delivered=2, failed=1)
    (line,) = logged
    assert line["log_level"] == "error"
    assert (line["source"], line["event_name"], line["handler"]) == ("source", "event", f"Owner.{name}")
    assert line["exc_info"]


async def test_a_forgotten_owner_is_collected_and_its_handlers_are_gone(events: EventManager) -> None:
    heard: list[Any] = []
    forgotten = Owner(heard)
    events.subscribe("source", "event", forgotten.plain)
    del forgotten
    gc.collect()
    assert events.figures().listeners == {}
    assert await events.publish("source", "event") == 0
    assert heard == []


async def test_who_subscribes_during_an_event_hears_of_the_next(events: EventManager, owner: Owner) -> None:
    def subscribe(_payload: Any) -> None:
        events.subscribe("source", "event", owner.plain)

    events.subscribe("source", "event", subscribe)
    await events.publish("source", "event", 1)
    assert owner.heard == []
    await events.publish("source", "event", 2)
    assert owner.heard == [2]


async def test_who_is_unsubscribed_during_an_event_is_not_run(events: EventManager, owner: Owner) -> None:
    def unsubscribe(_payload: Any) -> None:
        events.unsubscribe("source", "event", owner.plain)
        events.unsubscribe("source", "event", unsubscribe)

    events.subscribe("source", "event", unsubscribe)
    events.subscribe("source", "event", owner.plain)
    assert await events.publish("source", "event", 1) == 1
    assert owner.heard == []
    assert events.figures().listeners == {}


async def test_an_event_may_be_published_from_a_handler(events: EventManager, owner: Owner) -> None:
    async def publish(payload: int) -> None:
        if payload:
            await events.publish("source", "event", payload - 1)

    events.subscribe("source", "event", publish)
    events.subscribe("source", "event", owner.plain)
    await events.publish("source", "event", 3)
    assert owner.heard == [0, 1, 2, 3]


async def test_cancelling_ends_the_handler_that_runs_and_keeps_it_subscribed(
    events: EventManager, owner: Owner
) -> None:
    begun = asyncio.Event()

    async def linger(_payload: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    events.subscribe("source", "event", linger)
    events.subscribe("source", "event", owner.plain)
    publishing = asyncio.create_task(events.publish("source", "event"))
    await begun.wait()
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    assert owner.heard == []
    assert events.figures() == EventFigures({"source": 2}, delivered=0, failed=0)


async def test_after_the_end_no_listener_is_left_and_nothing_is_delivered(
    events: EventManager, owner: Owner, logged: list[dict[str, Any]]
) -> None:
    for number in range(5):
        events.subscribe(f"source {number}", "event", owner.plain)
    events.close()
    assert events.figures().listeners == {}
    assert await events.publish("source 1", "event", 1) == 0
    events.subscribe("source 1", "event", owner.plain)
    assert events.figures().listeners == {}
    assert owner.heard == []
    assert [(line["log_level"], line["event"]) for line in logged] == [
        ("debug", "Published after the end"),
        ("debug", "Subscribed after the end"),
    ]


async def test_closing_during_an_event_leaves_the_rest_out(events: EventManager, owner: Owner) -> None:
    def close(_payload: Any) -> None:
        events.close()

    events.subscribe("source", "event", close)
    events.subscribe("source", "event", owner.plain)
    await events.publish("source", "event", 1)
    assert owner.heard == []


async def _growth(operation: Callable[[int], Any]) -> float:
    """Memory after 10,000 operations, as a share of what it was after the first 1,000."""

    async def run(numbers: range) -> int:
        for number in numbers:
            await operation(number)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        # Something to compare with: an empty measure would be all noise.
        ballast = bytearray(200_000)
        before = await run(range(1000))
        after = await run(range(1000, 11_000))
        assert len(ballast) == 200_000
    finally:
        tracemalloc.stop()
    return after / before


async def test_subscribing_and_unsubscribing_leaves_nothing_behind(
    events: EventManager, owner: Owner
) -> None:
    async def once(number: int) -> None:
        events.subscribe("source", f"event {number}", owner.plain)
        events.unsubscribe("source", f"event {number}", owner.plain)

    assert await _growth(once) < 1.05


async def test_forgotten_owners_leave_nothing_behind(events: EventManager) -> None:
    async def once(number: int) -> None:
        events.subscribe("source", f"event {number}", Owner([]).plain)

    assert await _growth(once) < 1.05


async def test_publishing_leaves_nothing_behind(events: EventManager) -> None:
    heard: list[Any] = []
    keeper = Owner(heard)
    events.subscribe("source", "event", keeper.plain)
    events.subscribe("source", "event", keeper.asynchronous)

    async def once(number: int) -> None:
        await events.publish("source", "event", number)
        heard.clear()

    assert await _growth(once) < 1.05
    assert events.figures().delivered == 22_000
