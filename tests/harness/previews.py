"""A deployed stack whose previews are looked at: they touch nothing, and no secret is in any of them."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import docker
import yaml

from tests.harness.checkout import Checkout, Run, containers_of, of_stack
from tests.harness.waiting import until

TERMINAL_SECONDS = 300


@dataclass(frozen=True)
class Deployed:
    """A stack that runs, in a clone with a commit."""

    checkout: Checkout
    engine: docker.DockerClient
    name: str
    port: int
    secrets: Mapping[str, str]
    """Every value that must never be seen, by the secret's name."""

    def preview(self, *arguments: str) -> Run:
        """A preview, of which nothing may be a secret, and which may not touch anything."""
        before = self.touched()
        run = self.checkout.medianest("preview", self.name, *arguments)
        self.holds_no_secret(run.said)
        assert self.touched() == before
        return run

    def document(self, *arguments: str, code: int) -> dict[str, Any]:
        """The plan of the stack, where the command ends with this code."""
        run = self.preview("--json", *arguments)
        assert run.code == code, run.said
        assert run.document()["code"] == code
        (stack,) = run.document()["stacks"]
        assert isinstance(stack, dict)
        return stack

    def changes(self, *arguments: str, code: int) -> dict[str, dict[str, Any]]:
        return {change["name"]: change for change in self.document(*arguments, code=code)["changes"]}

    def touched(self) -> dict[str, Any]:
        """What a preview has to leave as it is."""
        pulumi = self.checkout.state / "medianest" / "pulumi" / ".pulumi"
        state = [path for path in pulumi.rglob("*") if path.is_file()]
        return {
            "state": {str(path): path.read_bytes() for path in state},
            "settings": self.checkout.settings_file(self.name).read_bytes(),
            "engine": sorted(of_stack(self.engine, self.name)),
        }

    def holds_no_secret(self, text: str) -> None:
        leaked = [name for name, value in self.secrets.items() if value in text]
        assert not leaked, f"values of {leaked} are shown"

    @contextmanager
    def settings(self, **changed: Any) -> Iterator[None]:
        """Other settings of components, until the block ends."""
        path = self.checkout.settings_file(self.name)
        before = path.read_text()
        document = yaml.safe_load(before)
        for component, values in changed.items():
            own = document["config"].setdefault(f"medianest:{component}", {})
            own.update(values)
        path.write_text(yaml.safe_dump(document))
        try:
            yield
        finally:
            path.write_text(before)

    @contextmanager
    def file(self, name: str, text: str) -> Iterator[None]:
        """A file with more text at its end, until the block ends."""
        path = self.checkout.root / name
        before = path.read_text()
        path.write_text(before + text)
        try:
            yield
        finally:
            path.write_text(before)

    def container(self, component: str) -> str:
        return str(containers_of(self.engine, self.name, component)[0].name)


def secret_values(checkout: Checkout, name: str) -> dict[str, str]:
    """Out of the state, decrypted: what each secret of it is."""
    exported = checkout.pulumi("stack", "export", "--show-secrets", "-s", name)
    assert exported.code == 0
    found = {}
    for resource in json.loads(exported.out)["deployment"]["resources"]:
        outputs = resource.get("outputs") or {}
        if "made_at" in outputs:
            found[outputs["name"]] = json.loads(outputs["current"]["plaintext"])
    assert {"jwt_secret", "postgres_password", "redis_password", "backup_key"} <= found.keys()
    return found


def wait_until_ready(stack: Deployed) -> None:
    def ready() -> bool:
        backends = containers_of(stack.engine, stack.name, "backend")
        return all(item.attrs["State"]["Health"]["Status"] == "healthy" for item in backends)

    until(ready, "the backends are healthy", 60, pause=0.3)


def at_terminal(checkout: Checkout, typed: str, *arguments: str) -> Run:
    """A command whose input and errors are a terminal's, where somebody types."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["./medianest", *arguments],
        cwd=checkout.root,
        env=checkout.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    os.write(ours, typed.encode())
    try:
        said = _all_that_is_said(ours, time.monotonic() + TERMINAL_SECONDS)
        code = process.wait(timeout=TERMINAL_SECONDS)
    except (TimeoutError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=TERMINAL_SECONDS)
        raise
    finally:
        os.close(ours)
    return Run(code, re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.decode(errors="replace")), "")


def _all_that_is_said(terminal: int, deadline: float) -> bytes:
    """Until it is gone with the last one who had it open. Raises TimeoutError."""
    said = b""
    while select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
        try:
            chunk = os.read(terminal, 4096)
        except OSError:
            return said
        if not chunk:
            return said
        said += chunk
    raise TimeoutError(f"it goes on after: {said.decode(errors='replace')}")
