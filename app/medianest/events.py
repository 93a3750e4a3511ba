"""Events inside this process: who publishes need not know who listens."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import structlog
from blinker import ANY, Signal

Handler = Callable[[Any], Awaitable[None] | None]
_FEWEST_SWEPT = 16


@dataclass(frozen=True)
class EventFigures:
    """Listeners by source now; deliveries that went well and that failed since the start."""

    listeners: Mapping[str, int]
    delivered: int
    failed: int


class _InOrder(dict[Any, None]):
    """The part of a set that blinker needs, in the order of insertion: handlers run in the order in
    which they subscribed (blinker's documentation of `Signal.set_class`)."""

    def add(self, item: Any) -> None:
        self[item] = None

    def discard(self, item: Any) -> None:
        self.pop(item, None)


class _OrderedSignal(Signal):
    set_class = cast("type[set[Any]]", _InOrder)


class EventManager:
    """Listeners by source (who publishes) and event (what has happened).

    Handlers are plain or asynchronous functions of the event's payload, and are held weakly: whoever
    subscribes keeps the handler (or the object whose method it is) alive, and once that is forgotten
    so is the subscription. A handler that raises is a fault: it is logged, counted and removed, and
    the others still run. A handler that must stay therefore deals with its own errors.
    """

    def __init__(self) -> None:
        self._signals: dict[tuple[str, str], Signal] = {}
        self._sweep_at = _FEWEST_SWEPT
        self._delivered = 0
        self._failed = 0
        self._closed = False
        self._log = structlog.get_logger(component="events")

    def subscribe(self, source: str, event: str, handler: Handler) -> None:
        """From the next event on. Subscribing a handler twice has the effect of once."""
        if self._closed:
            self._log.debug("Subscribed after the end", source=source, event_name=event)
            return
        self._sweep()
        self._signals.setdefault((source, event), _OrderedSignal()).connect(handler)

    def unsubscribe(self, source: str, event: str, handler: Handler) -> None:
        """At once, also for an event that is being delivered. Without effect for a stranger."""
        signal = self._signals.get((source, event))
        if signal is None:
            return
        signal.disconnect(handler)
        if not signal.receivers:
            del self._signals[source, event]

    async def publish(self, source: str, event: str, payload: object = None) -> int:
        """Run the handlers one after the other. Returns how many did their work.

        Who subscribes meanwhile hears of the next event. Cancelling this ends the handler that runs
        and leaves the rest out.
        """
        if self._closed:
            self._log.debug("Published after the end", source=source, event_name=event)
            return 0
        signal = self._signals.get((source, event))
        if signal is None:
            return 0
        delivered = 0
        for handler in signal.receivers_for(ANY):
            try:
                outcome = handler(payload)
                if inspect.isawaitable(outcome):
                    await outcome
            except Exception:
                self._fail(source, event, handler)
            else:
                delivered += 1
        self._delivered += delivered
        return delivered

    def close(self) -> None:
        """Remove every listener. What is published from now on reaches nobody."""
        self._closed = True
        for signal in self._signals.values():
            for handler in list(signal.receivers_for(ANY)):
                signal.disconnect(handler)
        self._signals.clear()

    def figures(self) -> EventFigures:
        """For metrics and the health document."""
        listeners: Counter[str] = Counter()
        for (source, _), signal in self._signals.items():
            if count := len(list(signal.receivers_for(ANY))):
                listeners[source] += count
        return EventFigures(dict(listeners), self._delivered, self._failed)

    def _fail(self, source: str, event: str, handler: Handler) -> None:
        self._failed += 1
        name = getattr(handler, "__qualname__", type(handler).__qualname__)
        self._log.exception("Handler failed and is removed", source=source, event_name=event, handler=name)
        self.unsubscribe(source, event, handler)

    def _sweep(self) -> None:
        # A listener that was forgotten leaves an empty signal behind. Looking for them each time their
        # number has doubled costs little and bounds it.
        if len(self._signals) >= self._sweep_at:
            self._signals = {key: signal for key, signal in self._signals.items() if signal.receivers}
            self._sweep_at = max(_FEWEST_SWEPT, 2 * len(self._signals))
