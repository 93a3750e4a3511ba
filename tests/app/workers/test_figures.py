import pytest
from medianest.workers.figures import state_of


@pytest.mark.parametrize(
    ("healthy", "size", "state"),
    [
        (2, 2, "healthy"),
        (1, 2, "degraded"),
        (0, 2, "unhealthy"),
        (2, 3, "degraded"),
        (1, 3, "unhealthy"),
        (2, 4, "degraded"),
        (1, 4, "unhealthy"),
        (1, 1, "healthy"),
    ],
)
def test_the_state_follows_from_how_many_are_healthy(healthy: int, size: int, state: str) -> None:
    assert state_of(healthy, size) == state
