"""Which files differ from a commit: those of each image's build context, and those of the program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ops.git import git
from ops.plan.reasons import ChangedFiles

if TYPE_CHECKING:
    from components.settings import BuildSettings

PROGRAM = ("__main__.py", "components/", "requirements/", "toolchain/versions.toml")
# The build contexts of the images that stacks share, by image: the same as in components.
SERVICES = ("base", "postgres", "redis", "gateway", "prometheus", "alertmanager", "exporters")
SHARED = {**{service: f"images/{service}" for service in SERVICES}, "guardian": "guardian"}


def changed_files(root: Path, base: str, build: BuildSettings) -> ChangedFiles | None:
    """What differs in the work tree from a commit; None where git cannot tell."""
    commit = resolve(root, base)
    found = differing(root, commit) if commit else None
    if commit is None or found is None:
        return None
    name = base if len(base) < 40 else base[:8]
    images = {image: of_context(root, found, context) for image, context in SHARED.items()}
    images["backend"] = of_context(root, found, build.context, build.dockerfile)
    return ChangedFiles(name, images, [path for path in found if path.startswith(PROGRAM)])


def of_context(root: Path, files: Sequence[str], directory: str, dockerfile: str = "Dockerfile") -> list[str]:
    """Those that the builder of an image sees. What is gone was perhaps seen: it is listed."""
    from components.build_context import context_files

    context = root / directory
    if not context.is_dir():
        return []
    prefix = "" if directory in (".", "") else f"{directory.strip('/')}/"
    if not any(path.startswith(prefix) for path in files):
        return []
    seen = {path.as_posix() for path in context_files(context, dockerfile)}
    return [
        path
        for path in files
        if path.startswith(prefix) and (path.removeprefix(prefix) in seen or not (root / path).exists())
    ]


def resolve(root: Path, base: str) -> str | None:
    """The commit that a name means in this clone; None for one that it does not know."""
    # A name that begins with a dash would be an option.
    return (
        None if base.startswith("-") else git(root, "rev-parse", "--verify", "--quiet", f"{base}^{{commit}}")
    )


def differing(root: Path, commit: str) -> list[str] | None:
    """Files of the work tree that are not as in the commit, new ones included."""
    changed = git(root, "diff", "--name-only", "--no-renames", "--relative", "-z", commit, "--")
    new = git(root, "ls-files", "--others", "--exclude-standard", "-z")
    if changed is None or new is None:
        return None
    return sorted({*filter(None, changed.split("\0")), *filter(None, new.split("\0"))})
