from __future__ import annotations

import base64

from components.accounts import (
    former_account,
    monitoring_acl_rules,
    monitoring_statements,
    owner_role,
    retirement_statements,
    role_statements,
    scram_verifier,
)


def test_a_verifier_is_that_of_the_standard() -> None:
    # The exchange in RFC 7677, section 3, whose keys follow from its password and salt.
    verifier = scram_verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    assert verifier == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=="
        "$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


def test_roles_are_set_up_all_at_once() -> None:
    lines = role_statements("medianest", "medianest", "medianest_b", "VERIFIER").splitlines()
    assert (lines[0], lines[-2:]) == ("BEGIN;", ["COMMIT;", "\\q"])


def test_what_a_backend_makes_belongs_to_the_owner() -> None:
    text = role_statements("medianest", "medianest", "medianest_b", "VERIFIER")
    assert owner_role("medianest") == "medianest_owner"
    assert """ALTER ROLE "medianest_b" SET role TO 'medianest_owner';""" in text
    assert 'ALTER DATABASE "medianest" OWNER TO "medianest_owner";' in text


def test_the_administrator_keeps_no_password() -> None:
    assert 'ALTER ROLE "medianest" PASSWORD NULL;' in role_statements("medianest", "x", "y", "v")


def test_accounts_take_turns() -> None:
    assert former_account("medianest_a") == "medianest_b"
    assert former_account("backend_b") == "backend_a"


def test_a_role_is_retired_only_when_nobody_uses_it() -> None:
    lines = retirement_statements("medianest_a").splitlines()
    assert "count(*) FROM pg_stat_activity WHERE usename = 'medianest_a') = 0" in lines[1]
    assert 'ALTER ROLE "medianest_a" NOLOGIN PASSWORD NULL' in lines[1]


def test_the_exporters_role_sees_figures_and_no_data() -> None:
    lines = monitoring_statements("medianest_monitoring_a", "VERIFIER").splitlines()
    assert (lines[0], lines[-2:]) == ("BEGIN;", ["COMMIT;", "\\q"])
    granted = [line for line in lines if "GRANT" in line or "OWNER" in line]
    assert granted == ['GRANT pg_monitor TO "medianest_monitoring_a";']


def test_the_exporters_user_sees_figures_and_no_data() -> None:
    rules = monitoring_acl_rules("swordfish")
    assert "swordfish" not in rules
    assert "-@all" in rules
    assert "~" not in rules
    assert {word for word in rules.split() if word.startswith("+")} == {
        "+ping",
        "+info",
        "+client|setname",
        "+latency|latest",
        "+slowlog|len",
        "+slowlog|get",
    }
