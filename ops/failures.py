"""What went wrong in a run of Pulumi, as one clear message: known causes and what to do about them.

The table's patterns are those of messages of the docker provider 5.2, Pulumi 3.259 and Docker Engine
20.10 to 28; tests/unit/ops/test_failures.py holds recorded ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from re import Match

from ops.errors import ExitCode
from ops.evidence import ContainerEvidence

SHOWN_LINES = 15
SHOWN_WIDTH = 300


@dataclass(frozen=True)
class Explanation:
    """A cause in words, and what to do about it."""

    message: str
    hint: str
    code: ExitCode = ExitCode.FAILED


@dataclass(frozen=True)
class Cause:
    """An error of Pulumi's: of a resource, or of the run as a whole, where `resource` is empty."""

    text: str
    resource: str = ""
    kind: str = ""
    build_log: str = ""

    @property
    def what(self) -> str:
        return self.resource or "the program"


def explain(
    cause: Cause, evidence: ContainerEvidence | None = None, build_log: Sequence[str] = ()
) -> Explanation:
    """Put a cause into words. An unknown one is handed on as it is.

    A container that was given up has a cause of its own: what the provider says of it is that it is gone.
    """
    if evidence is not None and evidence.verdict:
        cause = replace(cause, text=f"{GIVEN_UP}{evidence.verdict}")
    for pattern, rule in RULES:
        if match := pattern.search(cause.text):
            explanation = rule(cause, match)
            break
    else:
        explanation = Explanation(f"{cause.what} failed: {cause.text}", "")
    details = [*_container_details(evidence), *(f"  {line}" for line in build_log)]
    return Explanation("\n".join([explanation.message, *details]), explanation.hint, explanation.code)


def _container_details(evidence: ContainerEvidence | None) -> list[str]:
    if evidence is None:
        return []
    status = f"container {evidence.name} is {evidence.status}"
    if evidence.out_of_memory:
        status += ", killed because it used more memory than its limit"
    elif evidence.exit_code:
        status += f", exit code {evidence.exit_code}"
    if evidence.restarts:
        status += f", restarted {evidence.restarts} times"
    health = f"exit code {evidence.health_exit_code}, {evidence.health_output.strip() or 'nothing printed'}"
    log = [f"    {line[:SHOWN_WIDTH]}" for line in evidence.log[-SHOWN_LINES:]]
    return [
        f"  {status}",
        *([f"  its health check: {health}"] if evidence.health_exit_code else []),
        *(["  the end of its log:", *log] if log else ["  its log is empty"]),
    ]


def failing_step(build_log: str) -> list[str]:
    """What the step that failed printed, out of BuildKit's plain progress; its end where it is long.

    BuildKit repeats that step at the end, between lines of dashes. A build that failed before any
    step ran has no such part.
    """
    parts = build_log.split("\n------\n")
    return [line for line in parts[-2].splitlines() if line][-SHOWN_LINES:] if len(parts) >= 3 else []


Rule = Callable[[Cause, Match[str]], Explanation]


def _said(message: str, hint: str, code: ExitCode = ExitCode.FAILED) -> Rule:
    """A rule whose words are templates: {what} is the resource, {0}, {1} … the pattern's groups."""

    def rule(cause: Cause, match: Match[str]) -> Explanation:
        groups = [group or "" for group in match.groups()]
        return Explanation(
            message.format(*groups, what=cause.what), hint.format(*groups, what=cause.what), code
        )

    return rule


# Not a message of anybody else's: see ops.start_up.
GIVEN_UP = "container was given up: "
_SERVES_ON = "What served before serves on. Correct the cause and run it again."


def _exception(_cause: Cause, match: Match[str]) -> Explanation:
    name, text = match.groups()
    if name.endswith("SettingsError"):
        return Explanation(f"the settings cannot be used: {text}", "", ExitCode.USAGE)
    return Explanation(f"the Pulumi program failed: {name.rsplit('.', 1)[-1]}: {text}", "")


RULES: Sequence[tuple[re.Pattern[str], Rule]] = [
    (
        re.compile(
            r'resource "urn:\S+::(\S+)"\s+'
            r"(?:cannot be deleted\s+because it is protected|as it is currently marked for protection)"
        ),
        _said(
            "{0} holds data and is protected: nothing deletes or replaces it",
            "Its data was not touched. Undo the change that asks for it. If the data may go: save it first "
            "(./medianest backup STACK), then ./medianest down STACK --delete-data.",
            ExitCode.REFUSED,
        ),
    ),
    (
        re.compile(r"incorrect passphrase"),
        _said(
            "the passphrase is not the one that the stack's secrets were encrypted with",
            "Set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to the right one. If another "
            "state has left a line `encryptionsalt` in the settings file, remove that line.",
            ExitCode.REFUSED,
        ),
    ),
    (
        re.compile(r"unable to read PULUMI_CONFIG_PASSPHRASE_FILE: open (.+): "),
        _said(
            "the passphrase file {0} cannot be read",
            "Correct PULUMI_CONFIG_PASSPHRASE_FILE, or leave it unset to use the user's own.",
            ExitCode.REFUSED,
        ),
    ),
    (
        re.compile(r"passphrase must be set"),
        _said(
            "Pulumi has no passphrase for the stack's secrets",
            "Set PULUMI_CONFIG_PASSPHRASE_FILE, or leave both variables unset to use the user's own.",
            ExitCode.REFUSED,
        ),
    ),
    (
        re.compile(r"the stack is currently locked by"),
        _said("the stack is being changed by another run", "Wait for it to end.", ExitCode.REFUSED),
    ),
    (
        re.compile(r"is on this engine already, but this state did not make it: (.*?)\. Use the state", re.S),
        _said(
            "the stack is on this engine already, made by another state: {0}",
            "Nothing was touched. Use that state (PULUMI_BACKEND_URL), or choose another stack name.",
            ExitCode.REFUSED,
        ),
    ),
    (
        re.compile(r"executor failed running \[(?:/bin/\w*sh -\w+ )?(.+)\]: exit code: (\d+)", re.S),
        _said("the build of {what} failed in the step `{0}` with exit code {1}", "Correct the Dockerfile."),
    ),
    (
        re.compile(
            r'process "(?:/bin/\w*sh -\w+ )?(.+)" did not complete successfully: exit code: (\d+)', re.S
        ),
        _said("the build of {what} failed in the step `{0}` with exit code {1}", "Correct the Dockerfile."),
    ),
    (
        re.compile(r"dockerfile parse error (?:on )?line (\d+): (.+)"),
        _said("the Dockerfile of {what} is wrong in line {0}: {1}", "Correct the Dockerfile."),
    ),
    (
        re.compile(r'failed to (?:compute|calculate) (?:cache key|checksum).*?"(/[^"]*)":? not found'),
        _said(
            "the build of {what} copies {0}, which is not in the build context",
            "Mind that .dockerignore takes files out of the context.",
        ),
    ),
    (
        re.compile(r'target stage "?([^"\s]+)"? could not be found'),
        _said("the Dockerfile of {what} has no stage {0}", "Correct backend.build.target or the Dockerfile."),
    ),
    (
        re.compile(r"dockerfile not found at path: (\S+)"),
        _said(
            "the Dockerfile of {what} is not there: {0}",
            "Correct backend.build.context and backend.build.dockerfile in the stack's settings.",
        ),
    ),
    (
        re.compile(r"(/\S*)/\.pulumi/\S*: no space left on device"),
        _said(
            "the disk that holds Pulumi's state is full: {0}",
            "Free some there and run it again: what was made meanwhile is found by its labels.",
        ),
    ),
    (
        re.compile(r"(\S+): no space left on device|no space left on device"),
        _said(
            "the disk is full",
            "Free some: `docker system df` shows what takes it; `docker builder prune` empties the cache.",
        ),
    ),
    (
        re.compile(
            r'(?:Head|Get) \\?"https?://([^/"]+)[^"]*"?.*?(?:no such host|i/o timeout|connection refused|'
            r"network is unreachable|TLS handshake timeout|context deadline exceeded|Client\.Timeout)"
        ),
        _said(
            "no image for {what}: the registry {0} cannot be reached",
            "Check the engine's network, or name an image that is on the engine already.",
        ),
    ),
    (
        re.compile(r"pull access denied for (\S+?),|manifest for (\S+) not found"),
        _said(
            "the image of {what} is not in its registry: {0}{1}", "Correct the image's name in the settings."
        ),
    ),
    (
        re.compile(r"container failed to be in healthy state"),
        _said("{what} did not get healthy in time", _SERVES_ON),
    ),
    (re.compile(rf"^{GIVEN_UP}(.+)", re.S), _said("{what} {0}", _SERVES_ON)),
    (
        re.compile(r"listen tcp\d? (\S+):(\d+): bind: address already in use"),
        _said(
            "port {1} of {0} is taken, {what} cannot be published",
            "Stop what holds it, or set another port in the stack's settings: medianest:gateway: {{port: …}}",
        ),
    ),
    (
        re.compile(r"Bind for (\S+):(\d+) failed: port is already allocated"),
        _said(
            "port {1} of {0} is taken by another container, {what} cannot be published",
            "Stop it, or set another port in the stack's settings: medianest:gateway: {{port: …}}",
        ),
    ),
    (
        re.compile(r"cannot assign requested address"),
        _said(
            "the address that {what} is to be published on is not one of this host",
            "Correct gateway.address in the stack's settings.",
        ),
    ),
    (
        re.compile(r'exec: \\?"([^"\\]+)\\?": .*(?:no such file|not found|permission denied)'),
        _said(
            "{what} cannot start: its image has no command {0}",
            "Correct backend.command in the stack's settings, or the image's CMD.",
        ),
    ),
    (
        re.compile(r'The container name "/?([^"]+)" is already in use'),
        _said("a container named {0} is there already, made by somebody else", "Rename or remove it."),
    ),
    (
        re.compile(r"network (\S+) not found"),
        _said(
            "network {0} of {what} is gone: somebody removed it",
            "Run it again with the state compared to the engine: pulumi up --refresh",
        ),
    ),
    (
        re.compile(r"No such (container|volume|image|network): (\S+)"),
        _said(
            "{0} {1} is gone: somebody removed it",
            "Run it again with the state compared to the engine: pulumi up --refresh",
        ),
    ),
    (
        re.compile(r"Pool overlaps with other one|non-overlapping IPv4 address pool"),
        _said(
            "the engine has no address range left for network {what}",
            "Remove networks that nobody uses: docker network prune",
        ),
    ),
    (
        re.compile(r"Minimum memory limit allowed is (\w+)"),
        _said("the memory limit of {what} is below the engine's minimum of {0}", "Raise limits.memory_mb."),
    ),
    (
        re.compile(r"Range of CPUs is from ([\d.]+) to ([\d.]+)"),
        _said("the engine has {1} processors, {what} wants more", "Lower limits.cpus in the settings."),
    ),
    (
        re.compile(r"Cannot connect to the Docker daemon|error during connect|Is the docker daemon running"),
        _said(
            "the Docker engine went away during the update",
            "Start it and run it again: it carries on.",
        ),
    ),
    (
        re.compile(r"Program failed with an unhandled exception:.*\n(\w[\w.]*): (.+)\Z", re.S),
        _exception,
    ),
]
