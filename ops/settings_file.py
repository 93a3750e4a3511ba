"""Puts a key of the toolkit's own into a stack's settings file and takes it out again, as text.

Every other byte stays: loading and dumping YAML would lose the team's comments and order. So a marked
block is inserted, at the first of a few places where the result reads as it should: each attempt is
parsed and compared before anything is written.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.errors import ExitCode, OperationError

CONFIG = "config"
NEW_MODE = 0o644


@dataclass(frozen=True)
class Block:
    """A key that the toolkit writes, and the comments around it.

    `key` is the full key (`medianest:pin`); `name` is one word that no other block has; `note` tells
    a reader of the file where it comes from.
    """

    key: str
    name: str
    note: str

    @property
    def begin(self) -> str:
        return f"# >>> {self.name} {self.note}"

    @property
    def begin_in_braces(self) -> str:
        """Behind an opening brace, with the line end before it."""
        return f"{self.begin} (in braces)"

    @property
    def end(self) -> str:
        return f"# <<< {self.name}"

    def marked(self) -> tuple[re.Pattern[str], ...]:
        """The whole block in a file's text."""
        return (
            re.compile(rf"\r?\n[ ]*{re.escape(self.begin_in_braces)}.*?{re.escape(self.end)}\r?\n  ", re.S),
            re.compile(rf"{self._mark}\n.*?{re.escape(self.end)}\r?\n", re.M | re.S),
        )

    def lone_marks(self) -> re.Pattern[str]:
        return re.compile(rf"(?:{self._mark}|^[ ]*{re.escape(self.end)}[^\n]*)\n", re.M)

    @property
    def _mark(self) -> str:
        return rf"^[ ]*# >>> {self.name} [^\n]*"


def with_block(text: str, block: Block, value: Mapping[str, Any]) -> str:
    """The settings' text with the block's key in it, in the place of a former one.

    Raises OperationError where no place can be found.
    """
    bare = without_block(text, block)
    wanted = _parsed(bare)
    wanted[CONFIG] = {**_configuration(wanted), block.key: dict(value)}
    return _first_that_reads(_insertions(bare, block, value), wanted, f"{block.key} cannot be put into")


def without_block(text: str, block: Block) -> str:
    """The settings' text without the block's key. Raises OperationError where it cannot be told apart."""
    document = _parsed(text)
    configuration = _configuration(document)
    if block.key not in configuration:
        return text
    rest = {name: value for name, value in configuration.items() if name != block.key}
    doing = f"{block.key} cannot be taken out of"
    return _first_that_reads(_removals(text, block), {**document, CONFIG: rest}, doing)


def value_of(text: str, block: Block) -> Mapping[str, Any]:
    """What the file has under the block's key, whoever wrote it; empty where there is none."""
    value = _configuration(_parsed(text)).get(block.key) or {}
    if not isinstance(value, dict):
        raise OperationError(f"{block.key} of the settings file must hold a mapping", code=ExitCode.USAGE)
    return value


def write(path: Path, text: str) -> None:
    """Put a file in the place of another, or of none, in one step; a crash leaves either of them."""
    target = path.resolve()
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with open(descriptor, "w", newline="", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            shutil.copymode(target, name)
        else:
            os.chmod(name, NEW_MODE)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read(path: Path) -> str:
    """A file's text with its line ends as they are."""
    with path.open(newline="", encoding="utf-8") as stream:
        return stream.read()


def _first_that_reads(attempts: Iterator[str], wanted: Mapping[str, Any], doing: str) -> str:
    for attempt in attempts:
        try:
            document = _parsed(attempt)
        except OperationError:
            continue
        if _same(document, wanted):
            return attempt
    raise OperationError(
        f"{doing} the settings file: its form is not understood",
        "Nothing was touched. Write the file with `config:` as a block, a key a line.",
        ExitCode.REFUSED,
    )


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    # An empty configuration and none are the same to Pulumi.
    return {**one, CONFIG: one.get(CONFIG) or {}} == {**other, CONFIG: other.get(CONFIG) or {}}


def _insertions(text: str, block: Block, value: Mapping[str, Any]) -> Iterator[str]:
    """The text with the block at each place that may do, the likeliest first."""
    newline = "\r\n" if "\r\n" in text else "\n"
    body = json.dumps({block.key: value}, indent=2, ensure_ascii=False).splitlines()[1:-1]

    def lines_at(column: int) -> str:
        lines = [block.begin, *(line.removeprefix("  ") for line in body), block.end]
        return "".join(f"{' ' * column}{line}{newline}" for line in lines)

    def in_braces(mapping: Any, opening: str = "", closing: str = "") -> str:
        at = text.index("{", mapping.start_mark.index) + 1
        last = f"{body[-1]}{closing}{',' if mapping.value else ''}"
        lines = [block.begin_in_braces, *([opening] if opening else []), *body[:-1], last, block.end]
        inserted = "".join(f"{newline}  {line.strip() if line[0] == '#' else line}" for line in lines)
        return f"{text[:at]}{inserted}{newline}  {text[at:]}"

    root = _composed(text)
    config = _value_of(root, CONFIG)
    if config is None and getattr(root, "flow_style", False):
        yield in_braces(root, f'"{CONFIG}": {{', "}")
    elif config is None:
        whole = f"{block.begin}{newline}{CONFIG}:{newline}{lines_at(2).split(newline, 1)[1]}"
        starts = root.start_mark.index if root is not None else 0
        yield text[:starts] + whole + text[starts:]
        yield text + ("" if text.endswith("\n") else newline) + whole
    elif getattr(config[1], "flow_style", False):
        yield in_braces(config[1])
    else:
        entries = config[1].value if isinstance(config[1].value, list) else []
        column = entries[0][0].start_mark.column if entries else 2
        ends = _line_end(text, config[0].end_mark.index)
        missing = "" if text[:ends].endswith("\n") else newline
        yield text[:ends] + missing + lines_at(column) + text[ends:]
        if entries:
            starts = _line_start(text, entries[0][0].start_mark.index)
            yield text[:starts] + lines_at(column) + text[starts:]


def _removals(text: str, block: Block) -> Iterator[str]:
    """The text without the block, or without the key's own lines where the marks are gone."""
    for pattern in block.marked():
        marked = pattern.search(text)
        if marked:
            yield text[: marked.start()] + text[marked.end() :]
    text = block.lone_marks().sub("", text)
    config = _value_of(_composed(text), CONFIG)
    own = _value_of(config[1], block.key) if config else None
    if config is None or own is None:
        return
    starts = _line_start(text, own[0].start_mark.index)
    # The end of a block's node is the start of what follows it.
    following = [name for name, _ in config[1].value if name.start_mark.index > own[0].start_mark.index]
    if following:
        yield text[:starts] + text[_line_start(text, following[0].start_mark.index) :]
    else:
        yield text[:starts] + text[_line_end(text, len(text[: own[1].end_mark.index].rstrip())) :]


def _line_end(text: str, index: int) -> int:
    """Where the line after the one with this index begins."""
    found = text.find("\n", index)
    return len(text) if found < 0 else found + 1


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _configuration(document: Mapping[str, Any]) -> Mapping[str, Any]:
    configuration = document.get(CONFIG) or {}
    if not isinstance(configuration, dict):
        raise OperationError("`config` of the settings file must hold a mapping", code=ExitCode.USAGE)
    return configuration


def _value_of(root: Any, key: str) -> tuple[Any, Any] | None:
    """A mapping node's key and value nodes."""
    for name, value in root.value if root is not None and isinstance(root.value, list) else ():
        if getattr(name, "value", None) == key:
            return name, value
    return None


def _composed(text: str) -> Any:
    import yaml

    # The pure Python loader: its marks count characters, also behind those of several bytes.
    return yaml.compose(text, Loader=yaml.SafeLoader)


def _parsed(text: str) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise OperationError(f"the settings file is not valid YAML: {error}", code=ExitCode.USAGE) from error
    if document is not None and not isinstance(document, dict):
        raise OperationError("the settings file must hold a mapping", code=ExitCode.USAGE)
    return document or {}
