"""Files for volumes, packed as the engine's API takes them and written the way a stack does it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import docker


@dataclass(frozen=True)
class File:
    """A file to put into a volume."""

    content: str
    owner: int = 0
    mode: int = 0o444


# One that runs as its owner, whoever calls it.
LENDS_RIGHTS = File("", mode=0o4755)


def packed(files: Mapping[str, File], directory: File | None = None) -> bytes:
    """An archive of `files` by name; `directory` says whose the folder is that they go into."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        if directory:
            folder = tarfile.TarInfo(".")
            folder.type, folder.mode = tarfile.DIRTYPE, directory.mode
            folder.uid = folder.gid = directory.owner
            tar.addfile(folder)
        for name, file in files.items():
            content = file.content.encode()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.uid, entry.gid = len(content), file.mode, file.owner, file.owner
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def packed_directory(directory: Path) -> bytes:
    """An archive of the files below a directory of this machine, but for what Python has compiled."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted(directory.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                tar.add(path, str(path.relative_to(directory)))
    return buffer.getvalue()


def write(
    engine: docker.DockerClient,
    image: str,
    volume: str,
    path: str,
    archive: bytes,
    labels: Mapping[str, str],
) -> None:
    """Unpack an archive into a volume, through a container that mounts it at `path` and is never started.

    The engine takes no files into a container with a read-only root, even below a volume. An empty
    volume belongs to whom `path` belongs in the image.
    """
    loader = engine.containers.create(image, ["true"], labels=dict(labels), volumes=[f"{volume}:{path}"])
    try:
        assert loader.put_archive(path, archive)
    finally:
        # With the volumes that the image asks for.
        loader.remove(v=True)
