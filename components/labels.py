"""Labels by which everything of a stack is found again. They never change while the resource lives."""

from __future__ import annotations

PROJECT = "medianest.project"
OWNER = "medianest.owner"
STACK = "medianest.stack"
COMPONENT = "medianest.component"
RELEASE = "medianest.release"
# On the lease of a stack to throw away, and on nothing else: they may change while the stack lives.
EXPIRES = "medianest.expires"
PORT = "medianest.port"
BASE = "medianest.base"
HOME = "medianest.home"
PULL_REQUEST = "medianest.pull-request"
# On the mark of an update that is under way: seconds since 1970, and its host and process. Its component is
# DEPLOYING.
SINCE = "medianest.since"
RUN = "medianest.run"
DEPLOYING = "deploying"
# On the backend's image, where the team puts them: see docs/contract.md.
SCHEMA = "medianest.schema"
SCHEMA_SERVES = "medianest.schema.serves"

# The component of the lease.
LEASE = "lease"
# Components whose volumes hold data. Other volumes hold what the state can make again.
DATA_COMPONENTS = ("postgres", "redis", "backend")
