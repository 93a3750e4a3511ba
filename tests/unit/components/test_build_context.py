from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from components.build_context import base_image, content_hash, context_files, shared_image

ROOT = Path(__file__).parents[3]


@pytest.fixture
def context(tmp_path: Path) -> Path:
    root = tmp_path / "context"
    (root / "package").mkdir(parents=True)
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "package" / "main.py").write_text("print()\n")
    return root


def test_the_place_of_a_checkout_does_not_count(context: Path, tmp_path: Path) -> None:
    clone = tmp_path / "elsewhere"
    shutil.copytree(context, clone)
    assert content_hash(clone) == content_hash(context)


def test_times_do_not_count(context: Path) -> None:
    before = content_hash(context)
    (context / "package" / "main.py").touch()
    assert content_hash(context) == before


def test_content_counts(context: Path) -> None:
    before = content_hash(context)
    (context / "package" / "main.py").write_text("print(1)\n")
    assert content_hash(context) != before


def test_names_count(context: Path) -> None:
    before = content_hash(context)
    (context / "package" / "main.py").rename(context / "package" / "other.py")
    assert content_hash(context) != before


def test_the_executable_bit_counts(context: Path) -> None:
    before = content_hash(context)
    (context / "package" / "main.py").chmod(0o755)
    assert content_hash(context) != before


def test_a_link_counts_by_where_it_points_to(context: Path) -> None:
    (context / "link").symlink_to("Dockerfile")
    before = content_hash(context)
    (context / "link").unlink()
    (context / "link").symlink_to("package")
    assert content_hash(context) != before


def test_further_inputs_count(context: Path) -> None:
    assert content_hash(context, {"base": "a"}) != content_hash(context, {"base": "b"})


def test_ignored_files_do_not_count(context: Path) -> None:
    (context / ".dockerignore").write_text("# notes\n**/*.pyc\nnotes/\n")
    before = content_hash(context)
    (context / "package" / "main.pyc").write_text("x")
    (context / "notes").mkdir()
    (context / "notes" / "a").write_text("x")
    assert content_hash(context) == before
    assert Path("package/main.py") in context_files(context)


def test_the_logs_of_builds_do_not_count(context: Path) -> None:
    before = content_hash(context)
    (context / ".build").mkdir()
    (context / ".build" / "staging-backend.log").write_text("#1 building\n")
    assert content_hash(context) == before


def test_a_context_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing"):
        content_hash(tmp_path / "nothing")


def test_shared_images_are_named_by_their_content() -> None:
    assert base_image(ROOT).startswith("medianest/base:")
    assert shared_image(ROOT, "base", {"base": "other"}) != base_image(ROOT)
