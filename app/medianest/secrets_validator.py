"""Runs first at start-up: nothing else begins before every secret is there and good enough."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import structlog

from medianest.secret_source import SecretSource, UnreadableSecretError

# Whole values, and words long enough not to turn up in a random one.
_PLACEHOLDER = re.compile(
    r"^<.*>$|^\$\{.*\}$|^(secret|password|passwd|test|example|default|dummy|todo|none|null)[0-9!]*$"
    r"|change[-_ ]?me|replace[-_ ]?me|placeholder|your[-_ ]?(secret|password|jwt|key)",
    re.IGNORECASE,
)
_LEAST_VARIETY = 8


class SecretsError(Exception):
    """A secret is missing or too weak. `problems` has one sentence each, never a value."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(problems))


@dataclass(frozen=True)
class SecretRule:
    """What a secret must be like. `check` returns what is wrong with a value, without naming it."""

    name: str
    minimum_length: int = 1
    required: bool = True
    check: Callable[[str], str | None] | None = None


class Secrets:
    """Validated secrets by name. Their text shows in no representation."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def get(self, name: str) -> str | None:
        """The value, or None for an optional secret that is not there."""
        return self._values.get(name)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self._values))})"


class ValidationState(StrEnum):
    """How far the validation is; the words of the health document."""

    PENDING = "pending"
    VALIDATED = "validated"
    FAILED = "failed"


class SecretsValidator:
    """Waits for the secrets, validates them, then works off what was queued meanwhile.

    Missing secrets are waited for, `attempts` times, `delay` seconds apart: an engine may mount them
    late. A weak one will not get better and fails at once.
    """

    def __init__(
        self,
        rules: Sequence[SecretRule],
        source: SecretSource,
        *,
        attempts: int = 10,
        delay: float = 1.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.state = ValidationState.PENDING
        self._rules = rules
        self._source = source
        self._attempts = attempts
        self._delay = delay
        self._sleep = sleep
        self._queue: list[Callable[[Secrets], None]] = []
        self._secrets: Secrets | None = None
        self._log = structlog.get_logger(component="secrets_validator")

    def when_validated(self, validation: Callable[[Secrets], None]) -> None:
        """Run `validation` on the secrets: now if they are validated, else as soon as they are."""
        if self._secrets is not None:
            validation(self._secrets)
        else:
            self._queue.append(validation)

    async def validate(self) -> Secrets:
        """Raises SecretsError, which names every secret at fault and never a value."""
        try:
            self._secrets = await self._wait()
            while self._queue:
                self._queue.pop(0)(self._secrets)
        except Exception:
            self.state = ValidationState.FAILED
            self._secrets = None
            raise
        self.state = ValidationState.VALIDATED
        self._log.info("Secrets validation completed successfully", secrets=sorted(self._secrets))
        return self._secrets

    async def _wait(self) -> Secrets:
        for attempt in range(1, self._attempts + 1):
            values, missing, problems = self._look()
            if problems:
                raise SecretsError(problems)
            if not missing:
                return Secrets(values)
            if attempt < self._attempts:
                self._log.warning("Waiting for secrets", missing=missing, attempt=attempt)
                await self._sleep(self._delay)
        raise SecretsError([f"secret {name} is missing: {_remedy(name)}" for name in missing])

    def _look(self) -> tuple[dict[str, str], list[str], list[str]]:
        values: dict[str, str] = {}
        missing: list[str] = []
        problems: list[str] = []
        for rule in self._rules:
            try:
                value = self._source.read(rule.name)
            except UnreadableSecretError as error:
                problems.append(str(error))
                continue
            if value is None:
                if rule.required:
                    missing.append(rule.name)
            elif problem := problem_with(rule, value):
                problems.append(f"secret {rule.name} {problem}")
            else:
                values[rule.name] = value
        return values, missing, problems


def problem_with(rule: SecretRule, value: str) -> str | None:
    """What is wrong with a value, as the rest of a sentence that begins with the secret's name."""
    if rule.check is not None:
        return rule.check(value)
    if looks_like_placeholder(value):
        return "is a placeholder: set a random value"
    if len(value) < rule.minimum_length:
        return f"is too short: at least {rule.minimum_length} characters are needed"
    if len(set(value)) < min(_LEAST_VARIETY, rule.minimum_length):
        return f"is too simple: at least {_LEAST_VARIETY} different characters are needed"
    return None


def looks_like_placeholder(value: str) -> bool:
    """Whether a value is one of those that stand in examples until somebody sets a real one."""
    return _PLACEHOLDER.search(value) is not None


def _remedy(name: str) -> str:
    return f"put it into the file that {name.upper()}_FILE names, or into {name.upper()}"
