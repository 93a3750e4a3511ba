"""How the stack is: one word and one reason, out of what is seen."""

from __future__ import annotations

from collections.abc import Sequence

from guardian.dashboard.document import AlertRow, Stale, Use, Verdict, Word
from guardian.policy.services import VITAL
from guardian.policy.view import View

_CRITICAL = "critical"


def verdict(view: View | None, stale: Stale, uses: Sequence[Use], alerts: Sequence[AlertRow]) -> Verdict:
    """The worst that can be said comes first."""
    if view is None or stale.engine:
        return Verdict(Word.UNKNOWN, stale.engine or "The stack has not been looked at yet.")
    if view.stopped:
        return Verdict(Word.STOPPED, "Nothing of the stack runs: somebody has stopped it.")
    down = [component for component in VITAL if view.down(component)]
    if down:
        return Verdict(Word.DOWN, f"{_list(down)} {'does' if len(down) == 1 else 'do'} not serve.")
    if view.deploying:
        return Verdict(Word.DEPLOYING, f"A deploy is going on: {view.deploying}.")
    return _of_what_serves(stale, uses, alerts)


def _of_what_serves(stale: Stale, uses: Sequence[Use], alerts: Sequence[AlertRow]) -> Verdict:
    ailing = [use for use in uses if not use.well]
    if ailing:
        first = ailing[0]
        return Verdict(Word.DEGRADED, f"{first.container} is {condition(first)}{_more(ailing)}.")
    firing = [alert for alert in alerts if alert.state == "firing"]
    if firing:
        first_alert = min(firing, key=lambda alert: (alert.severity != _CRITICAL, alert.since))
        summary = first_alert.summary.rstrip(".") or "it fires"
        return Verdict(Word.DEGRADED, f"{first_alert.name}: {summary}{_more(firing)}.")
    if stale.figures:
        return Verdict(Word.DEGRADED, stale.figures)
    return Verdict(Word.WELL, f"All {len(uses)} containers are well, and no alert fires.")


def condition(use: Use) -> str:
    """What a container is, in a word or two."""
    return use.health if use.state == "running" and use.health != "none" else use.state


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _more(all_of_them: Sequence[object]) -> str:
    return f", and {len(all_of_them) - 1} more" if len(all_of_them) > 1 else ""
