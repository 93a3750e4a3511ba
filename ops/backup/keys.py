"""The keys that seal and open backups: the stack's own, out of its state, and the state's passphrase."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.backup.sealed import Keys
from ops.errors import ExitCode, OperationError
from ops.names import resource_name
from ops.state import SECRET_SIGNATURE

if TYPE_CHECKING:
    from ops.session import Session

NAME = "backup_key"


def stack_keys(session: Session, stack: str) -> list[str]:
    """The stack's current key, then the former one where there is one; none where it has no state."""
    from ops.pulumi import Pulumi

    with Pulumi(session.project, stack, session.environment) as pulumi:
        deployment = pulumi.export(show_secrets=True)
    return [] if deployment is None else read_keys(deployment)


def read_keys(deployment: Mapping[str, Any]) -> list[str]:
    """The keys in a deployment with its secrets in plain."""
    for resource in deployment.get("resources") or ():
        if resource_name(resource["urn"]) == NAME:
            outputs = resource.get("outputs") or {}
            values = [_plain(outputs.get(name)) for name in ("current", "previous")]
            return [value for value in values if value]
    return []


def own_key(session: Session, stack: str) -> str:
    """The key that new backups of a stack get. Raises OperationError where it has none yet."""
    keys = stack_keys(session, stack)
    if not keys:
        raise OperationError(
            f"stack {stack} has no key for backups yet", f"Deploy it once: ./medianest up {stack}"
        )
    return keys[0]


def passphrase(environment: Mapping[str, str]) -> str | None:
    """The passphrase of the state, as Pulumi finds it."""
    if "PULUMI_CONFIG_PASSPHRASE" in environment:
        return environment["PULUMI_CONFIG_PASSPHRASE"]
    try:
        return Path(environment["PULUMI_CONFIG_PASSPHRASE_FILE"]).read_text().strip()
    except (KeyError, OSError):
        return None


def keys_at_hand(session: Session, stack: str, file: Path | None = None) -> Keys:
    """What may open a backup: the key in a file, that of the stack, the passphrase."""
    given = []
    if file is not None:
        try:
            given = [file.read_text().strip()]
        except OSError as error:
            raise OperationError(
                f"the key file {file} cannot be read: {error.strerror}", code=ExitCode.USAGE
            ) from error
    return Keys([*given, *stack_keys(session, stack)], passphrase(session.environment))


def _plain(value: Any) -> str:
    if isinstance(value, dict) and SECRET_SIGNATURE in value:
        return str(json.loads(value["plaintext"]))
    return str(value or "")
