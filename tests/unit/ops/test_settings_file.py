from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops import settings_file
from ops.errors import OperationError
from ops.settings_file import Block, with_block, without_block

BLOCK = Block("medianest:pin", "pinned", "by a test")
BEGIN, END = BLOCK.begin, BLOCK.end
# Digits that YAML would read as a number, an accent, a quote and a brace: all have to come back as they are.
PIN: dict[str, Any] = {
    "release": "12345678e901",
    "since": "2026-11-24 11:22:53",
    "image": {"name": "medianest/backend:s-0", "id": f"sha256:{'0' * 64}"},
    "settings": {"environment": {"GREETING": 'é "} #'}, "port": 8080, "command": None, "volumes": []},
}
FILES = {
    "comments everywhere": """\
# What staging is made of.
config:  # the settings
  # how many
  medianest:backend:
    replicas: 2   # two, so that a restart drops nothing
  # the port

  medianest:gateway: {port: 3000}
# the end
""",
    "keys after it": "config:\n    medianest:gateway:\n        port: 3000\nencryptionsalt: v1:abc=:v1:def\n",
    "keys before it": "encryptionsalt: v1:abc\nconfig:\n  a: 1\n",
    "not indented under its key": "config:\n  medianest:backend:\n    environment:\n      config: x\n",
    "windows line ends": "config:\r\n  # a\r\n  a: 1\r\n",
    "no line end at the end": "config:\n  a: 1",
    "a comment and no line end": "config:\n  a: 1\n# end",
    "braces": "config: {a: 1, b: {c: 2}}\n",
    "braces over lines": "config: {\n  a: 1,\n  b: 2\n}\n",
    "empty braces": "config: {}\n",
    "no value": "config:\n",
    "no value and no line end": "config:",
    "no value and a comment": "config:   # nothing yet\n# end\n",
    "no config": "encryptionsalt: v1:abc\n",
    "no config behind a comment": "# salt\nencryptionsalt: v1:abc\n",
    "empty": "",
    "a comment only": "# nothing yet",
    "a document's start": "---\n# hello\nconfig:\n  a: 1\n",
    "a document's start and nothing": "---\n# hello\n",
    "a document's end": "config:\n  a: 1\n...\n",
    "json": '{"config": {"a": {"b": [1, 2]}}, "encryptionsalt": "v1:abc"}\n',
    "json without config": '{"encryptionsalt": "v1:abc"}\n',
    "an anchor": "config: &all\n  a: &one {b: 1}\n  c: *one\n",
    "an anchor on its own line": "config:\n  &all\n  a: 1\n",
    "a text over lines": "config:\n  a: |\n    config:\n      # >>> no mark\n  b: >-\n    two\n    lines\n",
    "a quoted key": "\"config\":\n  'a': 1\n",
    "characters of several bytes": "# ünïcödé €\nconfig:\n  # 日本\n  a: é\n",
    "the name in a comment": "# config:\n#   medianest:pin: none\nconfig:\n  a: 1\n",
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_the_pin_comes_and_goes_and_every_byte_stays(text: str) -> None:
    before = yaml.safe_load(text) or {}
    pinned = with_block(text, BLOCK, PIN)
    after = yaml.safe_load(pinned)
    assert after["config"][BLOCK.key] == PIN
    assert {**after, "config": {**after["config"], BLOCK.key: None}} == {
        **before,
        "config": {**(before.get("config") or {}), BLOCK.key: None},
    }
    bare = without_block(pinned, BLOCK)
    assert bare in (text, f"{text}\n")
    assert text.endswith("\n") or bare.startswith(text)


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_another_pin_takes_the_place_of_the_first(text: str) -> None:
    first = with_block(text, BLOCK, {**PIN, "release": "000000000000"})
    again = with_block(first, BLOCK, PIN)
    assert again in (with_block(text, BLOCK, PIN), with_block(f"{text}\n", BLOCK, PIN))
    assert again.count(BEGIN) == again.count(END) == 1


def test_a_file_without_a_pin_is_left_as_it_is() -> None:
    assert without_block(FILES["comments everywhere"], BLOCK) == FILES["comments everywhere"]


@pytest.mark.parametrize(
    "text",
    [
        "config:\n  medianest:pin:\n    release: x\n    settings:\n      a: 1\n  a: 1\n",
        "config:\n  a: 1\n  medianest:pin: {release: x}\n",
        "config:\n  a: 1\n  medianest:pin:\n    release: x\nencryptionsalt: v1\n",
        f"config:\n  {BEGIN}\n  medianest:pin: {{release: x}}\n  a: 1\n  {END}\n",
    ],
)
def test_a_pin_whose_marks_are_lost_goes_too(text: str) -> None:
    """Pulumi's own `config set` writes the file anew, and moves comments as it likes."""
    bare = yaml.safe_load(without_block(text, BLOCK))
    assert bare["config"] == {"a": 1}
    assert ("encryptionsalt" in text) == ("encryptionsalt" in bare)


@pytest.mark.parametrize("text", ["config: [1]\n", "- 1\n", "config: {a\n", "config: &a {}\nother: *a\n  x"])
def test_what_cannot_be_understood_is_refused(text: str) -> None:
    with pytest.raises(OperationError):
        with_block(text, BLOCK, PIN)


def test_a_file_is_replaced_in_one_step_with_its_mode_and_through_its_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "Pulumi.s.yaml"
    real.write_text("old\n")
    real.chmod(0o640)
    link.symlink_to(real)
    inode = real.stat().st_ino
    settings_file.write(link, "new\r\n")
    assert link.is_symlink()
    assert real.read_bytes() == b"new\r\n"
    assert real.stat().st_mode & 0o777 == 0o640
    assert real.stat().st_ino != inode


def test_a_write_that_fails_leaves_the_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "Pulumi.s.yaml"
    path.write_text("old\n")

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        settings_file.write(path, "new\n")
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]
