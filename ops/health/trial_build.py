"""Builds the backend's image from nothing, as `up` builds it, to see how long that takes."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from components.build_context import TRIAL, TRIAL_OWNER_VARIABLE
from ops.deploy_report import BACKEND_IMAGE
from ops.health.facts import Build
from ops.project import Project

if TYPE_CHECKING:
    from docker import APIClient

    from ops.session import Session

PROGRAM = Path("components/trial_build.py")


def build_anew(session: Session, stack: str, owner: str) -> Build:
    """Build what is in the tree, with the settings of the stack, and remove the image.

    Nothing of the stack is touched. Raises OperationError when it cannot be built.
    """
    from ops.engine import connect
    from ops.failure_report import explain_failure
    from ops.progress import Progress
    from ops.pulumi import Pulumi

    with tempfile.TemporaryDirectory(prefix="medianest-") as directory:
        work = Path(directory)
        project = trial_project(session.project, stack, work)
        environment = surroundings(session.environment, session.project.root, owner, work)
        try:
            with (
                Pulumi(project, stack, environment) as pulumi,
                Progress(f"Building the image of stack {stack} from nothing") as progress,
            ):
                pulumi.create_stack()
                outcome = pulumi.change("up", progress.take, progress.interrupted)
            if outcome.exit_code or progress.update.result != "succeeded":
                raise explain_failure(work, stack, "up", outcome, progress.update, {})
        finally:
            api = connect(session.environment)
            remove_trial(api, session.project.name, stack)
            api.close()
    took = progress.update.build_seconds().get(BACKEND_IMAGE)
    return Build(took, "built anew, from nothing" if took is not None else "Pulumi did not tell how long")


def trial_project(project: Project, stack: str, work: Path) -> Project:
    """A project of the same name that has the program of the trial, and the backend's settings alone: the
    others may be encrypted with another passphrase."""
    import yaml

    from ops.project import read_yaml

    document = {"name": project.name, "runtime": {"name": "python"}}
    (work / "Pulumi.yaml").write_text(yaml.safe_dump(document))
    shutil.copy(project.root / PROGRAM, work / "__main__.py")
    key = f"{project.name}:backend"
    given = read_yaml(project.settings_file(stack)).get("config") or {}
    settings = {"config": {key: given[key]} if key in given else {}}
    (work / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(settings))
    return Project(project.name, work)


def surroundings(environment: Mapping[str, str], root: Path, owner: str, work: Path) -> dict[str, str]:
    """The environment of the trial: a state and a passphrase that are thrown away."""
    state, file = work / "state", work / "passphrase"
    state.mkdir()
    file.touch(mode=0o600)
    file.write_text(secrets.token_urlsafe(32))
    kept = {name: value for name, value in environment.items() if name != "PULUMI_CONFIG_PASSPHRASE"}
    return kept | {
        "PULUMI_BACKEND_URL": f"file://{state}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(file),
        "PYTHONPATH": str(root),
        TRIAL_OWNER_VARIABLE: owner,
    }


def remove_trial(api: APIClient, project: str, stack: str) -> None:
    """Remove what the trial has built, also what a killed one left."""
    from components import labels
    from ops.engine import Resource, label_filter, remove

    wanted = label_filter(project, stack)
    wanted["label"].append(f"{labels.COMPONENT}={TRIAL}")
    for image in api.images(filters=wanted):
        remove(api, Resource("image", image["Id"], image["Id"], image["Labels"] or {}))
