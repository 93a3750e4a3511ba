"""Getting in, and not getting in, as a person does it."""

from __future__ import annotations

from selenium.webdriver.common.keys import Keys

from tests.browser.driver import Page
from tests.guardian.guarded import PASSWORD, TOKEN


def test_a_wrong_password_is_told_of_and_the_right_one_leads_to_the_page(page: Page) -> None:
    page.open("/")
    assert page.run("return location.pathname") == "/login"
    page.log_in("not the password")
    page.until(lambda: page.text("[role=alert]"), "the refusal is told of")
    assert page.text("[role=alert]") == "That is not the password."
    assert page.violations() == []
    page.screenshot("login-refused")
    # The field has the focus: whoever mistyped types again.
    page.driver.switch_to.active_element.send_keys(PASSWORD, Keys.ENTER)
    page.until(lambda: page.word() not in ("", "looking"), "the page is there")
    assert page.run("return document.cookie") == "", "a script can read the cookie"


def test_log_out_ends_the_session(dashboard: Page) -> None:
    (cookie,) = dashboard.driver.get_cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    dashboard.find("header form button").click()
    dashboard.until(lambda: dashboard.run("return location.pathname") == "/login", "the login is back")
    dashboard.driver.add_cookie({"name": cookie["name"], "value": cookie["value"]})
    dashboard.open("/")
    assert dashboard.run("return location.pathname") == "/login"


def test_no_secret_is_in_the_page(dashboard: Page) -> None:
    for component, said in (("guardian", "watching"), ("engine-proxy", "listening"), ("backend", "Nothing")):
        dashboard.run(
            "const chosen = document.querySelector('#component'); chosen.value = arguments[0];"
            " chosen.dispatchEvent(new Event('change'))",
            component,
        )
        dashboard.wait_for("#log", said)
        shown = dashboard.driver.page_source
        assert PASSWORD not in shown
        assert TOKEN not in shown
        assert "never-to-be-seen" not in shown


def test_nothing_is_asked_of_anybody_else_and_no_script_runs_that_is_not_the_pages_own(
    dashboard: Page,
) -> None:
    assert all(name.startswith("/") for name in dashboard.requested())
    dashboard.run(
        "const script = document.createElement('script');"
        " script.textContent = 'window.foreign = 1'; document.body.append(script)"
    )
    assert dashboard.run("return window.foreign ?? null") is None
