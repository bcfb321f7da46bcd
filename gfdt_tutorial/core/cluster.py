"""Work for several processes or machines: one function mapped over many tasks, here or by the workers of dask.distributed."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import islice

import torch

PACKAGE = "gfdt-tutorial"
PATIENCE = 10  # seconds, for a scheduler to answer and for its first worker to arrive
AHEAD = 2  # tasks under way for each thread of the workers: none waits for work, and few results wait for the caller


@contextmanager
def workers(address: str | None = None) -> Iterator[Callable[[Callable, Iterable], Iterator]]:
    """What maps a function over tasks and gives the results in their order: the built-in map, or, with an address, many processes.

    A task whose worker dies is done again by another; without any worker left it waits for one to come. No more than AHEAD tasks for
    each thread of the workers are under way, so that results do not pile up. On leaving, also by Ctrl-C, what is left is dropped.
    Each task runs on one thread, as their number changes rounding: on processors of one kind, what it gives depends neither on how
    many workers there are nor on which of them does it.

    Args:
        address: of a scheduler, such as "tcp://host:8786". It and its workers run what they are sent: on a network you trust.

    Raises:
        ValueError: dask.distributed is not installed, no scheduler answers there, it has no worker, or another version of this package.
        ConnectionError: the scheduler went away, or a task brought one worker after another down.

    >>> with workers() as run:
    ...     list(run(abs, [-2, 3]))
    [2, 3]
    """
    if address is None:
        yield map
        return
    with _client(address) as client:
        _check_workers(client, address)
        yield partial(_ordered, client)


def _client(address: str):
    try:
        from distributed import Client
        from distributed.comm import get_address_host
    except ImportError:
        raise ValueError("a cluster needs dask.distributed, which is not installed; try: pip install 'gfdt-tutorial[cluster]'") from None
    try:
        get_address_host(address)  # a ValueError if it is no address; a client would leave a thread behind that fails later, and aloud
        return Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError):
        raise ValueError(
            f"no scheduler answers at {address!r}; expected an address such as tcp://host:8786, which `dask scheduler` prints as it starts"
        ) from None


def _check_workers(client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
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


def _ordered(client, function: Callable, tasks: Iterable) -> Iterator:
    from distributed import CancelledError, KilledWorker
    from distributed.comm import CommClosedError

    ahead, under_way = iter(tasks), deque()
    try:
        while True:
            room = AHEAD * max(1, sum(client.nthreads().values())) - len(under_way)
            under_way.extend(client.submit(_on_one_thread, function, task, pure=False) for task in islice(ahead, max(0, room)))
            if not under_way:
                return
            yield under_way.popleft().result()
    except KilledWorker as error:
        raise ConnectionError(f"a task brought one worker after another down; have they enough memory? {error}") from None
    except (CancelledError, CommClosedError):
        raise ConnectionError("the scheduler went away; start it and its workers again") from None


def _on_one_thread(function: Callable, task):
    torch.set_num_threads(1)
    return function(task)
