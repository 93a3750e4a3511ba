"""What is to be said of this machine and its tools: pure functions from facts to verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from components.settings import EnvironmentsSettings, StackSettings
from ops.checks import Check, Level, level_of
from ops.doctor.facts import Host, Passphrase, StateDirectory
from ops.output import megabytes
from ops.preflight import verdicts
from ops.preflight.verdicts import Problem

SETUP = "./medianest setup"
# A stack with what watches it holds less than half of this when it is idle.
SPARE_MEMORY = 1_000_000_000
PROCESSORS = 2
# Leases and tokens are dated: by how many seconds two clocks may differ.
CLOCK_WARNING, CLOCK_CRITICAL = 2.0, 30.0
# Each layer of an image is a whole copy there.
SLOW_DRIVERS = frozenset({"vfs"})
OTHERS = 0o077
SHOWN = 5


def unknown(name: str) -> Check:
    """What only an engine can tell."""
    evidence = ["no Docker engine answers"]
    return Check(name, Level.UNKNOWN, "not known", evidence=evidence, next_step=SETUP)


def from_problems(
    name: str, problems: Sequence[Problem], figure: str, threshold: str, level: Level = Level.CRITICAL
) -> Check:
    """The check that the preflight has a judgement for."""
    return Check(
        name,
        level if problems else Level.OK,
        figure,
        threshold,
        [problem.message for problem in problems],
        " ".join(problem.hint for problem in problems),
    )


def limits(host: Host) -> Check:
    """The kernel must be able to hold containers to their limits."""
    name, threshold = "control groups", "limits on memory, processors and processes"
    lacking = [what for what, there in host.limits.items() if not there]
    return Check(
        name,
        Level.CRITICAL if lacking else Level.OK,
        f"version {host.cgroup_version}",
        threshold,
        [f"the engine cannot limit {what}" for what in lacking],
        "Switch the controllers on that it names: for memory, boot with cgroup_enable=memory."
        if lacking
        else "",
    )


def network(host: Host, local: bool, iptables: bool) -> Check:
    """Containers must be reachable through a published port."""
    problems = [] if host.forwarding else ["the kernel of the engine's machine does not forward IPv4"]
    hint = "" if host.forwarding else "Run: sudo sysctl -w net.ipv4.ip_forward=1"
    level = Level.CRITICAL if problems else Level.OK
    if local and not iptables:
        problems.append("neither iptables nor nft is there, which the engine publishes ports with")
        hint = hint or "Run: sudo apt-get install iptables"
        level = Level.CRITICAL if level is Level.CRITICAL else Level.WARN
    figure = f"forwarding {'on' if host.forwarding else 'off'}"
    if local:
        figure += f", iptables {'there' if iptables else 'missing'}"
    return Check("network", level, figure, "IPv4 is forwarded, iptables is there", problems, hint)


def storage(host: Host) -> Check:
    """Images and volumes need room, and a driver that shares layers."""
    free = host.engine.free_disk
    figure = f"{host.driver}, " + ("free space not visible" if free is None else f"{megabytes(free)} free")
    threshold = f"at least {megabytes(verdicts.MINIMUM_DISK_BYTES)} free"
    check = from_problems("storage", verdicts.judge_disk(host.engine), figure, threshold)
    if check.level is Level.OK and host.driver in SLOW_DRIVERS:
        return Check(
            "storage",
            Level.WARN,
            figure,
            threshold,
            [f"the storage driver {host.driver} copies every layer of an image"],
            "Choose overlay2: https://docs.docker.com/engine/storage/drivers/select-storage-driver/",
        )
    return check


def memory(host: Host, available: int | None) -> Check:
    """The largest container of a stack must fit, and some must be free. `available` is None where the
    engine is elsewhere."""
    total = host.engine.memory
    figure = f"{megabytes(total)}" + (f", {megabytes(available)} available" if available is not None else "")
    threshold = f"the largest limit of a container; {megabytes(SPARE_MEMORY)} available"
    problems = verdicts.judge_memory(host.engine, StackSettings())
    if not problems and available is not None and available < SPARE_MEMORY:
        little = [f"only {megabytes(available)} are available: a stack, its builds and checks need more"]
        return Check(
            "memory", Level.WARN, figure, threshold, little, "Stop what is not needed: `docker stats`."
        )
    return from_problems("memory", problems, figure, threshold)


def processors(host: Host) -> Check:
    """Builds, checks and what serves share them."""
    few = host.processors < PROCESSORS
    return Check(
        "processors",
        Level.WARN if few else Level.OK,
        str(host.processors),
        f"at least {PROCESSORS}",
        ["builds and checks take from what serves"] if few else (),
        "Deploy to a machine with more." if few else "",
        float(host.processors),
    )


def packages(others: Sequence[tuple[str, str, str]]) -> Check:
    """The Python packages are those of the lock file."""
    evidence = [
        f"{name} is {installed or 'missing'}, locked is {locked}"
        for name, locked, installed in others[:SHOWN]
    ]
    if len(others) > SHOWN:
        evidence.append(f"and {len(others) - SHOWN} more")
    return Check(
        "Python packages",
        Level.CRITICAL if others else Level.OK,
        f"{len(others)} are not as locked" if others else "as locked",
        "as in requirements/host.txt",
        evidence,
        "Remove the environment (~/.cache/medianest/venv): the next command makes it anew." if others else "",
    )


def state_directory(state: StateDirectory) -> Check:
    """The state can be written, has room, is nobody else's business, and can be read back."""
    problems = [Problem(message, hint) for message, hint in state.broken]
    if not state.writable:
        problems.append(Problem(f"{state.path} cannot be written", "Make it yours, or set XDG_STATE_HOME."))
    problems += verdicts.judge_state_disk(state.path, state.free)
    figure = str(state.path) + (f", {megabytes(state.free)} free" if state.free is not None else "")
    if state.mode is None:
        figure += ", made by the first `up`"
    threshold = f"writable, {megabytes(verdicts.MINIMUM_STATE_BYTES)} free, every state whole"
    if not problems and state.mode is not None and state.mode & OTHERS:
        seen = [Problem(f"{state.path} has mode {state.mode:04o}", f"Run: chmod 700 {state.path}")]
        return from_problems("state", seen, figure, threshold, Level.WARN)
    return from_problems("state", problems, figure, threshold)


def passphrase(found: Passphrase) -> Check:
    """It is there, and only its user can read it."""
    problems = [Problem(found.problem, found.hint)] if found.problem else []
    if not problems and found.mode is not None and found.mode & OTHERS:
        problems = [
            Problem(
                f"others can read {found.file}: its mode is {found.mode:04o}", f"Run: chmod 600 {found.file}"
            )
        ]
    mode = f", mode {found.mode:04o}" if found.mode is not None else ""
    return from_problems("passphrase", problems, f"{found.source}{mode}", "readable for its user alone")


def clock(now: float, checkout: float, ahead: float | None, synchronised: bool | None) -> Check:
    """This machine's clock is that of the engine, and right. `checkout` is when the tree was written, all
    in seconds since 1970."""
    name, threshold = "clock", f"within {CLOCK_WARNING:g} s of the engine's"
    apart = abs(ahead) if ahead is not None else 0.0
    figure = "the engine's is not known" if ahead is None else f"{apart:.1f} s from the engine's"
    evidence, level = [], level_of(apart, CLOCK_WARNING, CLOCK_CRITICAL)
    if level is not Level.OK:
        evidence.append(f"the clocks of this machine and of the engine's are {apart:.0f} s apart")
    if now < checkout - CLOCK_CRITICAL:
        level = Level.CRITICAL
        evidence.append("this machine's clock says a time before that at which the checkout was written")
    if synchronised is False:
        level = Level.WARN if level is Level.OK else level
        evidence.append("no time server sets this machine's clock")
    hint = "Have it set by a time server: sudo timedatectl set-ntp true" if evidence else ""
    return Check(name, level, figure, threshold, evidence, hint, round(apart, 2), "s")


def ports(
    problems: Sequence[Problem],
    declared: Sequence[int],
    environments: EnvironmentsSettings,
    ephemeral: tuple[int, int] | None,
) -> Check:
    """The ports of this checkout's stacks are free or theirs, and none is one that a connection may take."""
    first, last = environments.first_port, environments.last_port
    figure = ", ".join([*map(str, sorted(set(declared))), f"{first} to {last} for environments"])
    threshold = "free, or held by the stack itself; below those of outgoing connections"
    if problems or ephemeral is None:
        return from_problems("ports", problems, figure, threshold)
    start, end = ephemeral
    if first <= end and start <= last:
        meet = [
            Problem(
                f"outgoing connections of this machine take {start} to {end}: one may hold such a port",
                "Choose others: medianest:environments: {first_port: …, last_port: …}",
            )
        ]
        return from_problems("ports", meet, figure, threshold, Level.WARN)
    return from_problems("ports", (), figure, threshold)
