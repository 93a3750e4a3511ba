"""Labels by which everything of a stack is found again. They never change while the resource lives."""

from __future__ import annotations

PROJECT = "medianest.project"
OWNER = "medianest.owner"
STACK = "medianest.stack"
COMPONENT = "medianest.component"
RELEASE = "medianest.release"

# Components whose volumes hold data. Other volumes hold what the state can make again.
DATA_COMPONENTS = ("postgres", "redis", "backend")
