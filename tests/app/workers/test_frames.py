import pytest
from hypothesis import given
from hypothesis import strategies as st
from medianest.workers.frames import LARGEST, Decoder, FrameError, encode

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.lists(st.dictionaries(st.text(), _VALUES, max_size=4), max_size=4), st.integers(1, 64))
def test_documents_arrive_as_they_were_sent_in_whatever_pieces(documents: list[object], size: int) -> None:
    sent = b"".join(encode(document) for document in documents)  # type: ignore[arg-type]
    decoder = Decoder()
    arrived = [
        document
        for start in range(0, len(sent), size)
        for document in decoder.feed(sent[start : start + size])
    ]
    assert arrived == documents


def test_a_document_has_a_largest_size() -> None:
    room = LARGEST - len('{"key":""}')
    largest = encode({"key": "x" * room})
    assert Decoder().feed(largest) == [{"key": "x" * room}]
    with pytest.raises(FrameError):
        encode({"key": "x" * (room + 1)})
    with pytest.raises(FrameError):
        Decoder().feed((LARGEST + 1).to_bytes(4, "big"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"bytes", "\ud800"])
def test_what_json_cannot_express_is_not_sent(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        encode({"key": value})  # type: ignore[dict-item]


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"1", b"\xff", b"[" * 100_000])
def test_what_is_not_a_document_is_refused(body: bytes) -> None:
    with pytest.raises(FrameError):
        Decoder().feed(len(body).to_bytes(4, "big") + body)


@given(st.binary(max_size=64))
def test_garbage_is_refused_or_waited_for(data: bytes) -> None:
    try:
        found = Decoder().feed(data)
    except FrameError:
        return
    assert all(isinstance(document, dict) for document in found)
