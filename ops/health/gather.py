"""Looks at a deployed stack for the checks of its health: the engine, its backends, Redis, Prometheus."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from components.monitoring.rules.backend import BAD_ENDS, worker_failures
from components.monitoring.windows import Windows
from components.settings import StackSettings
from ops.engine import log_tail
from ops.errors import OperationError
from ops.health.facts import Build, HealthFacts, Replica, TokenAnswer, Workers
from ops.health.judge import LOG_LINES
from ops.inside import AskingError, ask
from ops.measures import container_memory, parse_time, start_to_healthy
from ops.prometheus import Prometheus

if TYPE_CHECKING:
    from docker import APIClient

Document = Mapping[str, Any]
SECONDS = 5.0
FAILED_REASONS = frozenset(BAD_ENDS.split("|"))
# What is on the public network, where replicas are reached one by one, and has bash.
ASKERS = ("gateway", "prometheus", "guardian")


class Look:
    """One look at a stack, by what its state says should be there."""

    def __init__(self, api: APIClient, outputs: Document, settings: StackSettings) -> None:
        self._api = api
        self._outputs = outputs
        self._settings = settings
        self._found = {
            name: document
            for names in outputs["containers"].values()
            for name in names
            if (document := self._inspect(name)) is not None
        }

    def gather(self, build: Build) -> HealthFacts:
        """Everything at once, since most of it is waiting."""
        running = {item["Id"]: name for name, item in self._found.items() if _runs(item)}
        with ThreadPoolExecutor() as pool:
            memory = pool.submit(self._memory, list(running))
            pong, token = pool.submit(self._ping), pool.submit(self._token)
            failures = pool.submit(self._worker_failures)
            names = [name for name in self._outputs["containers"]["backend"] if name in self._found]
            replicas = list(pool.map(self._replica, names))
            held = {running[identifier]: size for identifier, size in memory.result().items()}
            return HealthFacts(
                replicas=[replace(replica, memory_bytes=held.get(replica.name)) for replica in replicas],
                build=build,
                pong=pong.result(),
                token=token.result(),
                worker_failures=failures.result(),
                total_bytes=sum(held.values()) or None,
            )

    def _memory(self, identifiers: list[str]) -> dict[str, int]:
        """Nothing where one of them ends meanwhile: a second look tells."""
        from docker.errors import APIError

        try:
            return container_memory(self._api, identifiers)
        except APIError:
            return {}

    def _inspect(self, name: str) -> Document | None:
        from docker.errors import NotFound

        try:
            found: Document = self._api.inspect_container(name)
        except NotFound:
            return None
        return found

    def _running(self, component: str) -> str | None:
        """A container of a component that runs and is not paused."""
        names = self._outputs["containers"].get(component) or ()
        return next((name for name in names if name in self._found and _runs(self._found[name])), None)

    def _replica(self, name: str) -> Replica:
        document = self._found[name]
        state = document["State"]
        started = parse_time(state["StartedAt"]) if _runs(document) else None
        health = (state.get("Health") or {}).get("Status", "")
        answer, why = self._document(name)
        services = answer.get("services") if answer is not None else None
        serves = _runs(document) and health == "healthy" and answer is not None
        return Replica(
            name=name,
            state=state["Status"],
            health=health,
            uptime_seconds=(datetime.now(UTC) - started).total_seconds() if started else 0.0,
            start_seconds=start_to_healthy(document) if _runs(document) else None,
            services=None
            if answer is None
            else {key: str(word) for key, word in services.items()}
            if isinstance(services, Mapping)
            else {},
            status=str(answer.get("status", "")) if answer is not None else "",
            unanswered=why,
            workers=self._workers(name),
            log=() if serves else log_tail(self._api, name, LOG_LINES),
        )

    def _of_replica(self, name: str, path: str) -> str:
        """What a replica answers at its own address. Raises AskingError."""
        if not _runs(self._found[name]):
            raise AskingError("it does not run")
        asker = next((found for part in ASKERS if (found := self._running(part))), None)
        if asker is None:
            raise AskingError("no container runs from which it could be asked")
        network = self._outputs["networks"]["public"]
        networks = self._found[name]["NetworkSettings"]["Networks"]
        address = (networks.get(network) or {}).get("IPAddress")
        if not address:
            raise AskingError("it is not on the public network")
        answer = ask(self._api, asker, address, self._settings.backend.port, path, SECONDS)
        # A health document says what is wrong with a 503.
        if answer.status not in (200, 503):
            raise AskingError(f"{path} answered {answer.status}")
        return answer.text

    def _document(self, name: str) -> tuple[Document | None, str]:
        """A replica's health document, or why there is none. One that is no JSON tells nothing more."""
        try:
            text = self._of_replica(name, self._settings.backend.health.report)
        except AskingError as error:
            return None, str(error)
        try:
            document = json.loads(text)
        except ValueError:
            document = {}
        return (document if isinstance(document, dict) else {}), ""

    def _workers(self, name: str) -> Workers | None:
        path = self._settings.monitoring.backend_metrics
        if path is None:
            return None
        try:
            return read_workers(self._of_replica(name, path))
        except AskingError:
            return None

    def _ping(self) -> str:
        """What Redis says to a PING: by the default user, who may do nothing else."""
        from docker.errors import APIError

        from ops.container_commands import run

        redis = self._running("redis")
        if redis is None:
            return "it does not run"
        command = ["timeout", f"{SECONDS:g}", "redis-cli", "PING"]
        try:
            out, said = run(self._api, redis, command, "redis-cli PING")
        except (OperationError, APIError, OSError):
            return f"no answer within {SECONDS:g} s"
        return (out.decode(errors="replace") or said).strip()

    def _token(self) -> TokenAnswer | None:
        path = self._settings.verification.token_check
        return None if path is None else ask_token(f"{self._outputs['url']}{path}")

    def _worker_failures(self) -> float | None:
        name, monitoring = self._running("prometheus"), self._settings.monitoring
        if name is None or monitoring.backend_metrics is None:
            return None
        windows = Windows(monitoring.time_scale, monitoring.scrape_seconds)
        try:
            found = Prometheus(self._api, name).now(worker_failures(windows))
        except AskingError:
            return None
        return found[0].last if found else None


def ask_token(url: str, clock: Callable[[], float] = time.perf_counter) -> TokenAnswer:
    """Have a token issued and verified, through the gateway as a client does."""
    import requests

    began = clock()
    try:
        answer = requests.post(url, timeout=SECONDS)
    except requests.RequestException as error:
        return TokenAnswer(0, said=type(error).__name__)
    took = (clock() - began) * 1000
    try:
        document = answer.json()
        said = str(document.get("title", "")) if isinstance(document, dict) else ""
    except ValueError:
        said = ""
    return TokenAnswer(answer.status_code, took, said)


def read_workers(figures: str) -> Workers | None:
    """The workers in a backend's figures, as Prometheus reads them; None where they tell of none."""
    from prometheus_client.parser import text_string_to_metric_families

    states: dict[str, int] = {}
    failed = 0
    try:
        for family in text_string_to_metric_families(figures):
            for sample in family.samples:
                if sample.name == "medianest_workers":
                    states[sample.labels.get("state", "")] = int(sample.value)
                elif sample.name == "medianest_workers_terminated_total":
                    failed += int(sample.value) if sample.labels.get("reason") in FAILED_REASONS else 0
    except ValueError:
        return None
    if not {"wanted", "healthy"} <= states.keys():
        return None
    return Workers(states["wanted"], states["healthy"], failed)


def _runs(document: Document) -> bool:
    """Whether it runs and goes on: what is paused answers nobody."""
    state = document["State"]
    return bool(state["Running"]) and not state.get("Paused")
