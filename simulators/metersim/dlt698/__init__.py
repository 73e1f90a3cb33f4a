"""A DL/T 698.45 meter: what it shows, what it freezes, what it answers, and how it dials in."""

from metersim.dlt698.admission import Limits
from metersim.dlt698.meter import FACTORY_PASSWORD, Answer698, Meter698

__all__ = ["FACTORY_PASSWORD", "Answer698", "Limits", "Meter698"]
