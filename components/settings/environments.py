"""How stacks to throw away are made from this one: see docs/environments.md."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from components.settings.base import Port, ProjectPath, Settings

Duration = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}[mhd]$", description="30m, 24h, 7d")]


class EnvironmentsSettings(Settings):
    """What `./medianest env up NAME --from STACK` reads of STACK."""

    first_port: Port = Field(4000, description="The first published port that one may get, …")
    last_port: Port = Field(4999, description="… and the last.")
    url: str = Field(
        "http://localhost:{port}", description="Where people find one; {name} and {port} are filled in."
    )
    ttl: Duration = Field("24h", description="How long one lives unless --ttl says something else.")
    longest: Duration = Field("30d", description="No --ttl may be longer.")
    seed: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="The command in the backend's container that fills a new one with demo data."
    )
    sanitise: ProjectPath | None = Field(
        None,
        description="SQL, relative to the project's root, that takes out of a copy of this stack's database "
        "what nobody else may see. Without it there is no copy.",
    )

    @field_validator("url")
    @classmethod
    def _known_fields(cls, url: str) -> str:
        try:
            url.format(name="name", port=1)
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError("only {name} and {port} can be filled in") from error
        return url

    @model_validator(mode="after")
    def _a_range(self) -> EnvironmentsSettings:
        if self.last_port < self.first_port:
            raise ValueError("last_port is below first_port")
        return self
