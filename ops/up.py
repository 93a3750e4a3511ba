"""The command `up`: from settings to a running, verified stack."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.errors import ExitCode, OperationError
from ops.options import DEFAULT_STACK, JsonOption, OptionalStackArgument, YesOption
from ops.output import Output, megabytes, seconds

if TYPE_CHECKING:
    from components.settings import StackSettings
    from ops.events import Update
    from ops.session import Session


def up(
    stack: OptionalStackArgument = DEFAULT_STACK,
    verify: Annotated[
        bool | None,
        typer.Option("--verify/--no-verify", help="Default: when something changed.", show_default=False),
    ] = None,
    fast: Annotated[
        bool,
        typer.Option("--fast/--no-fast", help="Do not ask Pulumi where nothing can have changed."),
    ] = True,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Deploy a stack and verify what runs.

    Sets up what is missing on this machine, checks that nothing stands in the way, runs `pulumi up`,
    verifies the result and says how it went.

    Examples:

        ./medianest up

        ./medianest up staging --json

        ./medianest up review-17 --no-verify
    """
    from ops import unchanged
    from ops.session import open_session

    output, phases = Output(as_json), Phases()
    with phases.measure("setup"):
        ensure_setup(output, yes)
        session = open_session()
    with phases.measure("preflight"):
        settings = prepare(session, stack, output)
    with phases.measure("update"):
        # Before the update: what changes while it runs must not count as deployed.
        inputs = unchanged.gather(session, stack, settings)
        update = (fast and unchanged.nothing_to_do(session, stack, inputs)) or deploy(session, stack, output)
    report = {"stack": stack, **describe_outputs(update.outputs), "changes": update.changes}
    # At once: the engine forgets the first health checks of a container within seconds.
    if update.changed:
        report["start_to_healthy_seconds"] = started_in(session, update)
    if update.changed or unchanged.not_verified(inputs) if verify is None else verify:
        from ops.verification import verify_stack

        with phases.measure("verify"):
            verdicts = verify_stack(session, stack, update.outputs, settings, output)
        report["verification"] = verdicts.as_json()
        if not verdicts.passed:
            unchanged.remember_failure(inputs)
            output.show(verdicts.table())
            raise OperationError(
                f"stack {stack} runs, but {verdicts.summary()}",
                f"Look at: ./medianest status {stack}, ./medianest logs {stack}",
                ExitCode.NOT_VERIFIED,
                {**report, "phases": phases.seconds},
            )
    unchanged.remember(session, stack, inputs)
    # What nobody reads is not measured: an unchanged `up` is to be quick.
    if as_json or update.changed:
        report.update(measure(session, stack, update))
    report["phases"] = {**phases.seconds, "total": round(phases.total, 2)}
    output.document(report)
    if not as_json:
        summarize(output, stack, update, report, phases)


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


def ensure_setup(output: Output, yes: bool) -> None:
    """Provide what is missing on this machine."""
    from ops.setup.run import ensure

    ensure(output.console(), assume_yes=yes)


def prepare(session: Session, stack: str, output: Output) -> StackSettings:
    """The stack's settings, after the preflight. Raises OperationError and has touched nothing then."""
    from ops.backup.restore import refuse_half_restored
    from ops.engine import connect
    from ops.interrupted import mend
    from ops.preflight.check import check_update
    from ops.project import load_settings, require_stack
    from ops.state_copies import keep_copy

    require_stack(stack, session.project.stacks())
    settings = load_settings(session.project, stack)
    refuse_half_restored(session, stack)
    keep_copy(session, stack)
    api = connect(session.environment)
    check_update(session, stack, settings, session.state(stack), api, output.progress)
    mend(session, stack, api, output.progress)
    api.close()
    return settings


def deploy(session: Session, stack: str, output: Output) -> Update:
    """Run `pulumi up`. Raises OperationError: what failed and why, or that it was interrupted."""
    from ops import drift
    from ops.engine import connect, containers, resources
    from ops.failure_report import explain_failure
    from ops.interrupted import mend
    from ops.progress import Progress
    from ops.pulumi import Pulumi
    from ops.start_up import StartUpWatch
    from ops.state_copies import keep_copy
    from ops.unknown import clear_unknown

    api, project = connect(session.environment), session.project.name
    found = drift.drifted(
        session.state(stack), resources(api, project, stack), containers(api, project, stack)
    )
    drift.announce(found, output.progress)
    with Pulumi(session.project, stack, session.environment) as pulumi:
        if session.files is None or stack not in session.files.stacks(session.project.name):
            pulumi.create_stack()
        with (
            Progress(f"Deploying stack {stack}") as progress,
            StartUpWatch(session.environment, project, stack, progress.say) as start_up,
        ):
            outcome = pulumi.change("up", progress.take, progress.interrupted, refresh=bool(found))
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
        drift.wait_until_healthy(api, [name for listed in names for name in listed])
    api.close()
    return progress.update


def describe_outputs(outputs: dict[str, Any]) -> dict[str, Any]:
    return {key: outputs[key] for key in ("url", "release", "image", "owner") if key in outputs}


def started_in(session: Session, update: Update) -> dict[str, float | None]:
    """How long each backend took from its start to healthy, in seconds, where the engine still knows."""
    from ops.engine import connect
    from ops.measures import start_to_healthy

    api = connect(session.environment)
    names = update.outputs["containers"]["backend"]
    healthy = {name: start_to_healthy(api.inspect_container(name)) for name in names}
    api.close()
    return healthy


def measure(session: Session, stack: str, update: Update) -> dict[str, Any]:
    """The figures that one run can give: see docs of `up --json`."""
    from ops.engine import connect, containers
    from ops.measures import container_memory

    api = connect(session.environment)
    running = {
        item["Id"]: item["Names"][0].lstrip("/")
        for item in containers(api, session.project.name, stack)
        if item["State"] == "running"
    }
    memory = container_memory(api, list(running))
    image: dict[str, Any] = api.inspect_image(update.outputs["image"]["id"])  # type: ignore[no-untyped-call]
    api.close()
    return {
        "image_bytes": image["Size"],
        "memory_bytes": {
            "total": sum(memory.values()),
            **{name: memory[identifier] for identifier, name in running.items()},
        },
        "build_seconds": update.build_seconds(),
    }


def summarize(output: Output, stack: str, update: Update, report: dict[str, Any], phases: Phases) -> None:
    """The result for people."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_row("url", str(report.get("url", "")))
    table.add_row("release", str(report.get("release", "")))
    if "image_bytes" in report:
        table.add_row("image", f"{report['image']['name']}, {megabytes(report['image_bytes'])}")
        table.add_row("memory", megabytes(report["memory_bytes"]["total"]))
    counted = [f"{count} {name}" for name, count in update.changes.items() if count]
    table.add_row("changes", ", ".join(counted) if update.changed else "none")
    parts = ", ".join(f"{name} {seconds(took)}" for name, took in phases.seconds.items())
    table.add_row("time", f"{seconds(phases.total)} ({parts})")
    headline = f"Stack {stack} is up{' and verified' if 'verification' in report else ''}."
    output.show(f"[bold green]{headline}[/]", table)
