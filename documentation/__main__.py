"""Writes the pages that are made: `python -m documentation`.

What tests of faults have left of their results is taken in first.
"""

from __future__ import annotations

from documentation.faults import take_in
from documentation.pages import ROOT, pages

take_in()
for path, text in pages().items():
    (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
    (ROOT / path).write_text(text)
    print(path)
