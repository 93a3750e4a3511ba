"""Runs the Pulumi command line: follows what it does, and stops it cleanly.

Not Pulumi's Automation API: importing it costs more than everything else that an unchanged `up` does
in this process. The flags are those that it uses.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ops.child import forwarding_interrupts, interrupted_with_parent, lines_of, stop
from ops.errors import ExitCode, OperationError
from ops.paths import cache_directory
from ops.project import Project

OnEvent = Callable[[Mapping[str, Any]], None]
# A preview that takes longer hangs.
PREVIEW_SECONDS = 600
PLAN, SAVE_PLAN = "--plan", "--save-plan"
# Of the documents that `pulumi stack export` gives.
STATE_VERSION = 3
# The most that anybody may ask for: https://man7.org/linux/man-pages/man7/pipe.7.html
PIPE_BYTES = 1 << 20


@dataclass(frozen=True)
class Outcome:
    """How a run of Pulumi ended. `said` is what it printed, its secrets masked by Pulumi."""

    exit_code: int
    interrupted: bool
    said: str
    log: Path


class Pulumi:
    """The Pulumi command line for one stack.

    It works on a copy of the stack's settings file: Pulumi writes the salt of its passphrase into
    it, and the file in the checkout, which is tracked, holds settings only. Use as a context.
    """

    def __init__(
        self,
        project: Project,
        stack: str,
        environment: Mapping[str, str],
        settings: str | None = None,
    ) -> None:
        """`settings` is the text that is taken for that of the stack's settings file, where it is given."""
        self._project = project
        self._stack = stack
        self._environment = dict(environment)
        self._settings = settings
        self._directory = tempfile.TemporaryDirectory(prefix="medianest-")

    def __enter__(self) -> Pulumi:
        work = Path(self._directory.name)
        shutil.copy(self._project.root / "Pulumi.yaml", work)
        settings = self._project.settings_file(self._stack)
        if self._settings is not None:
            self._settings_copy.touch(mode=0o600)
            self._settings_copy.write_text(self._settings)
        elif settings.exists():
            shutil.copy(settings, work)
        else:
            self._settings_copy.touch(mode=0o600)
        return self

    def __exit__(self, *_: object) -> None:
        self._directory.cleanup()

    @property
    def _settings_copy(self) -> Path:
        return Path(self._directory.name) / f"Pulumi.{self._stack}.yaml"

    def create_stack(self) -> None:
        """Make the stack in the back end. One that is there already is left as it is."""
        done = self._call(["stack", "init", self._stack, "--no-select"], Path(self._directory.name))
        if done.returncode and "already exists" not in done.stderr:
            raise OperationError(f"Pulumi could not make stack {self._stack}: {said(done.stderr)}")

    def remove_stack(self) -> None:
        """Take the empty stack out of the back end."""
        done = self._call(["stack", "rm", "--yes", "--preserve-config", "--stack", self._stack])
        if done.returncode:
            raise OperationError(f"Pulumi could not remove stack {self._stack}: {said(done.stderr)}")

    def export(self, *, show_secrets: bool = False) -> Mapping[str, Any] | None:
        """The stack's deployment, or None where the back end has no such stack.

        With `show_secrets` it holds them in plain: for this process alone.
        """
        shown = ["--show-secrets"] if show_secrets else []
        done = self._call(["stack", "export", "--stack", self._stack, *shown])
        if done.returncode == 0:
            deployment: Mapping[str, Any] = json.loads(done.stdout)["deployment"]
            return deployment
        if "no stack named" in done.stderr:
            return None
        raise OperationError(f"Pulumi cannot read the state of stack {self._stack}: {said(done.stderr)}")

    def replace_state(self, deployment: Mapping[str, Any]) -> None:
        """Put a deployment in the place of the stack's own, as `export` gave it."""
        document = json.dumps({"version": STATE_VERSION, "deployment": deployment})
        done = self._call(["stack", "import", "--stack", self._stack], given=document)
        if done.returncode:
            raise OperationError(f"Pulumi could not mend stack {self._stack}: {said(done.stderr)}")

    def preview_document(self, limit_seconds: float = PREVIEW_SECONDS) -> Mapping[str, Any]:
        """What the tree's program declares, beside the state: `{steps: [{op, urn, newState, …}]}`.

        Takes no lock and touches nothing. Secrets in it are masked by Pulumi. After `limit_seconds` it is
        killed. Raises OperationError.
        """
        of_stack = ["--stack", self._stack, "--config-file", str(self._settings_copy)]
        try:
            done = self._call(["preview", "--json", "--show-sames", *of_stack], limit_seconds=limit_seconds)
        except subprocess.TimeoutExpired as error:
            raise OperationError(
                f"Pulumi cannot preview stack {self._stack}: it took longer than {limit_seconds:.0f} s, and "
                "was killed"
            ) from error
        try:
            document: Mapping[str, Any] = json.loads(done.stdout)
        except ValueError:
            document = {}
        if done.returncode or "steps" not in document:
            raise OperationError(
                f"Pulumi cannot preview stack {self._stack}: {_problem(document, done.stderr)}"
            )
        return document

    def history(self, limit: int) -> list[Mapping[str, Any]]:
        """The last updates, the newest first, without their states."""
        done = self._call(
            ["stack", "history", "--json", "--page-size", str(limit), "--page", "1", "--stack", self._stack]
        )
        if done.returncode:
            raise OperationError(f"Pulumi cannot read the history: {said(done.stderr)}")
        updates: list[Mapping[str, Any]] = json.loads(done.stdout)
        return updates

    def tags(self) -> Mapping[str, str]:
        """The stack's tags."""
        done = self._call(["stack", "tag", "ls", "--json", "--stack", self._stack])
        if done.returncode:
            raise OperationError(f"Pulumi cannot read the stack's tags: {said(done.stderr)}")
        tags: Mapping[str, str] = json.loads(done.stdout)
        return tags

    def set_tag(self, name: str, value: str) -> None:
        done = self._call(["stack", "tag", "set", name, value, "--stack", self._stack])
        if done.returncode:
            raise OperationError(f"Pulumi could not set tag {name}: {said(done.stderr)}")

    def change(
        self,
        command: str,
        on_event: OnEvent,
        on_interrupt: Callable[[int], None],
        *,
        refresh: bool = False,
        message: str = "",
        options: Sequence[str] = (),
    ) -> Outcome:
        """Run `up` or `destroy`, and hand over each event of the engine as it happens.

        With `refresh` Pulumi looks at what really is there first. `message` goes into its history.

        Ctrl-C reaches this process alone. The first is forwarded: Pulumi lets what it has begun
        end and saves its state. On the second it stops at once and notes in the state what was
        under way; the third kills it. `on_interrupt` gets the number. Where this process is killed, that
        is a first Ctrl-C to Pulumi.
        """
        flags = ["--yes", "--skip-preview", *(["--message", message] if message else []), *options]
        with (
            self._running(command, command, flags, refresh) as (process, pipe, log),
            forwarding_interrupts(process, on_interrupt) as interrupts,
        ):
            for line in lines_of(pipe, process):
                on_event(json.loads(line))
            code = process.wait()
        return Outcome(code, bool(interrupts), log.read_text(), log)

    def preview(
        self,
        on_event: OnEvent,
        *,
        refresh: bool = False,
        save: Path | None = None,
        limit_seconds: float = PREVIEW_SECONDS,
    ) -> Outcome:
        """Run `preview`, which takes no lock and changes nothing, and hand over the engine's events.

        Deletions of what is protected are shown, not refused. `save` is the file that the plan goes to.
        May run beside another one, in a thread. After `limit_seconds` it is killed, and fails.
        """
        flags = ["--ignore-protect", *([SAVE_PLAN, str(save)] if save else [])]
        named = "preview-refresh" if refresh else "preview"
        with self._running("preview", named, flags, refresh) as (process, pipe, log):
            timer = threading.Timer(limit_seconds, process.kill)
            timer.start()
            try:
                for line in lines_of(pipe, process):
                    on_event(json.loads(line))
                code = process.wait()
            finally:
                timer.cancel()
        return Outcome(code, False, log.read_text(), log)

    @contextmanager
    def _running(
        self, command: str, named: str, options: Sequence[str], refresh: bool
    ) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes], Path]]:
        """A run of Pulumi that writes the engine's events into a pipe, and what it prints into a log."""
        log = cache_directory() / "logs" / f"pulumi-{named}-{self._stack}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        # A pipe, not a file: with the flag come debug messages, which hold secrets in plain text.
        reading, writing = os.pipe()
        # What Pulumi still has to say when this process has been killed must not block it.
        # Linux alone has the call.
        with suppress(OSError, AttributeError):
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        arguments = [
            command,
            *("--non-interactive", "--color", "never"),
            *("--stack", self._stack, "--config-file", str(self._settings_copy)),
            *("--event-log", f"/dev/fd/{writing}"),
            *(["--refresh"] if refresh else []),
            *options,
        ]
        with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            process = subprocess.Popen(
                interrupted_with_parent([self._executable(), *arguments]),
                cwd=self._project.root,
                # The flags are hidden behind these variables.
                env={
                    **self._environment,
                    "PULUMI_DEBUG_COMMANDS": "true",
                    **({"PULUMI_EXPERIMENTAL": "true"} if {SAVE_PLAN, PLAN} & set(options) else {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # The reading end too: were it gone with this process, Pulumi would hang at its next event.
                pass_fds=[writing, reading],
            )
        os.close(writing)
        try:
            with open(reading, "rb") as pipe:
                yield process, pipe, log
        finally:
            # Also when this process fails: nothing runs on behind its back.
            stop(process)

    def _executable(self) -> str:
        found = shutil.which("pulumi", path=self._environment.get("PATH"))
        if found is None:
            raise OperationError("Pulumi is not there", "Run: ./medianest setup", ExitCode.REFUSED)
        return found

    def _call(
        self,
        arguments: Sequence[str],
        directory: Path | None = None,
        given: str = "",
        limit_seconds: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._executable(), *arguments, "--non-interactive", "--color", "never"],
            cwd=directory or self._project.root,
            env=self._environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=limit_seconds,
            check=False,
        )


def _problem(preview: Mapping[str, Any], printed: str) -> str:
    errors = [item["message"] for item in preview.get("diagnostics") or () if item.get("severity") == "error"]
    return said("\n".join(str(error) for error in errors) or printed)


def said(text: str) -> str:
    """The message in what Pulumi printed: its last line, without the word error."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("@ ")]
    return lines[-1].removeprefix("error: ") if lines else "it did not say why"
