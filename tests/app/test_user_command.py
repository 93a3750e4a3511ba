import os
import subprocess
import sys

import pytest
from conftest import DEMO_USER, Running
from eventually import eventually
from medianest import user_command
from medianest.tokens import InvalidTokenError


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if k in ("PATH", "PYTHONPATH") or "COV" in k}
    return subprocess.run(
        [sys.executable, "-m", "medianest", "user", *arguments],
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_a_user_is_disabled_and_enabled_beside_a_running_replica(
    running: Running, database_url: str
) -> None:
    direct = {"DATABASE_URL": database_url}
    token = await running.token()
    done = run(direct, "disable", DEMO_USER)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "User demo is disabled: no token of theirs is good.\n"

    def refused() -> bool:
        try:
            running.backend.tokens.verify(token)
        except InvalidTokenError:
            return True
        return False

    await eventually(refused, seconds=1)
    assert await running.backend.users.credentials(DEMO_USER) is None
    done = run(direct, "enable", DEMO_USER)
    assert (done.returncode, done.stdout) == (0, "User demo is enabled: they may log in again.\n")
    assert await running.backend.users.credentials(DEMO_USER) is not None


async def test_an_unknown_user_is_said_to_be_unknown(running: Running, database_url: str) -> None:
    done = run({"DATABASE_URL": database_url}, "disable", "nobody")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "Error: there is no user 'nobody'\n")


@pytest.mark.parametrize("arguments", [[], ["disable"], ["remove", "demo"], ["disable", "a", "b"]])
def test_wrong_arguments_end_with_2_and_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        user_command.main(arguments, {})
    assert ended.value.code == 2
    assert "usage: python -m medianest user" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "Error: DATABASE_URL_FILE or DATABASE_URL must say where Postgres is\n"),
        ({"DATABASE_URL_FILE": "/tmp"}, "Error: secret database_url: cannot read /tmp: Is a directory\n"),
        (
            {"DATABASE_URL": "postgresql://user:x7Kq2@127.0.0.1:9/medianest"},
            "Error: Postgres is not available (PoolTimeout): try again\n",
        ),
    ],
)
def test_what_cannot_be_done_is_said_without_a_secret(
    environment: dict[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert user_command.main(["disable", "demo"], environment) == 1
    assert capsys.readouterr().err == message


def test_an_older_schema_is_told_apart(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert user_command.main(["disable", "demo"], {"DATABASE_URL": database_url}) == 1
    assert capsys.readouterr().err == (
        "Error: the schema is older than this release: start a replica of it first\n"
    )
