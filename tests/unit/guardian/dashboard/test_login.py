"""Who gets in, and how often it may be tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardian.dashboard.login import Answer, Login
from guardian.dashboard.session import LIFETIME_SECONDS, Sessions

PASSWORD = "the-password-of-a-test"
NOW = 1_000_000.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "guardian_token").write_text("token")
    (tmp_path / "dashboard_password").write_text(PASSWORD)
    return tmp_path / "dashboard_password"


@pytest.fixture
def sessions(file: Path) -> Sessions:
    return Sessions(file, file.with_name("guardian_token"))


def test_the_password_is_welcome_and_nothing_else(file: Path) -> None:
    login = Login(file)
    assert login.attempt(PASSWORD, NOW) is Answer.WELCOME
    for wrong in ("", PASSWORD[:-1], PASSWORD + "x", "ä\udc80".encode(errors="replace").decode()):
        assert login.attempt(wrong, NOW) is not Answer.WELCOME
        login = Login(file)


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_without_a_password_nobody_gets_in(file: Path, content: str | None) -> None:
    file.unlink() if content is None else file.write_text(content)
    assert Login(file).attempt("", NOW) is Answer.NO_PASSWORD


def test_failures_double_the_wait_up_to_a_minute(file: Path) -> None:
    login, now, waits = Login(file), NOW, []
    for _ in range(12):
        assert login.attempt("wrong", now) is Answer.WRONG
        waits.append(login.wait(now))
        now += login.wait(now)
    assert waits == [0, 0, 0, 2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_during_a_wait_the_right_password_does_not_help_and_costs_nothing(file: Path) -> None:
    login = Login(file)
    for _ in range(4):
        login.attempt("wrong", NOW)
    assert login.attempt(PASSWORD, NOW + 1.9) is Answer.TOO_SOON
    assert login.wait(NOW + 1.9) == pytest.approx(0.1)
    assert login.attempt(PASSWORD, NOW + 2.1) is Answer.WELCOME
    assert login.attempt("wrong", NOW + 2.2) is Answer.WRONG
    assert login.wait(NOW + 2.2) == 0


def test_failures_are_forgotten_after_a_while(file: Path) -> None:
    login = Login(file)
    for _ in range(3):
        login.attempt("wrong", NOW)
    assert login.attempt("wrong", NOW + 901) is Answer.WRONG
    assert login.wait(NOW + 901) == 0


def test_a_session_holds_until_its_end(sessions: Sessions) -> None:
    cookie = sessions.begin(NOW)
    assert sessions.holds(cookie, NOW)
    assert sessions.holds(cookie, NOW + LIFETIME_SECONDS - 1)
    assert not sessions.holds(cookie, NOW + LIFETIME_SECONDS)


def test_a_session_outlives_a_restart_of_the_guardian(sessions: Sessions) -> None:
    cookie = sessions.begin(NOW)
    assert Sessions(sessions.password_file, sessions.token_file).holds(cookie, NOW)


def test_a_copy_of_a_cookie_is_worth_nothing_after_the_log_out(sessions: Sessions) -> None:
    cookie, other = sessions.begin(NOW), sessions.begin(NOW)
    sessions.end(cookie, NOW)
    assert not sessions.holds(cookie, NOW)
    assert sessions.holds(other, NOW)


@pytest.mark.parametrize("file_name", ["dashboard_password", "guardian_token"])
def test_a_rotation_ends_every_session(sessions: Sessions, file: Path, file_name: str) -> None:
    cookie = sessions.begin(NOW)
    file.with_name(file_name).write_text("another-value-than-before")
    assert not sessions.holds(cookie, NOW)


def test_forged_cookies_are_refused(sessions: Sessions) -> None:
    identifier, until, signature = sessions.begin(NOW).split(".")
    later = str(int(until) + 1)
    for forged in (
        "",
        "x",
        f"{identifier}.{later}.{signature}",
        f"{'0' * 32}.{until}.{signature}",
        f"{identifier}.{until}.{'0' * 64}",
        f"{identifier}.{until}.",
        f"{identifier}.{until}.{signature}\n",
        f"{identifier}.-{until}.{signature}",
    ):
        assert not sessions.holds(forged, NOW), forged
        sessions.end(forged, NOW)


def test_nobody_is_logged_in_without_a_password(sessions: Sessions, file: Path) -> None:
    cookie = sessions.begin(NOW)
    file.unlink()
    assert not sessions.holds(cookie, NOW)
    assert not sessions.holds(sessions.begin(NOW), NOW)
