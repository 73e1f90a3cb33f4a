"""How models of meters differ from their standard: YAML files, read once into frozen dataclasses."""

from meterprofiles.load import Profiles, generic, load_profile, packaged
from meterprofiles.schema import (
    LineTraits,
    Profile,
    ProfileError,
    Quirk,
    Timing,
)

__all__ = [
    "LineTraits",
    "Profile",
    "ProfileError",
    "Profiles",
    "Quirk",
    "Timing",
    "generic",
    "load_profile",
    "packaged",
]
