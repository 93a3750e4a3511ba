from __future__ import annotations

from dataclasses import replace

import pytest

from ops.drift.fix import ask, refuse_to_deploy_more
from ops.drift.in_place import limits_of
from ops.drift.look import Look
from ops.drift.mending import plan_of
from ops.drift.model import Finding, Mending, Pending, Report
from ops.drift.record import Recorded
from ops.errors import ExitCode, OperationError
from ops.names import CONTAINER, VOLUME
from ops.plan.model import Interruption
from tests.unit.ops.drift.recorded_stack import documents

FINDING = Finding("redis", "container", "redis", "user", "1", "1", "0", "", Mending.REPLACE, "urn:redis")
GAP = Interruption("redis", 90, "everybody")
LABELS = [{"label": "medianest.component", "value": "backend"}]
BACKENDS = [
    Recorded(f"urn::backend-{number}", CONTAINER, str(number), {"labels": LABELS}) for number in (0, 1)
]


@pytest.mark.parametrize(
    ("mending", "update", "refresh"),
    [
        (Mending.REPLACE, True, False),
        (Mending.WRITE_FILES, True, False),
        (Mending.SET_UP_AGAIN, True, False),
        (Mending.START, True, True),
        (Mending.CREATE, True, True),
        (Mending.IN_PLACE, False, False),
        (Mending.REMOVE, False, False),
        (Mending.NONE, False, False),
    ],
)
def test_pulumi_runs_only_where_it_has_to(mending: Mending, update: bool, refresh: bool) -> None:
    urn = "" if mending is Mending.REMOVE else FINDING.urn
    plan = plan_of([replace(FINDING, mending=mending, urn=urn)], [])
    assert (plan.update, plan.refresh) == (update, refresh)
    assert plan.is_empty is (mending is Mending.NONE)
    assert plan.options == (["--replace", "urn:redis"] if update and not refresh else [])


def test_backends_start_anew_with_the_right_secrets() -> None:
    written = replace(FINDING, mending=Mending.WRITE_FILES, component="backend", urn="urn:loader")
    assert plan_of([written], BACKENDS).replace == ("urn::backend-0", "urn::backend-1", "urn:loader")
    gateway = replace(written, component="gateway")
    assert plan_of([gateway], BACKENDS).replace == ("urn:loader",)


def test_with_a_volume_everything_that_mounts_it_is_replaced() -> None:
    volume = Recorded("urn:volume", VOLUME, "v1", {})
    reader = replace(BACKENDS[0], inputs={"labels": LABELS, "mounts": [{"source": "v1", "target": "/x"}]})
    too_many = replace(FINDING, kind="file", urn="urn:volume")
    assert plan_of([too_many], [volume, reader, BACKENDS[1]]).replace == ("urn::backend-0", "urn:volume")


def test_a_volume_that_one_made_by_hand_holds_has_to_wait() -> None:
    volume = Recorded("urn:volume", VOLUME, "v1", {})
    reader = replace(BACKENDS[0], inputs={"labels": LABELS, "mounts": [{"source": "v1", "target": "/x"}]})
    too_many = replace(FINDING, kind="file", urn="urn:volume")
    by_hand = replace(FINDING, resource="backend-0", property="id", mending=Mending.CREATE)
    plan = plan_of([too_many, by_hand], [volume, reader])
    assert (plan.replace, plan.refresh) == ((), True)


def test_what_is_gone_is_not_to_be_replaced() -> None:
    written = replace(FINDING, mending=Mending.WRITE_FILES, component="backend", urn="urn:loader")
    gone = replace(FINDING, resource="backend-0", mending=Mending.CREATE)
    assert plan_of([written, gone], BACKENDS).replace == ("urn::backend-1", "urn:loader")


def test_of_several_interruptions_of_a_part_the_longest_counts() -> None:
    findings = [replace(FINDING, interruption=replace(GAP, seconds=seconds)) for seconds in (10, 90, 20)]
    assert plan_of([*findings, FINDING], []).interruptions == (GAP,)


def test_nobody_to_ask_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    with pytest.raises(OperationError) as error:
        ask("staging", [GAP], allowed=False)
    assert error.value.code is ExitCode.REFUSED
    assert "redis, 90 s at most" in error.value.message
    assert "--allow-interruption" in error.value.hint
    ask("staging", [GAP], allowed=True)
    ask("staging", [], allowed=False)


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (Report(pending=(Pending("backend-0", "replace"),)), "would deploy them too"),
        (Report(notes=("What the tree declares is not known: broken",), knows_the_tree=False), "broken"),
    ],
)
def test_a_fix_deploys_nothing_else(report: Report, message: str) -> None:
    seen = Look(report, ())
    with pytest.raises(OperationError, match=message) as error:
        refuse_to_deploy_more("staging", plan_of([FINDING], []), seen)
    assert error.value.code is ExitCode.REFUSED
    refuse_to_deploy_more("staging", plan_of([replace(FINDING, mending=Mending.IN_PLACE)], []), seen)


def test_limits_are_put_back_as_the_engine_takes_them() -> None:
    assert limits_of(documents("redis").recorded.inputs, 200) == {
        "RestartPolicy": {"Name": "unless-stopped"},
        "Memory": 192 * 1024 * 1024,
        "MemorySwap": 192 * 1024 * 1024,
        "NanoCpus": 1_000_000_000,
        "PidsLimit": 200,
    }
