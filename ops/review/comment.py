"""The one comment of a pull request: sections between hidden markers, and what people wrote around them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from ops.review.text import inert

NAME = "medianest-preview"
MARKER = f"<!-- {NAME} -->"
_BEGIN = re.compile(rf"<!-- {NAME} begin key=(\S+) order=(\d+) danger=(\d+) changes=(\d+) -->")
_END = re.compile(rf"<!-- {NAME} end key=\S+ -->")
LONGEST_KEY_PART = 100
SHORTENED = "Shortened, to make room for the other stacks of this comment."


@dataclass(frozen=True)
class Section:
    """What one run says of one stack. `order` grows from run to run; 0 for one outside of CI."""

    key: str
    text: str
    """A heading that sums it up, then the details."""
    order: int = 0
    danger: int = 0
    changes: int = 0

    @property
    def marked(self) -> str:
        begin = (
            f"<!-- {NAME} begin key={self.key} order={self.order} danger={self.danger} "
            f"changes={self.changes} -->"
        )
        return f"{begin}\n{inert(self.text).strip()}\n<!-- {NAME} end key={self.key} -->"

    @property
    def shortened(self) -> Section:
        """The same without its details."""
        heading = inert(self.text).strip().split("\n\n")[0]
        short = f"{heading}\n\n{SHORTENED}"
        return replace(self, text=short) if len(short) < len(self.text) else self


def section_key(project: str, stack: str) -> str:
    """The name of a section, which can neither end an HTML comment nor be mistaken for another."""
    return "/".join(_key_part(part) for part in (project, stack))


def _key_part(part: str) -> str:
    quoted = quote(part, safe="").replace("-", "%2D").replace(".", "%2E")
    if len(quoted) <= LONGEST_KEY_PART:
        return quoted
    return f"{quoted[:LONGEST_KEY_PART]}_{hashlib.sha256(part.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class Body:
    """A comment taken apart. `before` and `after` is what people wrote."""

    sections: Mapping[str, Section] = field(default_factory=dict)
    before: str = ""
    after: str = ""

    def with_sections(self, sections: Iterable[Section]) -> Body:
        """Each of `sections` put in, unless there is one of a later run."""
        merged = dict(self.sections)
        for section in sections:
            present = merged.get(section.key)
            if present is None or not section.order or present.order <= section.order:
                merged[section.key] = section
        return replace(self, sections=merged)

    def with_newer(self, other: Body) -> Body:
        """What another comment has that this one has not, or not as new."""
        newer = {
            key: section
            for key, section in other.sections.items()
            if key not in self.sections or self.sections[key].order < section.order
        }
        return replace(self, sections={**self.sections, **newer})

    def render(self, limit: int) -> str:
        """The comment, in at most `limit` characters: the least dangerous stacks lose their details first.

        What people wrote is cut only where even that does not suffice.
        """
        # Those with the highest danger first, as within a section.
        sections = sorted(self.sections.values(), key=lambda section: (-section.danger, section.key))
        place = len(sections)
        while len(text := self._text(sections)) > limit and place:
            place -= 1
            sections[place] = sections[place].shortened
        if len(text) > limit:
            text = replace(self, before="", after="")._text(sections)
        while len(text) > limit and sections:
            sections.pop()
            text = replace(self, before="", after="")._text(sections)
        return text

    def _text(self, sections: Sequence[Section]) -> str:
        parts = (MARKER, self.before, *(section.marked for section in sections), self.after)
        return "\n\n".join(part for part in parts if part)


def parse(text: str) -> Body:
    """Take a comment apart. A section whose end somebody has removed goes on to the next one."""
    sections: dict[str, Section] = {}
    outside: list[str] = []
    before: str | None = None
    current: Section | None = None
    inside: list[str] = []

    def close() -> None:
        nonlocal current
        if current is not None:
            sections[current.key] = replace(current, text="\n".join(inside).strip())
        current = None
        inside.clear()

    for line in text.replace("\r\n", "\n").split("\n"):
        if begin := _BEGIN.fullmatch(line.strip()):
            close()
            if before is None:
                before = "\n".join(outside).strip()
                outside.clear()
            key, order, danger, changes = begin.groups()
            current = Section(key, "", int(order), int(danger), int(changes))
        elif _END.fullmatch(line.strip()):
            close()
        elif current is not None:
            inside.append(line)
        elif line.strip() != MARKER:
            outside.append(line)
    close()
    rest = re.sub(r"\n{3,}", "\n\n", "\n".join(outside)).strip()
    return Body(sections, before, rest) if before is not None else Body(sections, rest, "")


def is_ours(text: str) -> bool:
    """Whether a text has one of the markers on a line of its own; quoted, it begins with `>`."""
    lines = (line.rstrip() for line in text.split("\n"))
    return any(line == MARKER or _BEGIN.fullmatch(line) for line in lines)


def holds(text: str, sections: Iterable[Section]) -> bool:
    """Whether a comment has these sections, or later ones, as they are."""
    found = parse(text).sections
    for section in sections:
        present = found.get(section.key)
        if present is None or present.order < section.order:
            return False
        same = section.marked == present.marked or section.shortened.marked == present.marked
        if present.order == section.order and not same:
            return False
    return True
