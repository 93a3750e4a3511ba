"""The preflight: gathers the facts, judges them, and refuses with every problem in one message."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from components.settings import DashboardSettings, GatewaySettings, StackSettings
from ops.engine import resources
from ops.errors import ExitCode, OperationError
from ops.lock import Holder, Lock, holder, is_pulumi, read_locks, this_host
from ops.preflight import facts, verdicts
from ops.preflight.verdicts import Problem
from ops.releases.known import images_of
from ops.session import Session
from ops.state import StackState

if TYPE_CHECKING:
    from docker import APIClient


def check_update(
    session: Session,
    stack: str,
    settings: StackSettings,
    state: StackState | None,
    api: APIClient,
    say: Callable[[str], None],
) -> None:
    """Everything that must hold before `up`. Raises OperationError and has touched nothing then."""
    project, owner = session.project.name, state.owner if state else None
    local = facts.is_local(session.environment)
    engine = facts.gather_engine(api, local)
    ports = [
        (setting, facts.gather_port(api, published.address, published.port, local))
        for setting, published in published_ports(settings).items()
    ]
    locks, lock_problems = judge_locks(session, stack)
    found = resources(api, project, stack)
    refuse(
        [
            *verdicts.judge_engine(engine),
            *verdicts.judge_disk(engine),
            *(
                verdicts.judge_state_disk(session.files.directory, facts.free_bytes(session.files.directory))
                if session.files
                else ()
            ),
            *verdicts.judge_memory(engine, settings),
            *(
                problem
                for setting, port in ports
                for problem in verdicts.judge_port(port, project, stack, setting)
            ),
            *verdicts.judge_pin(settings.pin, images_of(api, project, stack) if settings.pin else (), stack),
            *lock_problems,
            *verdicts.judge_owner(found, owner, stack, owners_of_copies(session, stack, state)),
            *verdicts.judge_data(state, found, settings, stack),
        ],
        f"stack {stack} cannot be deployed now",
    )
    clear_dead_locks(locks, say)


def published_ports(settings: StackSettings) -> dict[str, GatewaySettings | DashboardSettings]:
    """What of a stack is published, by the setting that says where."""
    dashboard = settings.guardian.dashboard if settings.monitoring.enabled else None
    return {
        "medianest:gateway: {port: …}": settings.gateway,
        **({"medianest:guardian: {dashboard: {port: …}}": dashboard} if dashboard else {}),
    }


def check_removal(
    session: Session, stack: str, state: StackState | None, api: APIClient, say: Callable[[str], None]
) -> None:
    """What must hold before `down`. Raises OperationError and has touched nothing then."""
    locks, problems = judge_locks(session, stack)
    found = resources(api, session.project.name, stack)
    refuse(
        [
            *problems,
            *verdicts.judge_owner(
                found, state.owner if state else None, stack, owners_of_copies(session, stack, state)
            ),
        ],
        f"stack {stack} cannot be removed now",
    )
    clear_dead_locks(locks, say)


def owners_of_copies(session: Session, stack: str, state: StackState | None) -> set[str]:
    """The owners that copies of a lost state tell of; none where there is a state."""
    from ops.state_copies import copies

    if state is not None or session.files is None:
        return set()
    found = copies(session.files, session.project.name, stack)
    return {copy.state.owner for copy in found if copy.state and copy.state.owner}


def judge_locks(session: Session, stack: str) -> tuple[list[Lock], list[Problem]]:
    """The stack's locks whose runs are dead, and the problems of the others."""
    if session.files is None:
        return [], []
    dead: list[Lock] = []
    problems: list[Problem] = []
    for lock in read_locks(session.files.locks(session.project.name, stack)):
        verdict = holder(lock, this_host(), running=is_pulumi(lock.pid))
        if verdict is Holder.DEAD:
            dead.append(lock)
        problems += verdicts.judge_lock(lock, verdict, stack)
    return dead, problems


def refuse_while_changed(session: Session, stack: str) -> None:
    """Raises OperationError, with who it is, where another run changes the stack."""
    _, problems = judge_locks(session, stack)
    refuse(problems, f"stack {stack} is being changed")


def clear_dead_locks(dead: list[Lock], say: Callable[[str], None]) -> None:
    """Take away what killed runs left behind, and say so. `pulumi cancel` would take every lock away."""
    for lock in dead:
        say(f"Clearing the lock of a run that is no more: {lock.user}, process {lock.pid}")
        lock.path.unlink(missing_ok=True)


def refuse(problems: list[Problem], headline: str) -> None:
    """Raise OperationError with all problems and what to do about each; nothing where there are none."""
    if not problems:
        return
    if len(problems) == 1:
        raise OperationError(problems[0].message, problems[0].hint, ExitCode.REFUSED)
    lines = [f"  - {problem.message}\n    {problem.hint}" for problem in problems]
    raise OperationError(
        "\n".join([f"{headline}:", *lines]),
        code=ExitCode.REFUSED,
        details={"problems": [problem.message for problem in problems]},
    )
