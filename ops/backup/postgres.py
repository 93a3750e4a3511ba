"""The database of a stack: dumped, counted, restored beside the one that serves, put in its place.

Everything runs in the Postgres container, as its own user, over the server's local socket, which ours
and the official image trust: no password is needed, and the dump has the server's own version.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ops.backup.manifest import Database, Table
from ops.container_commands import feed, output, run
from ops.errors import OperationError

if TYPE_CHECKING:
    from docker import APIClient

# The database that is restored into, and the former one, until the restore is known to be good.
STAGED, FORMER = "medianest_restore_new", "medianest_restore_old"
MARK = "@"
SWAP_ATTEMPTS = 5

# How a row is written must not depend on the server's settings: its hash is compared with another's.
_SESSION = (
    'export PGUSER="$1" PGDATABASE="$2" PGOPTIONS=\'-c timezone=UTC -c datestyle=ISO '
    "-c intervalstyle=postgres -c extra_float_digits=1 -c bytea_output=hex -c client_min_messages=warning'\n"
    "query() { psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --no-password; }\n"
)
# Tables of users, without those of extensions, which come with the extension.
_FINGERPRINT = r"""
SELECT format(
  'SELECT ''@'' || json_build_object(''table'', %L, ''rows'', count(*), ''digest'','
  ' coalesce(sum(hashtextextended(medianest_row::text, 0)), 0)::text) FROM ONLY %I.%I AS medianest_row',
  n.nspname || '.' || c.relname, n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1 \gexec
SELECT '@' || json_build_object(
  'complete', true, 'version', current_setting('server_version_num')::int,
  'roles', (SELECT json_agg(rolname ORDER BY rolname) FROM pg_roles WHERE rolname !~ '^pg_'));
"""
# The snapshot is held open while pg_dump reads it and while its rows are counted: both see the same.
_DUMP = rf"""{_SESSION}query <<'END'
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT pg_export_snapshot() AS snapshot \gset
\setenv SNAPSHOT :snapshot
\! pg_dump --format=custom --compress=0 --no-password --snapshot="$SNAPSHOT" || echo '@{{"failed": true}}' >&2
\o |cat >&2
{_FINGERPRINT}
COMMIT;
END
"""


@dataclass
class _Facts:
    """Collects the marked lines of error output."""

    rest: str = ""
    lines: list[dict[str, Any]] = field(default_factory=list)

    def take(self, text: bytes) -> None:
        *lines, self.rest = (self.rest + text.decode(errors="replace")).split("\n")
        self.lines += [json.loads(line[len(MARK) :]) for line in lines if line.startswith(MARK)]


def read_facts(lines: Iterable[Mapping[str, Any]], name: str, user: str) -> Database:
    """What a database holds, out of the lines of its fingerprint. Raises OperationError if it is cut off."""
    lines = list(lines)
    end = next((line for line in lines if line.get("complete")), None)
    if end is None or any(line.get("failed") for line in lines):
        raise OperationError("the database could not be dumped: it was not read to its end")
    tables = {line["table"]: Table(line["rows"], line["digest"]) for line in lines if "table" in line}
    return Database(name, user, end["version"], end["roles"], tables)


@dataclass(frozen=True)
class Server:
    """A Postgres container, with the user and the database that it was made for."""

    api: APIClient
    container: str
    user: str
    database: str

    def dump(self, then: Callable[[Database], None]) -> Iterator[bytes]:
        """The database in pg_dump's custom format; at its end `then` gets what is in it, to the row."""
        facts = _Facts()
        command = ["sh", "-euc", _DUMP, "sh", self.user, self.database]
        yield from output(self.api, self.container, command, "pg_dump", on_error_output=facts.take)
        then(read_facts(facts.lines, self.database, self.user))

    def fingerprint(self, database: str) -> Database:
        """What a database of this server holds, to the row."""
        facts = _Facts()
        out, _ = self._query(_FINGERPRINT, database, "counting rows")
        facts.take(out)
        return read_facts(facts.lines, database, self.user)

    def size(self) -> int:
        """Bytes that the database takes on its disk."""
        out, _ = self._query("SELECT pg_database_size(current_database());", self.database, "asking Postgres")
        return int(out)

    def version(self) -> int:
        """The server's version as a number: 170006 is 17.6."""
        out, _ = self._query("SHOW server_version_num;", self.database, "asking Postgres")
        return int(out)

    def databases(self) -> set[str]:
        out, _ = self._query("SELECT datname FROM pg_database;", "postgres", "asking Postgres")
        return set(out.decode().split())

    def stage(self, dump: Iterable[bytes], size: int, roles: Iterable[str]) -> None:
        """Restore a dump into a new database beside the one that serves. Raises OperationError."""
        # Objects may belong to roles of the stack that was backed up: without a login they harm nobody.
        missing = "".join(
            f"SELECT format('CREATE ROLE %I NOLOGIN', {_quoted(role)}) "  # noqa: S608 - quoted
            f"WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {_quoted(role)}) \\gexec\n"
            for role in roles
        )
        self._query(
            f"{missing}DROP DATABASE IF EXISTS {STAGED};\nCREATE DATABASE {STAGED} TEMPLATE template0;",
            "postgres",
            "making the new database",
        )
        command = ["pg_restore", "--exit-on-error", "--no-password", "--username", self.user]
        feed(self.api, self.container, [*command, "--dbname", STAGED], dump, size, "pg_restore")

    def change_staged(self, script: bytes) -> None:
        """Run an SQL script in the staged database: all of it, or nothing. Raises OperationError."""
        options = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--no-password"]
        command = ["psql", *options, "--output=/dev/null", "--username", self.user, "--dbname", STAGED]
        feed(self.api, self.container, command, [script], len(script), "the script")

    def put_in_place(self) -> None:
        """Swap the database that serves with the staged one: both names change at once, or none."""
        self._swap(STAGED, FORMER)

    def take_back(self) -> None:
        """Undo that, and forget the staged one. Whatever was done before, what was there is back after it."""
        if FORMER in self.databases():
            self._swap(FORMER, STAGED)
        self._query(
            f"DROP DATABASE IF EXISTS {STAGED} WITH (FORCE);", "postgres", "dropping the new database"
        )

    def forget_former(self) -> None:
        self._query(
            f"DROP DATABASE IF EXISTS {FORMER} WITH (FORCE);", "postgres", "dropping the old database"
        )

    def _swap(self, incoming: str, outgoing: str) -> None:
        served = '"' + self.database.replace('"', '""') + '"'
        name = _quoted(self.database)
        # What was set for the database itself, and who may connect to it, stays with the name.
        keep = f"""
SELECT format('ALTER DATABASE {incoming} SET %s = %L', split_part(setting, '=', 1),
  substr(setting, strpos(setting, '=') + 1))
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase AND s.setrole = 0,
  unnest(s.setconfig) AS setting
WHERE d.datname = {name} \\gexec
SELECT format('ALTER DATABASE {incoming} OWNER TO %I', pg_get_userbyid(datdba)) FROM pg_database
WHERE datname = {name} \\gexec
SELECT 'REVOKE ALL ON DATABASE {incoming} FROM PUBLIC' FROM pg_database
WHERE datname = {name} AND datacl IS NOT NULL \\gexec
SELECT format('GRANT %s ON DATABASE {incoming} TO %s', acl.privilege_type,
  CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END)
FROM pg_database, aclexplode(datacl) AS acl WHERE datname = {name} \\gexec
"""  # noqa: S608 - names of our own and quoted ones
        self._query(keep, "postgres", "preparing the restored database")
        swap = f"""
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname IN ({name}, '{incoming}') AND pid <> pg_backend_pid() \\g /dev/null
SELECT pg_sleep(0.2) \\g /dev/null
BEGIN;
ALTER DATABASE {served} RENAME TO {outgoing};
ALTER DATABASE {incoming} RENAME TO {served};
COMMIT;
"""  # noqa: S608 - names of our own and quoted ones
        for attempt in range(SWAP_ATTEMPTS):
            try:
                self._query(swap, "postgres", "putting the restored database in place")
                return
            except OperationError:
                # A session that was ended may take a moment, and who watches the server comes back.
                if attempt == SWAP_ATTEMPTS - 1:
                    raise

    def _query(self, sql: str, database: str, what: str) -> tuple[bytes, str]:
        script = f"{_SESSION}query <<'END'\n{sql}\nEND\n"
        return run(self.api, self.container, ["sh", "-euc", script, "sh", self.user, database], what)


def server_of(api: APIClient, container: str) -> Server:
    """The server in a container, as the container's environment names user and database."""
    inspected = api.inspect_container(container)
    if not inspected["State"]["Running"]:
        raise OperationError(
            f"Postgres does not run: container {container} is stopped", "Start it: ./medianest up STACK"
        )
    environment: dict[str, str] = {}
    for line in inspected["Config"]["Env"]:
        name, _, value = line.partition("=")
        environment[name] = value
    user = environment.get("POSTGRES_USER", "postgres")
    return Server(api, container, user, environment.get("POSTGRES_DB", user))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
