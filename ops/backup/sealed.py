"""A file that only the holder of a key can read, and in which every change is noticed. It streams.

Layout: magic, length of the header, header (JSON, in plain), its SHA-256; then the content in chunks
of a fixed size, each encrypted with AES-256-GCM under a counter as nonce, the last one marked as such:
chunks that are changed, left out, moved or missing at the end are all refused. Source: the STREAM
construction, https://eprint.iacr.org/2015/189, as https://age-encryption.org/v1 uses it.

The content's key is drawn for each file. It is in the header once for each *slot*, encrypted: under
the stack's key, and under the passphrase of the state, so that a backup is of use when the state, and
the stack's key with it, is lost. The header is bound to the content through the derivation of its key.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from ops.errors import ExitCode, OperationError

MAGIC = b"MNBACKUP"
FORMAT = 1
CHUNK_BYTES = 256 * 1024
TAG_BYTES = 16
DIGEST_BYTES = 32
LARGEST_HEADER = 1_000_000
KEY_BYTES = 32
# Source: https://www.rfc-editor.org/rfc/rfc7914 (2: memory is 128·N·r bytes, 32 MB here).
SCRYPT = {"n": 2**15, "r": 8, "p": 3}
# A shorter passphrase can be guessed by who has the file alone: it gets no slot.
MINIMUM_PASSPHRASE = 20


class DamagedFileError(OperationError):
    """A file that is not as it was written."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the backup is damaged: {why}",
            "Nothing of it can be trusted. Use another one: ./medianest backup list STACK",
        )


class WrongKeyError(OperationError):
    """None of the keys at hand opens a file."""

    def __init__(self, stack: str, identity: str) -> None:
        super().__init__(
            f"no key at hand opens the backup: it was made of stack {stack}, with key {identity}",
            "Hand over that key in a file: --key-file FILE. It is what `./medianest backup key "
            f"{stack}` printed, where its state is or was.",
            ExitCode.REFUSED,
        )


@dataclass(frozen=True)
class Keys:
    """What may open a file: keys of stacks, and the passphrase of the state."""

    keys: Sequence[str] = ()
    passphrase: str | None = None


def key_identity(key: str) -> str:
    """A name for a key that tells nothing of it: keys have 256 bits."""
    return hashlib.sha256(b"medianest backup key\0" + key.encode()).hexdigest()[:12]


class SealedWriter:
    """Writes a sealed file. Complete only after `close`."""

    def __init__(self, file: IO[bytes], about: Mapping[str, Any], key: str, passphrase: str | None) -> None:
        content_key, salt = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES)
        slots = [_key_slot(key, content_key)]
        if passphrase is not None and len(passphrase) >= MINIMUM_PASSPHRASE:
            slots.append(_passphrase_slot(passphrase, content_key))
        header = json.dumps(
            {"format": FORMAT, "chunk": CHUNK_BYTES, "salt": _text(salt), "slots": slots, "about": about}
        ).encode()
        file.write(MAGIC + struct.pack(">I", len(header)) + header + hashlib.sha256(header).digest())
        self._file, self._cipher = file, _cipher(content_key, salt, header)
        self._buffer, self._count = bytearray(), 0

    def write(self, content: bytes) -> None:
        """Add content of any length."""
        self._buffer += content
        # The last chunk is known as such at the end only, so one is always held back.
        while len(self._buffer) > CHUNK_BYTES:
            self._put(bytes(self._buffer[:CHUNK_BYTES]), last=False)
            del self._buffer[:CHUNK_BYTES]

    def close(self) -> None:
        """Write the last chunk."""
        self._put(bytes(self._buffer), last=True)

    def _put(self, chunk: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._count, last=last), chunk, None))
        self._count += 1


class SealedReader:
    """Reads a sealed file. Raises DamagedFileError and WrongKeyError; what it gives is as it was written."""

    def __init__(self, file: IO[bytes], keys: Keys) -> None:
        self.header = read_header(file)
        content_key = _open_slots(self.header, keys)
        raw = self.header["_raw"]
        self._cipher = _cipher(content_key, _bytes(self.header["salt"]), raw)
        self._file, self._chunk = file, int(self.header["chunk"])
        self._start = len(MAGIC) + 4 + len(raw) + DIGEST_BYTES
        size = file.seek(0, os.SEEK_END) - self._start
        if size < TAG_BYTES:
            raise DamagedFileError("it ends too early")
        self._chunks = max(1, -(-size // (self._chunk + TAG_BYTES)))

    def read(self) -> Iterator[bytes]:
        """The whole content, chunk by chunk."""
        for number in range(self._chunks):
            yield self._get(number)

    def tail(self, length: int) -> bytes:
        """The last `length` bytes of the content, without reading what is before. Fewer if it is shorter."""
        content, number = b"", self._chunks
        while len(content) < length and number > 0:
            number -= 1
            content = self._get(number) + content
        return content[-length:]

    def _get(self, number: int) -> bytes:
        from cryptography.exceptions import InvalidTag

        self._file.seek(self._start + number * (self._chunk + TAG_BYTES))
        chunk = self._file.read(self._chunk + TAG_BYTES)
        last = number == self._chunks - 1
        try:
            content: bytes = self._cipher.decrypt(_nonce(number, last=last), chunk, None)
        except (InvalidTag, ValueError) as error:
            where = "its end is missing or changed" if last else f"chunk {number} is changed"
            raise DamagedFileError(where) from error
        return content


def read_header(file: IO[bytes]) -> dict[str, Any]:
    """The header of a sealed file, for which no key is needed. It is no more than a claim without one."""
    start = file.read(len(MAGIC) + 4)
    if start[: len(MAGIC)] != MAGIC:
        raise DamagedFileError("it is not a backup of this toolkit, or its beginning is changed")
    if len(start) < len(MAGIC) + 4:
        raise DamagedFileError("it ends too early")
    (length,) = struct.unpack(">I", start[len(MAGIC) :])
    if length > LARGEST_HEADER:
        raise DamagedFileError("its header is changed")
    raw, digest = file.read(length), file.read(DIGEST_BYTES)
    if hashlib.sha256(raw).digest() != digest:
        raise DamagedFileError("its header is changed or cut off")
    header: dict[str, Any] = json.loads(raw)
    if header["format"] != FORMAT:
        raise OperationError(
            f"the backup has format {header['format']}, and this version reads {FORMAT}",
            "Use the version of the toolkit that made it, or a newer one.",
            ExitCode.REFUSED,
        )
    return {**header, "_raw": raw}


def _open_slots(header: Mapping[str, Any], keys: Keys) -> bytes:
    from cryptography.exceptions import InvalidTag

    identity = ""
    for slot in header["slots"]:
        candidates = []
        if slot["kind"] == "key":
            identity = slot["id"]
            candidates = [_wrapping(key) for key in keys.keys if key_identity(key) == identity]
        elif slot["kind"] == "passphrase" and keys.passphrase is not None:
            candidates = [_stretched(keys.passphrase, slot)]
        for candidate in candidates:
            try:
                opened: bytes = candidate.decrypt(_bytes(slot["nonce"]), _bytes(slot["wrapped"]), None)
            except InvalidTag:
                continue
            return opened
    raise WrongKeyError(str(header["about"].get("stack")), identity)


def _key_slot(key: str, content_key: bytes) -> dict[str, Any]:
    nonce = secrets.token_bytes(12)
    wrapped = _wrapping(key).encrypt(nonce, content_key, None)
    return {"kind": "key", "id": key_identity(key), "nonce": _text(nonce), "wrapped": _text(wrapped)}


def _passphrase_slot(passphrase: str, content_key: bytes) -> dict[str, Any]:
    nonce = secrets.token_bytes(12)
    slot = {"kind": "passphrase", "salt": _text(secrets.token_bytes(16)), **SCRYPT, "nonce": _text(nonce)}
    return {**slot, "wrapped": _text(_stretched(passphrase, slot).encrypt(nonce, content_key, None))}


def _wrapping(key: str) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(_derive(key.encode(), b"", b"medianest backup slot"))


def _stretched(passphrase: str, slot: Mapping[str, Any]) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    scrypt = Scrypt(_bytes(slot["salt"]), KEY_BYTES, slot["n"], slot["r"], slot["p"])
    return AESGCM(scrypt.derive(passphrase.encode()))


def _cipher(content_key: bytes, salt: bytes, header: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    info = b"medianest backup content" + hashlib.sha256(header).digest()
    return AESGCM(_derive(content_key, salt, info))


def _derive(key: bytes, salt: bytes, info: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), KEY_BYTES, salt, info).derive(key)


def _nonce(number: int, *, last: bool) -> bytes:
    # Never twice under one key: the key is of this file alone, and the counter goes up.
    return number.to_bytes(11, "big") + (b"\1" if last else b"\0")


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
