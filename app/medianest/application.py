"""The ASGI application: routes, errors and the layers around them."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp

from medianest import auth, docs_page, openapi, problems
from medianest.backend import Backend
from medianest.body_limit import BodyLimit
from medianest.media import routes as media
from medianest.request_log import RequestLog
from medianest.routes import DirectRoutes, RouteTable

LARGEST_BODY = 64 * 1024


def application(backend: Backend) -> ASGIApp:
    """Everything that answers requests, on the parts of `backend`."""
    app = FastAPI(
        title="MediaNest",
        version=backend.settings.release,
        openapi_url=openapi.PATH,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    routers = [
        backend.health.routes(auth.identify(backend.tokens), backend.internal.knows),
        backend.internal.routes(),
        backend.metrics.routes(),
        auth.routes(
            backend.users, backend.passwords, backend.tokens, backend.login_limits, backend.revocations
        ),
        backend.profiles.routes(backend.tokens),
        media.routes(backend.library, auth.authenticated(backend.tokens)),
    ]
    for router in routers:
        app.include_router(router)
    table = RouteTable(routers, [openapi.PATH, docs_page.PATH])
    app.state.route_table = table
    problems.install(app)
    openapi.install(app)
    if backend.settings.docs:
        docs_page.install(app)
    largest_picture = backend.settings.media_largest_mb * 1024 * 1024
    app.add_middleware(BodyLimit, limit=LARGEST_BODY, exceptions={media.PATH: largest_picture})
    return RequestLog(DirectRoutes(app, table), table, backend.lifecycle, backend.request_figures)
