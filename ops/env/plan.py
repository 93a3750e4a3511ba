"""What an environment is to be: its base, its expiry, its settings file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from components.settings import LeaseSettings
from ops.env import settings as settings_of
from ops.env.duration import read_duration, written
from ops.env.judge import ABSURD
from ops.env.lease import Lease
from ops.errors import ExitCode, OperationError
from ops.options import DEFAULT_STACK
from ops.project import load_settings, read_yaml, require_stack

if TYPE_CHECKING:
    from components.settings import StackSettings
    from ops.env.environment import Environment
    from ops.env.settings import Rendered
    from ops.session import Session


@dataclass(frozen=True)
class Plan:
    """All that is decided before anything is touched. `documents` are the settings files of its base and
    its own so far."""

    session: Session
    name: str
    base: str
    base_settings: StackSettings
    documents: tuple[dict[str, Any], dict[str, Any]]
    expires: datetime
    home: str
    pull_request: int | None

    def url(self, port: int) -> str:
        return self.base_settings.environments.url.format(name=self.name, port=port)

    def text(self, port: int) -> Rendered:
        """The settings file with a port."""
        lease = LeaseSettings(
            expires=written(self.expires),
            base=self.base,
            home=self.home,
            url=self.url(port),
            pull_request=self.pull_request,
        )
        return settings_of.render(self.session.project.name, *self.documents, lease, port)


def plan(
    session: Session,
    environment: Environment,
    now: datetime,
    *,
    ttl: str | None = None,
    base: str | None = None,
    pull_request: int | None = None,
    renew: bool = False,
) -> Plan:
    """Decide; with `renew` on a new expiry in any case. Raises OperationError and has touched nothing."""
    lease, project = environment.lease, session.project
    base = base or (lease.base if lease else "") or DEFAULT_STACK
    require_stack(base, project.stacks())
    base_settings = load_settings(project, base)
    if base_settings.lease is not None:
        raise OperationError(
            f"{base} is an environment itself, and will be gone", "Name a long-lived stack.", ExitCode.USAGE
        )
    limits = base_settings.environments
    longest = read_duration(limits.longest, ABSURD)
    duration = read_duration(ttl or limits.ttl, longest)
    file = project.settings_file(environment.name)
    former = read_yaml(file) if settings_of.is_made_by_us(file) else {}
    return Plan(
        session,
        environment.name,
        base,
        base_settings,
        (read_yaml(project.settings_file(base)), former),
        new_expiry(lease, now, duration, renew=renew or ttl is not None),
        environment.home,
        pull_request or (lease.pull_request if lease else None),
    )


def new_expiry(lease: Lease | None, now: datetime, duration: timedelta, *, renew: bool) -> datetime:
    """When it expires. One that is known keeps its time while more than half of it is left.

    So that an `env up` that only wakes it has nothing to deploy.
    """
    kept = lease.expires if lease and not renew else None
    if kept and kept - now > duration / 2:
        return kept
    return (now + duration).replace(microsecond=0)
