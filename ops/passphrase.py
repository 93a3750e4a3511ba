"""The passphrase that encrypts secrets in Pulumi's state: made once, never made anew over existing state."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Mapping
from enum import Enum
from pathlib import Path

from ops.errors import ExitCode, OperationError

USERS_OWN = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")


class PassphraseRule(Enum):
    """Where the passphrase comes from."""

    USERS_OWN = "the user's variable"
    FILE = "the file of an earlier run"
    MAKE = "a new one"
    LOST = "nowhere: the state was encrypted with one that is gone"


def choose(environ: Mapping[str, str], file_exists: bool, state_has_stacks: bool) -> PassphraseRule:
    """Decide from facts. An empty PULUMI_CONFIG_PASSPHRASE is a passphrase to Pulumi, hence one here."""
    if any(name in environ for name in USERS_OWN):
        return PassphraseRule.USERS_OWN
    if file_exists:
        return PassphraseRule.FILE
    return PassphraseRule.LOST if state_has_stacks else PassphraseRule.MAKE


def has_stacks(backend_url: str) -> bool:
    """True when a back end in a directory holds a stack. Other kinds of back end are not asked."""
    if not backend_url.startswith("file://"):
        return False
    directory = Path(backend_url.removeprefix("file://")).expanduser() / ".pulumi" / "stacks"
    return any(directory.rglob("*.json")) or any(directory.rglob("*.json.gz"))


def variables(environ: Mapping[str, str], file: Path, backend_url: str) -> dict[str, str]:
    """The variables that hand the passphrase to Pulumi; makes it on first use.

    Raises OperationError when it is lost, or when its file is empty.
    """
    rule = choose(environ, file.exists(), has_stacks(backend_url))
    if rule is PassphraseRule.USERS_OWN:
        return {}
    if error := refusal(rule, file, backend_url):
        raise error
    if rule is PassphraseRule.MAKE:
        _make(file)
    return {"PULUMI_CONFIG_PASSPHRASE_FILE": str(file)}


def refusal(rule: PassphraseRule, file: Path, backend_url: str) -> OperationError | None:
    """Why there is no passphrase to go on with, and what to do; None where there is one. Makes nothing."""
    if rule is PassphraseRule.LOST:
        return OperationError(
            f"the passphrase file {file} is gone, but {backend_url} holds stacks encrypted with it",
            "Put the file back from a backup, or set PULUMI_CONFIG_PASSPHRASE to its content. If it is lost "
            "for good, no one can read the stacks' secrets: move that directory away to start anew.",
            ExitCode.REFUSED,
        )
    if rule is PassphraseRule.FILE and not file.read_text().strip():
        return OperationError(
            f"the passphrase file {file} is empty",
            "Put its content back from a backup; remove the file if no stack was made with it yet.",
            ExitCode.REFUSED,
        )
    return None


def _make(file: Path) -> None:
    """Write a complete file or none: linked into place, so that of two runs at once one wins."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".passphrase-")  # exclusive, mode 0600
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(32))
            stream.flush()
            os.fsync(stream.fileno())
        os.link(name, file)
    except FileExistsError:
        pass
    finally:
        os.unlink(name)
