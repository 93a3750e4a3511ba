"""Tasks that do what tasks do in the worst case. Imported in workers only."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any


def add(a: int, b: int) -> int:
    return a + b


def once(path: str, seconds: float = 0) -> str:
    """Leaves a line in a file for each time it was done."""
    time.sleep(seconds)
    with open(path, "a", encoding="ascii") as file:
        file.write("done\n")
    return path


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def modules() -> list[str]:
    return sorted({name.partition(".")[0] for name in sys.modules})


def environment() -> dict[str, str]:
    return dict(os.environ)


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


def own(name: str) -> str:
    with open(f"/proc/self/{name}", encoding="ascii") as file:
        return file.read()


def greet(text: str) -> str:
    print(text)
    return text


def raise_value_error(message: str) -> None:
    raise ValueError(message)


def raise_surrogate() -> None:
    raise ValueError("\ud800")


def unserialisable() -> Any:
    return {1, 2}


def not_a_number() -> float:
    return float("nan")


def too_large() -> str:
    return "x" * (2 * 1024 * 1024)


def segfault() -> None:
    ctypes.string_at(0)


def leave(code: int) -> None:
    print("last words")
    os._exit(code)


def leave_politely(code: int) -> None:
    sys.exit(code)


def loop() -> None:
    while True:
        pass


def loop_in_c(kind: str) -> None:
    if kind == "regex":
        re.match(r"(a+)+$", "a" * 64 + "b")
    else:
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**30)


def bomb() -> int:
    """More than the kernel lets it have, at once."""
    return len(bytearray(4 * 1024**3))


def swell(megabytes: int, seconds: float) -> None:
    """More and more, slowly enough to be seen."""
    held = []
    for _ in range(megabytes):
        held.append(bytearray(os.urandom(1024)) * 1024)
        time.sleep(0.002)
    time.sleep(seconds)


KEPT: list[bytearray] = []


def keep(megabytes: int) -> int:
    KEPT.append(bytearray(os.urandom(1024)) * (1024 * megabytes))
    return os.getpid()


def pid() -> int:
    return os.getpid()


def _channel() -> int:
    return int(sys.argv[1])


def garbage(text: str) -> None:
    os.write(_channel(), bytes.fromhex(text))
    time.sleep(60)


def close_all() -> None:
    os.closerange(3, 1024)
    time.sleep(60)


def chatter(megabytes: int, code: int) -> None:
    for _ in range(megabytes * 16):
        os.write(1, b"x" * 65536)
    print("\nthe end")
    if code:
        os._exit(code)


def fork_and_die() -> None:
    """Leaves a process behind that holds everything open."""
    if os.fork() == 0:
        time.sleep(3)
        os._exit(0)
    os._exit(3)


def die_later(seconds: float) -> None:
    threading.Timer(seconds, os._exit, [4]).start()


TASKS: Mapping[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        add,
        once,
        nap,
        modules,
        environment,
        descriptors,
        own,
        greet,
        raise_value_error,
        raise_surrogate,
        unserialisable,
        not_a_number,
        too_large,
        segfault,
        leave,
        leave_politely,
        loop,
        loop_in_c,
        bomb,
        swell,
        keep,
        pid,
        garbage,
        close_all,
        chatter,
        fork_and_die,
        die_later,
    )
}
