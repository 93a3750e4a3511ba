"""What is read out of answers: of backends, of Prometheus, over a bare connection."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from components.build_context import TRIAL_OWNER_VARIABLE
from ops.health.facts import Workers
from ops.health.gather import ask_token, read_workers
from ops.health.trial_build import surroundings, trial_project
from ops.inside import Answer, AskingError, read_answer
from ops.project import Project
from ops.prometheus import Series, read_series
from ops.releases.records import VERIFIED, Record, build_seconds, records

ROOT = Path(__file__).parents[4]
METRICS = """# TYPE medianest_workers gauge
medianest_workers{state="wanted"} 2
medianest_workers{state="healthy"} 1
medianest_workers{state="busy"} 1
# TYPE medianest_workers_terminated counter
medianest_workers_terminated_total{reason="crashed"} 3
medianest_workers_terminated_total{reason="memory"} 1
medianest_workers_terminated_total{reason="used_up"} 5
"""


def test_workers_that_ended_as_they_should_are_no_failures() -> None:
    assert read_workers(METRICS) == Workers(wanted=2, healthy=1, failed=4)


@pytest.mark.parametrize(
    "figures", ["", "other 1\n", 'medianest_workers{state="wanted"} 2\n', "{ no figures"]
)
def test_figures_that_tell_of_no_workers(figures: str) -> None:
    assert read_workers(figures) is None


def test_a_token_that_nobody_issues() -> None:
    answer = ask_token("http://127.0.0.1:1/api/auth/test-jwt")
    assert (answer.status, answer.said) == (0, "ConnectionError")


def test_an_answer_over_a_bare_connection() -> None:
    assert read_answer(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n{}\r\n\r\nx") == Answer(200, "{}\r\n\r\nx")


@pytest.mark.parametrize("content", [b"", b"HTTP/1.1 200 OK\r\n", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 ok\r\n\r\n"])
def test_an_answer_that_is_none(content: bytes) -> None:
    with pytest.raises(AskingError, match="not HTTP, or cut off"):
        read_answer(content)


def test_series_of_a_moment_and_of_a_span() -> None:
    moment = {"metric": {"a": "b"}, "value": [10.5, "3"]}
    span = {"metric": {}, "values": [[1, "NaN"], [2, "4.5"], [3, "+Inf"]]}
    document = {"status": "success", "data": {"result": [moment, span]}}
    assert read_series(document) == [Series({"a": "b"}, [(10.5, 3.0)]), Series({}, [(2.0, 4.5)])]
    assert Series({}, []).last is None


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"status": "error", "error": "parse error"}, "Prometheus refuses: parse error"),
        ({}, "something else"),
        ([], "something else"),
        ({"status": "success", "data": {"result": [{"metric": {}, "value": ["x"]}]}}, "something else"),
    ],
)
def test_an_answer_of_prometheus_without_figures(document: object, said: str) -> None:
    with pytest.raises(AskingError, match=said):
        read_series(document)


def record(content: str, build: float) -> Record:
    return Record(VERIFIED, "all 63 checks passed", 1_795_549_000, "sha256:" + "a" * 64, content, build)


def test_the_build_of_a_release_is_on_its_record() -> None:
    known = {"r1": record("c1", 44.12), "r2": record("c1", 0.0), "r3": record("c2", 0.0)}
    # r2 took over the image of r1, nobody built that of r3 with `up`.
    assert [build_seconds(known, release) for release in ("r1", "r2", "r3", "r4")] == [
        44.12,
        44.12,
        None,
        None,
    ]
    tags = {f"medianest:release.{release}": own.as_tag() for release, own in known.items()}
    assert records("medianest", tags) == known
    assert all(len(tag) <= 256 for tag in tags.values())
    # A release that was not built has the tag that it always had.
    assert "build" not in tags["medianest:release.r3"]


def test_the_trial_has_a_state_of_its_own(tmp_path: Path) -> None:
    given = {"PULUMI_BACKEND_URL": "file:///real", "PULUMI_CONFIG_PASSPHRASE": "real", "PATH": "/bin"}
    found = surroundings(given, ROOT, "owner", tmp_path)
    assert found["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/state"
    assert "PULUMI_CONFIG_PASSPHRASE" not in found
    assert Path(found["PULUMI_CONFIG_PASSPHRASE_FILE"]).stat().st_mode & 0o777 == 0o600
    assert (found["PATH"], found[TRIAL_OWNER_VARIABLE]) == ("/bin", "owner")


def test_the_trial_takes_the_settings_of_the_backend_alone(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    (root / "components").mkdir(parents=True)
    (root / "components/trial_build.py").write_text("program")
    encrypted = {"medianest:jwt_secret": {"secure": "v1:never"}}
    backend = {"replicas": 2}
    (root / "Pulumi.a.yaml").write_text(
        yaml.safe_dump({"config": {"medianest:backend": backend, **encrypted}})
    )
    work = tmp_path / "work"
    work.mkdir()
    project = trial_project(Project("medianest", root), "a", work)
    assert project == Project("medianest", work)
    assert yaml.safe_load((work / "Pulumi.a.yaml").read_text()) == {"config": {"medianest:backend": backend}}
    assert (work / "__main__.py").read_text() == "program"
    assert yaml.safe_load((work / "Pulumi.yaml").read_text())["name"] == "medianest"
