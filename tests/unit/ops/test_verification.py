"""The verdicts of the verification suite, out of pytest's report."""

from __future__ import annotations

from ops.verification import Verdicts, read_report, sentence

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="4">
<testcase classname="t" name="test_root_file_systems_are_read_only[redis]" time="0.02"/>
<testcase classname="t" name="test_no_secret_shows" time="0.5">
<failure message="assert 1 == 2&#10;one&#10;two&#10;three">long
traceback</failure></testcase>
<testcase classname="t" name="test_it_answers" time="0"><error message="failed on setup">x</error></testcase>
<testcase classname="t" name="test_shell" time="0"><skipped message="no shell in the image"/></testcase>
</testsuite></testsuites>
"""


def test_each_check_has_a_verdict_with_its_reason() -> None:
    verdicts = read_report(REPORT).verdicts
    assert [(verdict.check, verdict.outcome, verdict.reason) for verdict in verdicts] == [
        ("root file systems are read only (redis)", "passed", ""),
        ("no secret shows", "failed", "assert 1 == 2\none\ntwo"),
        ("it answers", "failed", "failed on setup"),
        ("shell", "skipped", "no shell in the image"),
    ]


def test_one_failure_fails_all() -> None:
    verdicts = read_report(REPORT)
    assert not verdicts.passed
    assert verdicts.summary() == "2 of 4 checks failed"
    assert verdicts.as_json()["passed"] is False


def test_no_check_is_no_proof() -> None:
    assert not Verdicts(()).passed
    assert Verdicts(()).summary() == "nothing was verified"


def test_all_passed_is_verified() -> None:
    verdicts = Verdicts(read_report(REPORT).verdicts[:1])
    assert verdicts.passed
    assert verdicts.summary() == "all 1 checks passed"


def test_a_check_reads_as_a_sentence() -> None:
    assert sentence("test_postgres_accepts_connections") == "postgres accepts connections"
