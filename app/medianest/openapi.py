"""The API's description (OpenAPI 3.1): what routes declare, and the errors that any of them may give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from medianest.problems import documented

PATH = "/api/openapi.json"
_ABOUT = """Errors are problems (RFC 9457). HEAD is answered wherever GET is; a method that a path does
not take gets a 405 with `Allow`. `X-Request-ID` is taken from a request and returned."""

_PROBLEM = {
    "title": "Problem",
    "description": "RFC 9457.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "The path of the request."},
        "request_id": {"type": "string", "description": "As in the header `X-Request-ID` and in the log."},
        "errors": {
            "type": "array",
            "description": "What is not valid, and where. Never the value.",
            "items": {
                "type": "object",
                "required": ["location", "message"],
                "properties": {"location": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_FIXED = ("HTTPValidationError", "ValidationError")


def install(app: FastAPI) -> None:
    """Complete the description that FastAPI makes of the routes of `app`. Made once, when first asked."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=app.version, description=_ABOUT, routes=app.routes
            )
            app.openapi_schema = completed(document)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """Add the errors that follow from what an operation takes. Those that a route declares win."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _FIXED:
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    for path in document["paths"].values():
        for operation in path.values():
            responses = operation["responses"]
            if "HTTPValidationError" in str(responses.get("422")):
                del responses["422"]
            operation["responses"] = {**_errors(operation), **responses}
    return document


def _errors(operation: Mapping[str, Any]) -> dict[str, Any]:
    statuses = {500, 503}
    if "security" in operation:
        statuses.add(401)
    if "requestBody" in operation:
        statuses |= {400, 413, 422}
    if "parameters" in operation:
        statuses.add(422)
    return {str(status): document for status, document in documented(*sorted(statuses)).items()}
