"""The command `down`: removes a stack, and proves that nothing of it is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from components import labels
from components.hardening.kinds import SOAK
from ops.errors import ExitCode, OperationError
from ops.options import JsonOption, StackArgument, YesOption
from ops.output import Output, confirm, seconds

if TYPE_CHECKING:
    from docker import APIClient

    from ops.data import DataVolume
    from ops.engine import Resource
    from ops.session import Session
    from ops.state import StackState

# The engine lets go of networks and volumes a moment after their containers.
PROOF_SECONDS = 5.0


def down(
    stack: StackArgument,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Also where the stack's data is protected.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Remove a stack with all its data: containers, networks, volumes, images, state.

    Its settings file and its backups stay. Where its data is protected, which it is unless the
    settings say `medianest:data: {protected: false}`, it refuses without --delete-data, and says
    what would be deleted. Asks first; without a terminal it needs --yes.

    Examples:

        ./medianest down review-17

        ./medianest down staging --delete-data --yes --json
    """
    from ops.data import data_volumes, is_protected, refuse_deletion, volume_sizes
    from ops.engine import connect, resources
    from ops.left_alone import end_left_alone
    from ops.preflight.check import check_removal
    from ops.session import open_session

    output, began = Output(as_json), time.monotonic()
    session = open_session()
    session.require_stack(stack)
    end_left_alone(session, stack, output.progress)
    state = session.state(stack)
    api = connect(session.environment)
    found = resources(api, session.project.name, stack, images=True)
    if state is None and not found:
        output.document({"stack": stack, "removed": False})
        output.show(f"There is nothing of stack {stack}.")
        return
    check_removal(session, stack, state, api, output.progress)
    volumes = data_volumes(found, session.project.name, stack)
    if volumes and not (delete_data and yes):
        volumes = data_volumes(found, session.project.name, stack, volume_sizes(api))
    if volumes and not delete_data:
        declared = declared_protection(session, stack)
        if is_protected(state, declared):
            refuse_deletion(stack, volumes, declared=declared)
    if not yes:
        ask(stack, found, volumes)
    changes, swept = remove_stack(session, stack, state, api, output.progress, with_data=delete_data)
    took = time.monotonic() - began
    output.document(
        {"stack": stack, "removed": True, "changes": changes, "swept": swept, "seconds": round(took, 2)}
    )
    output.show(f"[bold green]Stack {stack} is gone:[/] nothing with its labels is left. ({seconds(took)})")


def remove_stack(
    session: Session,
    stack: str,
    state: StackState | None,
    api: APIClient,
    say: Callable[[str], None],
    *,
    with_data: bool,
) -> tuple[dict[str, int], list[str]]:
    """Remove everything of a stack that the preflight has found removable, and prove it.

    Returns Pulumi's changes, and what had to be swept behind it. Raises OperationError.
    """
    from ops.interrupted import mend
    from ops.state_copies import keep_copy

    project, owner = session.project.name, state.owner if state else None
    keep_copy(session, stack)
    mend(session, stack, api, say)
    remove_one_shots(api, project, stack, owner)
    changes = destroy(session, stack, with_data=with_data) if state else {}
    swept = sweep(api, project, stack, owner)
    prove_empty(api, project, stack)
    remove_from_backend(session, stack)
    return changes, swept


def declared_protection(session: Session, stack: str) -> bool:
    """Whether the settings protect the stack's data. Settings that cannot be read do."""
    from ops.project import load_settings

    try:
        return load_settings(session.project, stack).data.protected
    except OperationError:
        return True


def ask(stack: str, found: Sequence[Resource], volumes: Sequence[DataVolume] = ()) -> None:
    """Ask before data is deleted. Raises OperationError when the answer is no, or nobody can answer."""
    containers = sum(resource.kind == "container" for resource in found)
    about = f"Stack {stack}: {containers} containers, {len(volumes)} volumes with data."
    confirm(
        "\n".join([about, *(f"  - {volume}" for volume in volumes)]),
        "Delete them for good?",
        unanswered=OperationError(
            f"down deletes stack {stack} with its data, and nobody is there to ask",
            f"Run: ./medianest down {stack}{' --delete-data' if volumes else ''} --yes",
            ExitCode.USAGE,
        ),
        declined="nothing was deleted",
    )


def destroy(session: Session, stack: str, *, with_data: bool) -> dict[str, int]:
    """Run `pulumi destroy`; protected volumes only `with_data`. Raises OperationError.

    Cut off at any moment, what is left of the stack is protected as before.
    """
    from ops.failure_report import explain_failure
    from ops.progress import Progress
    from ops.pulumi import Pulumi

    with Pulumi(session.project, stack, session.environment) as pulumi:
        with Progress(f"Removing stack {stack}") as progress:
            # Not `pulumi state unprotect` first: cut off after it, the data would lie open.
            options = ["--ignore-protect"] if with_data else []
            outcome = pulumi.change("destroy", progress.take, progress.interrupted, options=options)
        if outcome.exit_code or progress.update.result != "succeeded":
            raise explain_failure(session.project.root, stack, "destroy", outcome, progress.update, {})
    return progress.update.changes


def remove_one_shots(api: APIClient, project: str, stack: str, owner: str | None) -> None:
    """Remove what a soak has left or is still at: a network cannot be removed while it is in use."""
    from ops.engine import remove_container
    from ops.one_shot import of_component

    for item in of_component(api, project, stack, SOAK.component):
        if owner is not None and item["Labels"].get(labels.OWNER) == owner:
            remove_container(api, item["Id"])


def sweep(api: APIClient, project: str, stack: str, owner: str | None) -> list[str]:
    """Remove what carries the labels of this very stack and owner, but is not in the state.

    Those are the images, which the provider keeps for roll-backs, and what a killed run left behind.
    Returns the names.
    """
    from docker.errors import APIError

    from ops.engine import remove, resources

    if owner is None:
        return []
    own = [item for item in resources(api, project, stack, images=True) if item.owner == owner]
    # Cut off before its end, what is left still has its lease.
    own.sort(key=lambda item: item.labels.get(labels.COMPONENT) == labels.LEASE)
    for resource in own:
        try:
            remove(api, resource)
        except APIError:
            # What matters is whether it is there afterwards, and prove_empty looks at that.
            continue
    return [str(resource) for resource in own]


def prove_empty(api: APIClient, project: str, stack: str) -> None:
    """Raises OperationError that names what still carries the stack's labels."""
    from ops.engine import resources

    deadline = time.monotonic() + PROOF_SECONDS
    while left := resources(api, project, stack, images=True):
        if time.monotonic() > deadline:
            raise OperationError(
                f"stack {stack} is not gone: {', '.join(map(str, left))}",
                f"Look at what still uses them, then run again: ./medianest down {stack}",
                details={"left": [str(resource) for resource in left]},
            )
        time.sleep(0.2)


def remove_from_backend(session: Session, stack: str) -> None:
    """Take the empty stack out of Pulumi's state."""
    from ops.pulumi import Pulumi

    if session.state(stack) is not None:
        with Pulumi(session.project, stack, session.environment) as pulumi:
            pulumi.remove_stack()
