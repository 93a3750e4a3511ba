"""The setting that makes a stack one to throw away: how long it may live, and for whom."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from components.settings.base import Settings

UtcTime = Annotated[str, Field(pattern=r"^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z$")]


class LeaseSettings(Settings):
    """What `./medianest env up` writes. A stack without it lives until somebody removes it."""

    expires: UtcTime = Field(description="From then on `./medianest env reap` removes the stack.")
    base: str = Field(description="The stack whose settings it was made from.")
    home: str = Field(description="Which state made it, so that only its reaper touches what it left.")
    url: str = Field(description="Where people find it, which a proxy may serve under another name.")
    pull_request: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Its number; the stack goes when it is closed."
    )
