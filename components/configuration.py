"""The stack's settings and the team's secrets, out of Pulumi's configuration."""

from __future__ import annotations

import pulumi
from pulumi.runtime.config import get_config_env, get_config_secret_keys_env

from components.settings import StackSettings, check_stack_name, load


def read_settings(project: str) -> StackSettings:
    """The settings of the stack that the program runs for. Raises SettingsError."""
    check_stack_name(pulumi.get_stack())
    return load(project, get_config_env(), get_config_secret_keys_env())


def team_secret(name: str) -> pulumi.Output[str] | None:
    """The value of a secret that the team has set, or None where it is to be generated."""
    return pulumi.Config().get_secret(name)
