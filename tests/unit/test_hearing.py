"""When a line that hears nothing is opened anew."""

from __future__ import annotations

from meterlink.bus.hearing import DEAF_AFTER_MAX_S, DEAF_AFTER_S, SILENCES_MIN, Hearing


def _silences(hearing: Hearing, *, until_s: float, every_s: float, since_s: float = 0.0) -> list[float]:
    """When it is found deaf."""
    found, now_s = [], since_s
    while now_s < until_s:
        now_s += every_s
        if hearing.is_deaf(now_s):
            found.append(now_s)
            hearing.opened(now_s)
    return found


def test_a_line_is_deaf_after_its_time_and_some_questions() -> None:
    """A connection that died would stay for a quarter of an hour, or be dropped for one silent meter."""
    hearing = Hearing()
    hearing.opened(0)
    assert not hearing.is_deaf(DEAF_AFTER_S - 1)
    assert not hearing.is_deaf(DEAF_AFTER_S), "only the second question"
    assert SILENCES_MIN == 3
    assert hearing.is_deaf(DEAF_AFTER_S)


def test_whatever_is_heard_begins_the_time_anew() -> None:
    """A line on which one meter of many lives would be closed again and again."""
    hearing = Hearing()
    hearing.opened(0)
    for minute in range(60):
        assert [] == _silences(hearing, since_s=60 * minute, until_s=60 * minute + 59, every_s=5)
        hearing.heard(60 * minute + 59)


def test_a_line_without_living_meters_is_opened_less_and_less_often() -> None:
    """A line whose meters are all without power would be dialled every other minute for weeks."""
    hearing = Hearing()
    hearing.opened(0)
    found = _silences(hearing, until_s=24 * 3600, every_s=10)
    assert [DEAF_AFTER_S, 3 * DEAF_AFTER_S, 7 * DEAF_AFTER_S] == found[:3]
    assert DEAF_AFTER_MAX_S == found[-1] - found[-2]
    hearing.heard(found[-1])
    assert found[-1] + DEAF_AFTER_S == _silences(hearing, since_s=found[-1], until_s=1e5, every_s=10)[0]


def test_a_line_of_rubbish_is_given_an_hour() -> None:
    """Somebody who trickles octets would keep a line for ever, or a noisy one would be closed at once."""
    hearing = Hearing()
    hearing.opened(0)
    hearing.noise()
    assert [DEAF_AFTER_MAX_S] == _silences(hearing, until_s=DEAF_AFTER_MAX_S, every_s=10)
    hearing.heard(DEAF_AFTER_MAX_S)
    assert not hearing.is_deaf(DEAF_AFTER_MAX_S + 1)
