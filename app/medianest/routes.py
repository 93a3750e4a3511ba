"""Every route of the application in one table, and the way past FastAPI for the busiest of them.

FastAPI's routing and its stacks of contexts cost a request about three times what uvicorn costs. They
earn that where there is a body or a parameter to validate. A route that takes neither is declared as a
direct route: documented like any other, answered from a dictionary.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from medianest import problems

Endpoint = Callable[[Request], Awaitable[Response]]

UNMATCHED = "unmatched"
_HIDDEN = "*"
_MOST_PARTS = 12
# What identifies something, and cannot be a password: a UUID or a number.
_IDENTIFIER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]{1,20}", re.IGNORECASE)


class DirectRoute(APIRoute):
    """A route without parameters, whose endpoint takes the request and returns the response."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        return self.endpoint


def direct(router: APIRouter, method: str, path: str, **documentation: Any) -> Callable[[Endpoint], Endpoint]:
    """Declare a direct route. `documentation` is what FastAPI's own declarations take. Whatever the
    endpoint raises becomes a problem."""

    def declare(endpoint: Endpoint) -> Endpoint:
        router.add_api_route(
            path, endpoint, methods=[method], route_class_override=DirectRoute, **documentation
        )
        return endpoint

    return declare


class RouteTable:
    """The routes of `routers`, which must be flat: a router inside a router is not looked into. `others` are
    paths that are answered beside them."""

    def __init__(self, routers: Iterable[APIRouter], others: Iterable[str] = ()) -> None:
        self._routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
        paths = [*(route.path for route in self._routes), *others]
        self._words = {part for path in paths for part in path.split("/") if "{" not in part}
        self.direct = {
            (method, route.path): route
            for route in self._routes
            if isinstance(route, DirectRoute)
            for method in route.methods or ()
        }

    def allowed(self, path: str) -> str:
        """The methods that a path answers, as a header `Allow` lists them. Whoever takes GET takes HEAD."""
        methods = {
            method for route in self._routes if route.path_regex.match(path) for method in route.methods or ()
        }
        return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))

    def loggable(self, path: str) -> str:
        """A path without what may be a secret: people and programs put tokens in the wrong place.

        Words of routes, UUIDs and numbers stay; everything else is hidden.
        """
        return "/".join(
            part if part in self._words or _IDENTIFIER.fullmatch(part) else _HIDDEN
            for part in path.split("/", _MOST_PARTS)
        )


class DirectRoutes:
    """Answers direct routes, and hands everything else to `app`."""

    def __init__(self, app: ASGIApp, table: RouteTable) -> None:
        self._app = app
        self._routes = table.direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get((scope["method"], scope["path"]))
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        try:
            response = await route.endpoint(Request(scope, receive))
        except Exception as error:
            await problems.answer(scope, error)(scope, receive, send)
            if problems.is_unexpected(error):
                raise  # for the log, as FastAPI's own layers do
            return
        await response(scope, receive, send)
