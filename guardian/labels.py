"""Labels of a stack's containers: the contract with what declares them (docs/contract.md)."""

from __future__ import annotations

COMPONENT = "medianest.component"
RELEASE = "medianest.release"
STACK = "medianest.stack"
OWNER = "medianest.owner"
SINCE = "medianest.since"
# An empty volume with this component marks that `up` is at work.
DEPLOYING = "deploying"
