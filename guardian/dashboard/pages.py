"""What the dashboard's own port answers: the login, the page, its stream. Nothing else of the guardian's."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from mimetypes import guess_type
from pathlib import Path

from aiohttp import web

from guardian.dashboard.log_tail import tail
from guardian.dashboard.login import Answer, Login
from guardian.dashboard.session import LIFETIME_SECONDS, Sessions
from guardian.dashboard.source import Source
from guardian.dashboard.stream import Stream
from guardian.dashboard.view import as_json
from guardian.engine.client import EngineClient, EngineError
from guardian.settings import Settings, secret
from guardian.stack_watch import StackWatch

# A password and its field's name.
_LARGEST_BODY = 4096
_DIRECTORY = Path(__file__).parent / "static"
_STATIC = (
    "style.css",
    "dashboard.js",
    "charts.js",
    "tables.js",
    "uplot/uplot.js",
    "uplot/uplot.css",
    "icon.svg",
)
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_MESSAGE = "<!-- message -->"
_SAID = {
    Answer.WRONG: "That is not the password.",
    Answer.NO_PASSWORD: "The guardian has no password to compare with: deploy the stack again.",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger("dashboard")


class Pages:
    """The routes. Whoever is not logged in gets the login and the files that it is made of."""

    def __init__(self, source: Source, watch: StackWatch, engine: EngineClient, settings: Settings) -> None:
        self._source = source
        self._stream = Stream(source)
        self._watch = watch
        self._engine = engine
        self._settings = settings
        self._login = Login(settings.dashboard_password_file)
        self._sessions = Sessions(settings.dashboard_password_file, settings.token_file)
        self._cookie = f"medianest-{settings.stack}"
        self._files = {name: (_DIRECTORY / name).read_bytes() for name in _STATIC}
        self._index = (_DIRECTORY / "index.html").read_text(encoding="utf-8")
        self._login_page = (_DIRECTORY / "login.html").read_text(encoding="utf-8")

    def application(self) -> web.Application:
        application = web.Application(client_max_size=_LARGEST_BODY, middlewares=[_no_other_pages])
        application.on_response_prepare.append(_add_headers)
        application.add_routes(
            [
                web.get("/", self.index),
                web.get("/login", self.login_page),
                web.post("/login", self.log_in),
                web.post("/logout", self.log_out),
                web.get("/state", self.state),
                web.get("/stream", self.stream),
                web.get("/history", self.history),
                web.get("/log", self.log),
                web.get("/static/{name:.+}", self.static),
            ]
        )
        return application

    async def index(self, request: web.Request) -> web.StreamResponse:
        if not self._known(request):
            raise web.HTTPSeeOther("/login")
        return _page(self._index)

    async def login_page(self, request: web.Request) -> web.StreamResponse:
        if self._known(request):
            raise web.HTTPSeeOther("/")
        return _page(self._login_page)

    async def log_in(self, request: web.Request) -> web.StreamResponse:
        given = (await request.post()).get("password", "")
        answer = self._login.attempt(given if isinstance(given, str) else "", time.monotonic())
        if answer is Answer.WELCOME:
            log.info("somebody has logged in")
            response = web.Response(status=303, headers={"Location": "/"})
            response.set_cookie(
                self._cookie,
                self._sessions.begin(time.time()),
                max_age=LIFETIME_SECONDS,
                httponly=True,
                samesite="Strict",
                # What puts TLS in front says so.
                secure=request.headers.get("X-Forwarded-Proto") == "https",
            )
            return response
        log.warning("a login was refused", extra={"why": answer.value})
        wait = math.ceil(self._login.wait(time.monotonic()))
        said = _SAID.get(answer, f"Too many attempts: wait {wait} s.")
        shown = self._login_page.replace(_MESSAGE, f'<p id="message" role="alert">{said}</p>')
        status = 429 if answer is Answer.TOO_SOON else 401
        return _page(shown, status, {"Retry-After": str(wait)} if wait else {})

    async def log_out(self, request: web.Request) -> web.StreamResponse:
        self._sessions.end(request.cookies.get(self._cookie, ""), time.time())
        response = web.Response(status=303, headers={"Location": "/login"})
        response.del_cookie(self._cookie, httponly=True, samesite="Strict")
        return response

    async def state(self, request: web.Request) -> web.StreamResponse:
        """The document once."""
        self._must_be_known(request)
        return web.json_response(as_json(await self._source.document()))

    async def stream(self, request: web.Request) -> web.StreamResponse:
        self._must_be_known(request)
        return await self._stream.serve(request, lambda: self._known(request))

    async def history(self, request: web.Request) -> web.StreamResponse:
        self._must_be_known(request)
        return web.json_response(await self._source.history())

    async def log(self, request: web.Request) -> web.StreamResponse:
        """The newest lines of the containers of a component."""
        self._must_be_known(request)
        view, component = self._watch.view, request.query.get("component", "")
        wanted = view.of(component) if view else []
        known = (secret(path) for path in self._secret_files())
        try:
            lines = await tail(self._engine, wanted, known)
        except EngineError as error:
            return web.json_response({"error": str(error)}, status=502)
        return web.json_response({"lines": [asdict(line) for line in lines]})

    async def static(self, request: web.Request) -> web.StreamResponse:
        content = self._files.get(request.match_info["name"])
        if content is None:
            raise web.HTTPNotFound
        etag = hashlib.sha256(content).hexdigest()[:16]
        headers = {"ETag": f'"{etag}"', "Cache-Control": "no-cache"}
        if any(item.value == etag for item in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        kind = guess_type(request.match_info["name"])[0] or "application/octet-stream"
        response = web.Response(body=content, headers={**headers, "Content-Type": f"{kind}; charset=utf-8"})
        response.enable_compression()
        return response

    def _known(self, request: web.Request) -> bool:
        return self._sessions.holds(request.cookies.get(self._cookie, ""), time.time())

    def _must_be_known(self, request: web.Request) -> None:
        if not self._known(request):
            raise web.HTTPUnauthorized(text="log in first")

    def _secret_files(self) -> list[Path]:
        own = self._settings
        return [own.token_file, own.webhook_file, own.dashboard_password_file]


def _page(text: str, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        text=text,
        status=status,
        content_type="text/html",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def from_elsewhere(method: str, site: str) -> bool:
    """Whether a request that changes something comes from another site's page, as the browser says.

    Source: https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
    """
    return method not in ("GET", "HEAD") and site in ("cross-site", "same-site")


@web.middleware
async def _no_other_pages(request: web.Request, handler: _Handler) -> web.StreamResponse:
    if from_elsewhere(request.method, request.headers.get("Sec-Fetch-Site", "")):
        raise web.HTTPForbidden(text="a request from another page")
    return await handler(request)


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
