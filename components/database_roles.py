"""The database's roles, set up online, so that a password changes without a connection lost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from components.engine_exec import run_in_container

SCRAM_ITERATIONS = 4096


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
    command = ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--no-password"]
    command += [f"--username={administrator}", f"--dbname={database}"]
    run_in_container(props["container"], command, statements)


def owner_role(administrator: str) -> str:
    """The role that everything in the database belongs to."""
    return f"{administrator}_owner"


def role_statements(administrator: str, database: str, role: str, verifier: str) -> str:
    """What psql has to do, all of it or nothing, as often as one likes."""
    owner = owner_role(administrator)

    def create(name: str, options: str) -> str:
        # Names are those of the settings, which take no quotes.
        exists = f"SELECT FROM pg_roles WHERE rolname = '{name}'"
        return f"SELECT 'CREATE ROLE \"{name}\" {options}' WHERE NOT EXISTS ({exists}) \\gexec"

    lines = [
        "BEGIN;",
        # One at a time; another run that is under way goes first.
        "SELECT pg_advisory_xact_lock(hashtext('medianest roles')) \\g /dev/null",
        create(owner, "NOLOGIN"),
        create(role, "NOLOGIN"),
        f'ALTER DATABASE "{database}" OWNER TO "{owner}";',
        f'ALTER SCHEMA public OWNER TO "{owner}";',
        f'GRANT "{owner}" TO "{role}";',
        f"ALTER ROLE \"{role}\" SET role TO '{owner}';",
        f"ALTER ROLE \"{role}\" LOGIN PASSWORD '{verifier}';",
        f'ALTER ROLE "{administrator}" PASSWORD NULL;',
        "COMMIT;",
        "\\q",
    ]
    return "\n".join(lines) + "\n"


def scram_verifier(password: str, salt: bytes) -> str:
    """What Postgres keeps of a password, so that the password itself is in none of its logs.

    Source: RFC 5803, and https://www.postgresql.org/docs/current/catalog-pg-authid.html
    """
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    first, second, third = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{first}${second}:{third}"
