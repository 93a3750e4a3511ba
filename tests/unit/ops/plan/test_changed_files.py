from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from components.settings import BuildSettings
from ops.paths import project_root
from ops.plan.changed_files import SHARED, changed_files

BUILD = BuildSettings()


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("app/main.py", "app/gone.py", "app/notes.md", "images/base/packages", "components/x.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("before\n")
    (tmp_path / "app/Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "app/.dockerignore").write_text("*.md\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "before")
    return tmp_path


def test_files_are_told_by_what_they_are_part_of(root: Path) -> None:
    (root / "app/main.py").write_text("after\n")
    (root / "app/new file.py").write_text("new\n")
    (root / "app/gone.py").unlink()
    (root / "images/base/packages").write_text("after\n")
    (root / "components/x.py").write_text("after\n")
    found = changed_files(root, "HEAD", BUILD)
    assert found
    assert found.base == "HEAD"
    assert found.images["backend"] == ["app/gone.py", "app/main.py", "app/new file.py"]
    assert found.images["base"] == ["images/base/packages"]
    assert found.images["gateway"] == []
    assert found.program == ["components/x.py"]


@pytest.mark.parametrize("image", SHARED)
def test_the_files_of_each_image_are_told(root: Path, image: str) -> None:
    changed = root / SHARED[image] / "Dockerfile"
    changed.parent.mkdir(parents=True, exist_ok=True)
    changed.write_text("FROM other\n")
    found = changed_files(root, "HEAD", BUILD)
    assert found
    assert {name: files for name, files in found.images.items() if files} == {
        image: [str(changed.relative_to(root))]
    }
    assert found.program == []


def test_every_image_of_the_tree_is_known() -> None:
    root = project_root()
    dockerfiles = [*root.glob("images/*/Dockerfile"), root / "guardian" / "Dockerfile"]
    assert {str(path.parent.relative_to(root)) for path in dockerfiles} | {"images/base"} == set(
        SHARED.values()
    )


def test_what_the_builder_does_not_see_is_no_reason(root: Path) -> None:
    (root / "app/notes.md").write_text("after\n")
    found = changed_files(root, "HEAD", BUILD)
    assert found
    assert found.images["backend"] == []


@pytest.mark.parametrize("base", ["no-such-branch", "--output=/tmp/x", "0" * 40])
def test_an_unknown_base_tells_nothing(root: Path, base: str) -> None:
    assert changed_files(root, base, BUILD) is None


def test_a_tree_that_is_no_clone_tells_nothing(tmp_path: Path) -> None:
    assert changed_files(tmp_path, "HEAD", BUILD) is None
