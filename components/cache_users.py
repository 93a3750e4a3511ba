"""Redis' users, set up online, so that a password changes without a connection lost."""

from __future__ import annotations

import hashlib
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from components.engine_exec import ExecError, run_in_container

# One command as the administrator, whose password is read where it lies: $1.
AS_ADMINISTRATOR = (
    'IFS= read -r line; { printf "AUTH administrator "; cat "$1"; printf "\\n%s\\n" "$line"; } | redis-cli'
)
# All but what administers.
_PERMISSIONS = "resetkeys resetchannels ~* &* +@all -@admin -@dangerous +info +keys"


class _CacheUsersProvider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        _apply(props)
        return CreateResult(id_=props["user"], outs=props)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=any(olds[key] != news[key] for key in ("container", "user", "version")))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        _apply(news)
        return UpdateResult(outs=news)


class CacheUsers(Resource):
    """`user` logs in with `password`, beside the former user, who goes on working until retired.

    Redis has read the same from its ACL file when it has started since; a running one is told here.
    """

    def __init__(
        self,
        name: str,
        *,
        container: pulumi.Input[str],
        administrator_file: str,
        user: pulumi.Input[str],
        password: pulumi.Input[str],
        version: pulumi.Input[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        hidden = pulumi.ResourceOptions(additional_secret_outputs=["password"])
        super().__init__(
            _CacheUsersProvider(),
            name,
            {
                "container": container,
                "administrator_file": administrator_file,
                "user": user,
                "password": pulumi.Output.secret(password),
                "version": version,
            },
            pulumi.ResourceOptions.merge(hidden, opts),
        )


def _apply(props: dict[str, Any]) -> None:
    statement = f"ACL SETUSER {props['user']} reset {rules(props['password'])}"
    command = ["sh", "-c", AS_ADMINISTRATOR, "sh", props["administrator_file"]]
    said = run_in_container(props["container"], command, f"{statement}\n")
    if said.split() != ["OK", "OK"]:
        raise ExecError(f"Redis refused user {props['user']}: {said}")


def rules(password: str) -> str:
    """What the backend's user may do, in the words of an ACL."""
    return f"on {password_hash(password)} {_PERMISSIONS}"


def password_hash(password: str) -> str:
    """A password as an ACL takes it, so that the file and the log never hold the password."""
    return "#" + hashlib.sha256(password.encode()).hexdigest()
