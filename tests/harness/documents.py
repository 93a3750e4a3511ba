"""What the documents show: commands of ours, settings, and the words of errors."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer

from ops.__main__ import global_options_first
from ops.cli import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Up to what ends a command in a shell, or in a sentence.
COMMAND = re.compile(r"\./medianest((?:[ \t]+(?![#|&>;])[^\s;\"')]+)*)")
# What stands for a number where the command line wants one.
NUMBERS = frozenset({"N"})


@dataclass(frozen=True)
class Shown:
    """A command as a document shows it, and its words behind `./medianest` as somebody would type them.

    A sentence may name a command without its arguments; a block shows what is to be typed (`whole`).
    """

    text: str
    words: tuple[str, ...]
    whole: bool


def blocks(text: str) -> Iterator[str]:
    """The lines of blocks of code but for those of plain text; a continued one is one."""
    for language, block in FENCE.findall(text):
        if language != "text":
            yield from block.replace("\\\n", " ").splitlines()


def inline(text: str) -> Iterator[str]:
    """What is between backticks in sentences and tables."""
    for code in re.findall(r"`([^`]+)`", FENCE.sub("", text)):
        yield " ".join(code.replace("\\|", "|").split())


def commands(document: Path) -> Iterator[Shown]:
    """The commands that a document shows."""
    text = document.read_text()
    for whole, lines in ((True, blocks(text)), (False, inline(text))):
        for match in itertools.chain.from_iterable(map(COMMAND.finditer, lines)):
            for words in typed(match.group(1).split()):
                yield Shown(match.group().strip(), words, whole)


def typed(words: list[str]) -> Iterator[tuple[str, ...]]:
    """What somebody would type: of choices (`a|b`) each, what may be left out (`[…]`) as well, no dots."""
    cleaned = [re.sub(r"[][<>]|…|\.\.\.", "", word).rstrip(".,:") for word in words]
    choices = [word.split("|") for word in cleaned if word and word != "OPTIONS"]
    for chosen in itertools.product(*choices):
        yield tuple("1" if word in NUMBERS else word for word in chosen)


def parse(words: tuple[str, ...], whole: bool = True) -> None:
    """Let the real command line read a command, and do nothing. Raises what it raises of a wrong one."""
    arguments = global_options_first(words)
    copy_context().run(disarmed(whole).main, arguments, prog_name="medianest", standalone_mode=False)


@cache
def disarmed(whole: bool) -> Any:
    """The command line, whose commands do nothing; nor do they want all their arguments, unless `whole`."""
    tree = typer.main.get_command(app)
    _disarm(tree, whole)
    return tree


def _disarm(command: Any, whole: bool) -> None:
    command.callback = lambda **_: None
    if not whole:
        command.no_args_is_help, command.invoke_without_command = False, True
        for parameter in command.params:
            parameter.required = False
    for inner in getattr(command, "commands", {}).values():
        _disarm(inner, whole)
