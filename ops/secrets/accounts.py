"""Takes the former accounts of Postgres and Redis out of use, as soon as nobody uses them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.accounts import (
    REDIS_ADMINISTRATOR_FILE,
    as_redis_administrator,
    former_account,
    psql,
    retirement_statements,
)

if TYPE_CHECKING:
    from components.settings import StackSettings
    from ops.state import StackState

RunIn = Callable[[str, list[str], str], str]
"""Runs a command in a container, with its input: see components.engine_exec."""

PATIENCE_SECONDS = 10.0
PAUSE_SECONDS = 0.5
SECRETS_DIRECTORY = "/run/secrets"


@dataclass(frozen=True)
class Retirement:
    """What became of a former account. `users` are the connections that still use it."""

    service: str
    account: str
    users: int

    @property
    def done(self) -> bool:
        return self.users == 0


def retire_former(
    state: StackState,
    settings: StackSettings,
    run_in: RunIn,
    patience: float = PATIENCE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Retirement]:
    """Retire them all, and wait a little for the last user to go. Safe to do again and again.

    Raises components.engine_exec.ExecError when a service cannot be asked.
    """
    containers = state.outputs["containers"]

    def of_postgres(account: str) -> int:
        command = psql(settings.postgres.user, settings.postgres.database)
        said = run_in(containers["postgres"][0], command, retirement_statements(account))
        return int(said or 0)

    def of_redis(account: str) -> int:
        command = as_redis_administrator(f"{SECRETS_DIRECTORY}/{REDIS_ADMINISTRATOR_FILE}")
        used = run_in(containers["redis"][0], command, "CLIENT LIST\n").count(f" user={account} ")
        if not used:
            run_in(containers["redis"][0], command, f"ACL DELUSER {account}\n")
        return used

    found = []
    for purpose, present in state.outputs["accounts"].items():
        # "postgres" is what backends log in with, "postgres_monitoring" the exporter.
        service, account = purpose.split("_")[0], former_account(present)
        look = of_postgres if service == "postgres" else of_redis
        deadline = clock() + patience
        while (users := look(account)) and clock() < deadline:
            sleep(PAUSE_SECONDS)
        found.append(Retirement(service, account, users))
    return found
