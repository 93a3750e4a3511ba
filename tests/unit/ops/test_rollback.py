"""Where a roll-back leads, what it refuses, and what it writes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from components.settings import BackendSettings, SecretSettings, StackSettings, VolumeSettings, load
from ops import pin
from ops.errors import ExitCode, OperationError
from ops.pin import lift, pin_to
from ops.preflight.verdicts import judge_pin
from ops.project import Project, load_settings, split_secrets
from ops.releases.choice import choose, schema_note
from ops.releases.deploys import Facts
from ops.releases.entries import Release
from ops.releases.records import FAILED, NOT_VERIFIED, UNVERIFIED, VERIFIED
from ops.rollback import lost
from ops.session import Session
from ops.settings_change import written

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
IMAGE = f"sha256:{'0' * 64}"


def release(identifier: str, verdict: str = VERIFIED, **more: object) -> Release:
    facts = Facts(identifier, IMAGE, f"medianest/backend:s-{identifier}")
    plain = Release(identifier, START, START, facts, verdict=verdict, image_present=True)
    return replace(plain, settings={}, **more)  # type: ignore[arg-type]


def current(identifier: str, verdict: str = VERIFIED, **more: object) -> Release:
    return release(identifier, verdict, current=True, **more)


@pytest.mark.parametrize(
    ("releases", "chosen"),
    [
        ([current("b"), release("a")], "a"),
        ([current("c"), release("b", NOT_VERIFIED), release("a", UNVERIFIED)], "a"),
        ([current("c"), release("b", FAILED), release("a")], "a"),
        ([current("b", pinned=True), release("c", rolled_back=True), release("a")], "a"),
        ([current("c", NOT_VERIFIED), release("b"), release("a")], "b"),
    ],
    ids=["the one before", "none that was not verified", "none that failed", "none that was left", "current"],
)
def test_without_a_name_it_is_the_last_good_release_before_this(releases: list[Release], chosen: str) -> None:
    assert choose("s", releases, None, "").id == chosen


@pytest.mark.parametrize("wanted", ["a87f19a5abde", "a87f"])
def test_a_release_may_be_named_by_how_its_id_begins(wanted: str) -> None:
    releases = [current("03b1c06852f0"), release("a87f19a5abde")]
    assert choose("s", releases, wanted, "").id == "a87f19a5abde"


def test_one_that_was_not_verified_or_serves_already_may_be_named() -> None:
    releases = [current("b"), release("a", NOT_VERIFIED)]
    assert choose("s", releases, "a", "").id == "a"
    assert choose("s", releases, "b", "").id == "b"
    assert choose("s", [current("b", pinned=True), release("a")], "a", "b").id == "a"


@pytest.mark.parametrize(
    ("releases", "wanted", "pinned", "code", "says"),
    [
        ([], None, "", ExitCode.REFUSED, ["serves no release", "./medianest up s"]),
        ([current("a")], None, "", ExitCode.REFUSED, ["no good release before a", "none to go back to"]),
        (
            [release("c", FAILED), current("b"), release("a")],
            None,
            "",
            ExitCode.REFUSED,
            ["c failed", "b serves on", "./medianest rollback s b"],
        ),
        (
            [current("b"), release("a87f19a5abde")],
            "a87f19a5abdf",
            "",
            ExitCode.USAGE,
            ["'a87f19a5abdf' of stack s is not known", "Did you mean a87f19a5abde?", "b, a87f19a5abde"],
        ),
        ([], "a", "", ExitCode.USAGE, ["There are none yet"]),
        (
            [current("b", pinned=True), release("a")],
            "b",
            "b",
            ExitCode.REFUSED,
            ["pinned to release b already", "--unpin"],
        ),
        (
            [current("c"), release("b", image_present=False), release("a")],
            "b",
            "",
            ExitCode.REFUSED,
            ["image of release b", "not on the engine", "gone back to: a.", "keep_releases"],
        ),
        (
            [current("c"), release("b", image_present=False), release("a")],
            None,
            "",
            ExitCode.REFUSED,
            ["image of release b", "gone back to: a."],
        ),
        (
            [release("c", FAILED, reason="it broke"), current("b"), release("a")],
            "c",
            "",
            ExitCode.REFUSED,
            ["c of stack s never served: it broke"],
        ),
    ],
    ids=[
        "nothing serves",
        "there is no other",
        "the last one failed",
        "a slip of the pen",
        "no releases",
        "pinned to it already",
        "its image is gone",
        "the image of the default is gone",
        "it never served",
    ],
)
def test_what_cannot_be_gone_back_to_is_refused(
    releases: list[Release], wanted: str | None, pinned: str, code: ExitCode, says: list[str]
) -> None:
    with pytest.raises(OperationError) as caught:
        choose("s", releases, wanted, pinned)
    assert caught.value.code is code
    for words in says:
        assert words in f"{caught.value.message} {caught.value.hint}"


# Of the target its schema, of the current one and of one in between the oldest that each serves.
@pytest.mark.parametrize(
    ("schema", "serves", "between", "allowed", "noted"),
    [
        (1, 1, None, True, False),
        (2, 1, None, True, False),
        (1, 2, None, False, False),
        (1, None, None, True, True),
        (None, 2, None, True, True),
        (None, None, None, True, True),
        (1, 1, 2, False, False),
        (1, None, 2, False, False),
        (2, None, 2, True, True),
    ],
)
def test_never_across_a_contracted_schema(
    schema: int | None, serves: int | None, between: int | None, allowed: bool, noted: bool
) -> None:
    target = release("a", schema=schema)
    releases = [current("c", serves=serves), release("b", serves=between), target]
    if allowed:
        assert choose("s", releases, "a", "") is target
        assert bool(schema_note(releases, target)) is noted
        return
    with pytest.raises(OperationError, match="has contracted it") as caught:
        choose("s", releases, "a", "")
    assert caught.value.code is ExitCode.REFUSED
    assert "Nothing was touched" in caught.value.hint


def test_a_contraction_that_never_served_refuses_nothing() -> None:
    target = release("a", schema=1)
    failed = release("c", FAILED, serves=2)
    assert choose("s", [failed, current("b", serves=1), target], "a", "") is target


@pytest.fixture
def session(tmp_path: Path) -> Session:
    project = Project("medianest", tmp_path)
    project.settings_file("shop").write_text(
        "config:\n  # two\n  medianest:backend: {replicas: 2, environment: {LEVEL: new}}\n"
    )
    return Session(project, {})


def test_a_pin_holds_the_releases_image_and_settings(session: Session) -> None:
    old = {"environment": {"LEVEL": "old"}, "replicas": 1}
    change = pin_to(session, "shop", replace(release("a87f19a5abde"), settings=old))
    assert "# two" in change.after
    settings = load_settings(session.project, "shop", change.after)
    assert settings.pin
    assert (settings.pin.release, settings.pin.content) == ("a87f19a5abde", "a87f19a5abde")
    assert settings.pin.image.id == IMAGE
    assert settings.backend.environment == {"LEVEL": "old"}
    # The size of the stack is no part of a release.
    assert settings.backend.replicas == 2
    assert load_settings(session.project, "shop").backend.environment == {"LEVEL": "new"}


def test_a_pin_that_is_lifted_leaves_the_file_as_it_was(session: Session) -> None:
    path = session.project.settings_file("shop")
    before = path.read_text()
    assert lift(session, "shop") is None
    path.write_text(pin_to(session, "shop", release("a87f19a5abde")).after)
    change = lift(session, "shop")
    assert change
    assert change.after == before


@pytest.mark.parametrize(
    ("code", "kept"),
    [(ExitCode.FAILED, "before"), (ExitCode.REFUSED, "before"), (ExitCode.INTERRUPTED, "after")],
)
def test_a_change_that_fails_is_taken_back_and_an_interrupted_one_goes_on(
    session: Session, code: ExitCode, kept: str
) -> None:
    change = pin_to(session, "shop", release("a87f19a5abde"))
    said: list[str] = []

    def fail() -> None:
        assert change.path.read_text() == change.after
        raise OperationError("it broke", code=code)

    with pytest.raises(OperationError, match="it broke"), written(change, said.append):
        fail()
    assert change.path.read_text() == getattr(change, kept)
    assert ("as it was" in said[0]) is (kept == "before")


def test_settings_that_this_version_does_not_know_are_refused(session: Session) -> None:
    with pytest.raises(OperationError, match="not valid for this version") as caught:
        pin_to(session, "shop", replace(release("a"), settings={"gone": 1}))
    assert caught.value.code is ExitCode.REFUSED


@pytest.mark.parametrize("settings", [None])
def test_a_release_without_settings_on_record_is_refused(session: Session, settings: None) -> None:
    with pytest.raises(OperationError, match="does not have the settings"):
        pin_to(session, "shop", replace(release("a"), settings=settings))


def test_a_stack_without_a_settings_file_is_refused(session: Session) -> None:
    with pytest.raises(OperationError, match="no settings file") as caught:
        pin_to(session, "other", release("a"))
    assert caught.value.code is ExitCode.REFUSED


def pinned(today: BackendSettings, then: BackendSettings) -> StackSettings:
    own = {**pin.pin_of(release("a87f19a5abde")), "settings": then.model_dump(mode="json")}
    configuration = {"medianest:backend": today.model_dump(mode="json"), "medianest:pin": own}
    return load("medianest", *split_secrets(yaml.safe_load(yaml.safe_dump(configuration))))


def test_secrets_are_those_of_today_and_none_is_lost() -> None:
    today = BackendSettings(secrets={"key": SecretSettings(length=64), "new": SecretSettings()})
    then = BackendSettings(secrets={"key": SecretSettings(length=48), "old": SecretSettings()})
    settings = pinned(today, then)
    assert settings.backend.secrets == {"key": today.secrets["key"], "old": then.secrets["old"]}
    assert settings.idle.secrets == {"new": today.secrets["new"]}


def test_a_volume_that_the_release_does_not_know_stays() -> None:
    media, notes = VolumeSettings(name="media", path="/media"), VolumeSettings(name="notes", path="/notes")
    settings = pinned(BackendSettings(volumes=[media, notes]), BackendSettings(volumes=[notes]))
    assert settings.backend.volumes == [notes]
    assert settings.idle.volumes == [media]


def test_the_trees_own_checks_are_not_asked_of_an_earlier_release() -> None:
    assert pinned(BackendSettings(), BackendSettings()).verification.paths == []


def test_what_was_given_up_since_is_said() -> None:
    volume = VolumeSettings(name="media", path="/media").model_dump(mode="json")
    today = StackSettings(backend=BackendSettings(volumes=[]))
    target = replace(release("a"), settings={"secrets": {"key": {}}, "volumes": [volume]})
    assert [line.split(" was")[0] for line in lost(today, target)] == ["Secret key", "Volume media"]
    assert lost(StackSettings(), release("a")) == []


def test_a_pinned_image_must_be_on_the_engine() -> None:
    settings = pinned(BackendSettings(), BackendSettings())
    assert judge_pin(None, (), "s") == []
    assert judge_pin(settings.pin, {IMAGE}, "s") == []
    (problem,) = judge_pin(settings.pin, (), "s")
    assert "a87f19a5abde" in problem.message
    assert "--unpin" in problem.hint


def test_the_time_of_a_release_is_no_part_of_its_choice() -> None:
    late = replace(release("a"), deployed=START + timedelta(days=1))
    assert choose("s", [current("b"), late], None, "") is late
