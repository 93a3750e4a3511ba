"""Runs the steps whose thing is missing."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ops.errors import ExitCode, OperationError
from ops.paths import cache_directory, project_root
from ops.setup.lock import setup_lock
from ops.setup.step import Step, StepResult
from ops.setup.versions import read_versions
from ops.setup.work import CancelledWorkError, Work

if TYPE_CHECKING:
    from rich.console import Console

LOGS_KEPT = 20


@dataclass(frozen=True)
class Report:
    """What set-up found and did."""

    steps: list[StepResult]
    seconds: float
    log: Path | None
    """None when there was nothing to do."""

    @property
    def nothing_to_do(self) -> bool:
        return all(step.state == "present" for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        return {
            "steps": [step.as_json() for step in self.steps],
            "seconds": round(self.seconds, 2),
            "log": str(self.log) if self.log else None,
        }


def all_steps(root: Path, cache: Path) -> list[Step]:
    """Everything that a deployment needs on this machine."""
    from ops.setup.base_image import BaseImageStep
    from ops.setup.engine import EngineStep
    from ops.setup.pulumi_tools import PulumiToolsStep

    versions = read_versions(root)
    return [EngineStep(versions), PulumiToolsStep(root, cache, versions), BaseImageStep(root, cache)]


def with_browser(root: Path, cache: Path) -> list[Step]:
    """The same, and what the tests in a browser need."""
    from ops.setup.browser import BrowserStep

    return [*all_steps(root, cache), BrowserStep()]


def ensure(
    console: Console,
    *,
    assume_yes: bool = False,
    interactive: bool | None = None,
    steps: Sequence[Step] | None = None,
) -> Report:
    """Provide what is missing; says nothing when nothing is. `console` should write to stderr.

    `interactive` (default: stdin is a terminal) lets it ask before it changes the system.
    Raises OperationError: what failed and what to do, or that it was interrupted.
    """
    began = time.monotonic()
    cache = cache_directory()
    steps = all_steps(project_root(), cache) if steps is None else steps
    if not _missing(steps):
        return _report(steps, {}, began, None)
    if interactive is None:
        interactive = os.isatty(0) and console.is_terminal

    def tell(holder: str) -> None:
        console.print(
            f"Another set-up is running (pid {holder}), waiting for it", highlight=False, soft_wrap=True
        )

    with _interruptible(), setup_lock(cache / "setup.lock", tell):
        missing = _missing(steps)
        if not missing:
            return _report(steps, {}, began, None)
        _ask(console, missing, assume_yes, interactive)
        from ops.setup.display import Display

        log = _new_log(cache / "logs")
        try:
            with log.open("w") as stream, Display(console) as display:
                took = _provide(missing, Work(stream, display))
        except OperationError as error:
            hint = "\n".join(part for part in (error.hint, f"The full log: {log}") if part)
            raise OperationError(error.message, hint, error.code) from error
    return _report(steps, took, began, log)


def _missing(steps: Sequence[Step]) -> list[Step]:
    return [step for step in steps if step.missing()]


def _report(steps: Sequence[Step], took: dict[str, float], began: float, log: Path | None) -> Report:
    results = [
        StepResult(step.name, "provided" if step.name in took else "present", took.get(step.name, 0.0))
        for step in steps
    ]
    return Report(results, time.monotonic() - began, log)


def _ask(console: Console, missing: Sequence[Step], assume_yes: bool, interactive: bool) -> None:
    intentions = [intention for step in missing if (intention := step.intends())]
    if not intentions:
        return
    console.print("Set-up will change this system:", highlight=False, soft_wrap=True)
    for intention in intentions:
        console.print(f"  • {intention}", highlight=False, soft_wrap=True)
    if assume_yes or not interactive:
        return
    if console.input("Go ahead? [Y/n] ").strip().lower() not in ("", "y", "yes"):
        raise OperationError("nothing was changed", "Run it again when you are ready.", ExitCode.REFUSED)


def _provide(missing: Sequence[Step], work: Work) -> dict[str, float]:
    """Run the steps, each as soon as those that it needs are done; the first failure stops all."""
    took: dict[str, float] = {}
    waiting = list(missing)
    names = {step.name for step in missing}
    running: dict[Future[float], Step] = {}
    with ThreadPoolExecutor(len(missing)) as pool:
        try:
            while waiting or running:
                done = set(took)
                for step in [step for step in waiting if names.intersection(step.after) <= done]:
                    waiting.remove(step)
                    running[pool.submit(_timed, step, work)] = step
                # A time-out, since an interruption is only noticed between two waits.
                finished, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in finished:
                    took[running.pop(future).name] = future.result()
        except KeyboardInterrupt as interruption:
            work.cancel()
            raise OperationError(
                "set-up was interrupted", "Run it again: it carries on.", ExitCode.INTERRUPTED
            ) from interruption
        except CancelledWorkError:
            raise _first_failure(running) from None
        except BaseException:
            work.cancel()
            raise
    return took


def _timed(step: Step, work: Work) -> float:
    began = time.monotonic()
    step.provide(work)
    if still := step.missing():
        raise OperationError(f"{step.name}: still missing after set-up: {still}", "Run this again.")
    return time.monotonic() - began


def _first_failure(running: dict[Future[float], Step]) -> BaseException:
    """The failure that stopped the others, where the stopped ones were noticed before it."""
    for future in running:
        error = future.exception()
        if error and not isinstance(error, CancelledWorkError):
            return error
    return OperationError("set-up was stopped", "Run it again: it carries on.")


def _new_log(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for old in sorted(directory.glob("setup-*.log"))[: -LOGS_KEPT + 1]:
        old.unlink(missing_ok=True)
    return directory / f"setup-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.log"


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end the work in order, as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
