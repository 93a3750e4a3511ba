"""The command `doctor`: is this machine fit for stacks, and are its tools those that are locked."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ops.errors import ExitCode, OperationError
from ops.options import JsonOption
from ops.output import Output

if TYPE_CHECKING:
    from docker import APIClient

    from components.settings import EnvironmentsSettings
    from ops.checks import Check
    from ops.preflight.verdicts import Problem
    from ops.project import Project
    from ops.setup.step import Step


def doctor(as_json: JsonOption = False) -> None:
    """Check this machine and its tools: engine, storage, memory, tool-chain, state, passphrase, ports.

    Changes nothing: no state, no passphrase and no tool is made. Each check gives a verdict (ok, warn,
    critical, unknown); what does not hold comes with the evidence and the next step.

    Exits with 0 when all hold (a warning does), with 1 when one is critical or unknown.

    Examples:

        ./medianest doctor

        ./medianest doctor --json
    """
    from ops import checks

    output = Output(as_json)
    with output.working("Looking at this machine"):
        found = list(look())
    fit = checks.all_hold(found)
    output.document({"healthy": fit, "checks": [check.as_json() for check in found]})
    colour, word = ("green", "fit") if fit else ("red", "not fit")
    output.show(*checks.shown(found), f"[bold {colour}]This machine is {word}: {checks.summary(found)}.[/]")
    if not fit:
        raise typer.Exit(ExitCode.FAILED)


def look() -> Iterator[Check]:
    """Every check, the first ones explaining those after them."""
    from ops.doctor import facts, judge
    from ops.environment import backend_url
    from ops.paths import cache_directory, project_root, state_directory
    from ops.project import read_project
    from ops.setup.run import all_steps
    from ops.setup.versions import read_versions

    root, state = project_root(), state_directory()
    project, url = read_project(root), backend_url(os.environ, state)
    steps = {step.name: step for step in all_steps(root, cache_directory())}
    versions = read_versions(root)
    yield of_step(steps["Docker engine"], f"API {versions.engine_api_minimum} or newer", engine_version())
    api, local = reach_engine()
    host = facts.gather_host(api, local) if api is not None else None
    if host is None:
        yield from (
            judge.unknown(name) for name in ("control groups", "network", "storage", "memory", "processors")
        )
    else:
        yield judge.limits(host)
        yield judge.network(host, local, facts.has_iptables())
        yield judge.storage(host)
        yield judge.memory(host, facts.available_memory() if local else None)
        yield judge.processors(host)
    pinned = f"{versions.pulumi}, {versions.plugin} plugin {versions.plugin_version}"
    yield of_step(steps["Pulumi"], pinned, pinned)
    yield of_step(steps["Base image"], "of this checkout", "there")
    yield judge.packages(facts.other_packages((root / "requirements/host.txt").read_text()))
    yield judge.state_directory(facts.gather_state(state, url, project.name))
    yield judge.passphrase(facts.gather_passphrase(os.environ, state / "passphrase", url))
    ahead = host.clock_ahead if host else None
    written = (root / "requirements/host.txt").stat().st_mtime
    yield judge.clock(time.time(), written, ahead, facts.synchronised())
    problems, declared, environments = look_at_ports(project, api, local)
    yield judge.ports(problems, declared, environments, facts.ephemeral_ports())
    if api is not None:
        api.close()


def of_step(step: Step, threshold: str, figure: str) -> Check:
    """What set-up says is missing, without providing it."""
    from ops.checks import Check, Level

    try:
        missing = step.missing()
    except OperationError as error:
        return Check(step.name, Level.CRITICAL, "not usable", threshold, [error.message], error.hint)
    if missing:
        return Check(step.name, Level.CRITICAL, "missing", threshold, [missing], "./medianest setup")
    return Check(step.name, Level.OK, figure, threshold)


def engine_version() -> str:
    """What the engine says of itself; empty where none answers."""
    from ops.setup.engine import ask_version

    try:
        found = ask_version(os.environ)
    except OperationError:
        return ""
    return f"{found.release}, API {found.api}" if found else ""


def reach_engine() -> tuple[APIClient | None, bool]:
    """A connection to the engine that the user means, and whether it is on this machine."""
    from ops.docker_endpoint import find_endpoint
    from ops.engine import connect
    from ops.preflight.facts import is_local

    try:
        environment = {**os.environ, **find_endpoint(os.environ, Path.home()).variables}
        return connect(environment), is_local(environment)
    except OperationError:
        return None, True


def look_at_ports(
    project: Project, api: APIClient | None, local: bool
) -> tuple[list[Problem], list[int], EnvironmentsSettings]:
    """What is wrong with the ports of this checkout's stacks, which they are, and those of environments.

    A settings file that cannot be used is not this machine's concern.
    """
    from components.settings import EnvironmentsSettings
    from ops.doctor.facts import gather_port
    from ops.preflight.verdicts import judge_port
    from ops.project import load_settings

    problems: list[Problem] = []
    declared: list[int] = []
    environments = EnvironmentsSettings()
    for stack in project.stacks():
        try:
            settings = load_settings(project, stack)
        except OperationError:
            continue
        gateway = settings.gateway
        declared.append(gateway.port)
        held = gather_port(api, gateway.address, gateway.port, local)
        problems += judge_port(held, project.name, stack)
        environments = settings.environments
    return problems, declared, environments
