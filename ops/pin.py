"""Changes of a stack's pin in its settings file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ops import settings_file
from ops.errors import ExitCode, OperationError
from ops.settings_change import SettingsChange

if TYPE_CHECKING:
    from components.settings import PinSettings
    from ops.releases.entries import Release
    from ops.session import Session


def pin_to(session: Session, stack: str, release: Release) -> SettingsChange:
    """The change that holds the stack at a release. Raises OperationError where it cannot be written."""
    if release.settings is None:
        raise OperationError(
            f"Pulumi's history does not have the settings of release {release.id}",
            f"Choose another one: ./medianest releases {stack}",
            ExitCode.REFUSED,
        )
    path = session.project.settings_file(stack)
    if not path.exists():
        raise OperationError(
            f"stack {stack} has no settings file here, which the pin is written into",
            f"Bring {path.name} back, from version control or with: pulumi config refresh -s {stack}",
            ExitCode.REFUSED,
        )
    before = settings_file.read(path)
    after = settings_file.with_block(before, block(session), pin_of(release))
    return SettingsChange(path, before, after, f"Roll back to release {release.id}")


def lift(session: Session, stack: str) -> SettingsChange | None:
    """The change that lets the stack have what is in the tree again; None where it is not pinned."""
    path = session.project.settings_file(stack)
    before = settings_file.read(path)
    after = settings_file.without_block(before, block(session))
    return None if after == before else SettingsChange(path, before, after, f"Lift the pin of stack {stack}")


def block(session: Session) -> settings_file.Block:
    return settings_file.Block(
        f"{session.project.name}:pin",
        "pinned",
        "by ./medianest rollback; lift it with: ./medianest up STACK --unpin",
    )


def pin_of(release: Release) -> Mapping[str, Any]:
    """The pin's value, as `components.settings.PinSettings` reads it.

    The settings are written out with their defaults: another version of the toolkit may have others.
    """
    from pydantic import ValidationError

    from components.settings import BackendSettings

    try:
        settings = BackendSettings.model_validate(dict(release.settings or {})).model_dump(mode="json")
    except ValidationError as error:
        raise OperationError(
            f"the settings of release {release.id} are not valid for this version of the toolkit: "
            f"{'; '.join(str(detail['msg']) for detail in error.errors())}",
            "Go back with the version of the toolkit that deployed it.",
            ExitCode.REFUSED,
        ) from error
    return {
        "release": release.id,
        "since": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "image": {"name": release.facts.image_name, "id": release.facts.image_id},
        "content": release.facts.content,
        "settings": settings,
    }


def describe(stack: str, pin: PinSettings) -> str:
    """What a pinned stack says of itself."""
    return (
        f"Stack {stack} is pinned to release {pin.release} since {pin.since}. "
        f"Lift it with: ./medianest up {stack} --unpin"
    )


def follow(session: Session, stack: str, pin: PinSettings) -> None:
    """Let the alias of the stack's image name the pinned one, as a build does for its own."""
    from ops.engine import connect

    api = connect(session.environment)
    api.tag(pin.image.id, f"{session.project.name}/backend", stack)
    api.close()
