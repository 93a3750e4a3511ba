"""What goes into an image, as one hash. Free of Pulumi."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

# Written while images are built, so no part of what goes into them.
BUILD_LOGS = ".build"
# The component, and the end of the name, of an image that is built to see how long that takes; and the
# variable by which the program that builds it (components/trial_build.py) knows the stack's owner.
TRIAL = "trial-build"
TRIAL_OWNER_VARIABLE = "MEDIANEST_OWNER"


def context_files(root: Path, dockerfile: str = "Dockerfile") -> list[Path]:
    """The files that the builder sees, by the rules of .dockerignore, as sorted relative paths.

    Source of the rules: https://docs.docker.com/build/concepts/context/#dockerignore-files
    """
    # Here, since the import costs more than everything else that most commands do.
    from docker.utils.build import exclude_paths

    ignore = root / ".dockerignore"
    patterns = ignore.read_text().splitlines() if ignore.is_file() else []
    patterns = [line.strip() for line in patterns if line.strip() and not line.startswith("#")]
    names = exclude_paths(str(root), [*patterns, BUILD_LOGS], dockerfile=dockerfile)
    return sorted(Path(name) for name in names if (root / name).is_symlink() or (root / name).is_file())


def content_hash(
    root: Path, inputs: Mapping[str, object] | None = None, dockerfile: str = "Dockerfile"
) -> str:
    """Hash of a build context's names, contents and executable bits, and of further `inputs`.

    Times, owners and the place of the checkout do not count, so that every clone has the same hash.
    Returns 12 hexadecimal digits. Raises FileNotFoundError when `root` is not there.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"build context {root} is not a directory")
    digest = hashlib.sha256(json.dumps(dict(inputs or {}), sort_keys=True).encode())
    for name in context_files(root, dockerfile):
        path = root / name
        if path.is_symlink():
            kind, content = "link", str(path.readlink()).encode()
        else:
            kind, content = "exec" if path.stat().st_mode & 0o100 else "file", path.read_bytes()
        digest.update(f"\0{name.as_posix()}\0{kind}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def shared_image(
    root: Path, name: str, inputs: Mapping[str, object] | None = None, context: str | None = None
) -> str:
    """Name of one of the images that stacks share: by the hash of `context`, else of `images/<name>`."""
    return f"medianest/{name}:{content_hash(root / (context or f'images/{name}'), inputs)}"


def base_image(root: Path) -> str:
    """Name of the base that every image of ours is built from."""
    return shared_image(root, "base")
