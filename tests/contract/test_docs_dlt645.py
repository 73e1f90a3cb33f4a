"""Generated pages say what the code says."""

from __future__ import annotations

from docs.generate_dlt645 import PAGE, page


def test_the_page_on_dlt645_is_up_to_date() -> None:
    """The page would promise what the code no longer does; run `python -m docs.generate_dlt645`."""
    assert page() == PAGE.read_text(encoding="utf-8")
