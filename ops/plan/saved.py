"""A plan in a file: Pulumi's own, with what tells whether it still holds.

Secrets in it are encrypted with the stack's key, as in the state; it is readable by its owner alone.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.errors import ExitCode, OperationError
from ops.plan.model import StackPlan
from ops.plan.world import World, differences, digest
from ops.pulumi import PLAN

if TYPE_CHECKING:
    from components.settings import StackSettings
    from ops.session import Session

FORM = "medianest plan 1"
ANEW = "Make it anew: ./medianest preview {} --save {}"


@dataclass(frozen=True)
class SavedPlan:
    """A plan that was kept. `pulumi` is Pulumi's own, as it wrote it."""

    path: Path
    project: str
    stack: str
    made: str
    world: World
    pulumi: Mapping[str, Any]

    def write(self) -> None:
        """Put it into its file. Raises OperationError where that cannot be written."""
        body = {key: value for key, value in asdict(self).items() if key != "path"}
        text = json.dumps({"form": FORM, "checksum": digest(body), "plan": body}, sort_keys=True)
        try:
            # Made anew with mode 0600, so that a former file's mode does not count.
            descriptor, fresh = tempfile.mkstemp(prefix=f".{self.path.name}-", dir=self.path.parent)
            with open(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
            os.replace(fresh, self.path)
        except OSError as error:
            raise OperationError(f"{self.path} cannot be written: {error.strerror}") from error

    def require_same_world(self, session: Session, settings: StackSettings) -> None:
        """Raises OperationError, with what has changed, where the plan does not hold any more."""
        if self.project != session.project.name:
            raise OperationError(
                f"the plan is one of project {self.project}, not of {session.project.name}",
                code=ExitCode.REFUSED,
            )
        now = World.seen_now(session, self.stack, settings, self.path)
        found = differences(self.world, now, self.stack)
        if found:
            raise OperationError(
                f"the plan of {self.made} does not hold any more: {'; '.join(found)}",
                f"Nothing was touched. {ANEW.format(self.stack, self.path)}",
                ExitCode.REFUSED,
                {"changed": found},
            )

    @contextmanager
    def as_file(self) -> Iterator[Path]:
        """Pulumi's plan as a file of its own."""
        with tempfile.NamedTemporaryFile("w", prefix="medianest-", suffix=".json") as file:
            json.dump(self.pulumi, file)
            file.flush()
            yield Path(file.name)


@contextmanager
def plan_options(plan: SavedPlan | None) -> Iterator[Sequence[str]]:
    """The options of `pulumi up` that hold it to a plan, where there is one."""
    if plan is None:
        yield ()
        return
    with plan.as_file() as path:
        yield (PLAN, str(path))


def read_plan(path: Path, stack: str) -> SavedPlan:
    """The plan of a file. Raises OperationError where it is none, damaged, or another stack's."""
    again = ANEW.format(stack, path)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OperationError(f"{path} cannot be read: {error.strerror}", code=ExitCode.REFUSED) from error
    except ValueError as error:
        raise OperationError(f"{path} is damaged, or no plan", again, ExitCode.REFUSED) from error
    if not isinstance(document, dict) or document.get("form") != FORM:
        raise OperationError(f"{path} is no plan of this version", again, ExitCode.REFUSED)
    body = document.get("plan")
    if not isinstance(body, dict) or document.get("checksum") != digest(body):
        raise OperationError(f"{path} is damaged: its checksum does not hold", again, ExitCode.REFUSED)
    if body["stack"] != stack:
        raise OperationError(
            f"{path} is a plan of stack {body['stack']}, not of {stack}",
            f"Run: ./medianest up {body['stack']} --plan {path}",
            ExitCode.REFUSED,
        )
    return SavedPlan(path=path, **{**body, "world": World(**body["world"])})


def save_plan(
    session: Session, stack: str, path: Path, base: str = "", *, refresh: bool = True
) -> tuple[StackPlan, SavedPlan | None]:
    """The plan of a stack, and the same to be kept: None where it cannot be carried out as it is."""
    from ops.plan.make import NEW, Wish, known, plan_of

    with tempfile.TemporaryDirectory(prefix="medianest-") as directory:
        pulumis = Path(directory) / "plan.json"
        wish = Wish(base, refresh, fast=False, save=pulumis)
        try:
            settings, _ = known(session, stack, wish)
            # Before the preview: what changes while it runs is not in the plan.
            world = World.seen_now(session, stack, settings, path)
        except OperationError:
            # The preview runs into the same, and tells it.
            return plan_of(session, stack, wish), None
        plan = plan_of(session, stack, wish)
        if plan.problem or NEW in plan.notes or not pulumis.exists():
            return plan, None
        content = json.loads(pulumis.read_text())
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return plan, SavedPlan(path, session.project.name, stack, made, world, content)
