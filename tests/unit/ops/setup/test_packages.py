from __future__ import annotations

from pathlib import Path

import pytest

from ops.setup.packages import install_command, is_debian, read_system


@pytest.mark.parametrize(
    ("os_release", "debian"),
    [
        ('PRETTY_NAME="Debian"\nID=debian\n', True),
        ("ID=ubuntu\nID_LIKE=debian\n", True),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', True),
        ("ID=fedora\n", False),
        ('ID="rhel"\nID_LIKE="fedora"\n', False),
        ("", False),
    ],
)
def test_debian_and_what_is_like_it(os_release: str, debian: bool) -> None:
    assert is_debian(os_release) is debian


def test_the_system_is_read_from_its_files(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "os-release").write_text("ID=debian\n")
    assert (read_system(tmp_path).debian, read_system(tmp_path).systemd) == (True, False)
    (tmp_path / "run" / "systemd" / "system").mkdir(parents=True)
    assert read_system(tmp_path).systemd
    assert not read_system(tmp_path / "nothing").debian


def test_the_command_for_people_updates_first() -> None:
    assert install_command(["a", "b"]) == (
        "sudo apt-get update && sudo apt-get install -y --no-install-recommends a b"
    )
