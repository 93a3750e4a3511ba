"""Makes the base image: a plain Debian, pulled or made from packages, finished by images/base/finish."""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from docker import DockerClient
from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.containers import Container

from components import labels
from components.hardening.kinds import BASE_MAKING
from ops.errors import ExitCode, OperationError
from ops.hardened import create, rotated_log
from ops.setup.base_image import COMPONENT
from ops.setup.engine_api import connect
from ops.setup.failure import DEBIAN_PACKAGES, explain
from ops.setup.packages import System, install_command, install_packages
from ops.setup.work import CommandFailedError, Work

OFFICIAL = "debian"
PULL_SILENCE_SECONDS = 15.0
RECIPE = "/recipe"
# On containers that exist only while the base is made.
MAKING = {labels.COMPONENT: BASE_MAKING.component}
# Installing a few packages takes a tenth of that.
MEMORY_BYTES, CORES, PROCESSES = 1024**3, 1, 500
CHANGES = [
    f"LABEL {labels.COMPONENT}={COMPONENT}",
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    'CMD ["bash"]',
]


class BaseImageMaker:
    """One making of the base image, on the engine that the user means."""

    def __init__(self, work: Work, recipe: Path, scratch: Path, system: System) -> None:
        self._work = work
        self._recipe = recipe
        self._scratch = scratch
        self._system = system
        self._suite = (recipe / "suite").read_text().strip()
        self._packages = (recipe / "packages").read_text().split()

    def make(self, image: str) -> None:
        """Make the image under the name `image`. Raises OperationError."""
        client = connect(timeout=300.0)
        try:
            with self._source(client) as source, self._work.activity("Making the base image", 10):
                self._finish(client, source, image)
        except (DockerException, requests.RequestException) as error:
            raise OperationError(f"the engine could not make the base image: {error}") from error
        finally:
            client.close()

    @contextmanager
    def _source(self, client: DockerClient) -> Iterator[str]:
        """Name of an image with a plain Debian; what was not there before is removed afterwards."""
        official = f"{OFFICIAL}:{self._suite}-slim"
        had = _has(client, official)
        if self._pull(official):
            source, ours = official, not had
        else:
            source, ours = self._bootstrap(client), True
        try:
            yield source
        finally:
            if ours:
                client.images.remove(source)

    def _pull(self, official: str) -> bool:
        """Pull the official image; False when its registry is silent or refuses."""
        client = connect(timeout=PULL_SILENCE_SECONDS)
        repository, tag = official.split(":")
        try:
            with self._work.activity(f"Pulling {official}", 10):
                for event in client.api.pull(repository, tag=tag, stream=True, decode=True):
                    if "error" in event:
                        raise DockerException(event["error"])
            return True
        except (DockerException, requests.RequestException) as error:
            self._work.note(f"{official} cannot be pulled, making a Debian from packages instead: {error}")
            return False
        finally:
            client.close()

    def _bootstrap(self, client: DockerClient) -> str:
        """Make a plain Debian from packages and import it; returns the image's name."""
        if not shutil.which("mmdebstrap"):
            if not self._system.may_install:
                raise _no_source(self._system, self._suite)
            install_packages(self._work, ["mmdebstrap", "debian-archive-keyring"], usual_seconds=30)
        repository, tag = "medianest/base-source", self._suite
        self._scratch.mkdir(parents=True, exist_ok=True)
        doing = f"Making a Debian {self._suite} from packages"
        with tempfile.TemporaryDirectory(dir=self._scratch) as directory, self._work.activity(doing, 30):
            archive = Path(directory) / "root.tar"
            try:
                self._work.run(self._mmdebstrap(client, archive))
            except CommandFailedError as error:
                raise explain(doing, error.tail, DEBIAN_PACKAGES) from error
            client.api.import_image_from_file(str(archive), repository, tag)
        return f"{repository}:{tag}"

    def _mmdebstrap(self, client: DockerClient, archive: Path) -> list[str]:
        return [
            "mmdebstrap",
            "--variant=minbase",
            "--mode=" + ("root" if self._system.root else "unshare"),
            f"--architectures={debian_architecture(str(client.version()['Arch']))}",
            f"--include={','.join(self._packages)}",
            f"--dpkgopt={self._recipe / 'path-excludes'}",
            self._suite,
            str(archive),
        ]

    def _finish(self, client: DockerClient, source: str, image: str) -> None:
        """Run the recipe in a container and import what it leaves: one layer, with nothing hidden below."""
        _remove_leftovers(client)
        command = ["bash", f"{RECIPE}/finish", RECIPE]
        host = client.api.create_host_config(
            mem_limit=MEMORY_BYTES,
            memswap_limit=MEMORY_BYTES,
            nano_cpus=CORES * 10**9,
            pids_limit=PROCESSES,
            security_opt=["no-new-privileges:true"],
            init=True,
            log_config=rotated_log(),
        )
        made = create(
            client.api,
            BASE_MAKING,
            image=source,
            command=command,
            labels=MAKING,
            working_dir="/",
            host_config=host,
        )
        container = client.containers.get(made)
        try:
            container.put_archive("/", pack(self._recipe, RECIPE.strip("/")))
            container.start()
            code = container.wait()["StatusCode"]
            said = container.logs().decode(errors="replace")
            self._work.note(said)
            if code != 0:
                raise explain("Finishing the base image", said, DEBIAN_PACKAGES)
            _import(client, container, image)
        finally:
            container.remove(force=True)


def debian_architecture(engine: str) -> str:
    """Debian's name for the architecture that an engine names: "x86_64" and "amd64" → "amd64"."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(engine, engine)


def pack(directory: Path, name: str) -> bytes:
    """A tar of a directory's files under `name`, owned by root."""

    def owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        return entry

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(directory, name, filter=owned_by_root)
    return buffer.getvalue()


def _import(client: DockerClient, container: Container, image: str) -> None:
    repository, tag = image.split(":")
    client.api.import_image(
        src=container.export(), stream_src=True, repository=repository, tag=tag, changes=CHANGES
    )


def _has(client: DockerClient, image: str) -> bool:
    try:
        client.images.get(image)
    except ImageNotFound:
        return False
    return True


def _remove_leftovers(client: DockerClient) -> None:
    """Remove the containers of set-ups that were killed; one that runs belongs to another set-up."""
    marks = [f"{key}={value}" for key, value in MAKING.items()]
    for container in client.containers.list(
        all=True, ignore_removed=True, filters={"label": marks, "status": "exited"}
    ):
        try:
            container.remove(force=True)
        except APIError:
            continue


def _no_source(system: System, suite: str) -> OperationError:
    message = f"the official image {OFFICIAL}:{suite}-slim cannot be pulled, and mmdebstrap is not installed"
    if system.debian:
        return OperationError(message, f"Run: {install_command(['mmdebstrap'])}", ExitCode.REFUSED)
    hint = "Let the engine reach an image registry, or install mmdebstrap."
    return OperationError(message, hint, ExitCode.REFUSED)
