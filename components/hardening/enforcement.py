"""The refusal, in Pulumi's program, of a container that breaks a rule."""

from __future__ import annotations

import pulumi

from components.hardening.declared import document_of
from components.hardening.kinds import (
    ENGINE_PROXY,
    LOADER,
    SERVICE,
    HardeningError,
    broken_by_declaration,
    explain,
    kind_of,
)


def enforce() -> None:
    """Refuse, for the whole program, every container that breaks a rule."""
    pulumi.runtime.register_stack_transformation(_refuse_what_is_not_hardened)


def _refuse_what_is_not_hardened(
    arguments: pulumi.ResourceTransformationArgs,
) -> pulumi.ResourceTransformationResult | None:
    if arguments.type_ == "docker:index/container:Container":
        document = document_of(arguments.props)
        # Of the kinds, a program declares these: no label opens a way round the rules.
        kind = kind_of(document)
        broken = broken_by_declaration(kind if kind in (LOADER, ENGINE_PROXY) else SERVICE, document)
        if broken:
            raise HardeningError(explain(str(arguments.name), broken))
    return None
