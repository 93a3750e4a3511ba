"""What every thread and every task of this process is at, as text."""

from __future__ import annotations

import asyncio
import io
import sys
import threading
import traceback


def stack_dump() -> str:
    """Of the running event loop's process. Lines of code alone: no values, which may be secrets."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    parts = [
        f"Thread {names.get(identifier, identifier)}\n{''.join(traceback.format_stack(frame))}"
        for identifier, frame in sys._current_frames().items()
    ]
    for task in sorted(asyncio.all_tasks(), key=lambda item: item.get_name()):
        written = io.StringIO()
        task.print_stack(file=written)
        # The head line shows the task's arguments and result: only its name is of use.
        lines = written.getvalue().splitlines()[1:]
        coroutine = getattr(task.get_coro(), "__qualname__", "")
        parts.append("\n".join([f"Task {task.get_name()} {coroutine}", *lines, ""]))
    return "\n".join(parts)
