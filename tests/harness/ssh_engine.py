"""The engine of this machine as one that is reached over SSH: a server that knows one key and one command.

The docker command line's own way to an engine elsewhere is `docker system dial-stdio` there, which joins
the session to the engine's socket. Source: https://github.com/docker/cli/blob/master/cli/connhelper/connhelper.go
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

DIAL = b"docker system dial-stdio"
SOCKET = "/var/run/docker.sock"
CHUNK = 65536


class OneKey(paramiko.ServerInterface):
    """Lets in who has the key, and joins their sessions to the engine."""

    def __init__(self, key: paramiko.PKey) -> None:
        self._key = key

    def check_auth_publickey(self, _username: str, key: paramiko.PKey) -> int:
        return AUTH_SUCCESSFUL if key == self._key else AUTH_FAILED

    def get_allowed_auths(self, _username: str) -> str:
        return "publickey"

    def check_channel_request(self, _kind: str, _number: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        if command != DIAL:
            return False
        threading.Thread(target=join, args=(channel,), daemon=True).start()
        return True


def join(channel: paramiko.Channel) -> None:
    """Hand on what comes from either side until one of them ends."""
    with socket.socket(socket.AF_UNIX) as engine:
        engine.connect(SOCKET)
        back = threading.Thread(target=answer, args=(engine, channel), daemon=True)
        back.start()
        with suppress(OSError):
            while part := channel.recv(CHUNK):
                engine.sendall(part)
            engine.shutdown(socket.SHUT_WR)
        back.join()


def answer(engine: socket.socket, channel: paramiko.Channel) -> None:
    # Whoever asked may be gone.
    with suppress(OSError, EOFError, paramiko.SSHException):
        while part := engine.recv(CHUNK):
            channel.sendall(part)
        channel.close()


@contextmanager
def engine_over_ssh(home: Path) -> Iterator[str]:
    """The address for DOCKER_HOST. `home` gets the `.ssh` of somebody who may log in."""
    host_key, user_key = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    ssh = home / ".ssh"
    ssh.mkdir(mode=0o700)
    user_key.write_private_key_file(str(ssh / "key"))
    (ssh / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key.get_name()} {host_key.get_base64()}\n")
    (ssh / "config").write_text(f"Host 127.0.0.1\n  IdentityFile {ssh}/key\n")
    transports: list[paramiko.Transport] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(host_key)
            transport.start_server(server=OneKey(user_key))
            transports.append(transport)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"ssh://somebody@127.0.0.1:{port}"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for transport in transports:
            transport.close()
