from medianest.lifecycle import Lifecycle, Phase


def test_the_phase_goes_forward() -> None:
    lifecycle = Lifecycle()
    phases = [lifecycle.phase]
    lifecycle.serve()
    phases.append(lifecycle.phase)
    lifecycle.drain()
    phases.append(lifecycle.phase)
    assert phases == [Phase.STARTING, Phase.SERVING, Phase.DRAINING]


def test_a_process_told_to_stop_while_it_starts_does_not_begin_to_serve() -> None:
    lifecycle = Lifecycle()
    lifecycle.drain()
    lifecycle.serve()
    assert lifecycle.phase is Phase.DRAINING


def test_whoever_asked_is_told_once_that_the_end_begins() -> None:
    lifecycle, told = Lifecycle(), []
    lifecycle.when_draining(lambda: told.append("jobs"))
    lifecycle.serve()
    assert told == []
    lifecycle.drain()
    lifecycle.drain()
    assert told == ["jobs"]
