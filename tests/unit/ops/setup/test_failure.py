from __future__ import annotations

import pytest

from ops.setup.failure import DEBIAN_PACKAGES, GO_MODULES, PYTHON_PACKAGES, Source, explain


@pytest.mark.parametrize(
    ("tail", "source"),
    [
        ("dial tcp: lookup proxy: no such host", GO_MODULES),
        ("Get https://x: dial tcp 10.0.0.1:443: i/o timeout", GO_MODULES),
        ("proxyconnect tcp: EOF", GO_MODULES),
        ("E: Failed to fetch http://x  Temporary failure resolving 'x'", DEBIAN_PACKAGES),
        ("error: Failed to fetch: error sending request for url", PYTHON_PACKAGES),
        ("x509: certificate signed by unknown authority", GO_MODULES),
    ],
)
def test_a_network_failure_names_the_host_kind_and_its_settings(tail: str, source: Source) -> None:
    error = explain("Building", f"some\nlines\n{tail}\nmore", source)
    assert error.message == f"Building failed: {source.name} cannot be reached"
    assert source.settings in error.hint
    assert "carries on" in error.hint


def test_a_full_disk_is_named() -> None:
    error = explain("Building", "write: no space left on device", GO_MODULES)
    assert error.message == "Building failed: the disk is full"


def test_another_failure_shows_the_last_thing_that_was_said() -> None:
    assert (
        explain("Building", "first\nsyntax error\n\n", GO_MODULES).message == "Building failed: syntax error"
    )
    assert explain("Building", "", GO_MODULES).message == "Building failed"
