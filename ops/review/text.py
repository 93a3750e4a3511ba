"""Text that goes to places where it could do something: control characters, markers, commands."""

from __future__ import annotations

import re

# ECMA-48: CSI sequences, OSC strings (to BEL or ST), and the two-character escapes.
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])?|\x9b[0-?]*[ -/]*[@-~]"
)
# Also what turns the direction of writing or does not show: it could make a plan read as another.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def plain(text: str) -> str:
    """Text without escape sequences and without characters that do not show. Lines stay."""
    return _UNSEEN.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def one_line(text: str, longest: int) -> str:
    """Plain text on one line, cut to so many characters."""
    line = " ".join(plain(text[: 4 * longest]).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def inert(markdown: str) -> str:
    """Rendered Markdown without markers, and without lines that GitLab would carry out (`/close`)."""
    return re.sub(r"^(\s*)/(?=\w)", r"\1\\/", plain(markdown).replace("<!--", "&lt;!--"), flags=re.MULTILINE)
