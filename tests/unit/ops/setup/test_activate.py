from __future__ import annotations

import json
import subprocess

import pytest

from ops.activate import Shell, export_lines

AWKWARD = {
    "PLAIN": "/usr/bin:/bin",
    "SPACES": "a b  c",
    "QUOTES": """it's "quoted" \\ back""",
    "EXPANSION": "$HOME `id` $(id) !x ~ *",
    "LINES": "one\ntwo",
    "EMPTY": "",
}


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_a_posix_shell_gets_the_very_values(shell: str) -> None:
    script = 'eval "$1"; exec python3 -c "import json, os; print(json.dumps(dict(os.environ)))"'
    done = subprocess.run(
        [shell, "-c", script, "-", export_lines(AWKWARD, Shell.POSIX)],
        capture_output=True,
        text=True,
        check=True,
    )
    environ = json.loads(done.stdout)
    assert {name: environ[name] for name in AWKWARD} == AWKWARD


def test_fish_gets_quoted_values_and_a_list_for_path() -> None:
    lines = export_lines({"PATH": "/a b:/c", "NAME": "it's \\ $x"}, Shell.FISH).splitlines()
    assert lines == ["set -gx PATH '/a b' '/c'", "set -gx NAME 'it\\'s \\\\ $x'"]
