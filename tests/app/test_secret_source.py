from pathlib import Path

import pytest
from medianest.secret_source import SecretSource, UnreadableSecretError


def test_a_file_wins_over_a_variable(tmp_path: Path) -> None:
    file = tmp_path / "jwt_secret"
    file.write_text("from the file")
    source = SecretSource({"JWT_SECRET_FILE": str(file), "JWT_SECRET": "from the variable"})
    assert source.read("jwt_secret") == "from the file"


def test_a_variable_serves_where_no_file_is_named() -> None:
    assert SecretSource({"JWT_SECRET": "from the variable"}).read("jwt_secret") == "from the variable"


@pytest.mark.parametrize(
    ("content", "value"),
    [("text", "text"), ("text\n", "text"), ("text\n\n", "text\n"), (" text \r\n", " text "), ("\n", None)],
)
def test_one_trailing_newline_is_stripped(tmp_path: Path, content: str, value: str | None) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content.encode())
    assert SecretSource({"NAME_FILE": str(file)}).read("name") == value


def test_a_file_that_is_not_there_yet_is_no_secret(tmp_path: Path) -> None:
    source = SecretSource({"NAME_FILE": str(tmp_path / "later"), "NAME": "from the variable"})
    assert source.read("name") is None


def test_the_former_value_lies_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "jwt_secret_previous").write_text("former")
    source = SecretSource({"JWT_SECRET_FILE": str(tmp_path / "jwt_secret")})
    assert source.read("jwt_secret_previous") == "former"


def test_a_file_that_cannot_be_read_is_named_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xffsecret")
    source = SecretSource({"A_FILE": str(tmp_path / "binary"), "B_FILE": str(tmp_path)})
    with pytest.raises(UnreadableSecretError, match=r"^secret a: .*/binary is not UTF-8 text$"):
        source.read("a")
    with pytest.raises(UnreadableSecretError, match=r"^secret b: cannot read .*: Is a directory$"):
        source.read("b")
