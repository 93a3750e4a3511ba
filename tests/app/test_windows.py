from medianest.windows import Windows


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_count_begins_with_the_first_event_and_ends_with_its_window() -> None:
    clock = Clock()
    windows = Windows(10, clock)
    assert windows.look("key") == (0, 0.0)
    windows.add("key", 60)
    clock.now += 40
    windows.add("key", 60)
    assert windows.look("key") == (2, 20.0)
    clock.now += 20
    assert windows.look("key") == (0, 0.0)
    windows.add("key", 60)
    assert windows.look("key") == (1, 60.0)


def test_a_count_can_begin_anew() -> None:
    windows = Windows(10, Clock())
    windows.add("key", 60)
    windows.remove("key")
    windows.remove("key")
    assert windows.look("key") == (0, 0.0)


def test_of_too_many_the_least_recently_used_is_forgotten() -> None:
    windows = Windows(3, Clock())
    for key in ("a", "b", "c", "a", "d"):
        windows.add(key, 60)
    assert len(windows) == 3
    assert [windows.look(key)[0] for key in "abcd"] == [2, 0, 1, 1]
