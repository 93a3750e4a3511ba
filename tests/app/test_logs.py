import json
import subprocess
import sys
from typing import Any

SCRIPT = """
import logging, structlog
from medianest.logs import Redactor, configure
redactor = Redactor()
configure(redactor)
redactor.hide([{secrets}])
log = structlog.get_logger(component="test")
{statement}
"""


def logged(statement: str, *secrets: str) -> list[dict[str, Any]]:
    """What a process of its own, which is what logging is set up for, writes."""
    script = SCRIPT.format(statement=statement, secrets=", ".join(map(repr, secrets)))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_line_is_one_json_object() -> None:
    (line,) = logged("log.info('Something', count=1, text='two\\nlines')")
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "message": "Something", "level": "info", "component": "test", "count": 1, "text": "two\nlines",
    }  # fmt: skip


def test_debugging_is_left_out() -> None:
    assert logged("log.debug('details')") == []


def test_libraries_log_in_the_same_format_from_warnings_on() -> None:
    statement = "l = logging.getLogger('psycopg.pool'); l.info('chatter'); l.warning('lost %s', 'it')"
    (line,) = logged(statement)
    assert (line["component"], line["level"], line["message"]) == ("psycopg.pool", "warning", "lost it")


def test_an_exception_is_told_with_its_traceback() -> None:
    statement = "try: 1 / 0\nexcept ZeroDivisionError: log.exception('failed')"
    (line,) = logged(statement)
    assert "ZeroDivisionError: division by zero" in line["exception"]


def test_a_known_secret_is_in_no_line_however_it_got_there() -> None:
    url = "postgresql://user:pa%2Fssword1@host/db"
    statement = (
        "log.info('is signing-key-1')\n"
        f"log.info('cannot use', url={url!r})\n"
        "log.info('decoded', found='pa/ssword1')\n"
        "logging.getLogger('library').error('with signing-key-1')\n"
        "try: raise ValueError('signing-key-1')\nexcept ValueError: log.exception('failed')"
    )
    lines = json.dumps(logged(statement, "signing-key-1", url))
    assert lines.count("[secret]") >= 5
    assert "signing-key" not in lines
    assert "ssword1" not in lines


def test_secrets_are_found_however_they_are_written() -> None:
    secret = 'pa"ss\\wörd+x/y'
    lines = logged(f"log.info('it is ' + {secret!r})\nlog.info('/login/pa%22ss%5Cw%C3%B6rd%2Bx%2Fy')", secret)
    assert [line["message"] for line in lines] == ["it is [secret]", "/login/[secret]"]


def test_a_token_is_in_no_line_whoever_signed_it() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
    (line,) = logged(f"log.info('refused', header='Bearer {token}', path='/x/{token}/y')")
    assert (line["header"], line["path"]) == ("Bearer [token]", "/x/[token]/y")


def test_anything_can_be_logged() -> None:
    statement = (
        "import datetime, pathlib\n"
        "log.info('half \\ud800', path=pathlib.Path('/x'), keys={1: ['\\udfff', None, 1.5, True]})\n"
        "log.info('large', number=2**70)"
    )
    half, large = logged(statement)
    assert half["message"] == "half ?"
    assert half["path"] == "/x"
    assert half["keys"] == {"1": ["?", None, 1.5, True]}
    assert large["message"] == "large"


def test_every_line_of_a_request_carries_its_id() -> None:
    (line,) = logged("from medianest import logs; logs.REQUEST_ID.set('r-1'); log.info('x')")
    assert line["request_id"] == "r-1"
