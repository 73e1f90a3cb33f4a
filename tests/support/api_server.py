"""A program that serves the API over a small plant of its own, for programs that ask it whatever they like.

``python -m tests.support.api_server FOLDER``: prints a line of JSON with its URL and a token for everything.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path

from meterlink.config.web import WebSettings
from meterlink.web.serving import open_api
from tests.support.billing import FIRST_DAY, TOTAL, plant
from tests.support.web import Hands, fill, served

DAYS = [FIRST_DAY + timedelta(days=n) for n in range(3)]


class Running(Hands):
    """Shows the same day for ever, and counts seconds: refusals are answered again after a while."""

    def monotonic_s(self) -> float:
        return time.monotonic()


async def serve(folder: Path) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with plant(folder) as home, served(folder, clock=Running()) as api:
        await fill(home, DAYS)
        settler = home.settler(formats=("csv", "json"))
        await settler.settle(DAYS[0], "", actor="li")
        await home.keep("m1", DAYS[0], {TOTAL: "101.60"})
        await settler.settle(DAYS[0], "", actor="li")
        token = api.token()
        async with open_api(api.app, WebSettings.model_validate({"listen": "127.0.0.1:0"})) as [url]:
            print(json.dumps({"ready": True, "url": url, "token": token}), flush=True)
            await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
