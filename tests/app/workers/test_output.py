import asyncio
import os

from medianest.workers.output import Output

from workers.pools import Held


async def test_the_last_lines_are_told_once() -> None:
    before = Held.now()
    output = Output()
    os.write(output.writer, b"first\nsecond\n")
    assert output.lines() == ["first", "second"]
    assert output.lines() == []
    os.write(output.writer, b"\xff third")
    output.close()
    assert output.lines() == ["\ufffd third"]
    output.close()
    assert Held.now() == before


async def test_much_output_holds_nobody_up_and_is_forgotten() -> None:
    output = Output()

    def write() -> None:
        for number in range(20_000):
            os.write(output.writer, b"line %d with some more text to fill it\n" % number)

    async with asyncio.timeout(10):
        await asyncio.to_thread(write)
    lines = output.lines()
    assert lines[-1].startswith("line 19999 ")
    assert len(lines) <= 30
    output.close()


async def test_the_end_of_the_other_side_is_the_end() -> None:
    before = Held.now()
    output = Output()
    os.write(output.writer, b"bye")
    output.close_writer()
    async with asyncio.timeout(5):
        while Held.now() != before:
            await asyncio.sleep(0.01)
    assert output.lines() == ["bye"]
    output.close()
