"""The workflows are valid, safe by the rules of zizmor, and do what docs/pull-requests.md says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.review.tools import actionlint

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
GITLAB = ROOT / "examples" / "gitlab-ci.yml"
RUN_SECONDS = 120


def run(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr


def workflow(name: str) -> dict[str, Any]:
    document = yaml.load((ROOT / ".github" / "workflows" / name).read_text(), yaml.BaseLoader)
    assert isinstance(document, dict)
    return document


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return [(path.name, job) for path in WORKFLOWS for job in workflow(path.name)["jobs"].values()]


def test_actionlint_finds_nothing() -> None:
    # Labels of runners of one's own are known to their owner alone.
    ignored = 'label "medianest" is unknown'
    run(actionlint(), "-no-color", "-shellcheck=", "-pyflakes=", "-ignore", ignored, *WORKFLOWS)


def test_actionlint_would_find_something(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(
        (ROOT / ".github" / "workflows" / "preview.yml").read_text().replace("github.token", "github.tokn")
    )
    done = subprocess.run([actionlint(), "-no-color", broken], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "tokn" in done.stdout


def test_zizmor_finds_nothing() -> None:
    zizmor = Path(sys.executable).with_name("zizmor")
    run(zizmor, "--offline", "--no-progress", "--persona", "pedantic", *WORKFLOWS)


def test_gitlabs_example_fits_gitlabs_schema() -> None:
    check = Path(sys.executable).with_name("check-jsonschema")
    run(check, "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", GITLAB)


@pytest.mark.parametrize(("name", "job"), jobs(), ids=lambda value: value if isinstance(value, str) else "")
def test_actions_of_others_are_pinned_by_commit(name: str, job: dict[str, Any]) -> None:
    for step in job["steps"]:
        if uses := step.get("uses"):
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", uses)


@pytest.mark.parametrize(("name", "job"), jobs(), ids=lambda value: value if isinstance(value, str) else "")
def test_secrets_stand_behind_an_environment_and_not_before_forks(name: str, job: dict[str, Any]) -> None:
    if "secrets." not in str(job):
        return
    document = workflow(name)
    if "pull_request" in document["on"]:
        # The pull request's code: only after approval.
        assert job["environment"] == "preview"
    else:
        assert job["environment"] == "operations"
        assert not any("ref" in (step.get("with") or {}) for step in job["steps"])
    if any(event.startswith("pull_request") for event in document["on"]):
        assert "github.event.pull_request.head.repo.full_name == github.repository" in job["if"]


def test_no_job_has_more_rights_than_it_needs() -> None:
    rights = {name: job["permissions"] for name, job in jobs()}
    assert all(workflow(path.name)["permissions"] == {} for path in WORKFLOWS)
    assert rights == {
        "ci.yml": {"contents": "read"},
        "environment-down.yml": {"contents": "read"},
        "environment-up.yml": {"contents": "read"},
        "preview.yml": {"contents": "read", "pull-requests": "write", "checks": "write"},
        "reaper.yml": {"contents": "read", "pull-requests": "read"},
    }


@pytest.mark.parametrize("code", [0, 1, 2, 3, 5])
def test_a_preview_with_changes_does_not_fail_the_job(tmp_path: Path, code: int) -> None:
    script = workflow("preview.yml")["jobs"]["preview"]["steps"][-1]["run"]
    gitlab = "\n".join(yaml.safe_load(GITLAB.read_text())["preview"]["script"])
    front_door = tmp_path / "medianest"
    front_door.write_text(f"#!/bin/sh\nexit {code}\n")
    front_door.chmod(0o755)
    for text in (script, gitlab):
        done = subprocess.run(
            ["bash", "-e", "-c", text], cwd=tmp_path, timeout=30, env={"BASE": "origin/main"}
        )
        assert done.returncode == (0 if code in (0, 2, 3) else code)
