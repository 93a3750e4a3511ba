"""What a deploy tells of the stack that runs then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ops.events import Update
    from ops.session import Session

# The resource whose creation is the build of the backend's image.
BACKEND_IMAGE = "backend-image"


def describe_outputs(outputs: dict[str, Any]) -> dict[str, Any]:
    return {
        key: outputs[key]
        for key in ("url", "dashboard", "release", "image", "owner", "pin")
        if key in outputs
    }


def started_in(session: Session, update: Update) -> dict[str, float | None]:
    """How long each backend took from its start to healthy, in seconds, where the engine still knows."""
    from ops.engine import connect
    from ops.measures import start_to_healthy

    api = connect(session.environment)
    names = update.outputs["containers"]["backend"]
    healthy = {name: start_to_healthy(api.inspect_container(name)) for name in names}
    api.close()
    return healthy


@contextmanager
def measuring(
    session: Session, stack: str, update: Update, *, wanted: bool
) -> Iterator[Callable[[], dict[str, Any]]]:
    """Measure beside what the block does: the engine takes a second to tell of memory. Hands out what
    gives the figures, of `measure`; none where they are not wanted."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        figures = pool.submit(measure, session, stack, update) if wanted else None
        yield lambda: figures.result() if figures else {}


def measure(session: Session, stack: str, update: Update) -> dict[str, Any]:
    """The figures that one run can give: see docs of `up --json`."""
    from ops.engine import connect, containers
    from ops.measures import container_memory

    api = connect(session.environment)
    running = {
        item["Id"]: item["Names"][0].lstrip("/")
        for item in containers(api, session.project.name, stack)
        if item["State"] == "running"
    }
    memory = container_memory(api, list(running))
    image: dict[str, Any] = api.inspect_image(update.outputs["image"]["id"])  # type: ignore[no-untyped-call]
    api.close()
    return {
        "image_bytes": image["Size"],
        "memory_bytes": {
            "total": sum(memory.values()),
            **{name: memory[identifier] for identifier, name in running.items()},
        },
        "build_seconds": update.build_seconds(),
    }
