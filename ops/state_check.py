"""Whether a file of Pulumi's state is whole: a pure judgement of its bytes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Collection, Mapping
from typing import Any

# Marks a secret in Pulumi's state: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/sig
SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d"  # noqa: S105
# Versions of checkpoints that Pulumi writes: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype
VERSIONS = (3, 4)


class DamagedStateError(ValueError):
    """A state that is not whole. Its text says what is wrong, in words that follow "it"."""


def read_state(content: bytes, checksums: Collection[str] = ()) -> dict[str, Any]:
    """The deployment in a state file's content, compressed or not. Raises DamagedStateError.

    `checksums` are what Pulumi's back end has noted of the file: MD5 in base64, one of which must be
    right. Without any, a change that leaves the file well formed cannot be seen.
    Source: https://pkg.go.dev/gocloud.dev/blob/fileblob (attributes in NAME.attrs)
    """
    if not content.strip(b"\0"):
        raise DamagedStateError("is empty")
    text = content
    if content[:2] == b"\x1f\x8b":
        try:
            text = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DamagedStateError("cannot be unpacked: it is cut off or changed") from error
    try:
        document = json.loads(text)
    except ValueError as error:
        raise DamagedStateError("is no JSON: it is cut off or changed") from error
    if not isinstance(document, dict) or document.get("version") not in VERSIONS:
        raise DamagedStateError("has no version that is known")
    checkpoint = document.get("checkpoint")
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("latest") or {}, dict):
        raise DamagedStateError("has no checkpoint")
    deployment: dict[str, Any] = checkpoint.get("latest") or {}
    problem = broken_structure(deployment, has_secrets=SECRET_SIGNATURE.encode() in text)
    if problem:
        raise DamagedStateError(problem)
    if checksums and base64.b64encode(hashlib.md5(content).digest()).decode() not in checksums:  # noqa: S324
        raise DamagedStateError("is not what Pulumi wrote: its checksum is another")
    return deployment


def broken_structure(deployment: Mapping[str, Any], *, has_secrets: bool) -> str | None:
    """What of a deployment does not hold together, or None."""
    resources = deployment.get("resources") or []
    if not isinstance(resources, list):
        return "has no list of resources"
    known: set[str] = set()
    for resource in resources:
        urn = resource.get("urn") if isinstance(resource, dict) else None
        if not isinstance(urn, str) or not urn or "type" not in resource:
            return "has a resource without a name"
        # Pulumi writes a resource after everything that it depends on.
        wanted = [resource.get("parent"), *(resource.get("dependencies") or ())]
        missing = next((name for name in wanted if name and name not in known), None)
        if missing:
            return f"has a resource that depends on one that is not there: {missing.rsplit('::', 1)[-1]}"
        known.add(urn)
    if has_secrets and not (deployment.get("secrets_providers") or {}).get("type"):
        return "has secrets, but does not say how they are encrypted"
    return None
