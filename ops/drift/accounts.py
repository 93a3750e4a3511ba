"""The accounts that backends and exporters log in with: are they there, and do the recorded ones get in.

Passwords go nowhere: what a service keeps of one is held against the recorded one here.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from components.accounts import (
    MONITORING,
    MONITORING_GROUP,
    acl_permissions,
    as_redis_administrator,
    monitoring_acl_permissions,
    owner_role,
    password_hash,
    psql,
    scram_verifier,
)
from ops.drift.interruptions import of_replacing
from ops.drift.model import OTHER, Finding, Mending
from ops.drift.record import Recorded
from ops.names import DYNAMIC
from ops.plan.model import MASKED

RunIn = Callable[[str, list[str], str], str]
"""Runs a command in a container, with its input: see components.engine_exec."""

_NO_LOGIN = "Backends that connect now are refused: those that are connected go on until they reconnect"
_NO_ADMINISTRATOR = "Nobody can be set up until Redis has read its users anew, which it does when it starts"
_RIGHTS = "It has other rights than were declared"
ABOVE = "rights over the server"
# What a rule about commands, keys or channels begins with.
_RULES = "+-~&%"


def is_account(recorded: Recorded) -> bool:
    """Whether a record is of an account of Postgres or Redis."""
    return recorded.type == DYNAMIC and {"account", "password", "container"} <= recorded.inputs.keys()


def component(account: Recorded) -> str:
    return "redis" if "administrator_file" in account.inputs else "postgres"


def watches(account: Recorded) -> bool:
    """Whether it is an exporter's, which sees figures and no data."""
    return account.inputs.get("purpose") == MONITORING


def look_at_account(account: Recorded, service: Recorded | None, run_in: RunIn) -> list[Finding]:
    """Ask the service, in the container that the record names, as its administrator.

    `service` is the record of that container. Raises components.engine_exec.ExecError where that fails.
    """
    inputs = account.inputs
    if component(account) == "redis":
        said = run_in(inputs["container"], as_redis_administrator(inputs["administrator_file"]), "ACL LIST\n")
        return judge_redis(account, service, said)
    said = run_in(
        inputs["container"],
        psql(inputs["administrator"], inputs["database"]),
        role_question(
            inputs["account"], MONITORING_GROUP if watches(account) else owner_role(inputs["administrator"])
        ),
    )
    return judge_postgres(account, json.loads(said) if said else None)


def role_question(role: str, owner: str) -> str:
    """What psql is asked of a role: one JSON object, or nothing. Names take no quotes, by the settings.

    Source: https://www.postgresql.org/docs/current/catalog-pg-authid.html
    """
    above = " OR ".join(("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls"))
    member = (
        "EXISTS (SELECT FROM pg_auth_members m JOIN pg_authid o ON o.oid = m.roleid "
        f"WHERE m.member = a.oid AND o.rolname = '{owner}')"
    )
    query = (
        f"SELECT rolcanlogin AS login, rolpassword AS verifier, ({above}) AS above, {member} AS member, "  # noqa: S608
        "coalesce(rolvaliduntil < now(), false) AS expired, rolconnlimit AS connections "
        f"FROM pg_authid a WHERE rolname = '{role}'"
    )
    return f"SELECT row_to_json(r) FROM ({query}) r;\n\\q\n"  # noqa: S608


def judge_postgres(account: Recorded, role: Mapping[str, Any] | None) -> list[Finding]:
    """`role` is the answer to `role_question`; None where there is no such role."""
    if role is None:
        return [_finding(account, "existence", "there", "gone", _NO_LOGIN)]
    told = []
    if not role["login"] or role["expired"] or role["connections"] == 0:
        told.append(_finding(account, "login", "allowed", "not allowed", _NO_LOGIN))
    if not fits(str(role["verifier"] or ""), account.inputs["password"]):
        told.append(_finding(account, "password", MASKED, OTHER, _NO_LOGIN))
    rights = f"of {MONITORING_GROUP}" if watches(account) else "of the owner of the data"
    if not role["member"]:
        told.append(_finding(account, "membership", rights, "none", _RIGHTS))
    if role["above"]:
        told.append(_finding(account, "rights", rights, ABOVE, _RIGHTS))
    return told


def fits(verifier: str, password: str) -> bool:
    """Whether a password gets in, by what Postgres keeps of it (RFC 5803).

    Another mechanism than SCRAM was never set up by us, and fits nothing.
    """
    try:
        _, parameters, _ = verifier.split("$")
        iterations, _, salt = parameters.partition(":")
        made = scram_verifier(password, base64.b64decode(salt, validate=True), int(iterations))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(made, verifier)


def judge_redis(account: Recorded, service: Recorded | None, said: str) -> list[Finding]:
    """`said` is the answer to logging in and then to `ACL LIST`.

    Source: https://redis.io/docs/latest/commands/acl-list/
    """
    answer, _, listed = said.partition("\n")
    if answer.strip() != "OK":
        found = _finding(account, "administrator", "let in", "refused", _NO_ADMINISTRATOR)
        urn, gap = service.urn if service else "", of_replacing(service, serves=True)
        return [replace(found, mending=Mending.REPLACE, urn=urn, interruption=gap)]
    rules = next(
        (words[2:] for line in listed.splitlines() if (words := line.split())[:2] == _user(account)), None
    )
    if rules is None:
        return [_finding(account, "existence", "there", "gone", _NO_LOGIN)]
    told = []
    if "on" not in rules:
        told.append(_finding(account, "login", "allowed", "not allowed", _NO_LOGIN))
    if password_hash(account.inputs["password"]) not in rules or "nopass" in rules:
        told.append(_finding(account, "password", MASKED, OTHER, _NO_LOGIN))
    permissions, meant = acl_permissions(), "all but to administer"
    if watches(account):
        permissions, meant = monitoring_acl_permissions(), "to ask for figures"
    if {rule for rule in rules if rule[0] in _RULES} != permissions:
        told.append(_finding(account, "rights", meant, OTHER, _RIGHTS))
    return told


def _user(account: Recorded) -> list[str]:
    return ["user", str(account.inputs["account"])]


def _finding(account: Recorded, what: str, recorded: str, live: str, meaning: str) -> Finding:
    return Finding(
        resource=str(account.inputs["account"]),
        kind="account",
        component=component(account),
        property=what,
        declared=recorded,
        recorded=recorded,
        live=live,
        meaning=meaning,
        mending=Mending.SET_UP_AGAIN,
        urn=account.urn,
    )
