"""Makes the picture of the README, of a deployed stack:

docker exec GUARDIAN cat /run/secrets/dashboard_password | python -m tests.browser.picture http://localhost:3100
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.browser.driver import Page, chromium

PICTURE = Path(__file__).parents[2] / "docs" / "dashboard.png"
WIDTH, HEIGHT = 1100, 1000
LARGEST_BYTES = 200_000


def main(url: str, password: str) -> None:
    with chromium() as driver:
        page = Page(driver, url)
        page.look(width=WIDTH, height=HEIGHT)
        page.log_in(password)
        page.until(
            lambda: page.run("return document.querySelectorAll('.chart canvas').length") == 3, "the lines"
        )
        assert driver.save_screenshot(str(PICTURE))
    assert PICTURE.stat().st_size <= LARGEST_BYTES, PICTURE.stat().st_size


if __name__ == "__main__":
    main(sys.argv[1], sys.stdin.read().strip())
