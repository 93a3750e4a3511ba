import asyncio
import statistics
import threading
import time

import pytest
from eventually import eventually
from medianest.passwords import Passwords


async def test_the_right_password_matches_and_no_other() -> None:
    passwords = Passwords()
    stored = await passwords.hash("right")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(stored, "right")
    assert not await passwords.verify(stored, "wrong")


async def test_no_password_matches_where_there_is_no_hash() -> None:
    passwords = Passwords()
    assert not await passwords.verify(None, "anything")
    assert not await passwords.verify("not a hash", "anything")


async def test_an_unknown_user_costs_as_much_as_a_wrong_password() -> None:
    passwords = Passwords()
    stored = await passwords.hash("right")
    times: dict[str | None, list[float]] = {stored: [], None: []}
    for _ in range(15):
        # In turns, and in time of this process, which a busy machine does not lengthen.
        for hashed, taken in times.items():
            started = time.process_time()
            assert not await passwords.verify(hashed, "wrong")
            taken.append(time.process_time() - started)
    assert statistics.median(times[None]) == pytest.approx(statistics.median(times[stored]), rel=0.2)


async def test_a_check_can_be_given_up_when_its_turn_comes() -> None:
    passwords = Passwords(parallel=1)
    stored = await passwords.hash("right")

    def refuse() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await passwords.verify(stored, "right", admit=refuse)
    assert await passwords.verify(stored, "right", admit=lambda: None)


class Gate:
    """A hasher that holds every caller until it is opened."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self._lock = threading.Lock()
        self.open = threading.Event()

    def verify(self, _stored: str, _password: str) -> bool:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.open.wait(5)
        with self._lock:
            self.inside -= 1
        return True


async def test_few_are_checked_at_once_and_who_waits_too_long_is_sent_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passwords = Passwords(parallel=2, patience=0.05)
    gate = Gate()
    monkeypatch.setattr(passwords, "_hasher", gate)
    checks = [asyncio.create_task(passwords.verify("hash", "password")) for _ in range(4)]
    await eventually(lambda: sum(check.done() for check in checks) == gate.inside == 2)
    gate.open.set()
    outcomes = await asyncio.gather(*checks, return_exceptions=True)
    assert gate.most == 2
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["PasswordsBusyError"] * 2 + ["bool"] * 2
    assert await passwords.verify("hash", "password")


async def test_a_caller_that_gives_up_leaves_its_turn_to_others() -> None:
    passwords = Passwords(parallel=1)
    for _ in range(3):
        check = asyncio.create_task(passwords.hash("password"))
        await asyncio.sleep(0)
        check.cancel()
        with pytest.raises(asyncio.CancelledError):
            await check
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await passwords.hash("password")
    assert await passwords.verify(await passwords.hash("password"), "password")
