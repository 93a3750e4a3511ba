"""The project's files: stacks, settings, and what is said of those that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.errors import ExitCode, OperationError
from ops.project import Project, load_settings, read_project, require_stack, split_secrets


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "Pulumi.yaml").write_text("name: demo\nruntime: python\n")
    (tmp_path / "Pulumi.staging.yaml").write_text("config:\n  demo:gateway:\n    port: 4000\n")
    (tmp_path / "Pulumi.review-17.yaml").write_text("")
    return read_project(tmp_path)


def test_stacks_are_those_with_a_settings_file(project: Project) -> None:
    assert project.name == "demo"
    assert project.stacks() == ["review-17", "staging"]


def test_settings_are_read_and_validated(project: Project) -> None:
    assert load_settings(project, "staging").gateway.port == 4000
    assert load_settings(project, "review-17").gateway.port == 3000


def test_every_problem_of_the_settings_is_named(project: Project) -> None:
    text = "config:\n  demo:gateway: {port: high}\n  demo:bakend: {}\n  demo:jwt_secret: hunter2hunter2\n"
    project.settings_file("staging").write_text(text)
    with pytest.raises(OperationError) as caught:
        load_settings(project, "staging")
    error = caught.value
    assert error.code is ExitCode.USAGE
    for word in ("gateway.port", "bakend is not known", "jwt_secret is in plain text"):
        assert word in error.message
    assert len(error.details["problems"]) == 3
    assert "hunter2" not in error.message + error.hint + str(error.details)


def test_an_unknown_stack_is_answered_with_near_names_and_the_list() -> None:
    with pytest.raises(OperationError) as caught:
        require_stack("stagin", ["production", "staging"])
    assert caught.value.code is ExitCode.USAGE
    assert "Did you mean staging?" in caught.value.hint
    assert "Known stacks: production, staging." in caught.value.hint
    assert "Pulumi.stagin.yaml" in caught.value.hint


def test_a_name_that_is_near_to_nothing_gets_the_list_alone() -> None:
    with pytest.raises(OperationError) as caught:
        require_stack("zzz", ["staging"])
    assert "Did you mean" not in caught.value.hint


def test_a_known_stack_passes() -> None:
    require_stack("staging", ["staging"])


@pytest.mark.parametrize("text", ["config: [unclosed", "- a\n- list\n"])
def test_a_settings_file_that_is_no_mapping_is_named(project: Project, text: str) -> None:
    project.settings_file("staging").write_text(text)
    with pytest.raises(OperationError, match=r"Pulumi\.staging\.yaml") as caught:
        load_settings(project, "staging")
    assert caught.value.code is ExitCode.USAGE


def test_encrypted_values_are_found_at_any_depth() -> None:
    configuration = {
        "a": {"secure": "v1:x"},
        "b": {"c": [{"secure": "v1:y"}]},
        "d": {"secure": 1, "e": 2},
        "f": 1,
    }
    assert split_secrets(configuration)[1] == {"a", "b"}


def test_a_directory_without_a_project_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match=r"Pulumi\.yaml"):
        read_project(tmp_path)
