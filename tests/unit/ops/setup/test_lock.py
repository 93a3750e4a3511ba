from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from ops.setup.lock import setup_lock


def test_a_second_set_up_waits_and_is_told_for_whom(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "setup.lock"
    told: list[str] = []
    order: list[str] = []
    heard = threading.Event()

    def tell(holder: str) -> None:
        told.append(holder)
        heard.set()

    def second() -> None:
        with setup_lock(file, tell):
            order.append("second")

    with setup_lock(file, told.append):
        thread = threading.Thread(target=second)
        thread.start()
        assert heard.wait(5)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]
    assert told == [str(os.getpid())]


def test_a_set_up_that_was_killed_leaves_no_lock(tmp_path: Path) -> None:
    file = tmp_path / "setup.lock"
    script = (
        "import os, sys, pathlib; from ops.setup.lock import setup_lock\n"
        "with setup_lock(pathlib.Path(sys.argv[1]), print): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(file)], cwd=Path(__file__).parents[4])
    told: list[str] = []
    with setup_lock(file, told.append):
        pass
    assert told == []
