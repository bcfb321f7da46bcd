"""Work on several machines: one function mapped over many tasks, by the threads of this process or by the workers of dask.distributed."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch

from gfdt_tutorial.core import threads

if TYPE_CHECKING:
    from distributed import Client, Future

PACKAGE = "gfdt-tutorial"
SCHEDULER_TIMEOUT = 10  # seconds until the scheduler must have answered
WORKER_TIMEOUT = 10  # seconds until the first worker must have registered
AHEAD = 2  # tasks submitted for each thread of the workers: no thread runs out of work, and few results wait for the caller

Task = TypeVar("Task")
Result = TypeVar("Result")


class MapFunction(Protocol):
    """A function such as the built-in `map`: it applies a function to each task and yields the results in their order."""

    def __call__(self, function: Callable[[Task], Result], tasks: Iterable[Task], /) -> Iterator[Result]: ...


@contextmanager
def workers(address: str | None = None, *, device: torch.device = threads.CPU) -> Iterator[MapFunction]:
    """A function that maps another over tasks and yields the results in order: `threads.mapped` or, given an address, many processes.

    If a worker dies, another repeats its task; if none is left, the task waits until one registers. At most AHEAD tasks for each thread
    of the workers are submitted at a time, so that results do not accumulate. When the context ends, also by Ctrl-C, the tasks that
    remain are cancelled. Each task runs on one thread, because the number of threads changes the rounding: on processors of one kind,
    the result depends neither on the number of workers nor on which of them computes it, and it is the one that this process would give.

    Args:
        address: of a scheduler, such as "tcp://host:8786". The scheduler and its workers execute whatever they are sent, so use them
            only on a network that you trust.
        device: on which the tasks run, without an address.

    Raises:
        ValueError: dask.distributed is not installed, no scheduler answers, it has no worker, or their version of this package differs.
        ConnectionError: the connection to the scheduler was lost, or one task brought down several workers.

    >>> with workers() as run:
    ...     list(run(abs, [-2, 3]))
    [2, 3]
    """
    if address is None:
        yield partial(threads.mapped, device=device)
        return
    with _client(address) as client:
        _check_workers(client, address)
        yield partial(_ordered, client)


def _client(address: str) -> "Client":
    try:
        from distributed import Client
        from distributed.comm import get_address_host
    except ImportError:
        raise ValueError("a cluster needs dask.distributed, which is not installed; try: pip install 'gfdt-tutorial[cluster]'") from None
    try:
        get_address_host(
            address
        )  # raises ValueError if it is no address; a client would leave behind a thread that fails later and prints a traceback
        return Client(address, timeout=SCHEDULER_TIMEOUT, set_as_default=False)
    except (OSError, ValueError):
        raise ValueError(
            f"no scheduler answers at {address!r}; expected an address such as tcp://host:8786, which `dask scheduler` prints as it starts"
        ) from None


def _check_workers(client: "Client", address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKER_TIMEOUT)
    except TimeoutError:
        raise ValueError(
            f"the scheduler at {address} has no worker; start one on each machine: dask worker {address} --nworkers -1 --nthreads 1"
        ) from None
    here = version(PACKAGE)
    try:
        there = {client.run_on_scheduler(version, PACKAGE), *client.run(version, PACKAGE).values()}
    except PackageNotFoundError:
        there = {"none"}
    if there != {here}:
        raise ValueError(f"the scheduler and all workers need {PACKAGE} {here}, as it is here; found {', '.join(sorted(there))}")


def _ordered(client: "Client", function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    from distributed import CancelledError, KilledWorker
    from distributed.comm import CommClosedError

    waiting = iter(tasks)
    submitted: deque[Future[Any]] = deque()
    try:
        while True:
            room = AHEAD * max(1, sum(client.nthreads().values())) - len(submitted)
            submitted.extend(client.submit(_on_one_thread, function, task, pure=False) for task in islice(waiting, max(0, room)))
            if not submitted:
                return
            yield submitted.popleft().result()
    except KilledWorker as error:
        raise ConnectionError(f"a task brought one worker after another down; have they enough memory? {error}") from None
    except (CancelledError, CommClosedError):
        raise ConnectionError("the scheduler went away; start it and its workers again") from None


def _on_one_thread(function: Callable[[Task], Result], task: Task) -> Result:
    with threads.one_thread():
        return function(task)
