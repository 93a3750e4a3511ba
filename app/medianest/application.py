"""The ASGI application: routes, errors and the layers around them."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp

from medianest import auth, problems
from medianest.backend import Backend
from medianest.body_limit import BodyLimit
from medianest.media import routes as media
from medianest.request_log import RequestLog

LARGEST_BODY = 64 * 1024


def application(backend: Backend) -> ASGIApp:
    """Everything that answers requests, on the parts of `backend`."""
    app = FastAPI(
        title="MediaNest",
        version=backend.settings.release,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    problems.install(app)
    app.include_router(backend.health.routes())
    app.include_router(
        auth.routes(
            backend.users, backend.passwords, backend.tokens, backend.login_limits, backend.revocations
        )
    )
    app.include_router(backend.profiles.routes(backend.tokens))
    app.include_router(media.routes(backend.library, auth.authenticated(backend.tokens)))
    largest_picture = backend.settings.media_largest_mb * 1024 * 1024
    app.add_middleware(BodyLimit, limit=LARGEST_BODY, exceptions={media.PATH: largest_picture})
    return RequestLog(app, backend.lifecycle)
