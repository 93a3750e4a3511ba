from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ops.probe import Probe, ProbeFigures, ask, connect, serves

Handle = Callable[[BaseHTTPRequestHandler], None]


def answer(status: int) -> Handle:
    def handle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return handle


@contextmanager
def server(*handlers: Handle) -> Iterator[str]:
    """Answers each request by the next handler, and by the last one from then on."""
    left = list(handlers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            (left.pop(0) if len(left) > 1 else left[0])(self)

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_address[1]}/live"
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def hang_up(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True


def wait_for(probe: Probe, requests: int) -> None:
    while probe.figures.sent < requests:
        time.sleep(0.005)


def unused_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/live"


def test_a_stack_that_answers_serves() -> None:
    with server(answer(200)) as url:
        assert serves(url)


def test_a_stack_that_answers_with_an_error_or_not_at_all_does_not() -> None:
    with server(answer(503)) as url:
        assert not serves(url)
    assert not serves(unused_url())


def test_both_clients_ask_until_it_is_over() -> None:
    with server(answer(200)) as url:
        with Probe(url, per_second=200) as probe:
            wait_for(probe, 20)
        assert probe.figures.failed == 0
        sent = probe.figures.sent
    assert probe.figures.sent == sent
    assert 0 < probe.figures.slowest < 5


def test_an_error_is_counted_by_its_status() -> None:
    with server(answer(502)) as url, Probe(url, per_second=200) as probe:
        wait_for(probe, 4)
    assert set(probe.figures.failures) == {"status 502"}
    assert probe.figures.failed == probe.figures.sent


def test_nobody_who_listens_is_counted() -> None:
    with Probe(unused_url(), per_second=200) as probe:
        wait_for(probe, 4)
    assert set(probe.figures.failures) == {"ConnectionRefusedError"}


def test_a_connection_that_was_closed_while_idle_is_no_failure() -> None:
    with server(answer(200), hang_up, answer(200)) as url:
        connection = connect(url)
        assert ask(connection, url) == ""
        assert ask(connection, url) == ""
        connection.close()


def test_a_fresh_connection_that_is_hung_up_on_is_one() -> None:
    with server(hang_up) as url:
        connection = connect(url)
        assert ask(connection, url) == "RemoteDisconnected"
        connection.close()


def test_figures_read_as_a_sentence() -> None:
    figures = ProbeFigures()
    figures.add("", 0.0214)
    assert str(figures) == "1 sent, 0 failed, slowest 21 ms"
    figures.add("status 503", 0.001)
    assert str(figures) == "2 sent, 1 failed, slowest 21 ms (status 503: 1)"
    assert figures.as_json()["failures"] == {"status 503": 1}
