"""Where secrets come from: a file first, a variable second."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class UnreadableSecretError(ValueError):
    """A secret file that is there but cannot be read. The message never holds its content."""


class SecretSource:
    """Looks secrets up as the contract says: `NAME_FILE` names a file, else `NAME` is the value.

    The former value of a rotated secret lies beside its file, as `<file>_previous`.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def read(self, name: str) -> str | None:
        """The secret's value without one trailing newline; None when there is none or it is empty.

        Raises UnreadableSecretError.
        """
        path = self._path(name)
        value = self._environment.get(name.upper()) if path is None else _content(name, path)
        return value.removesuffix("\n").removesuffix("\r") or None if value is not None else None

    def _path(self, name: str) -> Path | None:
        path = self._environment.get(f"{name.upper()}_FILE")
        if path:
            return Path(path)
        current = self._environment.get(f"{name.removesuffix('_previous').upper()}_FILE")
        if name.endswith("_previous") and current:
            return Path(f"{current}_previous")
        return None


def _content(name: str, path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise UnreadableSecretError(f"secret {name}: {path} is not UTF-8 text") from None
    except OSError as error:
        raise UnreadableSecretError(f"secret {name}: cannot read {path}: {error.strerror}") from None
