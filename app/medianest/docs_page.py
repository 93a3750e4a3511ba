"""A page that shows the API's description, for people. It loads nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import Response

PATH = "/api/docs"
_FILES = f"{PATH}/files"
# The page has one script and one style of its own, inline; Swagger UI draws its icons from data.
_POLICY = (
    "default-src 'self'; img-src 'self' data:;"
    " script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"
)


def install(app: FastAPI) -> None:
    """Add the page, by the files of Swagger UI that the package fastapi-offline carries."""
    # Not imported where there is no page: half a megabyte of memory for nothing.
    import fastapi_offline
    from fastapi.staticfiles import StaticFiles

    async def page(_: Request) -> Response:
        html = get_swagger_ui_html(
            openapi_url=app.openapi_url or "",
            title=f"{app.title} - API",
            swagger_js_url=f"{_FILES}/swagger-ui-bundle.js",
            swagger_css_url=f"{_FILES}/swagger-ui.css",
            swagger_favicon_url=f"{_FILES}/favicon.png",
        )
        html.headers["Content-Security-Policy"] = _POLICY
        return html

    app.add_route(PATH, page, include_in_schema=False)
    app.mount(_FILES, StaticFiles(directory=Path(fastapi_offline.__file__).parent / "static"))
