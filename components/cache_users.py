"""Redis' users, set up online, so that a password changes without a connection lost."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from components.accounts import acl_rules, as_redis_administrator
from components.engine_exec import ExecError, run_in_container


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
    statement = f"ACL SETUSER {props['user']} reset {acl_rules(props['password'])}"
    command = as_redis_administrator(props["administrator_file"])
    said = run_in_container(props["container"], command, f"{statement}\n")
    if said.split() != ["OK", "OK"]:
        raise ExecError(f"Redis refused user {props['user']}: {said}")
