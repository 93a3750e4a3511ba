"""A backup's one file: named parts, compressed, then the manifest, all of it sealed. It streams.

Within the seal: for each part `P`, its name, its content in compressed pieces, an empty piece; then
`M` and the manifest; its length once more at the very end, so that it is found from there. Numbers are
four bytes, the highest first.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import IO, Any

from ops.backup.manifest import Manifest, Part, read_manifest
from ops.backup.sealed import DamagedFileError, Keys, SealedReader, SealedWriter

PIECE_BYTES = 256 * 1024
# Media files do not get smaller, and databases do with any level: the quick one.
LEVEL = 1
PART, MANIFEST = b"P", b"M"


class ArchiveWriter:
    """Writes a backup part by part. Complete only after `finish`."""

    def __init__(self, file: IO[bytes], about: Mapping[str, Any], key: str, passphrase: str | None) -> None:
        self._sealed = SealedWriter(file, about, key, passphrase)
        self.parts: list[Part] = []

    def add(self, name: str, content: Iterable[bytes]) -> Part:
        """Add one part, and tell its size and checksum."""
        self._sealed.write(PART)
        self._piece(name.encode())
        compressor, digest, size = zlib.compressobj(LEVEL), hashlib.sha256(), 0
        for given in content:
            digest.update(given)
            size += len(given)
            for start in range(0, len(given), PIECE_BYTES):
                self._piece(compressor.compress(given[start : start + PIECE_BYTES]), skip_empty=True)
        self._piece(compressor.flush(), skip_empty=True)
        self._piece(b"")
        part = Part(name, digest.hexdigest(), size)
        self.parts.append(part)
        return part

    def finish(self, manifest: Manifest) -> None:
        """Add the manifest and close the seal."""
        text = json.dumps(manifest.as_json()).encode()
        self._sealed.write(MANIFEST)
        self._piece(text)
        self._sealed.write(struct.pack(">I", len(text)))
        self._sealed.close()

    def _piece(self, content: bytes, *, skip_empty: bool = False) -> None:
        if content or not skip_empty:
            self._sealed.write(struct.pack(">I", len(content)) + content)


class ArchiveReader:
    """Reads a backup. What it gives out has been authenticated; raises DamagedFileError otherwise."""

    def __init__(self, file: IO[bytes], keys: Keys) -> None:
        self._sealed = SealedReader(file, keys)

    def manifest(self) -> Manifest:
        """The manifest alone, without reading the parts."""
        (length,) = struct.unpack(">I", self._sealed.tail(4).rjust(4, b"\0"))
        return read_manifest(json.loads(self._sealed.tail(4 + length)[:-4]))

    def parts(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Each part's name and content, in the order of the file. Content is read before the next part."""
        stream = _Stream(self._sealed.read())
        while (kind := stream.take(1)) == PART:
            content = self._content(stream)
            yield stream.piece().decode(), content
            for _ in content:
                pass
        if kind != MANIFEST:
            raise DamagedFileError("its parts are not where they belong")

    def check(
        self,
        progress: Callable[[int], None] = lambda _: None,
        uses: Mapping[str, Callable[[Iterator[bytes]], None]] = MappingProxyType({}),
    ) -> Manifest:
        """Read all of it once, and compare every part with its checksum.

        `progress` gets numbers of bytes; `uses` has what is done with a part's content meanwhile.
        """
        manifest, found = self.manifest(), []
        for name, content in self.parts():
            measured = _Measured(content, progress)
            if name in uses:
                uses[name](measured)
            # What nobody wanted has a checksum all the same.
            for _ in measured:
                pass
            found.append(Part(name, measured.digest.hexdigest(), measured.size))
        if found != list(manifest.parts):
            raise DamagedFileError("its parts do not match their checksums")
        return manifest

    @staticmethod
    def _content(stream: _Stream) -> Iterator[bytes]:
        decompressor = zlib.decompressobj()
        while compressed := stream.piece():
            # A piece may hold a thousand times its size.
            while compressed:
                yield decompressor.decompress(compressed, PIECE_BYTES)
                compressed = decompressor.unconsumed_tail
        yield decompressor.flush()


class _Measured:
    """Content that is counted as it is read, by whoever reads it."""

    def __init__(self, content: Iterator[bytes], progress: Callable[[int], None]) -> None:
        self._content, self._progress = content, progress
        self.digest, self.size = hashlib.sha256(), 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = next(self._content)
        self.digest.update(piece)
        self.size += len(piece)
        self._progress(len(piece))
        return piece


class _Stream:
    """Takes exact numbers of bytes from chunks of any size."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._buffer = chunks, bytearray()

    def take(self, length: int) -> bytes:
        while len(self._buffer) < length:
            chunk = next(self._chunks, b"")
            if not chunk:
                raise DamagedFileError("it ends too early")
            self._buffer += chunk
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        return taken

    def piece(self) -> bytes:
        (length,) = struct.unpack(">I", self.take(4))
        return self.take(length)
