"""Chromium, of Debian's packages, driven by its own driver through Selenium."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.harness.node import install_packages, made_once
from tests.harness.waiting import until

NODE_DIRECTORY = Path(__file__).parent / "node"
AXE = "node_modules/axe-core/axe.min.js"
# Where the screenshots stay that a run has made.
SCREENSHOTS = Path(os.environ.get("SCREENSHOTS", Path(__file__).parents[2] / ".screenshots"))


@dataclass(frozen=True)
class Page:
    """A window on a dashboard."""

    driver: Chrome
    url: str

    def open(self, path: str = "/") -> None:
        self.driver.get(self.url + path)

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """What stands there; of the newest element, since tables are written anew."""
        return str(self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector))

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def log_in(self, password: str) -> None:
        self.open("/login")
        self.find("#password").send_keys(password, Keys.ENTER)

    def word(self) -> str:
        return str(self.run("return document.querySelector('#word')?.textContent ?? ''"))

    def until(self, condition: Callable[[], object], what: str, seconds: float = 20) -> float:
        """Wait; returns how long that took. Raises AssertionError with what the page says."""
        try:
            return until(condition, what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; the page: {self.text('body')[:2000]}") from error

    def wait_for(self, selector: str, text: str) -> None:
        """Wait until a text stands there."""
        self.until(lambda: text in self.text(selector), f"{text!r} in {selector}")

    def look(self, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """The size of the window, and the scheme that the user prefers."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", {"features": [scheme]})

    def command(self, name: str, parameters: dict[str, Any]) -> Any:
        """One of Chromium's own (https://chromedevtools.github.io/devtools-protocol/)."""
        return self.driver.execute_cdp_cmd(name, parameters)

    def said(self) -> list[dict[str, Any]]:
        """What has been written to the console since the last time."""
        return list(self.driver.execute("getLog", {"type": "browser"})["value"])

    def screenshot(self, name: str) -> Path:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        assert self.driver.save_screenshot(str(path))
        return path

    def violations(self) -> list[str]:
        """What axe finds against WCAG 2.1 A and AA and against good practice.

        The script is put in past the page's own policy, which forbids it to everybody else.
        """
        axe = made_once("browser-node", [NODE_DIRECTORY / "package-lock.json"], _install) / AXE
        self.command("Runtime.evaluate", {"expression": axe.read_text()})
        found = self.driver.execute_async_script(
            "axe.run().then(arguments[0], (error) => arguments[0]({violations: [{id: String(error)}]}))"
        )
        return [
            f"{item['id']}: {json.dumps([node['html'][:200] for node in item.get('nodes', [])])}"
            for item in found["violations"]
        ]

    def requested(self) -> dict[str, int]:
        """Bytes of each answer over the wire since the page was opened, but for what goes on for ever."""
        entries = self.run(
            "return [...performance.getEntriesByType('navigation'),"
            " ...performance.getEntriesByType('resource')]"
            ".map((entry) => [entry.name, entry.transferSize])"
        )
        return {str(name).removeprefix(self.url): int(size) for name, size in entries}

    def first_paint(self) -> float:
        """Milliseconds from the request to the first contents."""
        (paint,) = self.run(
            "return performance.getEntriesByName('first-contentful-paint').map((entry) => entry.startTime)"
        )
        return float(paint)


@contextmanager
def chromium() -> Iterator[Chrome]:
    """A browser without a window."""
    options = ChromeOptions()
    options.binary_location = program("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    driver = Chrome(options, ChromeService(program("chromedriver")))
    driver.set_page_load_timeout(30)
    driver.set_script_timeout(60)
    try:
        yield driver
    finally:
        driver.quit()


def program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not there: ./medianest setup --browser"
    return found


def _install(directory: Path) -> None:
    install_packages(NODE_DIRECTORY, directory)
