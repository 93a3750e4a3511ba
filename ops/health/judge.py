"""The five checks: pure functions from facts and settings to verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from components.monitoring.rules.backend import MEGABYTE, memory_levels
from components.settings import StackSettings
from ops.checks import Check, Level, level_of
from ops.health.facts import Build, HealthFacts, Replica, TokenAnswer
from ops.output import megabytes, seconds

HOUR = 3600.0
LOG_LINES = 5


def judge(stack: str, facts: HealthFacts, settings: StackSettings) -> list[Check]:
    """All five, in the order in which what fails first explains the rest."""
    return [
        start_up(stack, facts.replicas, settings),
        image_build(stack, facts.build, settings),
        cache_and_tokens(stack, facts.pong, facts.token, settings),
        memory(stack, facts.replicas, facts.total_bytes, settings),
        workers(stack, facts.replicas, facts.worker_failures, settings),
    ]


def start_up(stack: str, replicas: Sequence[Replica], settings: StackSettings) -> Check:
    """Every declared replica has started in time, and has validated its secrets, where it tells of them."""
    wanted, limit = settings.backend.replicas, settings.backend.health.start_seconds
    threshold = f"all {wanted} serve with valid secrets, healthy within {limit} s"
    evidence = [line for replica in replicas for line in _start_problems(replica, limit)]
    serving = [replica for replica in replicas if replica.serves]
    if len(replicas) < wanted:
        evidence.append(f"{wanted - len(replicas)} of {wanted} replicas are not there")
    took = max(
        (replica.start_seconds for replica in replicas if replica.start_seconds is not None), default=None
    )
    told = [replica.services for replica in replicas if replica.services and "secrets" in replica.services]
    parts = [
        f"{len(serving)} of {wanted} serve",
        *(["secrets validated"] if told and all(s["secrets"] == "validated" for s in told) else []),
        *([f"healthy after {seconds(took)}"] if took is not None else []),
    ]
    running = any(replica.state == "running" for replica in replicas)
    return Check(
        "start-up and secrets",
        Level.CRITICAL if evidence else Level.OK,
        ", ".join(parts),
        threshold,
        evidence,
        (f"./medianest logs {stack} backend" if running else f"./medianest up {stack}") if evidence else "",
        took,
        "s" if took is not None else "",
    )


def _start_problems(replica: Replica, limit: float) -> list[str]:
    """What is wrong with one replica's start, with the end of its log where it does not serve."""
    found = []
    if not replica.serves:
        condition = replica.health if replica.state == "running" and replica.health else replica.state
        found.append(f"{replica.name} is {condition}")
    if replica.state == "running" and replica.services is None:
        found.append(f"{replica.name} does not tell of its health: {replica.unanswered}")
    if (word := (replica.services or {}).get("secrets", "validated")) != "validated":
        found.append(f"{replica.name} says that its secrets are {word}")
    if replica.start_seconds is not None and replica.start_seconds > limit:
        found.append(f"{replica.name} was healthy after {seconds(replica.start_seconds)} only")
    if found and replica.log:
        found += ["the end of its log:", *(f"  {line}" for line in replica.log[-LOG_LINES:])]
    return found


def image_build(stack: str, build: Build, settings: StackSettings) -> Check:
    """The build of the image took no longer than it may."""
    limit = settings.verification.build_seconds
    name, threshold = "image build", f"at most {limit:g} s"
    anew = f"./medianest health {stack} --build measures it anew"
    if build.seconds is None:
        return Check(name, Level.UNKNOWN, "not known", threshold, [build.source], anew)
    slow = build.seconds > limit
    return Check(
        name,
        Level.CRITICAL if slow else Level.OK,
        f"{seconds(build.seconds)}, {build.source}",
        threshold,
        [f"the build took {seconds(build.seconds - limit)} longer than it may"] if slow else (),
        f"Order the Dockerfile so that what changes seldom comes first; {anew}" if slow else "",
        round(build.seconds, 2),
        "s",
    )


def cache_and_tokens(stack: str, pong: str, token: TokenAnswer | None, settings: StackSettings) -> Check:
    """Redis answers, and the backend issues and verifies a token."""
    path = settings.verification.token_check
    evidence, parts = [], []
    if pong == "PONG":
        parts.append("PONG")
    else:
        parts.append("no PONG")
        evidence.append(f"Redis does not answer PING with PONG: {pong or 'it says nothing'}")
    if path is None:
        parts.append("tokens are not asked for (verification.token_check)")
    elif token is None or token.status == 0:
        parts.append("no token")
        evidence.append(f"{path} does not answer: {token.said if token else 'it was not asked'}")
    elif token.status >= 300:
        parts.append("no token")
        evidence.append(f"{path} answered {token.status}: {token.said}".removesuffix(": "))
    else:
        parts.append(f"a token in {token.took_ms:.0f} ms")
    failed = "redis" if pong != "PONG" else "backend"
    hint = f"./medianest status {stack}; ./medianest logs {stack} {failed}"
    if pong == "PONG" and token is not None and token.status == 404:
        hint = f"Where this backend has no {path}, set verification.token_check to null"
    answered = token is not None and 200 <= token.status < 300
    return Check(
        "Redis and tokens",
        Level.CRITICAL if evidence else Level.OK,
        ", ".join(parts),
        "both answer as they should",
        evidence,
        hint if evidence else "",
        round(token.took_ms, 1) if token and answered else None,
        "ms" if answered else "",
    )


def memory(stack: str, replicas: Sequence[Replica], total: int | None, settings: StackSettings) -> Check:
    """No backend holds more memory than the levels of the alert allow."""
    warning, critical = memory_levels(settings)
    threshold = f"warning above {megabytes(warning)}, critical above {megabytes(critical)} a backend"
    held = {replica.name: replica.memory_bytes for replica in replicas if replica.memory_bytes}
    if not held:
        return Check(
            "memory",
            Level.UNKNOWN,
            "not known",
            threshold,
            ["no backend runs, or the engine tells nothing of it"],
            f"./medianest status {stack}",
        )
    most = max(held.values())
    level = level_of(most, warning, critical)
    limit = settings.backend.limits.memory_mb * MEGABYTE
    return Check(
        "memory",
        level,
        f"{megabytes(most)} at most in a backend" + (f", {megabytes(total)} in all" if total else ""),
        threshold,
        [
            f"{name} holds {megabytes(used)} of {megabytes(limit)}"
            for name, used in held.items()
            if used > warning
        ],
        ""
        if level is Level.OK
        else f"./medianest report memory {stack} tells of the rest, ./medianest report performance {stack} "
        "whether it grows",
        float(most),
        "bytes",
    )


def workers(
    stack: str, replicas: Sequence[Replica], failures: float | None, settings: StackSettings
) -> Check:
    """Worker processes are there, and hardly any of them fails."""
    levels = settings.monitoring.alerts.worker_failures
    name = "workers"
    threshold = (
        f"all healthy, at least half; failures within an hour: warning above {levels.warning:g}, "
        f"critical above {levels.critical:g}"
    )
    if settings.monitoring.backend_metrics is None:
        figure = "this backend tells of none (monitoring.backend_metrics)"
        return Check(name, Level.OK, figure, threshold)
    known = {replica.name: replica.workers for replica in replicas if replica.workers is not None}
    mute = [replica.name for replica in replicas if replica.workers is None]
    if not known:
        said = [f"{silent} shows no figures of its workers" for silent in mute] or ["no backend is there"]
        return Check(name, Level.UNKNOWN, "not known", threshold, said, f"./medianest status {stack}")
    failed = failures if failures is not None else _failures_an_hour(replicas)
    level = level_of(failed, levels.warning, levels.critical)
    evidence = [] if level is Level.OK else [f"{failed:.0f} workers failed within an hour"]
    for replica, own in known.items():
        if own.healthy < own.wanted:
            evidence.append(f"{replica} has {own.healthy} of {own.wanted} workers healthy")
            low = own.healthy * 2 < own.wanted
            level = Level.CRITICAL if low or level is Level.CRITICAL else Level.WARN
    if mute:
        evidence += [f"{silent} shows no figures of its workers" for silent in mute]
        level = Level.CRITICAL if level is Level.CRITICAL else Level.UNKNOWN
    healthy, wanted = (sum(getattr(own, what) for own in known.values()) for what in ("healthy", "wanted"))
    return Check(
        name,
        level,
        f"{healthy} of {wanted} healthy, {failed:.0f} failed within an hour",
        threshold,
        evidence,
        f"./medianest logs {stack} backend names the tasks; ./medianest report workers {stack}"
        if evidence
        else "",
        round(failed, 1),
        "failures/h",
    )


def _failures_an_hour(replicas: Sequence[Replica]) -> float:
    """Without a record of the last hour: what there were since the start, spread over the hours since."""
    return sum(
        replica.workers.failed / max(1.0, replica.uptime_seconds / HOUR)
        for replica in replicas
        if replica.workers is not None
    )
