"""Which profile serves which meter, by what the configuration says of it."""

from __future__ import annotations

from pathlib import Path

from meterlink.errors import ConfigError
from meterprofiles import Profile, ProfileError, Profiles, chosen, with_folder


class MeterProfiles:
    """The profiles that come with us, and those of a folder.

    Args:
        folder: of the users' own; ``None``: none.

    Raises:
        ConfigError: a profile is wrong, or two claim one meter; the message says file, line and remedy.

    """

    def __init__(self, folder: Path | None = None) -> None:
        try:
            self._profiles: Profiles = with_folder(folder.expanduser() if folder else None)
        except ProfileError as error:
            raise ConfigError(str(error), error.zh) from None
        self._found: dict[tuple[str, str], Profile] = {}

    def find(self, protocol: str, model: str = "") -> Profile:
        """The profile of a meter.

        Raises:
            ConfigError: none serves it, or several do.

        """
        if (protocol, model) not in self._found:  # a plant has thousands of meters of few models
            try:
                self._found[protocol, model] = self._profiles.find(protocol, model)
            except ProfileError as error:
                raise ConfigError(str(error), error.zh) from None
        return self._found[protocol, model]

    def chosen(self, text: str) -> Profile:
        """The profile that a person names, or whose file.

        Raises:
            ConfigError: there is none, or it is wrong.

        """
        try:
            return chosen(text, self._profiles)
        except ProfileError as error:
            raise ConfigError(str(error), error.zh) from None
