"""What a check is told of the stack that it loads, by its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from medianest.secret_source import SecretSource, UnreadableSecretError
from medianest.settings import Settings, SettingsError
from medianest.soak.protocol import CannotRunError

_LEAST_MINUTES, _MOST_MINUTES = 0.01, 2880


@dataclass(frozen=True)
class Target:
    """The gateway's address, the name of the backends behind it, and who logs in."""

    seconds: float
    gateway_host: str
    gateway_port: int
    backend_host: str
    backend_port: int
    username: str
    password: str = field(repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Target:
        """Raises CannotRunError."""
        try:
            username = Settings.from_environment(environment).demo_user
            password = SecretSource(environment).read("demo_password")
        except (SettingsError, UnreadableSecretError) as error:
            raise CannotRunError(str(error)) from None
        if username is None or password is None:
            raise CannotRunError("there is nobody to log in as: set DEMO_USER and the secret demo_password")
        port = environment.get("BACKEND_PORT", "3000")
        if not port.isdecimal():
            raise CannotRunError("BACKEND_PORT must be a number")
        gateway = urlsplit(environment.get("TARGET_URL", ""))
        if gateway.scheme != "http" or not gateway.hostname:
            raise CannotRunError("TARGET_URL must be of the form http://HOST:PORT")
        return cls(
            seconds=60 * _minutes(environment.get("SOAK_MINUTES", "")),
            gateway_host=gateway.hostname,
            gateway_port=gateway.port or 80,
            backend_host=environment.get("BACKEND_HOST", "backend"),
            backend_port=int(port),
            username=username,
            password=password,
        )


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not _LEAST_MINUTES <= minutes <= _MOST_MINUTES:
        raise CannotRunError(f"SOAK_MINUTES must be from {_LEAST_MINUTES} to {_MOST_MINUTES}")
    return minutes
