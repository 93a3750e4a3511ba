"""Chromium and its driver, of Debian's packages: only for the tests of the dashboard in a real browser."""

from __future__ import annotations

import shutil

from ops.errors import OperationError
from ops.setup.packages import install_command, install_packages, read_system
from ops.setup.work import Work

PROGRAMS = ("chromium", "chromedriver")
# Without a font of its own it draws boxes.
PACKAGES = ("chromium", "chromium-driver", "fonts-dejavu-core")
USUAL_SECONDS = 60


class BrowserStep:
    """A step of `setup --browser`."""

    name = "browser"
    # Both ask apt, one after the other.
    after = ("Docker engine",)

    def missing(self) -> str | None:
        absent = [program for program in PROGRAMS if shutil.which(program) is None]
        return f"{' and '.join(absent)} not on PATH" if absent else None

    def intends(self) -> str | None:
        return f"install the packages {', '.join(PACKAGES)} (300 MB)"

    def provide(self, work: Work) -> None:
        if not read_system().may_install:
            raise OperationError(
                "Chromium and its driver are not there, and cannot be installed from here",
                f"On Debian: {install_command(PACKAGES)}. Elsewhere put both on PATH.",
            )
        install_packages(work, PACKAGES, USUAL_SECONDS)
