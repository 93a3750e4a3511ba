from typing import Any

import httpx
import pytest
from conftest import Running, StartBackend

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


async def described(running: Running) -> dict[str, Any]:
    answer = await running.client.get("/api/openapi.json")
    assert answer.status_code == 200
    return dict(answer.json())


async def test_every_error_is_described_as_a_problem(running: Running) -> None:
    document = await described(running)
    for path, item in document["paths"].items():
        assert set(item) <= set(METHODS), path
        for method, operation in item.items():
            for status, response in operation["responses"].items():
                assert response["description"], (path, method, status)
                if status >= "400" and not path.startswith("/api/health"):
                    assert response["content"] == {
                        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                    }, (path, method, status)
    assert "HTTPValidationError" not in str(document)


@pytest.mark.parametrize(
    ("path", "method", "statuses"),
    [
        ("/api/health/live", "get", {"200", "500", "503"}),
        ("/api/health", "get", {"200", "401", "500", "503"}),
        ("/api/auth/login", "post", {"200", "400", "401", "413", "422", "500", "503"}),
        ("/api/auth/test-jwt", "post", {"200", "500", "503"}),
        ("/api/users/me", "get", {"200", "401", "500", "503"}),
        ("/api/users/me", "patch", {"200", "400", "401", "413", "422", "500", "503"}),
    ],
)
async def test_every_status_is_described(
    running: Running, path: str, method: str, statuses: set[str]
) -> None:
    assert statuses <= (await described(running))["paths"][path][method]["responses"].keys()


async def test_the_scheme_of_tokens_is_described(running: Running) -> None:
    document = await described(running)
    assert document["components"]["securitySchemes"] == {"HTTPBearer": {"type": "http", "scheme": "bearer"}}
    for method in ("get", "patch"):
        operation = document["paths"]["/api/users/me"][method]
        assert operation["security"] == [{"HTTPBearer": []}]
        assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]
    # Also for strangers.
    assert document["paths"]["/api/health"]["get"]["security"] == [{"HTTPBearer": []}, {}]


async def test_what_is_internal_is_not_described(running: Running) -> None:
    assert "/metrics" not in (await described(running))["paths"]


async def test_answers_are_as_described(running: Running) -> None:
    document = await described(running)
    headers = await running.authorization()
    credentials = {"username": "demo", "password": running.demo_password}
    answers: list[httpx.Response] = [
        await running.client.get("/api/health/live"),
        await running.client.get("/api/health/ready"),
        await running.client.get("/api/health"),
        await running.client.get("/api/health", headers=headers),
        await running.client.post("/api/auth/test-jwt"),
        await running.client.post("/api/auth/login", json=credentials),
        await running.client.post("/api/auth/login", json=credentials | {"password": "wrong"}),
        await running.client.post("/api/auth/login", content=b"{"),
        await running.client.get("/api/users/me"),
        await running.client.get("/api/users/me", headers=headers),
        await running.client.patch("/api/users/me", headers=headers, json={"display_name": "New"}),
    ]
    for answer in answers:
        operation = document["paths"][answer.request.url.path][answer.request.method.lower()]
        response = operation["responses"][str(answer.status_code)]
        ((media_type, content),) = response["content"].items()
        assert answer.headers["Content-Type"] == media_type
        schema = document["components"]["schemas"][content["schema"]["$ref"].rsplit("/", 1)[1]]
        assert set(schema.get("required", ())) <= answer.json().keys() <= schema["properties"].keys()


async def test_the_page_is_there_only_where_it_is_wanted(
    running: Running, start_backend: StartBackend
) -> None:
    assert (await running.client.get("/api/docs")).status_code == 404
    assert (await running.client.get("/api/docs/files/swagger-ui.css")).status_code == 404
    async with start_backend(DOCS="true") as with_page:
        page = await with_page.client.get("/api/docs")
        assert page.status_code == 200
        assert page.headers["Content-Type"].startswith("text/html")
        for file in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
            assert f"/api/docs/files/{file}" in page.text
            assert (await with_page.client.get(f"/api/docs/files/{file}")).status_code == 200
        missing = await with_page.client.get("/api/docs/files/nothing")
        assert missing.headers["Content-Type"] == "application/problem+json"


async def test_the_page_loads_nothing_from_elsewhere(start_backend: StartBackend) -> None:
    async with start_backend(DOCS="true") as running:
        page = await running.client.get("/api/docs")
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
