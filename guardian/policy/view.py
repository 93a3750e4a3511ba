"""What is seen of the stack at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from guardian.alerts import Alert
from guardian.engine.containers import Container
from guardian.policy.services import SERVICES, VITAL

# Alerts by which a service is down, whatever its container says.
_DOWN = "Down"


@dataclass(frozen=True)
class View:
    """`deploying` says what update is under way, empty for none. By a container's name: `blames` has the
    services that it says it cannot reach; `running_since` when it was last seen to go on (started, or no
    longer paused), and `serving_since` when it was last seen to get well, where that was seen."""

    now: float
    containers: Sequence[Container]
    alerts: Sequence[Alert] = ()
    deploying: str = ""
    blames: Mapping[str, Sequence[str]] = field(default_factory=dict)
    running_since: Mapping[str, float] = field(default_factory=dict)
    serving_since: Mapping[str, float] = field(default_factory=dict)

    def of(self, component: str) -> list[Container]:
        """A service's containers."""
        return [item for item in self.containers if item.component == component]

    def down(self, component: str) -> bool:
        """Whether a service does not serve: no container of it is well, or an alert says so."""
        own = self.of(component)
        alerted = any(
            alert.component == component and alert.critical and alert.name.endswith(_DOWN)
            for alert in self.alerts
        )
        return not own or alerted or not any(item.serves for item in own)

    def well_since(self, component: str) -> float:
        """When the last container of a service got well, as far as that was seen."""
        return max(
            (max(item.started, self.serving_since.get(item.name, 0.0)) for item in self.of(component)),
            default=0.0,
        )

    def missing(self, container: Container) -> list[str]:
        """What a container needs and has not got."""
        needed = SERVICES[container.component].needs
        blamed = self.blames.get(container.name, ())
        return [service for service in needed if self.down(service) or service in blamed]

    @property
    def stopped(self) -> bool:
        """Whether nothing of the stack runs: somebody has stopped it, or taken it away."""
        return not any(item.state != "exited" for item in self.containers if item.component in VITAL)

    @property
    def release_since(self) -> tuple[str, float]:
        """The release that serves, and since when; an empty one where there is none or more than one."""
        backends = self.of("backend")
        releases = {item.release for item in backends}
        if len(releases) != 1:
            return "", 0.0
        return releases.pop(), min(item.created for item in backends)
