"""Typed settings of a stack: they validate, and they are the documentation.

Free of Pulumi, so that the command line can check a stack's settings before anything is started.
One object a component (`medianest:backend`, `medianest:gateway`, …); secrets lie flat beside them,
one key a secret, and are only accepted encrypted.
"""

from components.settings.backend import (
    COMPONENT_KEYS as COMPONENT_KEYS,
)
from components.settings.backend import (
    RESERVED_FILES as RESERVED_FILES,
)
from components.settings.backend import (
    SERVICE_SECRETS as SERVICE_SECRETS,
)
from components.settings.backend import (
    BackendSettings as BackendSettings,
)
from components.settings.backend import (
    BuildSettings as BuildSettings,
)
from components.settings.backend import (
    HealingSettings as HealingSettings,
)
from components.settings.backend import (
    HealthSettings as HealthSettings,
)
from components.settings.backend import (
    SecretSettings as SecretSettings,
)
from components.settings.backend import (
    VolumeSettings as VolumeSettings,
)
from components.settings.base import (
    SECRET_NAME as SECRET_NAME,
)
from components.settings.base import (
    STACK_NAME as STACK_NAME,
)
from components.settings.base import (
    LimitSettings as LimitSettings,
)
from components.settings.base import (
    SettingsError as SettingsError,
)
from components.settings.environments import (
    EnvironmentsSettings as EnvironmentsSettings,
)
from components.settings.guardian import (
    BackoffSettings as BackoffSettings,
)
from components.settings.guardian import (
    BudgetSettings as BudgetSettings,
)
from components.settings.guardian import (
    EngineSettings as EngineSettings,
)
from components.settings.guardian import (
    GuardianSettings as GuardianSettings,
)
from components.settings.guardian import (
    ReportSettings as ReportSettings,
)
from components.settings.lease import (
    LeaseSettings as LeaseSettings,
)
from components.settings.monitoring import (
    TEAM_SECRETS as TEAM_SECRETS,
)
from components.settings.monitoring import (
    AlertSettings as AlertSettings,
)
from components.settings.monitoring import (
    EmailSettings as EmailSettings,
)
from components.settings.monitoring import (
    Levels as Levels,
)
from components.settings.monitoring import (
    LevelsDown as LevelsDown,
)
from components.settings.monitoring import (
    MonitoringSettings as MonitoringSettings,
)
from components.settings.operation import (
    BackupSettings as BackupSettings,
)
from components.settings.operation import (
    DataSettings as DataSettings,
)
from components.settings.operation import (
    DeploySettings as DeploySettings,
)
from components.settings.operation import (
    VerificationSettings as VerificationSettings,
)
from components.settings.operation import (
    WatchSettings as WatchSettings,
)
from components.settings.pin import (
    IdleSettings as IdleSettings,
)
from components.settings.pin import (
    PinnedImage as PinnedImage,
)
from components.settings.pin import (
    PinSettings as PinSettings,
)
from components.settings.services import (
    GatewaySettings as GatewaySettings,
)
from components.settings.services import (
    PostgresSettings as PostgresSettings,
)
from components.settings.services import (
    RedisSettings as RedisSettings,
)
from components.settings.stack import (
    StackSettings as StackSettings,
)
from components.settings.stack import (
    check_secret as check_secret,
)
from components.settings.stack import (
    check_stack_name as check_stack_name,
)
from components.settings.stack import (
    load as load,
)
