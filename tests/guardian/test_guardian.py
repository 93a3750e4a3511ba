"""The guardian on real containers: faults made real, and what must be left alone."""

from __future__ import annotations

import json
import re
from functools import partial

import pytest
import requests
from docker.models.containers import Container

from tests.guardian.guarded import CRASHES, LIVES, Guarded
from tests.harness.at_fault import healthy, signal, started_at
from tests.harness.fault_results import measured
from tests.harness.waiting import until

# A look each second, evidence 3 s at most, and a machine that is slower than this one.
ACTS_SECONDS = 40.0
# How long one has to look to say that nothing was done.
NOTHING_SECONDS = 2.5


@pytest.fixture(scope="module")
def gateway(stack: Guarded) -> Container:
    """So that the stack is not one that was stopped."""
    return stack.start("gateway")


def quiet(stack: Guarded) -> None:
    """Wait for looks: two at least are as good as many."""
    before = stack_seen(stack)
    until(lambda: stack_seen(stack) > before + NOTHING_SECONDS, "the guardian looks")


def stack_seen(stack: Guarded) -> float:
    text = requests.get(f"{stack.url}/metrics", timeout=5).text
    (line,) = [row for row in text.splitlines() if row.startswith("medianest_guardian_last_look_seconds ")]
    return float(line.split()[1])


@pytest.mark.fault("a container killed", "it is started, its evidence kept")
def test_a_killed_container_is_started_with_the_evidence_kept(stack: Guarded, gateway: Container) -> None:
    killed = stack.start("redis", f"echo its last words; {LIVES}")
    killed.kill("SIGKILL")
    until(
        lambda: stack.journal(kind="action", container=killed.name, outcome="done"), "started", ACTS_SECONDS
    )
    (begun,) = stack.journal(kind="action", container=killed.name, outcome="begun")
    assert begun["what"] == "start"
    assert "exit code 137" in begun["why"]
    assert "its last words" in stack.read(f"{begun['evidence']}/log.txt")
    seen = json.loads(stack.read(f"{begun['evidence']}/container.json"))
    assert seen["State"]["Status"] == "exited"
    assert "never-to-be-seen" not in json.dumps(seen)
    killed.remove(force=True)


@pytest.mark.fault("a backend hangs", "it is restarted, the other is not touched")
def test_a_hung_backend_is_restarted_and_the_other_is_not_touched(stack: Guarded, gateway: Container) -> None:
    stack_postgres = stack.start("postgres")
    hung, other = stack.start("backend", release="r1"), stack.start("backend", release="r1")
    until(lambda: all(healthy(item) for item in (stack_postgres, hung, other)), "all are well")
    before = started_at(other)
    signal(hung, "STOP")
    took = until(
        lambda: stack.journal(kind="action", container=hung.name, outcome="done"), "restarted", ACTS_SECONDS
    )
    assert healthy(hung)
    assert [
        entry["what"] for entry in stack.journal(kind="action", outcome="begun", container=hung.name)
    ] == ["restart"]
    assert started_at(other) == before
    assert stack.journal(kind="action", container=other.name) == []
    measured(f"hung for {took:.1f} s, detection included")


@pytest.mark.fault("an alert asks for a restart of the backend", "one replica after the other")
def test_an_alert_restarts_one_replica_after_the_other(stack: Guarded, gateway: Container) -> None:
    assert requests.post(f"{stack.url}/alerts", json={}, timeout=5).status_code == 401
    backends = stack.client.containers.list(
        ignore_removed=True, filters={"label": ["medianest.component=backend", *own(stack)]}
    )
    assert len(backends) == 2
    before = {str(item.name): started_at(item) for item in backends}
    assert stack.alert("BackendMemoryHigh", "restart", component="backend").status_code == 200
    done = [str(item.name) for item in backends]
    until(
        lambda: all(
            stack.journal(kind="action", container=name, outcome="done", why=SUMMARY) for name in done
        ),
        "both restarted",
        ACTS_SECONDS,
    )
    assert all(started_at(item) > before[str(item.name)] for item in backends)
    took_turns = [
        (entry["container"], entry["outcome"])
        for entry in stack.journal(kind="action", why=SUMMARY, component="backend")
    ]
    first, second = took_turns[0][0], took_turns[2][0]
    # What follows is a second round, where the machine takes longer than the alert may go on.
    assert took_turns[:4] == [(first, "begun"), (first, "done"), (second, "begun"), (second, "done")]
    stack.alert("BackendMemoryHigh", "restart", status="resolved", component="backend")
    assert stack.journal(kind="alert", outcome="resolved")


SUMMARY = "BackendMemoryHigh is too high"


def own(stack: Guarded) -> list[str]:
    return [f"medianest.stack={stack.stack}", f"medianest.owner={stack.owner}"]


@pytest.mark.fault("a container killed during a deploy", "nothing is done")
def test_during_a_deploy_nothing_is_done(stack: Guarded, gateway: Container) -> None:
    mark = stack.client.volumes.create(labels=stack.labels("deploying"))
    try:
        killed = stack.start("redis")
        quiet(stack)
        killed.kill("SIGKILL")
        quiet(stack)
        killed.reload()
        assert killed.status == "exited"
        assert stack.journal(kind="decision", outcome="waiting", container=killed.name)
    finally:
        mark.remove()
    until(
        lambda: stack.journal(kind="action", container=killed.name, outcome="done"), "started", ACTS_SECONDS
    )
    killed.remove(force=True)


@pytest.mark.fault("stopped, paused, foreign", "left alone")
def test_what_is_stopped_paused_or_foreign_is_left_alone(stack: Guarded, gateway: Container) -> None:
    stopped, paused = stack.start("prometheus"), stack.start("alertmanager")
    foreign = stack.start("redis", owner="somebodyelse")
    quiet(stack)
    foreign.kill("SIGKILL")
    stopped.stop(timeout=2)
    paused.pause()
    quiet(stack)
    for container, status in ((stopped, "exited"), (paused, "paused"), (foreign, "exited")):
        container.reload()
        assert container.status == status, container.name
        assert stack.journal(kind="action", container=container.name) == []
    until(lambda: stack.journal(kind="page", container=paused.name), "a page", ACTS_SECONDS)
    quiet(stack)
    assert len(stack.journal(kind="page", container=paused.name)) == 1
    paused.unpause()


@pytest.mark.fault("a crash loop", "given up with a page, also after the guardian was killed")
def test_a_crash_loop_ends_in_a_page_which_a_killed_guardian_remembers(
    stack: Guarded, gateway: Container
) -> None:
    stopped = stack.start("prometheus")
    quiet(stack)
    stopped.stop(timeout=2)
    crashing = stack.start("node-exporter", CRASHES)
    until(lambda: stack.journal(kind="page", container=crashing.name), "paged", 40)
    (gave_up,) = stack.journal(kind="decision", outcome="given up", container=crashing.name)
    # As often as the budget says, or once more where a look comes late.
    assert re.search("died [56] times", gave_up["why"])
    assert "about to crash" in stack.read(f"{gave_up['evidence']}/log.txt")
    assert "about to crash" not in json.dumps(stack.journal(kind="page"))
    restarts = restart_count(stack.guardian)
    # As a crash would, which a kill by the engine's API is not: after that it stays down.
    signal(stack.guardian, "KILL")
    until(lambda: restart_count(stack.guardian) > restarts, "the engine restarts the guardian")
    until(lambda: healthy(stack.guardian), "the guardian is ready again")
    quiet(stack)
    assert len(stack.journal(kind="page", container=crashing.name)) == 1
    assert stack.journal(kind="action", container=crashing.name) == []
    stopped.reload()
    assert stopped.status == "exited"
    crashing.remove(force=True)


def restart_count(container: Container) -> int:
    container.reload()
    return int(container.attrs["RestartCount"])


def test_figures_of_the_containers(stack: Guarded, gateway: Container) -> None:
    def figures() -> dict[str, float]:
        text = requests.get(f"{stack.url}/metrics", timeout=5).text
        label = f'{{component="gateway",container="{gateway.name}"}}'
        rows = [line.split() for line in text.splitlines() if label in line]
        return {name.removesuffix(label): float(value) for name, value in rows}

    until(lambda: "medianest_container_memory_bytes" in figures(), "its memory is known", ACTS_SECONDS)
    found = figures()
    assert 100_000 < found["medianest_container_memory_bytes"] < 32 * 1024 * 1024
    assert found["medianest_container_memory_limit_bytes"] == 32 * 1024 * 1024
    assert found["medianest_container_running"] == found["medianest_container_healthy"] == 1
    assert found["medianest_container_processes"] >= 2
    assert found["medianest_container_cpu_seconds_total"] > 0
    assert found["medianest_container_restarts_total"] == 0


def test_reports_are_written_by_themselves(stack: Guarded, gateway: Container) -> None:
    until(lambda: stack.journal(kind="report", what="memory"), "a report on memory", ACTS_SECONDS)
    report = json.loads(stack.read("reports/memory.jsonl").splitlines()[0])
    assert report["total_bytes"] >= 0
    for what in ("health", "workers"):
        until(partial(stack.journal, kind="report", what=what), f"a report on {what}", ACTS_SECONDS)
