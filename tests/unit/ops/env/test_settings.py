"""The settings file of an environment: what it takes over, what differs, what it never has."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.settings import LeaseSettings, load
from ops.env import settings
from ops.project import split_secrets

LEASE = LeaseSettings(
    expires="2026-11-25T15:00:00Z", base="staging", home="me@here:/s", url="http://localhost:4001"
)
BASE: dict[str, Any] = {
    "encryptionsalt": "v1:of-the-base",
    "config": {
        "medianest:backend": {"replicas": 3, "environment": {"DOCS": "true"}, "secrets": {"api_key": {}}},
        "medianest:gateway": '{"address": "127.0.0.9", "port": 3000}',
        "medianest:data": {"protected": True},
        "medianest:backup": {"schedule": "03:00"},
        "medianest:deploy": {"keep_releases": 3, "watch": {"seconds": 15, "requests": 9}},
        "medianest:generations": {"api_key": 4},
        "medianest:environments": {"ttl": "1h"},
        "medianest:pin": {"release": "of the base"},
        "medianest:api_key": {"secure": "v1:of-the-base"},
        "docker:host": "ssh://me@engine",
    },
}


def rendered(former: dict[str, Any] | None = None) -> tuple[dict[str, Any], settings.Rendered]:
    made = settings.render("medianest", BASE, former or {}, LEASE, 4001)
    document = yaml.safe_load(made.text)
    assert isinstance(document, dict)
    return document, made


def test_it_is_the_base_with_what_differs() -> None:
    document, _ = rendered()
    config = document["config"]
    assert config["medianest:backend"] == {**BASE["config"]["medianest:backend"], "replicas": 1}
    assert config["medianest:gateway"] == {"address": "127.0.0.9", "port": 4001}
    assert config["medianest:data"] == {"protected": False}
    assert config["medianest:deploy"] == {"keep_releases": 3, "watch": {"seconds": 0, "requests": 9}}
    assert config["docker:host"] == "ssh://me@engine"
    assert config["medianest:lease"]["expires"] == "2026-11-25T15:00:00Z"
    assert not {f"medianest:{name}" for name in ("pin", "backup", "generations", "environments")} & set(
        config
    )


def test_it_is_valid() -> None:
    document, _ = rendered()
    loaded = load("medianest", *split_secrets(document["config"]))
    assert loaded.lease == LEASE
    assert loaded.data.protected is False


def test_secrets_of_the_base_are_not_handed_on() -> None:
    _, made = rendered()
    assert "of-the-base" not in made.text
    assert made.left_out == ("api_key",)


def test_secrets_of_its_own_are_kept() -> None:
    own = {"encryptionsalt": "v1:own", "config": {"medianest:api_key": {"secure": "v1:own"}, "x:y": "plain"}}
    document, made = rendered(own)
    assert document["config"]["medianest:api_key"] == {"secure": "v1:own"}
    assert document["encryptionsalt"] == "v1:own"
    assert "x:y" not in document["config"]
    assert made.left_out == ()


def test_only_the_expiry_makes_no_difference() -> None:
    _, one = rendered()
    later = LEASE.model_copy(update={"expires": "2026-11-26T15:00:00Z"})
    other = settings.render("medianest", BASE, {}, later, 4001)
    assert one.text != other.text
    assert settings.without_expiry(one.text) == settings.without_expiry(other.text)
    moved = settings.render("medianest", BASE, {}, LEASE, 4002)
    assert settings.without_expiry(one.text) != settings.without_expiry(moved.text)


def test_a_file_of_somebody_else_is_not_removed(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.staging.yaml"
    file.write_text("config: {}\n")
    assert settings.remove(file) is False
    assert file.exists()
    assert settings.is_made_by_us(tmp_path / "Pulumi.none.yaml") is False


@pytest.mark.parametrize("clone", [True, False])
def test_git_does_not_see_it_and_forgets_it(tmp_path: Path, clone: bool) -> None:
    if clone:
        subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
        exclude = tmp_path / ".git" / "info" / "exclude"
        exclude.parent.mkdir(exist_ok=True)
        exclude.write_text("/mine\n")
    file = tmp_path / "Pulumi.pr-17.yaml"
    for _ in range(2):
        settings.write(file, rendered()[1].text)
    assert settings.is_made_by_us(file)
    if clone:
        assert exclude.read_text() == "/mine\n/Pulumi.pr-17.yaml\n"
    assert settings.remove(file) is True
    assert not file.exists()
    if clone:
        assert exclude.read_text() == "/mine\n"


def test_without_git_the_file_is_written_and_removed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    file = tmp_path / "Pulumi.pr-17.yaml"
    settings.write(file, rendered()[1].text)
    assert settings.is_made_by_us(file)
    assert settings.remove(file) is True
