"""A user of the default backend under load, and the log of all that was acknowledged to them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import docker
import requests

from tests.harness.checkout import containers_of
from tests.harness.inside import secret
from tests.harness.load.load import Load, steady_load
from tests.harness.load.plan import READ, STEADY, Kind

JOB_SECONDS = 90
PAGE = 100
UNFINISHED = frozenset({"queued", "running"})


@dataclass
class Account:
    """A user of the default backend, with everything that was ever acknowledged to them."""

    url: str
    headers: dict[str, str] = field(repr=False)
    uploaded: list[str] = field(default_factory=list)
    _name: str | None = None
    _later_names: list[str] = field(default_factory=list)

    @contextmanager
    def loading(self, title: str = "", kinds: Sequence[Kind] = STEADY) -> Iterator[Load]:
        """A load by this user. What it has written is kept, to be compared at the end."""
        with steady_load(self.url, kinds, self.headers, title) as load:
            yield load
        self.uploaded += load.names("picture")[0]
        acknowledged, unanswered = load.names("name")
        if acknowledged:
            self._name, self._later_names = acknowledged[-1], []
        # One without an answer may come to pass late, whatever was acknowledged since.
        self._later_names += unanswered

    @contextmanager
    def losing_nothing(self, title: str) -> Iterator[Load]:
        """A steady load: no request fails, every acknowledged write is there, and there once."""
        with self.loading(title) as load:
            yield load
        assert load.failed == 0, load.failures
        assert all(one.sent for one in load.kinds.values())
        self.assert_nothing_is_lost()

    def assert_nothing_is_lost(self) -> None:
        """Every acknowledged upload is there once, and done; the last acknowledged name is there."""
        with requests.Session() as client:
            client.headers.update(self.headers)
            deadline = time.monotonic() + JOB_SECONDS
            listed = self._listed(client)
            while any(one["state"] in UNFINISHED for one in listed) and time.monotonic() < deadline:
                time.sleep(0.2)
                listed = self._listed(client)
            states = Counter(one["state"] for one in listed)
            assert set(states) <= {"done"}, states
            counted = Counter(one["id"] for one in listed)
            assert not [identifier for identifier, count in counted.items() if count > 1]
            assert len(set(self.uploaded)) == len(self.uploaded)
            assert not set(self.uploaded) - counted.keys(), "acknowledged uploads are lost"
            if self._name is not None:
                shown = client.get(self.url + READ, timeout=10).json()["display_name"]
                assert shown in [self._name, *self._later_names]

    def _listed(self, client: requests.Session) -> list[dict[str, Any]]:
        """Every media of the user."""
        found: list[dict[str, Any]] = []
        after: str | None = ""
        while after is not None:
            page = f"/api/media?limit={PAGE}" + (f"&after={after}" if after else "")
            answer = client.get(self.url + page, timeout=10)
            answer.raise_for_status()
            document = answer.json()
            found += document["items"]
            after = document["next"]
        return found


def log_in(url: str, username: str, password: str) -> Account:
    """The account of a user of the default backend."""
    answer = requests.post(
        f"{url}/api/auth/login", json={"username": username, "password": password}, timeout=10
    )
    answer.raise_for_status()
    return Account(url, {"Authorization": f"Bearer {answer.json()['access_token']}"})


def demo_account(engine: docker.DockerClient, stack: str, url: str) -> Account:
    """The account of a stack's demo user, whose password is a secret of its backends."""
    (backend, *_) = containers_of(engine, stack, "backend")
    return log_in(url, "demo", secret(backend, "demo_password"))
