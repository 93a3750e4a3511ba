"""Labels by which everything of a stack is found again. They never change while the resource lives."""

from __future__ import annotations

PROJECT = "medianest.project"
OWNER = "medianest.owner"
STACK = "medianest.stack"
COMPONENT = "medianest.component"
RELEASE = "medianest.release"
# On the mark of an update that is under way: seconds since 1970. Its component is DEPLOYING.
SINCE = "medianest.since"
DEPLOYING = "deploying"
# On the backend's image, where the team puts them: see docs/contract.md.
SCHEMA = "medianest.schema"
SCHEMA_SERVES = "medianest.schema.serves"

# Components whose volumes hold data. Other volumes hold what the state can make again.
DATA_COMPONENTS = ("postgres", "redis", "backend")
