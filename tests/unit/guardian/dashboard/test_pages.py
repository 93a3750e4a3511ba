"""What the dashboard's port answers, over real connections: to whom, with which headers, for how long."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import aiohttp
import pytest

from guardian.dashboard import stream
from tests.unit.guardian.dashboard.browser import PASSWORD, Browser, run

CLOSED = ("/state", "/stream", "/history", "/log?component=redis")


def test_who_is_not_logged_in_gets_the_login_and_nothing_of_the_stack(tmp_path: Path) -> None:
    async def test(page: Browser) -> None:
        async with page.session.get(page.url + "/", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/login")
        for path in CLOSED:
            assert (await page.get(path))[0] == 401, path
        status, text = await page.get("/login")
        assert (status, "staging" in text) == (200, False)

    run(tmp_path, test)


def test_nothing_else_of_the_guardian_is_answered(tmp_path: Path) -> None:
    async def test(page: Browser) -> None:
        await page.log_in()
        others = (
            "/metrics",
            "/alerts",
            "/health/live",
            "/document",
            "/static/../pages.py",
            "/static/login.html",
        )
        for path in others:
            assert (await page.get(path))[0] == 404, path
        async with page.session.post(page.url + "/alerts", json={"alerts": []}) as answer:
            assert answer.status == 404

    run(tmp_path, test)


def test_logging_in_and_out(tmp_path: Path) -> None:
    async def test(page: Browser) -> None:
        assert await page.log_in("wrong") == 401
        assert (await page.get("/state"))[0] == 401
        assert await page.log_in() == 303
        (cookie,) = page.session.cookie_jar
        assert cookie["httponly"]
        assert cookie["samesite"] == "Strict"
        assert PASSWORD not in cookie.value
        status, text = await page.get("/state")
        assert status == 200
        assert json.loads(text)["stack"] == "staging"
        async with page.session.post(page.url + "/logout", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/login")
        kept = {"Cookie": f"{cookie.key}={cookie.value}"}
        async with page.session.get(page.url + "/state", headers=kept) as answer:
            assert answer.status == 401

    run(tmp_path, test)


def test_too_many_attempts_have_to_wait(tmp_path: Path) -> None:
    async def test(page: Browser) -> None:
        for _ in range(4):
            assert await page.log_in("wrong") == 401
        async with page.session.post(page.url + "/login", data={"password": PASSWORD}) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "2")
            assert "Too many attempts: wait 2 s." in await answer.text()

    run(tmp_path, test)


@pytest.mark.parametrize("body", [b"", b"password", b"password=%ff%fe", b"x" * 10_000])
def test_bodies_that_are_no_login(tmp_path: Path, body: bytes) -> None:
    async def test(page: Browser) -> None:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with page.session.post(page.url + "/login", data=body, headers=headers) as answer:
            assert answer.status in (401, 413), answer.status
        assert await page.log_in() == 303

    run(tmp_path, test)


def test_a_file_is_no_password(tmp_path: Path) -> None:
    async def test(page: Browser) -> None:
        form = aiohttp.FormData()
        form.add_field("password", PASSWORD.encode(), filename="x")
        async with page.session.post(page.url + "/login", data=form) as answer:
            assert answer.status == 401

    run(tmp_path, test)


def test_another_sites_page_changes_nothing(tmp_path: Path) -> None:
    async def test(page: Browser) -> None:
        await page.log_in()
        headers = {"Sec-Fetch-Site": "cross-site"}
        async with page.session.post(page.url + "/logout", headers=headers) as answer:
            assert answer.status == 403
        assert (await page.get("/state"))[0] == 200

    run(tmp_path, test)


def test_every_answer_forbids_scripts_that_are_not_its_own(tmp_path: Path) -> None:
    async def test(page: Browser) -> None:
        await page.log_in()
        for path in ("/", "/login", "/state", "/nothing", "/static/style.css", "/stream"):
            async with page.session.get(page.url + path, allow_redirects=False) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'; script-src 'self'" in policy, path
                assert "unsafe" not in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff", path

    run(tmp_path, test)


def test_the_pages_have_no_script_or_style_inside() -> None:
    directory = Path(stream.__file__).parent / "static"
    for name in ("index.html", "login.html"):
        text = (directory / name).read_text()
        assert "<style" not in text
        assert " style=" not in text
        assert not re.search(r"\son\w+=", text)
        assert all("src=" in part.split(">")[0] for part in text.split("<script")[1:])


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("uplot.js", "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"),
        ("uplot.css", "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04"),
        ("LICENSE", "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd"),
    ],
)
def test_the_charts_library_is_as_it_was_published(name: str, published: str) -> None:
    """Of npm's uplot 1.6.32: dist/uPlot.iife.min.js and dist/uPlot.min.css, under shorter names."""
    content = (Path(stream.__file__).parent / "static" / "uplot" / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == published


def test_the_stream_goes_on_and_ends_with_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "EVERY_SECONDS", 0.05)

    async def test(page: Browser) -> None:
        await page.log_in()
        async with page.session.get(page.url + "/stream") as answer:
            assert answer.content_type == "text/event-stream"
            said: list[dict[str, object]] = []
            async for line in answer.content:
                name, _, data = line.decode().strip().partition(": ")
                if name == "data":
                    said.append(json.loads(data))
                if len(said) == 3:
                    # A rotation of the password.
                    (page.directory / "dashboard_password").write_text("another-password")
                if (name, data) == ("event", "ended"):
                    break
        assert len(said) >= 3
        assert all("verdict" in document for document in said[:3])

    run(tmp_path, test)


def test_not_more_pages_than_the_guardian_can_bear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MOST_LISTENERS", 2)

    async def test(page: Browser) -> None:
        await page.log_in()
        open_pages = [await page.session.get(page.url + "/stream") for _ in range(2)]
        assert (await page.get("/stream"))[0] == 503
        for answer in open_pages:
            answer.close()

    run(tmp_path, test)


def test_figures_are_asked_for_once_for_all_who_look(tmp_path: Path) -> None:
    async def test(page: Browser) -> None:
        await page.log_in()
        documents = [json.loads((await page.get("/state"))[1]) for _ in range(5)]
        assert documents[-1]["traffic"]["requests"] == 0.5
        assert documents[-1]["verdict"]["word"] == "well"
        assert page.outside.asked < 30
        status, text = await page.get("/history")
        lines = json.loads(text)
        assert status == 200
        assert len(lines["at"]) == len(lines["p95"]) == 121
        assert set(lines["p95"]) == {None}

    run(tmp_path, test)


def test_a_prometheus_that_answers_nonsense_is_told_of(tmp_path: Path) -> None:
    async def test(page: Browser) -> None:
        await page.log_in()
        page.outside.nonsense = True
        found = json.loads((await page.get("/state"))[1])
        assert found["stale"]["figures"].endswith("Prometheus answers with something else.")
        assert json.loads((await page.get("/history"))[1]) == {}

    run(tmp_path, test)


def test_the_log_has_no_secret_of_the_guardians(tmp_path: Path) -> None:
    async def test(page: Browser) -> None:
        await page.log_in()
        status, text = await page.get("/log?component=redis")
        (line,) = json.loads(text)["lines"]
        assert (status, line["container"]) == (200, "redis")
        assert line["text"] == "told … of id-redis with …"
        assert json.loads((await page.get("/log?component=nobody"))[1]) == {"lines": []}

    run(tmp_path, test)


def test_a_file_that_has_not_changed_is_not_sent_again(tmp_path: Path) -> None:
    async def test(page: Browser) -> None:
        async with page.session.get(page.url + "/static/style.css") as answer:
            tag = answer.headers["ETag"]
            assert answer.content_type == "text/css"
        async with page.session.get(page.url + "/static/style.css", headers={"If-None-Match": tag}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")

    run(tmp_path, test)
