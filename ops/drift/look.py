"""The deep look at a stack: reads the tree's program, the state and the engine, and holds them together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from components import labels
from ops.drift import accounts, compare, container, files, foreign, images
from ops.drift.documents import EngineDocuments
from ops.drift.interruptions import of_replacing
from ops.drift.model import Finding, Mending, Pending, Report
from ops.drift.record import (
    Inputs,
    Recorded,
    changed_steps,
    declared_inputs,
    mounts,
    process_limits,
    read_record,
    waiting_to_go,
)
from ops.engine import connect, resources
from ops.errors import OperationError
from ops.names import CONTAINER, IMAGE, NETWORK, VOLUME, label_map, resource_name
from ops.plan.mask import Mask, secret_values

if TYPE_CHECKING:
    from ops.session import Session


@dataclass(frozen=True)
class Look:
    """A report, with the record that it was made by."""

    report: Report
    record: tuple[Recorded, ...]


def look(session: Session, stack: str) -> Look:
    """Look at a stack that is deployed, and touch nothing. Raises OperationError where that fails."""
    from ops.pulumi import Pulumi

    api = connect(session.environment)
    try:
        with Pulumi(session.project, stack, session.environment) as pulumi, ThreadPoolExecutor(1) as beside:
            preview = beside.submit(pulumi.preview_document)
            deployment = pulumi.export(show_secrets=True)
            record = read_record(deployment or {})
            engine = EngineDocuments(api, record)
            notes: list[str] = []
            # Pulumi masks what it knows to be secret, not what a program that fails has printed of it.
            mask = Mask(secret_values(deployment))
            declared, pending = declared_by(preview.result, mask, notes)
            findings = [
                *_containers(engine, record, declared),
                *_others(engine, record, declared),
                *_files(engine, record, declared, notes),
                *_accounts(engine, record, notes),
                *_undeclared(engine, session.project.name, stack, record, waiting_to_go(deployment or {})),
            ]
    finally:
        api.close()
    report = Report(
        findings=tuple(findings),
        pending=pending,
        notes=tuple(notes),
        looked_at=len(record),
        knows_the_tree=declared is not None,
    )
    return Look(report, tuple(record))


Declared = Mapping[str, Inputs] | None
"""By URN; None where the tree's program could not be asked."""


def declared_by(
    preview: Callable[[], Mapping[str, Any]], mask: Mask, notes: list[str]
) -> tuple[Declared, tuple[Pending, ...]]:
    """What the tree declares, and what of it is not deployed. Why that is not known becomes a note."""
    try:
        document = preview()
    except OperationError as error:
        notes.append(mask.text(f"What the tree declares is not known: {error.message}"))
        return None, ()
    pending = tuple(
        Pending(resource_name(step["urn"]), str(step["op"]), tuple(sorted(step.get("detailedDiff") or ())))
        for step in changed_steps(document)
    )
    return declared_inputs(document), pending


def _containers(engine: EngineDocuments, record: list[Recorded], declared: Declared) -> Iterator[Finding]:
    limits = process_limits(record)
    for recorded in record:
        if recorded.type != CONTAINER:
            continue
        asked_now = None if declared is None else declared.get(recorded.urn)
        in_tree = None if declared is None else asked_now is not None
        found = engine.containers.get(recorded.urn)
        lookalike = engine.lookalikes.get(recorded.urn)
        shown = found or lookalike
        if shown is None:
            meaning = "It was removed, and serves nobody" if recorded.runs else "It was removed"
            yield compare.existence(recorded, meaning, Mending.CREATE, in_tree)
            continue
        serves = engine.serving(recorded)
        found_in_it = (
            [compare.made_by_hand(recorded, str(lookalike["Id"]), in_tree, serves=serves)]
            if lookalike
            else compare.container_condition(recorded, shown)
        )
        processes = limits.get(recorded.id)
        image = engine.image(str(recorded.inputs.get("image"))) or {}
        found_in_it += compare.differences(
            recorded,
            container.recorded_properties(recorded.inputs, image, processes),
            container.live_properties(
                shown, engine.image(str(shown["Image"])) or {}, with_processes=processes is not None
            ),
            _declared_container(engine, asked_now, processes) if declared is not None else None,
            serves=serves,
            mending=Mending.CREATE if lookalike else None,
        )
        yield from compare.cut_off(found_in_it)


def _declared_container(
    engine: EngineDocuments, inputs: Inputs | None, processes: int | None
) -> container.Properties:
    if inputs is None:
        return {}
    image = engine.image(str(inputs.get("image"))) or {}
    return container.recorded_properties(inputs, image, processes)


def _others(engine: EngineDocuments, record: list[Recorded], declared: Declared) -> Iterator[Finding]:
    for recorded in record:
        asked_now = None if declared is None else declared.get(recorded.urn)
        in_tree = None if declared is None else asked_now is not None
        if recorded.type == NETWORK:
            found, twin = engine.network(recorded.id), engine.network(recorded.live_name)
            if found is None and twin is not None:
                yield compare.made_by_hand(recorded, str(twin["Id"]), in_tree, serves=False)
            elif found is None:
                yield compare.existence(
                    recorded, "Nothing that was on it reaches the others", Mending.CREATE, in_tree
                )
            else:
                now = None if declared is None else compare.network_properties(asked_now or {})
                asked, live = compare.network_properties(recorded.inputs), compare.live_network(found)
                yield from compare.differences(recorded, asked, live, now, serves=True, mending=Mending.NONE)
        elif recorded.type == VOLUME:
            volume = engine.volume(recorded.id)
            if volume is None:
                yield compare.existence(
                    recorded, "What was in it is gone: it begins empty", Mending.CREATE, in_tree
                )
            else:
                now = None if declared is None else compare.volume_properties(asked_now or {})
                asked, live = compare.volume_properties(recorded.inputs), compare.live_volume(volume)
                for finding in compare.differences(recorded, asked, live, now, serves=True):
                    yield _volume_made_anew(finding)
        elif recorded.type == IMAGE:
            yield from _image(engine, recorded, record, in_tree)


def _volume_made_anew(finding: Finding) -> Finding:
    """A volume's labels never change: somebody has removed it, and it was made anew under its name."""
    meaning = "It was removed and made anew under its name: what was in it is gone. Look for a backup"
    return replace(finding, meaning=meaning, mending=Mending.NONE, urn="")


def _image(
    engine: EngineDocuments, recorded: Recorded, record: list[Recorded], in_tree: bool | None
) -> Iterator[Finding]:
    identity = str(recorded.outputs.get("imageId", ""))
    found = engine.image(str(recorded.inputs["name"]))
    kept = engine.image(identity) is not None
    service = next(
        (item for item in record if f"{item.name}-image" == recorded.name and item.component), None
    )
    if found is not None and (found["Id"] == identity or (kept and images.is_shared(recorded.inputs))):
        return
    yield Finding(
        resource=recorded.name,
        kind="image",
        component="images",
        property="name",
        declared=identity[:19] if in_tree else "",
        recorded=identity[:19],
        live=str(found["Id"])[:19] if found else "gone",
        meaning="Its name is on another image, or on none: the next container may be of that one",
        mending=Mending.IN_PLACE if kept else Mending.CREATE,
        urn=recorded.urn,
        target=identity,
        # Built again it may have another id, and its container is replaced then.
        interruption=None if kept else of_replacing(service, serves=True),
    )


def _files(
    engine: EngineDocuments, record: list[Recorded], declared: Declared, notes: list[str]
) -> Iterator[Finding]:
    volumes = {item.id: item for item in record if item.type == VOLUME}
    for loader in record:
        places = loader.inputs.get("mounts") or ()
        if loader.type != CONTAINER or not loader.inputs.get("uploads") or not places:
            continue
        volume, directory = str(places[0]["source"]), str(places[0]["target"])
        readers = [item for item in record if item.runs and mounts(item, volume)]
        carrier = next(
            (
                engine.containers[item.urn]["Id"]
                for item in (loader, *readers)
                if item.urn in engine.containers
            ),
            None,
        )
        if carrier is None or engine.volume(volume) is None:
            # Its container, or its volume, is told as gone.
            continue
        try:
            archive, _ = engine.api.get_archive(carrier, directory)
            found = files.unpacked(archive, directory)
        except files.TooLargeError:
            notes.append(f"The files in volume {volume} were not compared: it holds more than they all")
            continue
        asked_now = None if declared is None else declared.get(loader.urn, {})
        serves = any(engine.serving(reader) for reader in readers)
        yield from files.compare_files(loader, found, asked_now, volumes.get(volume), readers, serves=serves)


def _accounts(engine: EngineDocuments, record: list[Recorded], notes: list[str]) -> Iterator[Finding]:
    from functools import partial

    from components.engine_exec import ExecError, ask

    containers = {item.id: item for item in record if item.type == CONTAINER}
    for account in filter(accounts.is_account, record):
        service = containers.get(str(account.inputs["container"]))
        if service is None or not engine.serving(service) or service.urn in engine.lookalikes:
            # It is told as stopped, gone or made by hand.
            continue
        try:
            yield from accounts.look_at_account(account, service, partial(ask, engine.api))
        except ExecError as error:
            notes.append(f"The accounts of {accounts.component(account)} could not be asked about: {error}")


def _undeclared(
    engine: EngineDocuments, project: str, stack: str, record: list[Recorded], waiting: Mapping[str, str]
) -> list[Finding]:
    known = {item.id for item in record} | {str(item["Id"]) for item in engine.lookalikes.values()}
    owner = next((value for item in record if (value := label_map(item.inputs).get(labels.OWNER))), None)
    own = foreign.Own(
        project,
        stack,
        known,
        {item.live_name for item in record if item.type == NETWORK},
        {item.id for item in record if item.type == VOLUME},
    )
    return [
        *foreign.labelled(resources(engine.api, project, stack), owner, known, waiting),
        *foreign.foreign_containers(engine.api.containers(all=True), own),
    ]
