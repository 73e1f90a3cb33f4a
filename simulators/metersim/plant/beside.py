"""A task beside somebody's block, which ends with it; what the block raises comes out as it was raised."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def beside(
    work: Coroutine[Any, Any, object], *, name: str, ending: Callable[[], object] | None = None
) -> AsyncIterator[None]:
    """Run ``work`` as a task as long as the block runs.

    Args:
        work: what runs beside.
        name: of the task.
        ending: called at the end of the block, so that the task ends by itself; ``None``: it is cancelled.

    Raises:
        ExceptionGroup: the task failed, and the block did not.
        Exception: what the block raised, in no group.

    """
    __tracebackhide__ = True  # pytest shows where the block failed, not how it got there
    failure: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work, name=name)
            try:
                yield
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001  # raised below, where no task group wraps it
                failure = error
            finally:
                (ending or task.cancel)()
    except BaseExceptionGroup as error:
        if failure is None:
            raise
        raise failure from error
    if failure is not None:
        raise failure
