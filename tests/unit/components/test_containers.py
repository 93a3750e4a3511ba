from __future__ import annotations

import pytest

from components.containers import decimal, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "500ms"),
        (1, "1s"),
        (1.5, "1.5s"),
        (60, "1m0s"),
        (90, "1m30s"),
        (3600, "1h0m0s"),
        (3725, "1h2m5s"),
    ],
)
def test_a_duration_has_the_form_that_the_engine_gives_back(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("cores", "text"), [(0.1, "0.1"), (0.5, "0.5"), (1, "1.0"), (2.3, "2.3"), (10, "10."), (12.5, "12.5")]
)
def test_cores_have_the_form_that_the_provider_reads_back(cores: float, text: str) -> None:
    assert decimal(cores) == text
