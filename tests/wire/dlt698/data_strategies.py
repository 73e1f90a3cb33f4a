"""Any ``Data`` at all, for tests of what reads it."""

from __future__ import annotations

from hypothesis import strategies as st

from meterwire.dlt698.axdr.selection import Oad, Ti, Tsa
from meterwire.dlt698.axdr.values import NULL, BitString, Data, DateTimeS

_LEAVES: st.SearchStrategy[Data] = st.one_of(
    st.just(NULL),
    st.booleans().map(lambda value: Data("bool", value)),
    st.integers(-(2**31), 2**31 - 1).map(lambda value: Data("double-long", value)),
    st.integers(0, 2**64 - 1).map(lambda value: Data("long64-unsigned", value)),
    st.integers(0, 255).map(lambda value: Data("enum", value)),
    st.floats(width=32).map(lambda value: Data("float32", value)),
    st.binary(max_size=9).map(lambda value: Data("octet-string", value)),
    st.text(st.characters(max_codepoint=127), max_size=9).map(lambda value: Data("visible-string", value)),
    st.text("01", max_size=20).map(lambda value: Data("bit-string", BitString.of(value))),
    st.tuples(st.integers(0, 65535), *[st.integers(0, 255)] * 5).map(
        lambda value: Data("date_time_s", DateTimeS(*value))
    ),
    st.tuples(st.integers(0, 65535), st.integers(0, 255), st.integers(0, 255)).map(
        lambda value: Data("OAD", Oad(*value))
    ),
    st.binary(max_size=9).map(lambda value: Data("TSA", Tsa(value))),
    st.tuples(st.integers(0, 255), st.integers(0, 65535)).map(lambda value: Data("TI", Ti(*value))),
)


def datas() -> st.SearchStrategy[Data]:
    """Simple values, arrays and structures, some deep."""
    return st.recursive(
        _LEAVES,
        lambda inner: st.lists(inner, max_size=6).flatmap(
            lambda values: st.sampled_from([Data("array", tuple(values)), Data("structure", tuple(values))])
        ),
        max_leaves=20,
    )
