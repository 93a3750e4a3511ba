"""How each item of the CIS Docker Benchmark 1.6.0 on images (4) and containers (5) is answered.

Source of the numbers: CIS Docker Benchmark v1.6.0, as the titles in
https://github.com/docker/docker-bench-security name them; the words here are our own. Section 1 to 3
are about the host and the engine, 6 and 7 about operation and Swarm: they are their owner's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from components.hardening.rules import RULES


@dataclass(frozen=True)
class Item:
    """One item. Either rules of the table answer it, or `answer` says what does, or why nothing has to."""

    number: str
    subject: str
    answer: str = ""

    @property
    def rules(self) -> Sequence[str]:
        """The names of the rules that answer it."""
        return [rule.name for rule in RULES if self.number in rule.items]


ITEMS: tuple[Item, ...] = (
    Item("4.1", "a user of its own"),
    Item(
        "4.2",
        "trusted base images",
        "one base, Debian's own packages, named by the hash of its recipe; another one is the choice of who "
        "writes a Dockerfile",
    ),
    Item(
        "4.3",
        "no packages that are not needed",
        "`--no-install-recommends` (hadolint DL3015), and what no container reads is taken out",
    ),
    Item(
        "4.4",
        "images scanned and rebuilt",
        "not asserted: there is no scanner here. A build without its cache takes Debian's security fixes",
    ),
    Item(
        "4.5",
        "content trust",
        "not applicable: images are built where they run; one that a setting names is held to its digest by "
        "the state",
    ),
    Item(
        "4.6",
        "a health check in the image",
        "the container's own check takes its place, so that any image has one",
    ),
    Item("4.7", "no update of package lists alone", "a unit test reads every Dockerfile"),
    Item("4.8", "no set-user-id files"),
    Item("4.9", "COPY, not ADD", "a unit test reads every Dockerfile"),
    Item(
        "4.10",
        "no secrets in Dockerfiles",
        "verified: no secret is in the history or the settings of an image",
    ),
    Item(
        "4.11",
        "verified packages",
        "apt checks signatures, Python packages are installed by hash; a unit test reads every Dockerfile",
    ),
    Item(
        "4.12",
        "signatures of artifacts that are uploaded",
        "not applicable: nothing is uploaded to a registry",
    ),
    Item(
        "5.1",
        "no Swarm mode that is not needed",
        "not applicable: it is the engine's, not a container's; no container here needs it",
    ),
    Item("5.2", "an AppArmor profile"),
    Item("5.3", "SELinux options"),
    Item("5.4", "capabilities restricted", "stricter: all are dropped, not only none added"),
    Item("5.5", "not privileged"),
    Item("5.6", "no sensitive directories of the host", "stricter: no directory of the host at all"),
    Item("5.7", "no SSH server"),
    Item(
        "5.8",
        "no privileged ports",
        "inside; on the host the published ports are those that the settings name",
    ),
    Item(
        "5.9",
        "only the ports that are needed",
        "verified: what is published and listened on is what was declared",
    ),
    Item("5.10", "not the host's network"),
    Item("5.11", "a memory limit", "stricter: no swap on top of it"),
    Item("5.12", "a share of the processors", "stricter: a limit"),
    Item("5.13", "a read-only root file system"),
    Item("5.14", "ports on one interface", "stricter: the settings refuse every wildcard"),
    Item(
        "5.15",
        "restarts after failures, five at most",
        "otherwise: a service has to come back after a reboot, which `on-failure` does not do. The engine "
        "waits longer before each restart, and `status`, `verify` and `up` tell of a loop",
    ),
    Item("5.16", "not the host's processes"),
    Item("5.17", "not the host's IPC"),
    Item("5.18", "no devices of the host"),
    Item("5.19", "ulimits overridden only where needed"),
    Item("5.20", "no shared mount propagation"),
    Item("5.21", "not the host's UTS namespace"),
    Item("5.22", "the seccomp profile"),
    Item("5.23", "no privileged `docker exec`"),
    Item("5.24", "no `docker exec` as root"),
    Item("5.25", "the engine's control group"),
    Item("5.26", "no new privileges"),
    Item("5.27", "health checked while it runs"),
    Item("5.28", "the newest image"),
    Item("5.29", "a limit on processes"),
    Item("5.30", "not the default bridge"),
    Item("5.31", "not the host's user namespace"),
    Item(
        "5.32",
        "no Docker socket",
        "the engine proxy alone has it, whatever the path or the kind of the mount",
    ),
)
