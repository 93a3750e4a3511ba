"""Text that goes to a host, or comes from one to be shown."""

from __future__ import annotations

import re

from ops.plan.words import ANSI, clean

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def one_line(text: str, longest: int) -> str:
    """Text without control characters, in one line, cut to so many characters."""
    line = clean(text[: 4 * longest])
    return line if len(line) <= longest else line[: longest - 1] + "…"


def inert(markdown: str) -> str:
    """Rendered Markdown without control characters, markers, and lines that GitLab carries out (`/close`)."""
    markdown = _CONTROLS.sub("", ANSI.sub("", markdown.replace("\r\n", "\n"))).replace("<!--", "&lt;!--")
    return re.sub(r"^(\s*)/(?=\w)", r"\1\\/", markdown, flags=re.MULTILINE)
