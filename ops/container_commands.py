"""Commands inside containers, with their output, and their input, as streams of any length.

Nothing of what flows through them is kept: neither by the engine's logs nor in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components import engine_exec, labels
from components.exec_stream import OUTPUT, ExecStream
from components.hardening.kinds import LOADER, SCRATCH_DATABASE, SOAK, VOLUME_HELPER, Kind
from ops.engine import remove_container, resources
from ops.errors import OperationError
from ops.hardened import create

if TYPE_CHECKING:
    from docker import APIClient

# The components in the labels of containers that live for one command.
COMPONENTS = frozenset({VOLUME_HELPER.component, SCRATCH_DATABASE.component})
# Of all that a command has made while it is under way, or a killed one has left: no part of the stack.
PASSING = COMPONENTS | {SOAK.component, labels.DEPLOYING}
PATH = "/volume"
KEPT_OUTPUT = 20_000
# A backup is compressed in its helper: more would be taken from what serves.
CORES = 1


class CommandError(OperationError):
    """A command in a container that failed, with the end of what it said."""

    def __init__(self, what: str, code: int | None, said: str) -> None:
        end = "\n".join(f"    {line}" for line in said.strip().splitlines()[-8:])
        super().__init__(f"{what} failed with exit code {code}:\n{end}")
        self.said = said


def run(
    api: APIClient, container: str, command: Sequence[str], what: str, *, user: str = ""
) -> tuple[bytes, str]:
    """Run a command in a running container: its output and its error output. Raises CommandError."""
    said: list[bytes] = []
    out = b"".join(output(api, container, command, what, on_error_output=said.append, user=user))
    return out, b"".join(said).decode(errors="replace")


def output(
    api: APIClient,
    container: str,
    command: Sequence[str],
    what: str,
    *,
    on_error_output: Callable[[bytes], object] = lambda _: None,
    user: str = "",
) -> Iterator[bytes]:
    """The output of a command in a running container, as it comes. Raises CommandError at its end."""
    started = api.exec_create(container, list(command), user=user)["Id"]
    said = bytearray()
    with closing(ExecStream(api, started)) as stream:
        for kind, part in stream.parts():
            if kind == OUTPUT:
                yield part
            else:
                said += part
                del said[:-KEPT_OUTPUT]
                on_error_output(part)
        code = stream.exit_code()
    if code != 0:
        raise CommandError(what, code, said.decode(errors="replace"))


def feed(
    api: APIClient, container: str, command: Sequence[str], content: Iterable[bytes], size: int, what: str
) -> None:
    """Run a command in a running container with `size` bytes of content as its input.

    The size is said before, since the end of the input cannot be told over every kind of connection
    to an engine. Raises CommandError.
    """
    bounded = ["sh", "-c", 'head -c "$0" | "$@"', str(size), *command]
    ended = engine_exec.feed(api, container, bounded, content, KEPT_OUTPUT)
    if ended.code != 0:
        raise CommandError(what, ended.code, ended.said)


@dataclass(frozen=True)
class VolumeShell:
    """Runs scripts in containers that see one volume, at PATH, and nothing else: no network, no stack."""

    api: APIClient
    image: str
    labels: Mapping[str, str]

    def output(
        self,
        volume: str,
        script: str,
        what: str,
        *,
        capabilities: Sequence[str],
        arguments: Sequence[str] = (),
        read_only: bool = False,
        accepted: Sequence[int] = (0,),
        on_error_output: Callable[[bytes], object] = lambda _: None,
    ) -> Iterator[bytes]:
        """What a script prints, as it comes. Raises CommandError at its end."""
        command = ["sh", "-euc", script, "sh", *arguments]
        with self._container(VOLUME_HELPER, volume, command, capabilities, read_only) as made:
            said = bytearray()
            stream = self.api.attach(made, stdout=True, stderr=True, stream=True, demux=True)
            self.api.start(made)
            for out, error in stream:
                if error:
                    said += error
                    del said[:-KEPT_OUTPUT]
                    on_error_output(error)
                if out:
                    yield out
            code = self.api.wait(made)["StatusCode"]
            if code not in accepted:
                raise CommandError(what, code, said.decode(errors="replace"))

    def run(self, volume: str, script: str, what: str, *, capabilities: Sequence[str]) -> str:
        """The same, where little is printed."""
        return b"".join(self.output(volume, script, what, capabilities=capabilities)).decode()

    def unpack(self, volume: str, directory: str, archive: Iterable[bytes]) -> None:
        """Unpack a tar archive into a directory of the volume. No process runs: the engine does it."""
        with self._container(LOADER, volume, ["true"], (), read_only=False) as made:
            # A generator is sent in chunks: the archive is never in memory as a whole.
            self.api.put_archive(made, f"{PATH}/{directory}", iter(archive))

    @contextmanager
    def _container(
        self, kind: Kind, volume: str, command: Sequence[str], capabilities: Sequence[str], read_only: bool
    ) -> Iterator[str]:
        from docker.types import LogConfig, Mount

        host = self.api.create_host_config(
            mounts=[Mount(PATH, volume, type="volume", read_only=read_only)],
            network_mode="none",
            # The engine puts no files into a container with a read-only root.
            read_only=kind is not LOADER,
            cap_drop=["ALL"],
            cap_add=list(capabilities),
            security_opt=["no-new-privileges:true"],
            mem_limit="256m",
            memswap_limit="256m",
            nano_cpus=CORES * 10**9,
            pids_limit=32,
            init=True,
            # Its output is the volume's content: it must not be in a log.
            log_config=LogConfig(type="none"),
        )
        made = create(
            self.api,
            kind,
            image=self.image,
            command=list(command),
            entrypoint=[],
            user="0:0",
            labels=dict(self.labels),
            host_config=host,
        )
        try:
            yield made
        finally:
            remove_container(self.api, made)


def shell_for(api: APIClient, root: Any, project: str, stack: str, owner: str) -> VolumeShell:
    """The volume shell of one stack, in the base image, which is where every stack is."""
    from components.build_context import base_image

    return VolumeShell(api, base_image(root), own_labels(project, stack, owner))


def own_labels(
    project: str, stack: str, owner: str, component: str = VOLUME_HELPER.component
) -> dict[str, str]:
    """Labels of containers that live for one command, so that those of a killed run are found."""
    return {
        labels.PROJECT: project,
        labels.STACK: stack,
        labels.OWNER: owner,
        labels.COMPONENT: component,
    }


def clear(api: APIClient, project: str, stack: str) -> None:
    """Remove what a killed run has left of such containers."""
    for resource in resources(api, project, stack):
        if resource.kind == "container" and resource.labels.get(labels.COMPONENT) in COMPONENTS:
            remove_container(api, resource.id)
