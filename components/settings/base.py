"""What the settings of all components have in common: their model, their error, their small types."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

STACK_NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]")
SECRET_NAME = re.compile(r"[a-z][a-z0-9_]{1,62}")
# Where a container finds its secrets, as files.
SECRETS_DIRECTORY = "/run/secrets"


def one_address(text: str) -> str:
    """The IP address of one interface of the host. Raises ValueError for anything else."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is no IP address") from None
    if address.is_unspecified:
        raise ValueError(
            f"{text} is every address of the host, also those that face the world: name the one to publish on"
        )
    return text


def url_of(address: str, port: int) -> str:
    """Where something that is published there is found from the host."""
    host = f"[{address}]" if ":" in address else address
    return f"http://{'localhost' if host == '127.0.0.1' else host}:{port}"


def inside_the_project(path: str) -> str:
    """A path below the project's root. Raises ValueError for anything else."""
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError("must be a path below the project's root")
    return path


Identifier = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
UrlPath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9_./-]*$")]
Port = Annotated[int, Field(ge=1, le=65535)]
HostAddress = Annotated[str, AfterValidator(one_address)]
ProjectPath = Annotated[str, AfterValidator(inside_the_project)]
MemoryMb = Annotated[int, Field(ge=16)]


class SettingsError(ValueError):
    """Settings that cannot be used. `problems` holds one sentence each, never a secret's value."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)


class LimitSettings(Settings):
    """What a container may use."""

    memory_mb: MemoryMb = Field(256, description="Memory in MB; the container has no swap on top of it.")
    cpus: float = Field(1.0, ge=0.1, multiple_of=0.1, description="Processor cores, in tenths.")
    pids: int = Field(200, ge=16, description="Processes and threads.")
