"""What a command in a container says."""

from __future__ import annotations

from docker.models.containers import Container


def output_of(container: Container, *command: str) -> str:
    """What a command in a container prints. Raises AssertionError where it fails, and does not show it."""
    done = container.exec_run(list(command))
    assert done.exit_code == 0
    assert isinstance(done.output, bytes)
    return done.output.decode().strip()


def secret(container: Container, name: str) -> str:
    """The value of a secret of a container's own."""
    return output_of(container, "cat", f"/run/secrets/{name}")


def get(container: Container, port: int, path: str) -> str:
    """What answers a GET on a port of a container's own loopback, without the headers. It needs bash."""
    request = (
        f"exec 3<>/dev/tcp/127.0.0.1/{port};"
        f" printf 'GET {path} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3; cat <&3"
    )
    return output_of(container, "bash", "-c", request).partition("\r\n\r\n")[2]
