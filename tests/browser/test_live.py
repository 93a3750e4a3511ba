"""What happens to the stack is on the page within seconds, and what is not of now is marked."""

from __future__ import annotations

import time

from docker.models.containers import Container

from tests.browser.driver import Page
from tests.guardian.guarded import Guarded
from tests.harness.at_fault import healthy
from tests.harness.waiting import until

# From the kill of a container to the page that says so.
LIVE_SECONDS = 5.0
# This machine may be three times slower than one that has nothing else to do.
PATIENCE = 3.0


def of(stack: Guarded, component: str) -> list[Container]:
    wanted = [f"medianest.stack={stack.stack}", f"medianest.component={component}"]
    found = stack.client.containers.list(all=True, ignore_removed=True, filters={"label": wanted})
    return sorted(found, key=lambda item: str(item.name))


def test_a_container_that_is_killed_is_seen_and_so_is_its_healing(stack: Guarded, dashboard: Page) -> None:
    (redis,) = of(stack, "redis")
    short = str(redis.name).removeprefix(f"{stack.stack}-")

    def told(what: str) -> bool:
        return f"\t{what}\t{short}\tit does not run" in dashboard.text("#healing")

    began = time.monotonic()
    redis.kill()
    # It is told of by what was down, or where that was over sooner than a document, by what was done.
    dashboard.until(
        lambda: dashboard.word() == "down" or told("start begun"),
        "the page tells of the kill",
        LIVE_SECONDS * PATIENCE,
    )
    print(f"a kill was on the page after {time.monotonic() - began:.1f} s")
    dashboard.until(lambda: told("start done"), "what was done", 60)
    dashboard.until(lambda: dashboard.word() == "well", "well again", 60)


def test_the_page_marks_what_it_shows_when_the_guardian_is_gone(stack: Guarded, dashboard: Page) -> None:
    guardian = stack.guardian
    guardian.pause()
    try:
        took = dashboard.until(lambda: dashboard.word() == "unknown", "the mark", 10 * PATIENCE)
        assert dashboard.text("#stale").startswith("Connection lost. What is shown is of ")
        assert "The connection to the guardian is lost." in dashboard.text("#verdict")
        assert dashboard.run("return document.body.classList.contains('lost')")
        dashboard.screenshot("connection-lost")
    finally:
        guardian.unpause()
    print(f"a lost connection was marked after {took:.1f} s")
    dashboard.until(lambda: dashboard.word() == "well", "the mark is gone", 60)
    assert dashboard.text("#stale") == ""


def test_the_page_finds_a_guardian_again_that_was_started_anew(stack: Guarded, dashboard: Page) -> None:
    stack.guardian.restart(timeout=5)
    until(lambda: healthy(stack.guardian), "the guardian is ready", 60)
    dashboard.until(lambda: dashboard.word() == "well", "the page goes on without another login", 60)


def test_a_prometheus_that_is_silent_is_told_of_beside_what_is_known(
    dashboard: Page, prometheus: Container
) -> None:
    dashboard.until(lambda: "AboutToFire" in dashboard.text("#alerts"), "the alert that is about to fire")
    assert "pending, warning" in dashboard.text("#alerts")
    prometheus.pause()
    try:
        dashboard.until(lambda: "There are no new figures for" in dashboard.text("#stale"), "the mark", 60)
        assert dashboard.word() == "degraded"
        # The seconds that go by are shown, and not spoken of.
        said = "return document.querySelector('#spoken').textContent"
        spoken, shown = dashboard.run(said), dashboard.text("#reason")
        dashboard.until(lambda: dashboard.text("#reason") != shown, "the time goes by")
        assert dashboard.run(said) == spoken
        # What the engine tells is of now.
        assert "healthy" in dashboard.text("#containers")
        dashboard.screenshot("prometheus-silent")
    finally:
        prometheus.unpause()
    dashboard.until(lambda: dashboard.word() == "well", "the mark is gone", 60)


def test_an_engine_that_cannot_be_seen_makes_the_verdict_unknown(stack: Guarded, dashboard: Page) -> None:
    proxy = stack.client.containers.get(f"{stack.stack}-engine-proxy")
    proxy.pause()
    try:
        dashboard.until(lambda: dashboard.word() == "unknown", "the verdict", 90)
        assert "The engine has not been seen for" in dashboard.text("#stale")
        assert dashboard.run("return document.body.classList.contains('old')")
    finally:
        proxy.unpause()
    dashboard.until(lambda: dashboard.word() == "well", "well again", 90)
