"""The database's roles, set up online, so that a password changes without a connection lost."""

from __future__ import annotations

import os
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from components.accounts import psql, role_statements, scram_verifier
from components.engine_exec import run_in_container


class _DatabaseRolesProvider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        _apply(props)
        return CreateResult(id_=props["role"], outs=props)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=any(olds[key] != news[key] for key in ("container", "role", "version")))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        _apply(news)
        return UpdateResult(outs=news)


class DatabaseRoles(Resource):
    """One role owns the database and cannot log in; `role` logs in and acts as it.

    A rotation is another `role` with another password beside the former one, which goes on working
    until it is retired: whoever is connected notices nothing. What backends make belongs to the owner
    whichever of the two they came as. The administrator, who made the database, has no password any
    more, and so no way in but the server's own socket.
    """

    def __init__(
        self,
        name: str,
        *,
        container: pulumi.Input[str],
        administrator: str,
        database: str,
        role: pulumi.Input[str],
        password: pulumi.Input[str],
        version: pulumi.Input[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        hidden = pulumi.ResourceOptions(additional_secret_outputs=["password"])
        super().__init__(
            _DatabaseRolesProvider(),
            name,
            {
                "container": container,
                "administrator": administrator,
                "database": database,
                "role": role,
                "password": pulumi.Output.secret(password),
                "version": version,
            },
            pulumi.ResourceOptions.merge(hidden, opts),
        )


def _apply(props: dict[str, Any]) -> None:
    administrator, database = props["administrator"], props["database"]
    statements = role_statements(
        administrator, database, props["role"], scram_verifier(props["password"], os.urandom(16))
    )
    run_in_container(props["container"], psql(administrator, database), statements)
