from medianest.revocations import Refusal, Revocation, Revocations
from test_windows import Clock


def test_a_revoked_token_is_refused_and_no_other() -> None:
    revocations = Revocations()
    revocations.learn(Revocation("a", 2000))
    assert revocations.refuse("a", "user", 1000)
    assert not revocations.refuse("b", "user", 1000)


def test_every_token_of_a_disabled_user_is_refused() -> None:
    revocations = Revocations(clock=Clock())
    revocations.learn(Refusal("user", 1000, disabled=True))
    assert revocations.refuse("a", "user", 900)
    assert revocations.refuse("a", "user", 9000)
    assert not revocations.refuse("a", "another", 900)


def test_once_enabled_the_former_tokens_stay_refused() -> None:
    revocations = Revocations(clock=Clock())
    revocations.learn(Refusal("user", 1000, disabled=True))
    revocations.learn(Refusal("user", 1094, disabled=False))
    assert revocations.refuse("a", "user", 1000)
    # As far as clocks may differ.
    assert revocations.refuse("a", "user", 1099)
    assert not revocations.refuse("a", "user", 1100)


def test_old_news_change_nothing() -> None:
    revocations = Revocations(clock=Clock())
    revocations.learn(Refusal("user", 1100, disabled=True))
    revocations.learn(Refusal("user", 1000, disabled=False))
    assert revocations.refuse("a", "user", 1200)


def test_what_has_expired_is_forgotten_and_no_sooner() -> None:
    clock = Clock()
    revocations = Revocations(lifetime=100, clock=clock)
    revocations.learn(Revocation("a", 1050))
    revocations.learn(Refusal("user", 1000, disabled=True))
    revocations.prune()
    assert len(revocations) == 2
    clock.now = 1054
    revocations.prune()
    assert revocations.refuse("a", "somebody", 1000)
    clock.now = 1056
    revocations.prune()
    assert len(revocations) == 1
    clock.now = 1111
    revocations.prune()
    assert len(revocations) == 0
