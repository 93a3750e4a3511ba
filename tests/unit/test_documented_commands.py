"""Documents show commands that there are, and the pages that are made are those that would be made now."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from components.settings import COMPONENT_KEYS, SERVICE_SECRETS, TEAM_SECRETS, load
from documentation.commands import commands as all_commands
from documentation.pages import pages
from ops.__main__ import main
from tests.harness.documents import DOCUMENTS, ROOT, commands, inline, parse

SHOWN = [(path, shown) for path in DOCUMENTS for shown in commands(path)]


def test_the_pages_that_are_made_are_those_that_would_be_made_now() -> None:
    for path, text in pages().items():
        assert (ROOT / path).read_text() == text, f"{path}: run python -m documentation"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_it_shows_are_understood(document: Path) -> None:
    for shown in commands(document):
        try:
            parse(shown.words, shown.whole)
        except Exception as error:
            raise AssertionError(f"{shown.text}: {error}") from error


def test_a_command_that_there_is_not_would_be_found() -> None:
    for words in (
        ("up", "--nothing"),
        ("upp",),
        ("env", "pu"),
        ("backup", "list"),
        ("soak", "memory", "s", "--minutes", "x"),
    ):
        with pytest.raises(Exception, match=r"."):
            parse(words)


def test_every_command_is_shown_outside_of_its_reference() -> None:
    told = {
        " ".join(shown.words[:size])
        for path, shown in SHOWN
        if path.parent.name != "reference"
        for size in (1, 2)
    }
    # `backup STACK` stands for it.
    assert {command.name for command in all_commands()} - {"backup make"} <= told


WITHOUT_A_STACK = ("list", "env schedule", "completion")


@pytest.fixture
def nobodys_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)


@pytest.mark.usefixtures("nobodys_state")
def test_what_needs_no_stack_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runnable = {
        shown.words
        for _, shown in SHOWN
        if shown.whole
        and " ".join(shown.words).startswith(WITHOUT_A_STACK)
        and "--install" not in shown.words
    }
    assert {" ".join(words[:size]) for words in runnable for size in (1, 2)} >= set(WITHOUT_A_STACK)
    for words in runnable:
        assert ended(*words) == 0, (words, capsys.readouterr().err)
        assert capsys.readouterr().out


def ended(*words: str) -> int:
    """The exit code of a command, whichever way it ends."""
    try:
        return main([*words])
    except SystemExit as end:
        return int(end.code or 0)


def settings_that_there_are() -> set[str]:
    """Names of settings and of groups of them, as documents write them: with their component."""
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    return {
        path.rstrip(":") for path in re.findall(r"^\| `([\w.\[\]]+:?)` ", page, re.MULTILINE)
    } | COMPONENT_KEYS


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_settings_it_names_are_there(document: Path) -> None:
    known, text = settings_that_there_are(), document.read_text()
    for code in inline(text):
        if re.fullmatch(rf"({'|'.join(COMPONENT_KEYS)})(\.[a-z_]+)+", code):
            assert code in known, code
        for key in re.findall(r"^medianest:([a-z_]+)(?:: |$)", code):
            assert key in COMPONENT_KEYS | TEAM_SECRETS | SERVICE_SECRETS.keys(), code


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_settings_that_it_shows_are_valid(document: Path) -> None:
    for block in re.findall(r"^```yaml\n(config:\n.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL):
        load("medianest", yaml.safe_load(block)["config"], ())


def messages() -> Iterator[str]:
    """Every text of the command line's and of the settings', with dots where a value goes."""
    for room in ("ops", "components"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    yield "".join(
                        str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
                    )
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def test_the_symptoms_of_the_troubleshooting_guide_are_words_of_ours() -> None:
    guide = (ROOT / "docs" / "guides" / "troubleshooting.md").read_text()
    symptoms = [
        symptom
        for row in re.findall(r"^\| ([^|]*) \|", guide, re.MULTILINE)
        for symptom in inline(row)
        if " " in symptom
    ]
    assert len(symptoms) > 30
    known = list(messages())
    for symptom in symptoms:
        pattern = re.compile(".*".join(re.escape(part.strip()) for part in symptom.split("…")), re.DOTALL)
        assert any(pattern.search(message) for message in known), symptom
