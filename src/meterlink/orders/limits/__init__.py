"""How many trips may go, where and when: caps, the trips that count, the calendar."""
