"""The accounts that backends log in to Postgres and Redis with: two of each, which take turns.

Free of Pulumi, since the command line retires the former one when nobody uses it any more.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

# A password that is new belongs to the account of the other slot: both work until the former one is retired.
SLOTS = ("a", "b")
SCRAM_ITERATIONS = 4096
# Where Redis' container has the password of the one who may set users up.
REDIS_ADMINISTRATOR_FILE = "administrator_password"
# One command, read as a line, as the administrator, whose password is read where it lies: $1.
_AS_ADMINISTRATOR = (
    'IFS= read -r line; { printf "AUTH administrator "; cat "$1"; printf "\\n%s\\n" "$line"; } | redis-cli'
)
# As a new role has them: somebody may have changed them since.
_ROLE_OPTIONS = (
    "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT -1 VALID UNTIL 'infinity'"
)
# What asks a service for its figures sees no data.
MONITORING = "monitoring"
MONITORING_GROUP = "pg_monitor"
_MONITORING_PERMISSIONS = (
    "resetkeys resetchannels -@all +ping +info +client|setname +latency|latest +slowlog|len +slowlog|get"
)
# All but what administers.
_ACL_PERMISSIONS = "resetkeys resetchannels ~* &* +@all -@admin -@dangerous +info +keys"


# Another run that is under way goes first.
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('medianest roles')) \\g /dev/null"


def other_slot(slot: str) -> str:
    """The slot whose turn is next."""
    return SLOTS[slot == SLOTS[0]]


def former_account(account: str) -> str:
    """The account that an account has taken over from: medianest_b of medianest_a."""
    return account[:-1] + other_slot(account[-1])


def psql(administrator: str, database: str) -> list[str]:
    """The command that takes statements, over the server's own socket, where it asks for no password."""
    options = [
        "--no-psqlrc",
        "--quiet",
        "--tuples-only",
        "--no-align",
        "--set=ON_ERROR_STOP=1",
        "--no-password",
    ]
    return ["psql", *options, f"--username={administrator}", f"--dbname={database}"]


def owner_role(administrator: str) -> str:
    """The role that everything in the database belongs to."""
    return f"{administrator}_owner"


def role_statements(administrator: str, database: str, role: str, verifier: str) -> str:
    """What psql has to do, all of it or nothing, as often as one likes."""
    owner = owner_role(administrator)
    lines = [
        "BEGIN;",
        _ONE_AT_A_TIME,
        _create_role(owner, "NOLOGIN"),
        _create_role(role, "NOLOGIN"),
        f'ALTER DATABASE "{database}" OWNER TO "{owner}";',
        f'ALTER SCHEMA public OWNER TO "{owner}";',
        f'GRANT "{owner}" TO "{role}";',
        f"ALTER ROLE \"{role}\" SET role TO '{owner}';",
        f'ALTER ROLE "{role}" {_ROLE_OPTIONS};',
        f"ALTER ROLE \"{role}\" LOGIN PASSWORD '{verifier}';",
        f'ALTER ROLE "{administrator}" PASSWORD NULL;',
        "COMMIT;",
        "\\q",
    ]
    return "\n".join(lines) + "\n"


def monitoring_statements(role: str, verifier: str) -> str:
    """What psql has to do for a role that may see the server's figures, and no data.

    Source: https://www.postgresql.org/docs/17/predefined-roles.html, pg_monitor
    """
    lines = [
        "BEGIN;",
        _ONE_AT_A_TIME,
        _create_role(role, "NOLOGIN"),
        f'ALTER ROLE "{role}" {_ROLE_OPTIONS};',
        f'GRANT {MONITORING_GROUP} TO "{role}";',
        f"ALTER ROLE \"{role}\" LOGIN PASSWORD '{verifier}';",
        "COMMIT;",
        "\\q",
    ]
    return "\n".join(lines) + "\n"


def _create_role(name: str, options: str) -> str:
    # Names are those of the settings, which take no quotes.
    exists = f"SELECT FROM pg_roles WHERE rolname = '{name}'"
    return f"SELECT 'CREATE ROLE \"{name}\" {options}' WHERE NOT EXISTS ({exists}) \\gexec"


def scram_verifier(password: str, salt: bytes, iterations: int = SCRAM_ITERATIONS) -> str:
    """What Postgres keeps of a password, so that the password itself is in none of its logs.

    Source: RFC 5803, and https://www.postgresql.org/docs/current/catalog-pg-authid.html
    """
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    first, second, third = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${iterations}:{first}${second}:{third}"


def retirement_statements(role: str) -> str:
    """Takes a role out of use, unless somebody is connected with it: then psql says how many."""
    usable = f"FROM pg_roles WHERE rolname = '{role}' AND rolcanlogin"
    used = f"(SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}')"  # noqa: S608
    retire = f'ALTER ROLE "{role}" NOLOGIN PASSWORD NULL'
    lines = [
        f"SELECT {used} {usable};",
        f"SELECT '{retire}' {usable} AND {used} = 0 \\gexec",
        "\\q",
    ]
    return "\n".join(lines) + "\n"


def closing_statements(role: str) -> str:
    """Lets nobody log in with a role any more, whoever uses it now."""
    return f'ALTER ROLE "{role}" NOLOGIN PASSWORD NULL;\n\\q\n'


def as_redis_administrator(password_file: str) -> list[str]:
    """The command that takes one line for Redis. Its first answer is that to logging in."""
    return ["sh", "-c", _AS_ADMINISTRATOR, "sh", password_file]


def acl_rules(password: str) -> str:
    """What the backend's user may do, in the words of an ACL."""
    return f"on {password_hash(password)} {_ACL_PERMISSIONS}"


def monitoring_acl_rules(password: str) -> str:
    """What the exporter's user may do: ask for figures."""
    return f"on {password_hash(password)} {_MONITORING_PERMISSIONS}"


def acl_permissions() -> set[str]:
    """The same as the rules that Redis tells of such a user."""
    return _rules_alone(_ACL_PERMISSIONS)


def monitoring_acl_permissions() -> set[str]:
    """The same of the exporter's user."""
    return _rules_alone(_MONITORING_PERMISSIONS)


def _rules_alone(permissions: str) -> set[str]:
    return {rule for rule in permissions.split() if not rule.startswith("reset")}


def password_hash(password: str) -> str:
    """A password as an ACL takes it, so that the file and the log never hold the password."""
    return "#" + hashlib.sha256(password.encode()).hexdigest()
