"""Every container of the stack keeps the rules of hardening, but for the exceptions of its kind."""

from __future__ import annotations

import pytest

from components.hardening.kinds import kind_of
from components.hardening.rule import Rule
from components.hardening.rules import RULES
from tests.harness.deployed_stack import DeployedStack


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_containers_keep_the_rule(stack: DeployedStack, rule: Rule) -> None:
    assert len(stack.observed) >= len(stack.containers)
    broken = [
        name
        for name, container in stack.observed.items()
        if rule in kind_of(container.inspected).rules() and not rule.holds(container)
    ]
    assert broken == [], rule.reason


def test_every_running_container_showed_its_processes(stack: DeployedStack) -> None:
    for running in stack.containers:
        assert stack.observed[running.name].processes, running.name


def test_volumes_hide_no_path_of_the_host(stack: DeployedStack) -> None:
    for volume in stack.engine.volumes.list(filters={"label": stack.label_filter}):
        assert not volume.attrs["Options"], volume.name
