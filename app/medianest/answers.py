"""Answers in JSON, written by orjson: a quarter of the time that the standard library takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import JSONResponse


class Json(JSONResponse):
    """A document as the answer. Dataclasses, UUIDs and times may be in it, and words of an enum as keys."""

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, default=str, option=orjson.OPT_NON_STR_KEYS)


def uncached(document: Mapping[str, Any], status: int = 200) -> Json:
    """An answer that holds for this moment alone."""
    return Json(document, status, {"Cache-Control": "no-store"})
