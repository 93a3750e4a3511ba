"""How much may be done, and how soon again."""

from __future__ import annotations

from guardian.policy.view import View
from guardian.record.memory import Memory
from guardian.settings import Settings

# A wait is longer or shorter by so much, so that two guardians on one engine fall out of step.
JITTER = 0.2


def retry_in(container: str, now: float, memory: Memory, settings: Settings, chance: float) -> float:
    """Seconds from an action on a container to the next one that may follow.

    Doubled with each action within the budget's time: 10, 20, 40 … s, 5 min at most. `chance` lies
    from 0 to 1.
    """
    before = len(memory.actions_on(container, now - settings.budget_seconds))
    wait = min(settings.backoff_first_seconds * 2.0**before, settings.backoff_longest_seconds)
    return wait * (1 + JITTER * (2 * chance - 1))


def waits_until(container: str, now: float, memory: Memory, settings: Settings) -> float:
    """When something may be done to a container again; a moment that is over where it may be now."""
    acted = memory.actions_on(container, now - settings.budget_seconds)
    return acted[-1].not_before if acted else 0.0


def used_up(component: str, now: float, memory: Memory, settings: Settings) -> bool:
    """Whether a service's budget is."""
    return len(memory.actions_of(component, now - settings.budget_seconds)) >= settings.budget_actions


def recovered(view: View, memory: Memory, settings: Settings) -> list[str]:
    """Services and containers that had been given up and have been well for the budget's time since."""
    return [about for about in memory.given_up if _is_well(about, view, memory, settings)]


def _is_well(about: str, view: View, memory: Memory, settings: Settings) -> bool:
    own = [item for item in view.containers if about in (item.component, item.name)]
    since = view.now - settings.budget_seconds
    if any(not item.serves for item in own):
        return False
    newest = max((item.created for item in own), default=view.now)
    if newest > memory.given_up[about]:
        # A deploy has put others in their place.
        return True
    return memory.given_up[about] < since and not any(
        memory.deaths_of(item.name, since) or memory.actions_on(item.name, since) for item in own
    )
