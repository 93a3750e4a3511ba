from __future__ import annotations

import pytest

from ops.review.comment import MARKER, Body, Section, holds, is_ours, parse, section_key


def section(key: str, text: str = "heading\n\ndetails", order: int = 1, danger: int = 0) -> Section:
    return Section(key, text, order, danger, changes=2)


def test_what_is_rendered_is_parsed() -> None:
    body = Body(before="before", after="after").with_sections([section("a"), section("b", danger=3)])
    text = body.render(10_000)
    assert parse(text) == body
    assert parse(text.replace("\n", "\r\n")) == body
    assert parse(text).render(10_000) == text
    assert text.index("key=b") < text.index("key=a")


def test_the_section_of_a_later_run_stays() -> None:
    body = Body().with_sections([section("a", "later", order=7)])
    assert body.with_sections([section("a", "earlier", order=6)]) == body
    assert body.with_sections([section("a", "again", order=7)]).sections["a"].text == "again"
    # Outside of CI nobody counts.
    assert body.with_sections([section("a", "by hand", order=0)]).sections["a"].text == "by hand"


def test_a_second_comment_gives_what_is_newer() -> None:
    oldest = Body(before="mine").with_sections([section("a", order=5), section("b", order=5)])
    other = Body().with_sections([section("a", "old", order=4), section("b", "new", order=6), section("c")])
    merged = oldest.with_newer(other)
    assert [merged.sections[key].order for key in "abc"] == [5, 6, 1]
    assert merged.before == "mine"


@pytest.mark.parametrize(
    "text",
    [
        f"> {MARKER}",
        f"I saw {MARKER} there",
        "<!-- medianest-preview-2 -->",
        "<!-- medianest-preview begin key=a -->",
        "",
    ],
)
def test_what_only_speaks_of_the_marker_is_not_ours(text: str) -> None:
    assert not is_ours(text)


def test_a_comment_without_its_first_line_is_ours() -> None:
    text = Body().with_sections([section("a")]).render(10_000)
    assert is_ours(text)
    assert is_ours(text.replace(MARKER, "").replace("\n", "\r\n"))


def test_a_section_whose_end_was_removed_ends_at_the_next() -> None:
    text = Body().with_sections([section("a"), section("b")]).render(10_000)
    found = parse(text.replace("<!-- medianest-preview end key=a -->\n", "")).sections
    assert found == {"a": section("a"), "b": section("b")}


def test_what_is_too_long_is_shortened_from_the_least_dangerous() -> None:
    long = "heading\n\n" + "x" * 1000
    body = Body(after="by a person").with_sections(
        [section("mild", long, danger=0), section("bad", long, danger=3), section("worse", long, danger=4)]
    )
    sections = parse(body.render(2700)).sections
    assert [len(sections[key].text) > 1000 for key in ("worse", "bad", "mild")] == [True, True, False]
    assert "Shortened" in sections["mild"].text
    text = body.render(1500)
    assert len(text) <= 1500
    assert "by a person" in text
    assert len(parse(text).sections) == 3
    assert len(body.render(150)) <= 150


def test_shortened_is_as_good_as_whole_when_it_is_looked_for() -> None:
    whole = section("a", "heading\n\n" + "x" * 1000)
    assert holds(Body().with_sections([whole]).render(9_000), [whole])
    assert holds(Body().with_sections([whole]).render(400), [whole])
    assert not holds(Body().render(400), [whole])
    assert not holds(Body().with_sections([section("a", "else")]).render(400), [whole])
    assert holds(Body().with_sections([section("a", "else", order=2)]).render(400), [whole])


@pytest.mark.parametrize("name", ["../../etc", "--> <b>", "a b\nc", "ü" * 300, "a/b", "%2F", "s" * 5_000])
def test_a_key_is_one_word_in_a_comment(name: str) -> None:
    key = section_key("project", name)
    assert not set(key) & set(" \n<>\"'-.")
    assert key.count("/") == 1
    assert len(key) < 250
    text = Body().with_sections([section(key)]).render(10_000)
    assert parse(text).sections.keys() == {key}


def test_keys_do_not_meet() -> None:
    pairs = [("a/b", "c"), ("a", "b/c"), ("a", "b%2Fc"), ("a", "s" * 400), ("a", "s" * 401)]
    assert len({section_key(*pair) for pair in pairs}) == len(pairs)
