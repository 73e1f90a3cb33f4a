"""Plants for other people's tests: made, asked and changed from a test, and gone with it.

The pytest plugin gives them as fixtures; these are the types that its users name. A plant for clients that
open ports lives in a thread of its own, for three reasons. A test that blocks, or whose event loop is busy,
does not keep the meters from answering. A meter can be asked what it obeyed without a second protocol that
could fail in its own ways. And nothing is left behind: no process, no port, whatever becomes of the test run.
"""

from __future__ import annotations

from metersim.testing.maker import PlantMaker
from metersim.testing.meters import Fault, RunningMeter
from metersim.testing.plants import RunningPlant, SimulatedPlant
from metersim.testing.thread import PlantEnded

__all__ = ["Fault", "PlantEnded", "PlantMaker", "RunningMeter", "RunningPlant", "SimulatedPlant"]
