"""The project and its stacks, as their files in the checkout say."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.errors import ExitCode, OperationError

if TYPE_CHECKING:
    from components.settings import StackSettings


@dataclass(frozen=True)
class Project:
    """A checkout with a Pulumi program."""

    name: str
    root: Path

    def settings_file(self, stack: str) -> Path:
        return self.root / f"Pulumi.{stack}.yaml"

    def stacks(self) -> list[str]:
        """Stacks that have a settings file."""
        return sorted(path.name[len("Pulumi.") : -len(".yaml")] for path in self.root.glob("Pulumi.*.yaml"))


def read_project(root: Path) -> Project:
    """The project of a checkout. Raises OperationError when there is none."""
    document = read_yaml(root / "Pulumi.yaml")
    if "name" not in document:
        raise OperationError(f"{root / 'Pulumi.yaml'} names no project", code=ExitCode.USAGE)
    return Project(str(document["name"]), root)


def require_stack(stack: str, known: Collection[str]) -> None:
    """Refuse a stack that nobody has heard of. Raises OperationError with near names and the list."""
    if stack in known:
        return
    listed = f"Known stacks: {', '.join(sorted(known))}." if known else "There are no stacks yet."
    raise OperationError(
        f"stack {stack!r} is not known",
        f"{near_names(stack, known)}{listed} A new stack begins with its settings file, Pulumi.{stack}.yaml.",
        ExitCode.USAGE,
    )


def near_names(given: str, known: Collection[str]) -> str:
    """A question for a name that was mistyped, with a space behind it; empty when none is near."""
    near = difflib.get_close_matches(given, known, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(near)}? " if near else ""


def load_settings(project: Project, stack: str, text: str | None = None) -> StackSettings:
    """The validated settings of a stack: of its file, or of the text that is to take its place.

    Raises OperationError with every problem found.
    """
    from components.settings import SettingsError, check_stack_name, load

    path = project.settings_file(stack)
    # The project's own configuration, in Pulumi.yaml, is for all stacks and free of our keys.
    configuration, secret_keys = split_secrets(read_yaml(path, text).get("config") or {})
    try:
        check_stack_name(stack)
        return load(project.name, configuration, secret_keys)
    except SettingsError as error:
        problems = "\n".join(f"  - {problem}" for problem in error.problems)
        raise OperationError(
            f"the settings of stack {stack} cannot be used:\n{problems}",
            f"Correct {path.name}. All settings and what they mean: components/settings/",
            ExitCode.USAGE,
            {"problems": error.problems},
        ) from error


def split_secrets(configuration: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The configuration, and which of its keys hold something encrypted."""
    return configuration, {key for key, value in configuration.items() if holds_secret(value)}


def holds_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return value.keys() == {"secure"} or any(holds_secret(part) for part in value.values())
    return isinstance(value, list) and any(holds_secret(part) for part in value)


def read_yaml(path: Path, text: str | None = None) -> dict[str, Any]:
    import yaml

    try:
        text = path.read_text() if text is None else text
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except OSError as error:
        raise OperationError(f"cannot read {path}: {error.strerror}", code=ExitCode.USAGE) from error
    except yaml.YAMLError as error:
        raise OperationError(f"{path.name} is not valid YAML: {error}", code=ExitCode.USAGE) from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise OperationError(f"{path.name} must hold a mapping", code=ExitCode.USAGE)
    return document
