"""The settings that a roll-back writes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from components.settings.backend import BackendSettings, SecretSettings, VolumeSettings
from components.settings.base import Settings


class PinnedImage(Settings):
    """An image of the engine's own: it cannot be pulled from anywhere."""

    name: str = Field(description="Its name and tag.")
    id: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", description="The engine's id of it.")]


class PinSettings(Settings):
    """The earlier release that the stack is held at, whatever the tree says.

    `rollback` writes it, `up --unpin` takes it away. It stands in the settings so that a plain
    `pulumi up` keeps to it too.
    """

    release: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$", description="The release's id.")]
    since: str = Field(description="When it was pinned, in UTC.")
    image: PinnedImage
    content: str = Field(description="The hash of what the image was built from.")
    settings: BackendSettings = Field(
        description="The backend's settings of that release, as `medianest:backend` has them."
    )


class IdleSettings(Settings):
    """What the tree's settings declare and the pinned release does not know: kept, but not used.

    Without it, going back would delete a newer release's volumes and generated secrets.
    """

    secrets: dict[str, SecretSettings] = Field({})
    volumes: list[VolumeSettings] = Field([])
