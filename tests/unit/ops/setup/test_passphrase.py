from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ops.errors import ExitCode, OperationError
from ops.passphrase import PassphraseRule, choose, has_stacks, variables


@pytest.mark.parametrize(
    ("environ", "file", "stacks", "rule"),
    [
        ({}, False, False, PassphraseRule.MAKE),
        ({}, True, False, PassphraseRule.FILE),
        ({}, True, True, PassphraseRule.FILE),
        ({}, False, True, PassphraseRule.LOST),
        ({"PULUMI_CONFIG_PASSPHRASE": "x"}, False, True, PassphraseRule.USERS_OWN),
        ({"PULUMI_CONFIG_PASSPHRASE": ""}, True, True, PassphraseRule.USERS_OWN),
        ({"PULUMI_CONFIG_PASSPHRASE_FILE": "/f"}, True, False, PassphraseRule.USERS_OWN),
    ],
)
def test_where_the_passphrase_comes_from(
    environ: dict[str, str], file: bool, stacks: bool, rule: PassphraseRule
) -> None:
    assert choose(environ, file, stacks) is rule


def backend(directory: Path, *stacks: str) -> str:
    place = directory / ".pulumi" / "stacks" / "medianest"
    place.mkdir(parents=True)
    for stack in stacks:
        (place / stack).write_text("{}")
    return f"file://{directory}"


def test_stacks_of_a_directory_are_seen(tmp_path: Path) -> None:
    assert not has_stacks(f"file://{tmp_path / 'nothing'}")
    assert not has_stacks(backend(tmp_path / "empty"))
    assert has_stacks(backend(tmp_path / "plain", "staging.json"))
    assert has_stacks(backend(tmp_path / "packed", "staging.json.gz"))
    assert not has_stacks("s3://bucket")


def test_a_passphrase_is_made_once_and_for_its_user_alone(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    url = backend(tmp_path / "pulumi")
    assert variables({}, file, url) == {"PULUMI_CONFIG_PASSPHRASE_FILE": str(file)}
    made = file.read_text()
    assert len(made) >= 40
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.stat().st_nlink == 1
    variables({}, file, url)
    assert file.read_text() == made
    assert sorted(path.name for path in tmp_path.iterdir()) == ["passphrase", "pulumi"]


def test_runs_at_once_agree_on_one_passphrase(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"

    def read(_: int) -> str:
        variables({}, file, "file:///nowhere")
        return file.read_text()

    with ThreadPoolExecutor(8) as pool:
        seen = set(pool.map(read, range(32)))
    assert len(seen) == 1


def test_a_lost_passphrase_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    with pytest.raises(OperationError, match="is gone, but") as caught:
        variables({}, file, backend(tmp_path / "pulumi", "staging.json"))
    assert caught.value.code is ExitCode.REFUSED
    assert "PULUMI_CONFIG_PASSPHRASE" in caught.value.hint
    assert not file.exists()


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.touch()
    with pytest.raises(OperationError, match="is empty"):
        variables({}, file, "file:///nowhere")


def test_the_users_own_passphrase_makes_no_file(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    assert variables({"PULUMI_CONFIG_PASSPHRASE": "x"}, file, backend(tmp_path / "p", "s.json")) == {}
    assert not file.exists()
