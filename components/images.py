"""The images: those that stacks share, and the backend's own."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi
import pulumi_docker as docker

from components import labels
from components.build_context import BUILD_LOGS, TRIAL, base_image, content_hash, shared_image
from components.stack import Stack

# Handed to builds where it is, so that package indexes answer behind a proxy that inspects TLS.
CERTIFICATE_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
# The engine's own BuildKit, not a builder of buildx.
BUILDER = "default"


class ServiceImage(pulumi.ComponentResource):
    """An image of ours from `images/<service>`, or the official one that a setting names.

    A service that is a room of its own brings its Dockerfile along: `context` is that room.
    Named by the hash of its content, so that stacks share it, and never deleted by one of them.
    """

    id: pulumi.Output[str]
    name: str

    def __init__(
        self,
        stack: Stack,
        service: str,
        official: str | None,
        opts: pulumi.ResourceOptions | None = None,
        context: str | None = None,
    ) -> None:
        super().__init__("medianest:index:ServiceImage", f"{service}-image", {}, opts)
        base = base_image(stack.root)
        context = context or f"images/{service}"
        self.name = official or shared_image(stack.root, service, {"base": base}, context)
        image = docker.RemoteImage(
            f"{service}-image",
            docker.RemoteImageArgs(
                name=self.name,
                keep_locally=True,
                build=None
                if official
                else docker.RemoteImageBuildArgs(
                    context=_from_here(stack.root / context),
                    builder=BUILDER,
                    build_args={"BASE_IMAGE": base},
                    # Nothing of a project or a stack: its id must be the same for all of them.
                    label={labels.COMPONENT: service},
                    build_log_file=_build_log(stack, service),
                    secrets=_certificates(),
                ),
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.id = image.image_id
        self.register_outputs({"id": self.id})


class BackendImage(pulumi.ComponentResource):
    """The backend's image, built from the team's Dockerfile.

    Tagged `medianest/backend:<stack>-<hash>`; `medianest/backend:<stack>` follows the newest build.
    `content` is the hash of everything that goes into it. Old ones are kept for roll-backs.
    That of a pinned release is taken as it lies on the engine, and nothing is built.
    With `trial` it is built for the sake of building it, from nothing: under a name of its own, and to be
    thrown away. Raises FileNotFoundError when the build context or the Dockerfile is not there.
    """

    id: pulumi.Output[str]
    name: str
    content: str

    def __init__(
        self, stack: Stack, opts: pulumi.ResourceOptions | None = None, *, trial: bool = False
    ) -> None:
        super().__init__("medianest:index:BackendImage", "backend-image", {}, opts)
        pin = stack.settings.pin
        if pin is not None:
            self.id = pulumi.Output.from_input(pin.image.id)
            self.name, self.content = pin.image.name, pin.content
            self.register_outputs({"id": self.id})
            return
        build = stack.settings.backend.build
        context = stack.root / build.context
        if not (context / build.dockerfile).is_file():
            raise FileNotFoundError(
                f"backend.build.dockerfile: {build.context}/{build.dockerfile} is not there"
            )
        base = base_image(stack.root)
        self.content = content_hash(context, {"base": base, **build.model_dump()}, build.dockerfile)
        alias = f"{stack.project}/backend:{stack.name}"
        self.name = f"{alias}-{TRIAL if trial else self.content}"
        image = docker.RemoteImage(
            "backend-image",
            docker.RemoteImageArgs(
                name=self.name,
                keep_locally=True,
                build=docker.RemoteImageBuildArgs(
                    context=_from_here(context),
                    dockerfile=build.dockerfile,
                    target=build.target,
                    builder=BUILDER,
                    tags=None if trial else [alias],
                    no_cache=trial or None,
                    build_args={"BASE_IMAGE": base, "BUILDKIT_INLINE_CACHE": "1", **build.args},
                    cache_froms=build.cache_from or None,
                    label=stack.labels(TRIAL if trial else "backend"),
                    build_log_file=_build_log(stack, "backend"),
                    secrets=_certificates(),
                ),
                triggers={"content": self.content},
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.id = image.image_id
        self.register_outputs({"id": self.id})


class Images(pulumi.ComponentResource):
    """Every image that a stack serves with.

    Containers depend on all of them: one that cannot be built then stops the update before anything
    that serves is touched. What watches a stack has its own, for which nothing waits.
    """

    def __init__(self, stack: Stack, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("medianest:index:Images", "images", {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.postgres = ServiceImage(stack, "postgres", stack.settings.postgres.image, child)
        self.redis = ServiceImage(stack, "redis", stack.settings.redis.image, child)
        self.gateway = ServiceImage(stack, "gateway", None, child)
        self.backend = BackendImage(stack, child)
        self.register_outputs({})


def _build_log(stack: Stack, image: str) -> str:
    """Where the builder writes what it prints: a relative path, the same in every checkout."""
    directory = Path(BUILD_LOGS)
    directory.mkdir(exist_ok=True)
    return str(directory / f"{stack.name}-{image}.log")


def _from_here(path: Path) -> str:
    # Relative to where the program runs: every checkout has the same, so a second clone sees no difference.
    return os.path.relpath(path)


def _certificates() -> list[docker.RemoteImageBuildSecretArgs] | None:
    if not CERTIFICATE_BUNDLE.is_file():
        return None
    return [docker.RemoteImageBuildSecretArgs(id="ca", src=str(CERTIFICATE_BUNDLE))]
