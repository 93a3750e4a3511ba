import pytest


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """With more than one worker, so that pictures are processed beside each other."""
    return environment | {"WORKERS": "2"}
