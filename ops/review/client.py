"""HTTP to a host: bounded in time, patient with limits and faults, careful with the token."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from ops.output import seconds
from ops.plan.words import clean
from ops.review import retry
from ops.review.errors import AnswerError, PostError, UnknownOutcomeError
from ops.review.text import one_line

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
WHOLE_SECONDS = 180.0
REDIRECTS = 5
PAGE_ITEMS = 100
ATTEMPTS = 6
"""How often a request is made that meets faults or limits."""
GONE = frozenset({404, 410})
TOLD_FROM_SECONDS = 1.0
Parameters = Mapping[str, str | int]


@dataclass(frozen=True)
class Credential:
    """The header that carries a token. Never shown, and never replaced by an entry of ~/.netrc."""

    header: str
    prefix: str
    token: str

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers[self.header] = self.prefix + self.token
        return request

    def __repr__(self) -> str:
        return f"Credential({self.header})"


@dataclass(frozen=True)
class Answer:
    """What the host said."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    document: Any
    """The JSON document; None where there is none."""

    def age(self, since: str) -> float:
        """Seconds from a time that it names to the answer, both by the clock of the host."""
        try:
            now = parsedate_to_datetime(self.headers["date"])
            return (now - datetime.fromisoformat(since)).total_seconds()
        except (KeyError, TypeError, ValueError):
            return 0.0


@dataclass(frozen=True)
class _Again:
    """Why a request was not answered, and after how many seconds to try again."""

    why: str
    wait: float


class Client:
    """Requests to one API. `address` is where it begins, such as https://api.github.com.

    Each method raises AnswerError for an answer that is an error, and PostError where the host cannot be
    reached, redirects elsewhere, or would have to be waited for longer than `whole_seconds` in sum.
    """

    def __init__(
        self,
        address: str,
        credential: Credential,
        say: Callable[[str], None],
        *,
        headers: Mapping[str, str] | None = None,
        whole_seconds: float = WHOLE_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        import requests

        self._address = address.rstrip("/")
        self._credential = credential
        self._say = say
        self._sleep = sleep
        self._answer_seconds = answer_seconds
        self._ends = time.monotonic() + whole_seconds
        self._whole_seconds = whole_seconds
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": "medianest-deploy", "Accept": "application/json"})
        self._session.headers.update(headers or {})

    @property
    def host(self) -> str:
        return urlsplit(self._address).netloc

    def get(self, path: str, parameters: Parameters | None = None) -> Answer:
        return self._request("GET", path, parameters or {}, None, repeat=True)

    def ask(self, method: str, path: str) -> Answer | None:
        """A GET or DELETE; None where its subject is gone."""
        return self._unless_gone(method, path, None, repeat=True)

    def write(self, method: str, path: str, body: Mapping[str, Any]) -> Answer | None:
        """One try of a PATCH or PUT; None where its subject is gone.

        Raises UnknownOutcomeError for a fault or a limit: what was to be written may be stale after it.
        """
        return self._unless_gone(method, path, body, repeat=False)

    def create(self, path: str, body: Mapping[str, Any]) -> Answer:
        """One try of a POST. Raises UnknownOutcomeError for a fault or a limit."""
        return self._request("POST", path, {}, body, repeat=False)

    def pages(self, path: str, parameters: Parameters | None = None) -> Iterator[Any]:
        """The items of every page: by `Link` (RFC 8288), or by `X-Next-Page`."""
        query: Parameters | None = {**(parameters or {}), "per_page": PAGE_ITEMS}
        while query is not None:
            answer = self.get(path, query)
            if not isinstance(answer.document, list):
                raise PostError(f"{self.host} answered {path} with something that is not a list")
            yield from answer.document
            query = next_page(answer.headers, query)

    def pause(self, wait: float, why: str) -> None:
        """Sleep, and say so. Raises PostError where that would end too late."""
        if time.monotonic() + wait > self._ends:
            raise PostError(
                f"{why}: to wait {seconds(wait)} more would take longer than the "
                f"{seconds(self._whole_seconds)} that all of it may take",
                "Run it again later.",
            )
        if wait >= TOLD_FROM_SECONDS:
            self._say(f"{why}: waiting {seconds(wait)}")
        self._sleep(wait)

    def _left(self) -> float:
        return max(0.0, self._ends - time.monotonic())

    def _unless_gone(
        self, method: str, path: str, body: Mapping[str, Any] | None, *, repeat: bool
    ) -> Answer | None:
        try:
            return self._request(method, path, {}, body, repeat=repeat)
        except AnswerError as error:
            if error.status in GONE:
                return None
            raise

    def _request(
        self, method: str, path: str, query: Parameters, body: Mapping[str, Any] | None, *, repeat: bool
    ) -> Answer:
        attempt = 0
        while True:
            answer = self._try(method, path, query, body, attempt)
            if isinstance(answer, Answer):
                return answer
            if not repeat:
                raise UnknownOutcomeError(answer.why, answer.wait)
            attempt += 1
            if attempt == ATTEMPTS:
                raise PostError(
                    f"{answer.why}, {ATTEMPTS} times", "Check the network, or run it again later."
                )
            self.pause(answer.wait, answer.why)

    def _try(
        self, method: str, path: str, query: Parameters, body: Mapping[str, Any] | None, attempt: int
    ) -> Answer | _Again:
        """One try: an answer that is no error, or why and when to try again."""
        from requests import RequestException
        from requests.exceptions import SSLError

        try:
            answer = self._once(method, path, query, body)
        except SSLError as error:
            raise PostError(
                f"{self.host} has a certificate that is not trusted",
                "REQUESTS_CA_BUNDLE names a file of certificates to trust instead.",
            ) from error
        except RequestException as error:
            wait = retry.passing_seconds({}, time.time(), attempt, random.random())  # noqa: S311
            return _Again(f"{self.host} {_fault(error)}", wait)
        if answer.status < 400:
            return answer
        message = self._message(answer)
        if retry.is_rate_limit(answer.status, answer.headers, message):
            wait = retry.limited_seconds(answer.headers, time.time(), attempt)
            return _Again(f"{self.host} limits the rate of requests", wait + random.random())  # noqa: S311
        if answer.status in retry.PASSING:
            wait = retry.passing_seconds(answer.headers, time.time(), attempt, random.random())  # noqa: S311
            return _Again(f"{self.host} answered {answer.status}", wait)
        raise AnswerError(answer.status, message)

    def _once(self, method: str, path: str, query: Parameters, body: Mapping[str, Any] | None) -> Answer:
        url = self._address + path
        for _ in range(REDIRECTS):
            response = self._session.request(
                method,
                url,
                params=dict(query),
                json=body,
                auth=self._credential,
                timeout=(CONNECT_SECONDS, min(self._answer_seconds, self._left() + 0.1)),
                allow_redirects=False,
            )
            if not response.is_redirect:
                return _answer(response)
            url, query = self._redirected(url, response, method), {}
        raise PostError(f"{self.host} redirects in a circle")

    def _redirected(self, url: str, response: Response, method: str) -> str:
        """Where a redirect leads: never to another host, which would be given the token."""
        target = urljoin(url, response.headers["location"])
        if _origin(target) != _origin(self._address):
            raise PostError(
                f"{self.host} redirects to another host, {one_line(urlsplit(target).hostname or '?', 100)}: "
                "not followed, since the token would go there too",
                "Check the address of the API (GITHUB_API_URL or CI_API_V4_URL).",
            )
        if method != "GET" and response.status_code not in (307, 308):
            raise PostError(
                f"{self.host} has moved the repository",
                "Use its new name (GITHUB_REPOSITORY or CI_PROJECT_ID).",
            )
        return target

    def _message(self, answer: Answer) -> str:
        document = answer.document
        said = document.get("message") or document.get("error") if isinstance(document, dict) else None
        # Before it is cut: a part of the token would not be found.
        return one_line(clean(str(said or "")).replace(self._credential.token, "[secret]"), 300)


def next_page(headers: Mapping[str, str], query: Parameters) -> Parameters | None:
    """The query of the page that follows; None for the last.

    Of a link only its query is used: the token goes to no address that an answer names.
    """
    from requests.utils import parse_header_links

    if page := headers.get("x-next-page", "").strip():
        return {**query, "page": page}
    for link in parse_header_links(headers.get("link", "")):
        if link.get("rel") == "next":
            return dict(parse_qsl(urlsplit(link["url"]).query))
    return None


def _answer(response: Response) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    try:
        document = response.json() if response.content else None
    except ValueError as error:
        if response.status_code < 400:
            raise PostError(
                f"{urlsplit(response.url).netloc} does not answer as an API does: no JSON",
                "Check the address of the API (GITHUB_API_URL or CI_API_V4_URL), and what is on the way.",
            ) from error
        document = None
    return Answer(response.status_code, headers, document)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _fault(error: Exception) -> str:
    """What went wrong, without the address, which may hold what is not to be shown."""
    from requests import ConnectionError as Unconnected
    from requests import Timeout
    from requests.exceptions import ProxyError

    if isinstance(error, ProxyError):
        return "cannot be reached through the proxy (HTTPS_PROXY, NO_PROXY)"
    if isinstance(error, Timeout):
        return "does not answer in time"
    return (
        "cannot be reached, or cuts the connection" if isinstance(error, Unconnected) else "cannot be asked"
    )
