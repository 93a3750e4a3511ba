"""The reference of commands, made from the command line itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import typer

from documentation.markdown import code, table
from ops.cli import app

HEAD = """\
# Commands

<!-- Made by `python -m documentation` from ops/cli.py. Do not edit. -->

{about}

What each command says with `--help`, in one place. All begin with `./medianest`, from the root of a checkout.
`./medianest --help` says the same in the terminal.
"""
# Options of every command are told of once.
OF_EVERY_COMMAND = frozenset({"--help"})


@dataclass(frozen=True)
class Command:
    """A command, with what its help says: its words, the paragraphs, the lines that are examples."""

    name: str
    arguments: Mapping[str, str]
    options: Mapping[str, str]
    about: str
    examples: tuple[str, ...]

    @property
    def usage(self) -> str:
        return " ".join(["./medianest", self.name, *self.arguments, *(["[OPTIONS]"] if self.options else [])])


def commands_page() -> str:
    """The whole page. Raises LookupError where a command, or an option, has no help, or no example."""
    tree = typer.main.get_command(app)
    context = typer.Context(tree, info_name="medianest")
    parts = [
        HEAD.format(about=inspect.cleandoc(tree.help or "")),
        f"## Options of every command\n\n{rows('option', parameters(tree, context, 'option'))}\n",
        f"{tree.epilog}\n",
    ]
    for command in commands():
        check(command)
        parts.append(section(command))
    return "\n".join(parts)


def commands() -> Iterator[Command]:
    """Every command and subcommand; `backup make` too, which is hidden since `backup STACK` does it."""
    tree = typer.main.get_command(app)
    for name, command in sorted(_below(tree)):
        context = typer.Context(command, info_name=f"medianest {name}")
        about, _, examples = inspect.cleandoc(command.help or "").partition("Examples:")
        yield Command(
            name,
            {"COMMAND": _names(command)}
            if hasattr(command, "commands")
            else parameters(command, context, "argument"),
            parameters(command, context, "option"),
            about.strip(),
            tuple(line.strip() for line in examples.splitlines() if line.strip()),
        )


def _names(group: Any) -> str:
    return "One of " + ", ".join(sorted(group.commands)) + "."


def _below(group: Any) -> Iterator[tuple[str, Any]]:
    # Typer keeps click's types to itself.
    for name, command in group.commands.items():
        yield name, command
        if hasattr(command, "commands"):
            yield from ((f"{name} {inner}", found) for inner, found in _below(command))


def parameters(command: Any, context: typer.Context, kind: str) -> Mapping[str, str]:
    """Arguments or options, as the help writes them, with what it says of each."""
    records: dict[str, str] = {}
    for parameter in command.get_params(context):
        if (
            parameter.param_type_name == kind
            and not parameter.hidden
            and parameter.opts[0] not in OF_EVERY_COMMAND
        ):
            words, told = parameter.get_help_record(context)
            # A table has no way to write the | between choices.
            words = words.replace("|", " or ")
            records[parameter.metavar or parameter.name.upper() if kind == "argument" else words] = told
    return records


def check(command: Command) -> None:
    """Raises LookupError where something is left unsaid."""
    if not command.about or not any(f"./medianest {command.name}" in line for line in command.examples):
        raise LookupError(f"{command.name}: no help, or no example of itself")
    for words, told in (*command.arguments.items(), *command.options.items()):
        # What stands in brackets is Typer's own: a default, or that it is required.
        if not re.sub(r"\[[^]]*\]", "", told).strip():
            raise LookupError(f"{command.name}: no help for {words}")


def section(command: Command) -> str:
    examples = "\n".join(f"$ {line}" for line in command.examples)
    parts = [
        f"## {command.name}",
        command.about,
        f"```text\n{command.usage}\n```",
        rows("argument", command.arguments),
        rows("option", command.options),
        f"```console\n{examples}\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def rows(what: str, told: Mapping[str, str]) -> str:
    return table((what, "what it is"), [(code(words), text) for words, text in told.items()]) if told else ""
