"""One comment a pull request: made, edited in place, found again, put back."""

from __future__ import annotations

from ops.review.comment import MARKER, parse
from tests.review import github_api, gitlab_api
from tests.review.conftest import GitHubSide, GitLabSide, Side
from tests.review.plans import DELETES, INTERRUPTS, change, plan
from tests.review.stand_in import Fault


def test_it_is_made_once_and_edited_in_place(side: Side) -> None:
    first = side.post(plan("staging", change("backend")))
    assert len(side.comments) == 1
    assert str(side.comments[0]["id"]) in first.url
    side.post(plan("staging", change("backend"), change("gateway", INTERRUPTS)))
    [comment] = side.comments
    assert comment["body"].startswith(MARKER)
    assert "2 to update" in comment["body"]
    side.post(plan("staging"))
    [comment] = side.comments
    assert "No change any more." in comment["body"]
    assert "gateway" not in comment["body"]
    side.post(plan("staging", problem="the settings cannot be used"))
    [comment] = side.comments
    assert ": **preview failed**" in comment["body"] or ": preview failed" in comment["body"]
    assert "> the settings cannot be used" in comment["body"]
    assert not side.locks()


def test_the_same_again_writes_nothing(side: Side) -> None:
    side.post(plan("staging", change("backend")))
    before = len(side.server.asked)
    side.post(plan("staging", change("backend")))
    again = side.server.asked[before:]
    # Who, which request, all comments, lock, read, unlock, check: each costs a way to the host.
    assert len(again) <= 8
    assert not [request for request in again if request.method in ("PATCH", "PUT")]


def test_each_stack_has_a_section(side: Side) -> None:
    side.post(plan("staging", change("backend")), plan("production", change("postgres", DELETES)))
    side.post(plan("odd/../<b>--> name", change("worker")))
    [comment] = side.comments
    sections = parse(comment["body"]).sections
    assert set(sections) == {"site/staging", "site/production", "site/odd%2F%2E%2E%2F%3Cb%3E%2D%2D%3E%20name"}
    # The most dangerous first.
    assert next(iter(sections)) == "site/production"


def test_it_is_found_through_every_page(side: Side) -> None:
    for number in range(150):
        side.person(f"comment {number}")
    side.post(plan("staging", change("backend")))
    for number in range(150, 250):
        side.person(f"comment {number}")
    side.post(plan("staging"))
    assert len(side.comments) == 251
    [comment] = side.ours()
    assert "No change any more." in comment["body"]


def test_a_person_who_quotes_the_marker_keeps_the_comment(side: Side) -> None:
    side.post(plan("staging", change("backend")))
    text = side.comments[0]["body"]
    side.comments.clear()
    copied = side.person(text)
    quoted = side.person("\n".join(f"> {line}" for line in text.split("\n")))
    side.post(plan("staging"))
    assert copied["body"] == text
    assert quoted["body"].startswith(f"> {MARKER}")
    assert len(side.ours()) == 1


def test_our_other_comments_are_left_alone(github: GitHubSide) -> None:
    quoting = f"> {MARKER}\n\nThat is how it began."
    other = github.api.add(github_api.BOT, quoting)
    github.post(plan("staging"))
    assert other["body"] == quoting
    assert len(github.ours()) == 2


def test_a_token_of_a_user_edits_only_what_that_user_wrote(github: GitHubSide) -> None:
    github.post(plan("staging", change("backend")))
    github.post(plan("staging", change("backend")), token=github_api.USER_TOKEN)
    assert [one["user"]["login"] for one in github.comments] == ["github-actions[bot]", "deploy-robot"]
    github.post(plan("staging"), token=github_api.USER_TOKEN)
    assert len(github.comments) == 2
    assert "No change any more." in github.comments[1]["body"]


def test_a_comment_that_a_person_deleted_is_made_anew(side: Side) -> None:
    side.post(plan("staging", change("backend")))
    side.comments.clear()
    side.post(plan("staging", change("backend")))
    assert len(side.ours()) == 1


def test_a_comment_deleted_between_read_and_edit_is_made_anew(side: Side) -> None:
    side.post(plan("staging", change("backend")))
    verb = "PATCH" if isinstance(side, GitHubSide) else "PUT"
    side.server.faults.append(Fault(verb, "", before=side.comments.clear))
    side.post(plan("staging"))
    [comment] = side.ours()
    assert "no change" in comment["body"]


def test_what_a_person_wrote_stays_and_what_is_ours_is_put_back(side: Side) -> None:
    side.post(plan("staging", change("backend")), plan("production", change("worker")))
    comment = side.comments[0]
    edited = comment["body"].replace("backend", "nothing at all").replace("<!-- medianest-preview -->\n", "")
    comment["body"] = f"Mind the gap.\r\n\r\n{edited}\n\nSeen by Anna.".replace("\n", "\r\n")
    side.post(plan("staging", change("backend")), plan("production", change("worker")))
    body = side.comments[0]["body"]
    assert len(side.comments) == 1
    assert body.startswith(f"{MARKER}\n\nMind the gap.\n\n")
    assert body.endswith("\n\nSeen by Anna.")
    assert "nothing at all" not in body
    assert parse(body).sections.keys() == {"site/staging", "site/production"}


def test_a_run_does_not_overwrite_what_a_later_one_has_posted(side: Side) -> None:
    side.post(plan("staging", change("newer")), run=2000)
    side.post(plan("staging", change("older")), run=1999)
    [comment] = side.comments
    assert "newer" in comment["body"]
    assert "older" not in comment["body"]
    assert "A later run has posted staging already: left as it is" in side.said


def test_github_gets_a_check_a_stack(github: GitHubSide) -> None:
    posted = github.post(
        plan("staging", change("backend")), plan("production", change("postgres", DELETES)), plan("idle")
    )
    assert posted.checks == ("preview site/staging", "preview site/production", "preview site/idle")
    assert not posted.missed
    told = [(check["name"], check["conclusion"], check["output"]["title"]) for check in github.api.checks]
    assert told == [
        ("preview site/staging", "success", "1 change"),
        ("preview site/production", "failure", "1 change: data is deleted"),
        ("preview site/idle", "success", "No change"),
    ]
    assert {check["head_sha"] for check in github.api.checks} == {github_api.HEAD}


def test_github_gets_a_commit_status_where_a_check_is_refused(github: GitHubSide) -> None:
    posted = github.post(plan("staging", change("gateway", INTERRUPTS)), token=github_api.USER_TOKEN)
    assert posted.checks == ("preview site/staging",)
    [status] = github.api.statuses
    assert (status["state"], status["context"]) == ("failure", "preview site/staging")
    assert status["description"] == "1 change: a part is interrupted"


def test_gitlab_gets_a_commit_status(gitlab: GitLabSide) -> None:
    gitlab.post(plan("staging", problem="no such stack"))
    [status] = gitlab.api.statuses
    assert (status["state"], status["description"]) == ("failed", "preview failed: no such stack")
    assert gitlab.api.notes[0]["author"] == gitlab_api.ROBOT


def test_200_kilobytes_fit_and_say_what_was_left_out(github: GitHubSide) -> None:
    small = [change(f"part-{number}", size=2_000) for number in range(200)]
    github.post(plan("staging", change("postgres", DELETES, size=200_000), *small))
    [comment] = github.comments
    assert len(comment["body"]) <= 65_536
    assert "least dangerous of 201 changes are told without what differs and why" in comment["body"]
    rows = [line for line in comment["body"].splitlines() if line.startswith("| `")]
    assert len(rows) == 201
    assert "the volume of Postgres" in rows[0]
    assert "ooo" in rows[0]
    assert "ooo" not in rows[200]


def test_what_cannot_be_told_even_without_detail_is_counted(github: GitHubSide) -> None:
    github.post(plan("staging", *(change(f"part-{number}-{'x' * 150}") for number in range(2_000))))
    [comment] = github.comments
    assert len(comment["body"]) <= 65_536
    assert "least dangerous of 2000 changes are left out" in comment["body"]


def test_a_long_problem_is_told_from_its_end(side: Side) -> None:
    side.post(plan("staging", problem="\n".join(f"line {number}" for number in range(200_000))))
    [comment] = side.comments
    assert "only the end is told" in comment["body"]
    assert "line 199999" in comment["body"]


def test_many_stacks_share_the_comment(github: GitHubSide) -> None:
    for number in range(4):
        effect = DELETES if number == 0 else INTERRUPTS
        parts = [change(f"part-{part}", effect, size=280) for part in range(60)]
        github.post(plan(f"stack-{number}", *parts))
    [comment] = github.comments
    assert len(comment["body"]) <= 65_536
    sections = parse(comment["body"]).sections
    assert len(sections) == 4
    assert "the volume of Postgres" in sections["site/stack%2D0"].text
