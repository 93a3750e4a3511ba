"""Settings of the services that a backend is deployed with: Postgres, Redis and the gateway."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.settings.base import HostAddress, Identifier, LimitSettings, Port, Settings, UrlPath


class PostgresSettings(Settings):
    """The database."""

    image: str | None = Field(None, description="An official postgres image; null for our own.")
    database: Identifier = Field("medianest", description="The database that backends use.")
    user: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,50}$")] = Field(
        "medianest",
        description="The administrator. Backends log in as USER_a or USER_b, by turns with each rotation.",
    )
    max_connections: int = Field(100, ge=10, description="Of all backends together, and of who watches.")
    shared_buffers_mb: int = Field(64, ge=16, description="Memory in MB that it caches pages in.")
    limits: LimitSettings = LimitSettings(memory_mb=512)


class RedisSettings(Settings):
    """The cache."""

    image: str | None = Field(None, description="An official redis image; null for our own.")
    maxmemory_mb: int = Field(64, ge=8, description="Memory in MB for values; then the policy decides.")
    maxmemory_policy: Literal["allkeys-lru", "allkeys-lfu", "volatile-lru", "volatile-lfu", "noeviction"] = (
        Field("allkeys-lru", description="Which keys go when that is full.")
    )
    limits: LimitSettings = LimitSettings(memory_mb=192)


class GatewaySettings(Settings):
    """The one container that clients reach."""

    address: HostAddress = Field("127.0.0.1", description="The one address of the host that publishes it.")
    port: Port = Field(3000, description="Published port on the host.")
    internal_paths: list[UrlPath] = Field(
        ["/metrics", "/internal"], description="Answered with 404 from outside."
    )
    body_limit_mb: int = Field(25, ge=1, description="Largest request body.")
    connect_timeout_seconds: float = Field(
        0.5, gt=0, description="To a backend. Docker's DNS may name one that is gone: it must not cost long."
    )
    request_timeout_seconds: float = Field(10.0, gt=0, description="For a request's header to arrive.")
    response_timeout_seconds: float = Field(30.0, gt=0, description="For a backend to answer.")
    max_connections: int = Field(2000, ge=10, description="Of clients at the same time; more wait.")
    limits: LimitSettings = LimitSettings(memory_mb=128)
