"""Pulumi's state in files: read as it is, secrets masked."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from components import labels
from ops.errors import OperationError
from ops.state import SECRET_SIGNATURE, FileBackend, StackState, plain_outputs, read_checkpoint

SECRET = {SECRET_SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"}
DEPLOYMENT: dict[str, Any] = {
    "manifest": {"time": "2026-11-23T22:36:41Z"},
    "secrets_providers": {"type": "passphrase", "state": {"salt": "v1:x"}},
    "resources": [
        {
            "type": "pulumi:pulumi:Stack",
            "urn": "u",
            "outputs": {"url": "http://x", "owner": "me", "p": SECRET},
        }
    ],
    "pending_operations": [
        {"type": "creating", "resource": {"urn": "v", "type": "t"}},
        {"type": "deleting", "resource": {"urn": "w", "type": "t"}},
    ],
}


def write(directory: Path, name: str, document: object, *, compressed: bool = False) -> FileBackend:
    stacks = directory / ".pulumi" / "stacks" / "p"
    stacks.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"version": 3, "checkpoint": {"latest": document}}).encode()
    if compressed:
        (stacks / f"{name}.json.gz").write_bytes(gzip.compress(text))
    else:
        (stacks / f"{name}.json").write_bytes(text)
    backend = FileBackend.from_url(f"file://{directory}")
    assert backend is not None
    return backend


@pytest.mark.parametrize("compressed", [False, True])
def test_a_stack_is_read_as_pulumi_wrote_it(tmp_path: Path, compressed: bool) -> None:
    state = write(tmp_path, "s", DEPLOYMENT, compressed=compressed).read("p", "s")
    assert state is not None
    assert state.outputs == {"url": "http://x", "owner": "me", "p": "[secret]"}
    assert state.owner == "me"
    assert state.updated == "2026-11-23T22:36:41Z"
    assert [resource["urn"] for resource in state.pending("creating")] == ["v"]


def test_a_stack_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert write(tmp_path, "s", DEPLOYMENT).read("p", "other") is None


def test_a_stack_that_was_only_made_is_empty(tmp_path: Path) -> None:
    assert write(tmp_path, "s", None).read("p", "s") == StackState()


def test_a_broken_state_is_named_with_its_backup(tmp_path: Path) -> None:
    backend = write(tmp_path, "s", DEPLOYMENT)
    (tmp_path / ".pulumi/stacks/p/s.json").write_text("{half")
    with pytest.raises(OperationError) as caught:
        backend.read("p", "s")
    assert "s.json" in caught.value.message
    assert "s.json.bak" in caught.value.hint


def test_stacks_are_listed_without_pulumis_other_files(tmp_path: Path) -> None:
    backend = write(tmp_path, "b", DEPLOYMENT)
    write(tmp_path, "a", DEPLOYMENT, compressed=True)
    for other in ("a.json.bak", "b.json.attrs", "b.json.bak.attrs"):
        (tmp_path / ".pulumi/stacks/p" / other).write_text("x")
    assert backend.stacks("p") == ["a", "b"]
    assert backend.stacks("other") == []


def test_the_owner_is_known_before_the_outputs_are() -> None:
    container = {
        "type": "docker:index/volume:Volume",
        "inputs": {"labels": [{"label": labels.STACK, "value": "s"}, {"label": labels.OWNER, "value": "me"}]},
    }
    half = read_checkpoint({"resources": [{"type": "pulumi:pulumi:Stack", "outputs": {}}, container]})
    assert half.owner == "me"
    assert StackState().owner is None


def test_secrets_are_masked_at_any_depth() -> None:
    assert plain_outputs({"a": [{"b": SECRET}, 1], "c": {"d": SECRET}, "e": "x"}) == {
        "a": [{"b": "[secret]"}, 1],
        "c": {"d": "[secret]"},
        "e": "x",
    }


@pytest.mark.parametrize("url", ["https://api.pulumi.com", "s3://bucket", "azblob://x"])
def test_other_back_ends_are_no_directories(url: str) -> None:
    assert FileBackend.from_url(url) is None


def test_a_home_directory_is_understood() -> None:
    assert FileBackend.from_url("file://~") == FileBackend(Path.home() / ".pulumi")
