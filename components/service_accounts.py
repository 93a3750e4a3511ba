"""Accounts of Postgres and Redis, set up online, so that a password changes without a connection lost."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from components.accounts import (
    MONITORING,
    acl_rules,
    as_redis_administrator,
    closing_statements,
    monitoring_acl_rules,
    monitoring_statements,
    psql,
    role_statements,
    scram_verifier,
)
from components.engine_exec import ExecError, run_in_container

Properties = dict[str, Any]


class _AccountProvider(ResourceProvider):
    """Sets an account up again when it, its password or its service's container is another one."""

    def apply(self, props: Properties) -> None:
        """Idempotent. Raises ExecError."""
        raise NotImplementedError

    def create(self, props: Properties) -> CreateResult:
        self.apply(props)
        return CreateResult(id_=props["account"], outs=props)

    def diff(self, _id: str, olds: Properties, news: Properties) -> DiffResult:
        return DiffResult(changes=any(olds[key] != news[key] for key in ("container", "account", "version")))

    def update(self, _id: str, _olds: Properties, news: Properties) -> UpdateResult:
        self.apply(news)
        return UpdateResult(outs=news)


class _PostgresProvider(_AccountProvider):
    def apply(self, props: Properties) -> None:
        administrator, database = props["administrator"], props["database"]
        verifier = scram_verifier(props["password"], os.urandom(16))
        statements = self.statements(props, verifier)
        run_in_container(props["container"], psql(administrator, database), statements)

    def statements(self, props: Properties, verifier: str) -> str:
        """What psql has to do."""
        return role_statements(props["administrator"], props["database"], props["account"], verifier)


class _PostgresMonitoringProvider(_PostgresProvider):
    def delete(self, _id: str, props: Properties) -> None:
        """A stack that is not watched any more, or is going: then the server may be gone before."""
        command = psql(props["administrator"], props["database"])
        with suppress(Exception):
            run_in_container(props["container"], command, closing_statements(props["account"]))

    def statements(self, props: Properties, verifier: str) -> str:
        return monitoring_statements(props["account"], verifier)


class _RedisProvider(_AccountProvider):
    def apply(self, props: Properties) -> None:
        statement = f"ACL SETUSER {props['account']} reset {self.rules(props['password'])}"
        command = as_redis_administrator(props["administrator_file"])
        said = run_in_container(props["container"], command, f"{statement}\n")
        if said.split() != ["OK", "OK"]:
            raise ExecError(f"Redis refused user {props['account']}: {said}")

    def rules(self, password: str) -> str:
        """What the user may do."""
        return acl_rules(password)


class _RedisMonitoringProvider(_RedisProvider):
    def delete(self, _id: str, props: Properties) -> None:
        """A stack that is not watched any more, or is going: then the server may be gone before."""
        command = as_redis_administrator(props["administrator_file"])
        with suppress(Exception):
            run_in_container(props["container"], command, f"ACL DELUSER {props['account']}\n")

    def rules(self, password: str) -> str:
        return monitoring_acl_rules(password)


class _ServiceAccount(Resource):
    """`account` logs in with `password`, beside the former account, which goes on working until it is
    retired: whoever is connected notices nothing. `version` changes with the password."""

    def __init__(
        self,
        provider: _AccountProvider,
        name: str,
        how: Mapping[str, str],
        *,
        container: pulumi.Input[str],
        account: pulumi.Input[str],
        password: pulumi.Input[str],
        version: pulumi.Input[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        hidden = pulumi.ResourceOptions(additional_secret_outputs=["password"])
        super().__init__(
            provider,
            name,
            {
                **how,
                "container": container,
                "account": account,
                "password": pulumi.Output.secret(password),
                "version": version,
            },
            pulumi.ResourceOptions.merge(hidden, opts),
        )


class DatabaseRoles(_ServiceAccount):
    """One role owns the database and cannot log in; the account logs in and acts as it.

    What backends make belongs to the owner, whichever account they came with. The administrator, who
    made the database, has no password any more, and so no way in but the server's own socket.
    """

    def __init__(self, name: str, *, administrator: str, database: str, **account: Any) -> None:
        how = {"administrator": administrator, "database": database}
        super().__init__(_PostgresProvider(), name, how, **account)


class CacheUsers(_ServiceAccount):
    """Redis has read the same from its ACL file when it has started since; a running one is told here."""

    def __init__(self, name: str, *, administrator_file: str, **account: Any) -> None:
        super().__init__(_RedisProvider(), name, {"administrator_file": administrator_file}, **account)


class DatabaseMonitor(_ServiceAccount):
    """A role that sees Postgres' figures, and no data."""

    def __init__(self, name: str, *, administrator: str, database: str, **account: Any) -> None:
        how = {"administrator": administrator, "database": database, "purpose": MONITORING}
        super().__init__(_PostgresMonitoringProvider(), name, how, **account)


class CacheMonitor(_ServiceAccount):
    """A user that sees Redis' figures, and no data."""

    def __init__(self, name: str, *, administrator_file: str, **account: Any) -> None:
        how = {"administrator_file": administrator_file, "purpose": MONITORING}
        super().__init__(_RedisMonitoringProvider(), name, how, **account)
