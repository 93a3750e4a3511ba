"""The base of all our images: whether the engine has it."""

from __future__ import annotations

import shutil
from pathlib import Path

from components import labels
from components.build_context import base_image
from ops.setup.engine_api import ask
from ops.setup.packages import System, read_system
from ops.setup.work import Work

COMPONENT = "base"


class BaseImageStep:
    """Makes `medianest/base:<hash>` on the engine, unless it is there."""

    name = "Base image"
    after: tuple[str, ...] = ("Docker engine",)

    def __init__(self, root: Path, cache: Path, system: System | None = None) -> None:
        self._recipe = root / "images" / "base"
        self._cache = cache
        self._image = base_image(root)
        self._system = system or read_system()

    def missing(self) -> str | None:
        answer = ask(f"/images/{self._image}/json")
        if answer is None:
            return f"{self._image} (the engine does not answer yet)"
        if answer.status != 200:
            return f"{self._image} is not on the engine"
        # Any image can be given this name; the label says that it was made here.
        marks = answer.document["Config"].get("Labels") or {}
        if marks.get(labels.COMPONENT) != COMPONENT:
            return f"{self._image} on the engine is another image"
        return None

    def intends(self) -> str | None:
        if shutil.which("mmdebstrap") or not self._system.may_install:
            return None
        return "install mmdebstrap with apt-get, if the official Debian image cannot be pulled"

    def provide(self, work: Work) -> None:
        from ops.setup.debian_image import BaseImageMaker

        BaseImageMaker(work, self._recipe, self._cache / "base-image", self._system).make(self._image)
