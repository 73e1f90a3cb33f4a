"""How models of meters differ from their standard: YAML files, read once into frozen dataclasses."""

from meterprofiles.load import Profiles, chosen, generic, load_file, load_profile, packaged, with_folder
from meterprofiles.schema import (
    AssociationTraits,
    ControlTraits,
    LineTraits,
    Profile,
    ProfileError,
    Quirk,
    ReadTraits,
    Timing,
)

__all__ = [
    "AssociationTraits",
    "ControlTraits",
    "LineTraits",
    "Profile",
    "ProfileError",
    "Profiles",
    "Quirk",
    "ReadTraits",
    "Timing",
    "chosen",
    "generic",
    "load_file",
    "load_profile",
    "packaged",
    "with_folder",
]
