"""Which Docker engine the user means, as the docker command line finds it.

The Docker SDK and Pulumi's docker provider know DOCKER_HOST but not the contexts of `docker context`,
so a context is turned into the variables that they do know.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.errors import OperationError

DEFAULT_HOST = "unix:///var/run/docker.sock"


@dataclass(frozen=True)
class DockerEndpoint:
    """Address of an engine, and who says so."""

    host: str
    source: str
    chosen: bool
    variables: Mapping[str, str]
    """What the SDK and the provider need beside the user's own environment."""

    @property
    def socket(self) -> Path | None:
        """The socket's path when the engine is on this machine."""
        return Path(self.host.removeprefix("unix://")) if self.host.startswith("unix://") else None


def find_endpoint(environ: Mapping[str, str], home: Path) -> DockerEndpoint:
    """Read DOCKER_HOST, DOCKER_CONTEXT and the current context, in the order of the docker command line.

    Source: https://github.com/docker/cli/blob/master/cli/command/cli.go (resolveContextName).
    Raises OperationError for a context that is not there or cannot be read.
    """
    if host := environ.get("DOCKER_HOST"):
        return DockerEndpoint(host, "DOCKER_HOST", chosen=True, variables={})
    directory = Path(environ.get("DOCKER_CONFIG") or home / ".docker")
    context = environ.get("DOCKER_CONTEXT") or _current_context(directory / "config.json")
    if context in ("", "default"):
        return DockerEndpoint(DEFAULT_HOST, "the default socket", chosen=False, variables={})
    return _read_context(directory / "contexts", context)


def _current_context(config: Path) -> str:
    try:
        return str(json.loads(config.read_text()).get("currentContext", ""))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, AttributeError) as error:
        raise OperationError(f"{config} cannot be read: {error}", "Mend or remove the file.") from error


def _read_context(directory: Path, context: str) -> DockerEndpoint:
    digest = hashlib.sha256(context.encode()).hexdigest()
    try:
        endpoint = json.loads((directory / "meta" / digest / "meta.json").read_text())["Endpoints"]["docker"]
        host = str(endpoint["Host"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OperationError(
            f"Docker context {context!r} is chosen, but it is not there or cannot be read.",
            "Choose one that is: `docker context ls`, `docker context use NAME`; or set DOCKER_HOST.",
        ) from error
    variables = {"DOCKER_HOST": host}
    certificates = directory / "tls" / digest / "docker"
    if certificates.is_dir():
        variables["DOCKER_CERT_PATH"] = str(certificates)
        if not endpoint.get("SkipTLSVerify", False):
            variables["DOCKER_TLS_VERIFY"] = "1"
    return DockerEndpoint(host, f"context {context}", chosen=True, variables=variables)
