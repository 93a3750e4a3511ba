"""What people do to a running stack behind Pulumi's back."""

from __future__ import annotations

import docker
from docker.models.containers import Container

from tests.harness.volume_files import File, packed


def made_anew(engine: docker.DockerClient, container: Container, **more_variables: str) -> Container:
    """Remove a container, and make an equal one of the same name and labels with further variables."""
    attributes = container.attrs
    config, networks = attributes["Config"], attributes["NetworkSettings"]["Networks"]
    own = str(container.id)[:12]
    aliases = {name: [alias for alias in end["Aliases"] if alias != own] for name, end in networks.items()}
    container.stop(timeout=20)
    container.remove(v=True)
    added = [f"{name}={value}" for name, value in more_variables.items()]
    made = engine.api.create_container_from_config(  # type: ignore[no-untyped-call]
        {**config, "Hostname": "", "Env": [*config["Env"], *added], "HostConfig": attributes["HostConfig"]},
        container.name,
    )["Id"]
    # It was made on the default bridge, as the first one.
    for name, names in aliases.items():
        engine.api.connect_container_to_network(made, name, aliases=names)
    engine.api.disconnect_container_from_network(made, "bridge")
    engine.api.start(made)
    return engine.containers.get(made)


def rewrite(carrier: Container, path: str, file: File) -> None:
    """Write a file through a container that mounts its volume."""
    directory, _, name = path.rpartition("/")
    assert carrier.put_archive(directory, packed({name: file}))
