"""One deploy: preflight, update, verification, and a watch over the new release."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ops.errors import OperationError
from ops.output import Output

if TYPE_CHECKING:
    from components.settings import StackSettings
    from ops.deploy_verdict import Deployed
    from ops.events import Update
    from ops.plan.consent import Consent
    from ops.plan.saved import SavedPlan
    from ops.session import Session
    from ops.settings_change import SettingsChange
    from ops.unchanged import Inputs

    # A change of the settings that goes with the update, decided before anything is touched.
    Decide = Callable[[Session, str, Output], SettingsChange | None]


class Phases:
    """How long the parts of a run took, in seconds."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - began, 2)

    @property
    def total(self) -> float:
        return time.monotonic() - self._began


def carry_out(
    stack: str,
    output: Output,
    phases: Phases,
    verify: bool | None,
    fast: bool,
    probe: bool,
    watch: bool,
    decide: Decide | None,
    consent: Consent,
    plan: SavedPlan | None = None,
) -> tuple[Update, dict[str, Any]]:
    """Preflight, update, verification, and a watch over a new release that has taken over from another.

    The settings are as they were when the update fails. With `plan` it is that plan that is carried out,
    or nothing. Returns the update, and the report on it.
    """
    from ops import deploy_verdict, pin, unchanged
    from ops.deploy_report import measuring, started_in
    from ops.plan.consent import require
    from ops.releases import records
    from ops.releases.prune import prune_after_update
    from ops.session import open_session
    from ops.settings_change import written

    session = open_session()
    with phases.measure("preflight"):
        change = decide(session, stack, output) if decide else None
        settings = prepare(session, stack, output, change)
        if plan:
            plan.require_same_world(session, settings)
    with phases.measure("consent"):
        text = change.after if change else None
        can_interrupt = require(session, stack, settings, text, consent, output)
    began = time.time()
    with (
        phases.measure("update"),
        written(change, output.progress),
        records.failure_noted(session, stack, output.progress),
    ):
        title = change.title if change else ""
        done = bring_up(session, stack, settings, output, title, fast, probe, can_interrupt, plan)
    switched, update, report = time.time(), done.update, done.report
    if settings.pin:
        pin.follow(session, stack, settings.pin)
    # At once: the engine forgets the first health checks of a container within seconds.
    if update.changed:
        report["start_to_healthy_seconds"] = started_in(session, update)
    deploy_verdict.refuse_restart_loops(done, output.progress)
    # What nobody reads is not measured: an unchanged `up` is to be quick.
    with measuring(session, stack, update, wanted=output.as_json or update.changed) as measured:
        if update.changed or unchanged.not_verified(done.inputs) if verify is None else verify:
            deploy_verdict.verify(done, output, phases)
        elif update.changed:
            records.remember_deployed(session, stack, output.progress, done.build_seconds)
        if watch and done.took_over and settings.deploy.watch.seconds:
            with phases.measure("watch"):
                problem = deploy_verdict.watch(done, began, switched, output.progress)
            if problem:
                go_back_from(stack, str(update.outputs["release"]), problem, output, phases, report)
        unchanged.remember(session, stack, done.inputs)
        if update.changed:
            report["pruned"] = prune_after_update(session, stack, settings, output.progress).as_json()
        report.update(measured())
    return update, report


def bring_up(
    session: Session,
    stack: str,
    settings: StackSettings,
    output: Output,
    title: str,
    fast: bool,
    probe: bool,
    can_interrupt: Inputs | None,
    plan: SavedPlan | None,
) -> Deployed:
    """The update itself, under a probe; where nothing can have changed, without asking Pulumi.

    `can_interrupt` is what was agreed to. Raises OperationError.
    """
    from ops import unchanged
    from ops.deploy_report import describe_outputs
    from ops.deploy_verdict import Deployed
    from ops.plan import interruptible
    from ops.probe import probing

    # Before the update: what changes while it runs must not count as deployed.
    inputs = unchanged.gather(session, stack, settings)
    update, probed, former = None, None, None
    if fast and plan is None:
        update = unchanged.nothing_to_do(session, stack, inputs)
    if update is None:
        former = session.state(stack)
        with probing(former if probe else None, settings, output) as probed:
            try:
                update = deploy(session, stack, output, title, plan=plan)
            finally:
                # Also where it failed: the next one carries on with what was agreed to.
                interruptible.remember(session, stack, can_interrupt)
    report = {"stack": stack, **describe_outputs(update.outputs), "changes": update.changes}
    if probed:
        report["probe"] = probed.as_json()
    return Deployed(session, stack, settings, inputs, update, former, report)


def go_back_from(
    stack: str, release: str, problem: str, output: Output, phases: Phases, report: dict[str, Any]
) -> None:
    """Roll back from a release that has turned out to be bad. Raises OperationError in any case."""
    from ops.plan.consent import Consent
    from ops.rollback import go_back

    said = f"release {release} is worse than the one before: {problem}"
    output.progress(f"{said[0].upper()}{said[1:]}. Going back.")
    try:
        with phases.measure("rollback"):
            update, back = carry_out(
                stack,
                output,
                Phases(),
                verify=False,
                fast=False,
                probe=True,
                watch=False,
                decide=lambda session, stack, output: go_back(session, stack, None, output),
                consent=Consent.NOT_NEEDED,
            )
    except OperationError as error:
        raise OperationError(
            f"{said}. It could not be rolled back: {error.message}",
            error.hint,
            details={**report, "phases": phases.seconds},
        ) from error
    raise OperationError(
        f"{said}. Stack {stack} is back at release {update.outputs['release']}, and pinned to it",
        f"Mend it, then: ./medianest up {stack} --unpin",
        details={**report, "rollback": back, "phases": phases.seconds},
    )


def prepare(
    session: Session, stack: str, output: Output, change: SettingsChange | None = None
) -> StackSettings:
    """The stack's settings, after the preflight. Raises OperationError and has touched nothing then."""
    from ops.backup.restore import refuse_half_restored
    from ops.engine import connect
    from ops.interrupted import mend
    from ops.left_alone import end_left_alone
    from ops.pin import describe
    from ops.preflight.check import check_update
    from ops.project import load_settings, require_stack
    from ops.state_copies import keep_copy

    require_stack(stack, session.project.stacks())
    settings = load_settings(session.project, stack, change.after if change else None)
    if settings.pin and change is None:
        output.progress(describe(stack, settings.pin))
    refuse_half_restored(session, stack)
    end_left_alone(session, stack, output.progress)
    api = connect(session.environment)
    check_update(session, stack, settings, session.state(stack), api, output.progress)
    keep_copy(session, stack)
    mend(session, stack, api, output.progress)
    api.close()
    return settings


def deploy(
    session: Session,
    stack: str,
    output: Output,
    title: str = "",
    *,
    plan: SavedPlan | None = None,
    refresh: bool = False,
    options: Sequence[str] = (),
) -> Update:
    """Run `pulumi up`, of the plan where there is one, with more `options` of its own.

    `title` says in Pulumi's history what for.

    Pulumi looks at the engine first where told to `refresh`, or where something is stopped or gone.
    Raises OperationError: what failed and why, or that it was interrupted.
    """
    from ops.deploy_mark import deploying
    from ops.drift import quick
    from ops.drift.images import hold_names
    from ops.engine import connect, containers, resources
    from ops.failure_report import explain_failure
    from ops.interrupted import mend
    from ops.plan.saved import plan_options
    from ops.progress import Progress
    from ops.pulumi import Pulumi
    from ops.releases.message import update_message
    from ops.start_up import StartUpWatch
    from ops.state_copies import keep_copy
    from ops.unknown import clear_unknown

    api, project = connect(session.environment), session.project.name
    state, listed = session.state(stack), containers(api, project, stack)
    found = quick.drifted(state, resources(api, project, stack), listed)
    quick.announce(found, output.progress)
    quick.announce_unseen(stack, quick.unseen(state, listed), output.progress)
    refresh = refresh or bool(found)
    if refresh and state is not None:
        hold_names(api, state.resources)
    with (
        Pulumi(session.project, stack, session.environment) as pulumi,
        plan_options(plan) as of_plan,
    ):
        if session.files is None or stack not in session.files.stacks(session.project.name):
            pulumi.create_stack()
        with (
            Progress(f"Deploying stack {stack}") as progress,
            StartUpWatch(session.environment, project, stack, progress.say) as start_up,
            deploying(api, project, stack, state.owner if state else None),
        ):
            outcome = pulumi.change(
                "up",
                progress.take,
                progress.interrupted,
                refresh=refresh,
                message=update_message(session.project.root, session.environment, title),
                options=[*of_plan, *options],
            )
            failed = outcome.exit_code or progress.update.result != "succeeded"
            if failed and not outcome.interrupted:
                start_up.failed()
    if outcome.interrupted:
        mend(session, stack, api, output.progress)
    if failed:
        root = session.project.root
        raise explain_failure(root, stack, "up", outcome, progress.update, start_up.evidence)
    keep_copy(session, stack)
    if (deployed := session.state(stack)) is not None:
        clear_unknown(api, project, stack, deployed, output.progress)
    if found:
        names = progress.update.outputs["containers"].values()
        quick.wait_until_healthy(api, [name for listed in names for name in listed])
    api.close()
    return progress.update
