"""The command `env reap`: removes what has expired, stops what nobody asks, tells what has leaked."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from ops.env.judge import Action, Verdict
from ops.errors import ExitCode, OperationError
from ops.options import JsonOption
from ops.output import Output

if TYPE_CHECKING:
    from docker import APIClient

    from ops.env.lease import Lease
    from ops.env.survey import Seen
    from ops.session import Session

IdleOption = Annotated[
    str | None,
    typer.Option("--idle", metavar="DURATION", help="Stop what nobody has asked for so long: 2h."),
]


@dataclass(frozen=True)
class Deed:
    """What was done with one environment. `failed` says why it could not be."""

    environment: str
    action: str
    reason: str
    done: bool = False
    failed: str = ""


@dataclass
class Reaper:
    """One run. Facts about times and pull requests are gathered once, those of leases under each lock."""

    session: Session
    api: APIClient
    output: Output
    clocks: str
    idle: timedelta | None

    def __post_init__(self) -> None:
        self._closed: dict[int, bool] = {}

    def judge(self, seen: Seen, lease: Lease) -> Verdict:
        """What to do with an environment as it is now."""
        from ops.env import judge as judging
        from ops.env.activity import idle_since_of

        now = datetime.now(UTC)
        return judging.judge(
            lease,
            seen.whose,
            now,
            clocks=self.clocks,
            closed=seen.whose is not judging.Whose.FOREIGN and self.is_closed(lease),
            idle_since=idle_since_of(self.session, self.api, seen) if self.idle else None,
            idle=self.idle,
        )

    def is_closed(self, lease: Lease) -> bool:
        """Whether its pull request is closed; where nobody can say, its expiry alone counts."""
        if lease.pull_request is None:
            return False
        if lease.pull_request not in self._closed:
            self._closed[lease.pull_request] = self._ask(lease.stack, lease.pull_request)
        return self._closed[lease.pull_request]

    def _ask(self, stack: str, pull_request: int) -> bool:
        from ops.env.pull_requests import UnknownError, is_closed

        try:
            return is_closed(os.environ, pull_request, self.output.progress)
        except UnknownError as error:
            self.output.progress(
                f"{stack}: whether pull request {pull_request} is closed is not known, so its "
                f"expiry alone counts: {error}"
            )
            return False

    def see_to(self, seen: Seen, dry_run: bool) -> tuple[Deed, str]:
        """Judge an environment and act. Returns the deed, and what a person has to look at, if anything.

        One that fails is told in its deed: the others are not to wait for it.
        """
        from docker.errors import DockerException

        verdict, problem = Verdict(Action.KEEP, "it could not be judged"), ""
        try:
            verdict = self.judge(seen, seen.lease)
            problem = verdict.reason if verdict.problem else ""
            return self.act(seen, verdict, dry_run), problem
        except OperationError as error:
            if error.code is ExitCode.INTERRUPTED:
                raise
            failed = error.message
        except (DockerException, OSError) as error:
            failed = f"the engine or the disk says: {error}"
        return Deed(seen.lease.stack, verdict.action, verdict.reason, failed=failed), problem

    def act(self, seen: Seen, verdict: Verdict, dry_run: bool) -> Deed:
        """Do what was judged, if it is still so once nobody else is at work on it.

        Raises OperationError, DockerException and OSError.
        """
        from ops.env.environment import find
        from ops.env.lease import read_leases
        from ops.env.locks import only_run, turn
        from ops.env.remove import remove_environment, sweep_owner
        from ops.env.sleep import parts_of, stop
        from ops.left_alone import end_left_alone

        name, project = seen.lease.stack, self.session.project.name
        if dry_run or verdict.action is Action.KEEP:
            return Deed(name, verdict.action, verdict.reason)
        with only_run(project, name):
            leases = read_leases(self.api, project, name)
            lease = next((item for item in leases if item.owner == seen.lease.owner), None)
            if lease is None:
                return Deed(name, Action.KEEP, "it is gone already")
            parts = parts_of(self.api, project, name, lease.owner)
            verdict = self.judge(replace(seen, parts=parts), lease)
            if verdict.action is Action.DESTROY:
                self.output.progress(f"Removing {name}: {verdict.reason}")
                with turn(project, self.output.progress):
                    end_left_alone(self.session, name, self.output.progress)
                    # By what the state says by now: an `up` may have come in between.
                    environment = find(self.session, self.api, name)
                    if environment.owner in (lease.owner, None):
                        remove_environment(self.session, self.api, environment, self.output.progress)
                    else:
                        sweep_owner(self.api, project, name, lease.owner)
            elif verdict.action is Action.STOP:
                self.output.progress(f"Stopping {name}: {verdict.reason}")
                stop(self.api, parts)
            return Deed(name, verdict.action, verdict.reason, done=verdict.action is not Action.KEEP)


def reap(
    idle: IdleOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove environments that have expired, or whose pull request is closed.

    Only those that the state at hand made, or had made before it was lost. Never a stack without a
    lease. With --idle it stops those that nobody has asked; `env up NAME` wakes them. Whether a pull
    request is closed it asks GitHub or GitLab, with the token of the environment. It may run at any
    time, also twice at once.

    Examples:

        ./medianest env reap --dry-run

        ./medianest env reap --idle 2h --json
    """
    from ops.engine import connect
    from ops.env.duration import read_duration, read_time
    from ops.env.judge import judge_clocks
    from ops.env.survey import survey
    from ops.session import open_session

    output, session = Output(as_json), open_session()
    limit = read_duration(idle) if idle else None
    deeds, problems = [], []
    with closing(connect(session.environment)) as api:
        clocks = judge_clocks(datetime.now(UTC), read_time(api.info()["SystemTime"]))
        reaper = Reaper(session, api, output, clocks, limit)
        seen = survey(session, api, output.progress)
        for environment in seen.environments:
            deed, problem = reaper.see_to(environment, dry_run)
            deeds.append(deed)
            if problem:
                problems.append(f"{environment.lease.stack}: {problem}")
    report = {
        "dry_run": dry_run,
        "environments": [asdict(deed) for deed in deeds],
        "problems": problems,
        "leaks": [asdict(leak) for leak in seen.leaks],
    }
    words = {Action.KEEP: "kept", Action.STOP: "stopped", Action.DESTROY: "removed"}
    for deed in deeds:
        would = "would be " if dry_run and deed.action != Action.KEEP else ""
        unlike = "" if deed.action == Action.KEEP else "not "
        outcome = (
            f"[red]{unlike}{words[Action(deed.action)]}: {deed.failed}[/]"
            if deed.failed
            else (f"{would}{words[Action(deed.action)]}")
        )
        output.show(f"{deed.environment}: {outcome} ({deed.reason})")
    if not deeds:
        output.show("There are no environments.")
    for line in [*problems, *map(str, seen.leaks)]:
        output.progress(f"Look at this: {line}")
    if failed := [deed for deed in deeds if deed.failed]:
        raise OperationError(
            f"{', '.join(deed.environment for deed in failed)}: not done. {failed[0].failed}",
            "What is left still has its lease: the next run tries again.",
            details=report,
        )
    output.document(report)
