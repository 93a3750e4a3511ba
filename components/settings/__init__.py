"""Typed settings of a stack: they validate, and they are the documentation.

Free of Pulumi, so that the command line can check a stack's settings before anything is started.
One object a component (`medianest:backend`, `medianest:gateway`, …); secrets lie flat beside them,
one key a secret, and are only accepted encrypted.
"""

from components.settings.backend import (
    COMPONENT_KEYS,
    DASHBOARD_PASSWORD,
    GUARDIAN_TOKEN,
    SERVICE_SECRETS,
    BackendSettings,
    BuildSettings,
    HealthSettings,
    SecretSettings,
    VolumeSettings,
)
from components.settings.base import SECRETS_DIRECTORY, LimitSettings, SettingsError, url_of
from components.settings.environments import EnvironmentsSettings
from components.settings.guardian import DashboardSettings, EngineSettings, GuardianSettings
from components.settings.lease import LeaseSettings
from components.settings.monitoring import (
    TEAM_SECRETS,
    AlertSettings,
    EmailSettings,
    Levels,
    LevelsDown,
    MonitoringSettings,
)
from components.settings.operation import VerificationSettings, WatchSettings
from components.settings.pin import PinnedImage, PinSettings
from components.settings.services import GatewaySettings
from components.settings.stack import StackSettings, check_secret, check_stack_name, load

__all__ = [
    "COMPONENT_KEYS",
    "DASHBOARD_PASSWORD",
    "GUARDIAN_TOKEN",
    "SECRETS_DIRECTORY",
    "SERVICE_SECRETS",
    "TEAM_SECRETS",
    "AlertSettings",
    "BackendSettings",
    "BuildSettings",
    "DashboardSettings",
    "EmailSettings",
    "EngineSettings",
    "EnvironmentsSettings",
    "GatewaySettings",
    "GuardianSettings",
    "HealthSettings",
    "LeaseSettings",
    "Levels",
    "LevelsDown",
    "LimitSettings",
    "MonitoringSettings",
    "PinSettings",
    "PinnedImage",
    "SecretSettings",
    "SettingsError",
    "StackSettings",
    "VerificationSettings",
    "VolumeSettings",
    "WatchSettings",
    "check_secret",
    "check_stack_name",
    "load",
    "url_of",
]
