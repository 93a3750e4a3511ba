"""Makes the plan of a stack: looks, asks Pulumi for a preview, changes nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.errors import OperationError
from ops.plan.changes import changes, drift_of, refusals
from ops.plan.mask import Mask, secret_values
from ops.plan.model import StackPlan
from ops.plan.operations import Preview, is_resource
from ops.plan.reasons import Background, ChangedFiles

if TYPE_CHECKING:
    from components.settings import StackSettings
    from ops.releases.deploys import Deploy
    from ops.session import Session
    from ops.state import StackState

NEW = "The stack is new: everything is made, and nothing runs yet."
TAKEN = "The engine has a stack of this name already, made by another state: the update will be refused."


@dataclass(frozen=True)
class Wish:
    """How a plan is to be made.

    `base` is the commit that files are compared with, else that of the release that runs. `refresh`
    looks for drift that only the engine knows. `fast` asks nobody where nothing can have changed.
    `save` is where Pulumi's own plan goes. `settings` takes the place of the settings file's text.
    """

    base: str = ""
    refresh: bool = True
    fast: bool = True
    save: Path | None = None
    settings: str | None = None


@dataclass
class Look:
    """What Pulumi and the engine said."""

    preview: Preview = field(default_factory=Preview)
    refreshed: Preview = field(default_factory=Preview)
    quick: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def make_plan(
    session: Session, stack: str, base: str = "", *, refresh: bool = True, fast: bool = True
) -> StackPlan:
    """The plan of a stack; where there can be none, `problem` of it says why."""
    return plan_of(session, stack, Wish(base, refresh, fast))


def plan_of(session: Session, stack: str, wish: Wish) -> StackPlan:
    """The same, as wished. Nothing of it holds a secret."""
    empty = StackPlan(session.project.name, stack)
    try:
        settings, state = known(session, stack, wish)
        if wish.fast and (unchanged := quickly(session, stack, settings, wish)):
            return unchanged
        with ThreadPoolExecutor(max_workers=1) as pool:
            knowing = pool.submit(mask_for, session, stack, wish, state)
            try:
                plan = planned(session, stack, settings, state, wish)
            except OperationError as error:
                plan = replace(empty, problem=problem_of(error))
            # Without knowing what is secret nothing is shown.
            return knowing.result().plan(plan)
    except OperationError as error:
        return Mask().plan(replace(empty, problem=problem_of(error)))


def known(session: Session, stack: str, wish: Wish) -> tuple[StackSettings, StackState | None]:
    """The stack's settings and state. Raises OperationError."""
    from ops.project import load_settings, require_stack

    require_stack(stack, session.project.stacks())
    settings = load_settings(session.project, stack, wish.settings)
    state = session.state(stack)
    return settings, state if state and state.resources else None


def quickly(session: Session, stack: str, settings: StackSettings, wish: Wish) -> StackPlan | None:
    """The plan where nothing can have changed since the last update, and all of it runs."""
    from ops import unchanged

    if wish.settings is not None or wish.save is not None:
        return None
    inputs = unchanged.gather(session, stack, settings)
    if unchanged.nothing_to_do(session, stack, inputs) is None:
        return None
    state = session.state(stack)
    count = sum(is_resource(resource["urn"]) for resource in state.resources) if state else 0
    return StackPlan(session.project.name, stack, unchanged=count, notes=tuple(notes(stack, settings, state)))


def mask_for(session: Session, stack: str, wish: Wish, state: StackState | None) -> Mask:
    """The mask that knows the secrets of the state. Raises OperationError where they cannot be read."""
    from ops.pulumi import Pulumi

    if state is None:
        return Mask()
    with Pulumi(session.project, stack, session.environment, wish.settings) as pulumi:
        return Mask(secret_values(pulumi.export(show_secrets=True)))


def planned(
    session: Session, stack: str, settings: StackSettings, state: StackState | None, wish: Wish
) -> StackPlan:
    """The plan, not masked yet. Raises OperationError."""
    seen = look(session, stack, state, wish)
    last = last_update(session, stack) if state else None
    before = settings_before(last)
    background, said = background_of(session, settings, before, last, state, wish)
    changed = changes(seen.preview, background)
    return StackPlan(
        session.project.name,
        stack,
        changes=changed,
        unchanged=len(seen.preview.kept),
        drift=drift_of(seen.refreshed.found, seen.quick),
        notes=(
            *refusals(seen.preview.operations),
            *notes(stack, settings, state, before),
            *(said if changed else ()),
            *seen.said,
        ),
    )


def look(session: Session, stack: str, state: StackState | None, wish: Wish) -> Look:
    """Ask Pulumi, twice at once where drift is looked for, and the engine. Raises OperationError."""
    seen = Look()
    if state is None:
        with elsewhere(session) as apart:
            preview(apart, stack, seen.preview, wish, create=True)
        seen.said = [TAKEN] if on_engine(session, stack) else []
        return seen
    seen.quick = quick_look(session, stack, state)
    if wish.save and seen.quick:
        # What is to be carried out as it is mends what is gone or stopped, as `up` does.
        preview(session, stack, seen.preview, wish, refresh=True)
        seen.refreshed = seen.preview
        return seen
    with ThreadPoolExecutor(max_workers=1) as pool:
        refreshing: Future[None] | None = None
        if wish.refresh:
            again = replace(wish, save=None)
            refreshing = pool.submit(preview, session, stack, seen.refreshed, again, refresh=True)
        preview(session, stack, seen.preview, wish)
        if refreshing:
            refreshing.result()
    return seen


def preview(
    session: Session,
    stack: str,
    into: Preview,
    wish: Wish,
    *,
    refresh: bool = False,
    create: bool = False,
    command: str = "preview",
) -> None:
    """One preview by Pulumi, for what `command` is about to do. Raises OperationError: what failed, why.

    Where it is to `refresh`, names of images are put back first, as before an update.
    """
    from ops.events import Update
    from ops.failure_report import explain_failure
    from ops.pulumi import Pulumi

    update = Update()

    def take(event: Mapping[str, Any]) -> None:
        update.apply(event, 0.0)
        into.take(event)

    with Pulumi(session.project, stack, session.environment, wish.settings) as pulumi:
        if create:
            pulumi.create_stack()
        if refresh:
            hold_images(session, stack)
        outcome = pulumi.preview(take, refresh=refresh, save=wish.save)
    if outcome.exit_code or update.result != "succeeded":
        raise explain_failure(session.project.root, stack, command, outcome, update, {})


@contextmanager
def elsewhere(session: Session) -> Iterator[Session]:
    """The session with a state of its own, for a stack that has none: nothing of it stays."""
    with tempfile.TemporaryDirectory(prefix="medianest-") as directory:
        yield replace(
            session, environment={**session.environment, "PULUMI_BACKEND_URL": f"file://{directory}"}
        )


def quick_look(session: Session, stack: str, state: StackState) -> list[str]:
    """What the engine has not, or has stopped."""
    from ops.drift.quick import drifted
    from ops.engine import connect, containers, resources

    api, project = connect(session.environment), session.project.name
    try:
        return drifted(state, resources(api, project, stack), containers(api, project, stack))
    finally:
        api.close()


def hold_images(session: Session, stack: str) -> None:
    """Else a name that another stack has moved would show as a change of everything made from it."""
    from contextlib import closing

    from ops.drift.images import hold_names
    from ops.engine import connect

    state = session.state(stack)
    if state is not None:
        with closing(connect(session.environment)) as api:
            hold_names(api, state.resources)


def on_engine(session: Session, stack: str) -> bool:
    """Whether anything on the engine carries the stack's labels."""
    from ops.engine import connect, resources

    api = connect(session.environment)
    try:
        return bool(resources(api, session.project.name, stack))
    finally:
        api.close()


def last_update(session: Session, stack: str) -> Deploy | None:
    """The last update that went all the way."""
    from ops.releases.deploys import read_deploys

    done = [item for item in read_deploys(session, stack) if item.kind == "update" and item.succeeded]
    return done[-1] if done else None


def settings_before(last: Deploy | None) -> StackSettings | None:
    """The settings that the last update had."""
    from ops.plan.setting_changes import settings_of

    return settings_of(last.settings) if last else None


def background_of(
    session: Session,
    settings: StackSettings,
    before: StackSettings | None,
    last: Deploy | None,
    state: StackState | None,
    wish: Wish,
) -> tuple[Background, list[str]]:
    """What the reasons are looked for in, and what a reader must know of it."""
    from ops.plan.changed_files import changed_files
    from ops.plan.setting_changes import setting_changes

    base = wish.base or (last.commit if last else "")
    files = changed_files(session.project.root, base, settings.backend.build) if base else None
    said = []
    if wish.base and files is None:
        said.append(f"The base {wish.base} is not known here: changed files are not named.")
    if files and not wish.base and last and last.dirty:
        said.append(f"{files.base} was deployed with uncommitted changes: files may be more or fewer.")
    found = setting_changes(before, settings)
    return Background(found, files or ChangedFiles(), new=state is None), said


def notes(
    stack: str, settings: StackSettings, state: StackState | None, before: StackSettings | None = None
) -> Iterator[str]:
    """What a reader must know beside the changes."""
    if state is None:
        yield NEW
    if settings.pin:
        yield (
            f"The stack is pinned to release {settings.pin.release} since {settings.pin.since}, whatever the "
            f"tree says. Lift it with: ./medianest up {stack} --unpin"
        )
    if before and before.data.protected != settings.data.protected:
        yield (
            "The data is no longer protected: the next update, or `pulumi destroy`, may delete it."
            if before.data.protected
            else "The data will be protected."
        )


def problem_of(error: OperationError) -> str:
    """Why there is no plan, and what to do. Where Pulumi's log lies is of no use to who reads a plan."""
    hints = [line for line in error.hint.splitlines() if not line.startswith("All that Pulumi said")]
    return "\n".join([error.message, *hints])
