"""Writes the pages that are made: `python -m documentation`."""

from __future__ import annotations

from documentation.pages import ROOT, pages

for path, text in pages().items():
    (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
    (ROOT / path).write_text(text)
    print(path)
