"""All cores of this machine: a function mapped over blocks of work by a pool of threads, each with one intra-op thread of torch.

Torch's own threads divide each operation, which hardly helps fields of a few thousand pixels. Here each thread works on a block of its
own, such as 32 members. The result has the same bits for any number of workers as long as its user keeps four rules:

    the size of a block never depends on the number of workers
    within a block, sums are left to torch, which has one thread there
    sums of several blocks are added in the order of the blocks, in double precision
    each member has its own random generator

Several threads of the user may share the pool. Work that is already inside it, and work on a GPU, runs where it is called.
"""

import ctypes
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import cache, partial
from itertools import islice
from typing import Any, TypeVar

import torch

AHEAD = 2  # tasks submitted for each worker: none runs out of work, and few results wait for the caller
PORTIONS = 32  # of many small tasks
PACKAGE = __name__.partition(".")[0] + "."
CPU = torch.device("cpu")
KEPT = 2**27  # bytes that were freed and stay with the process
LARGEST = 2**25  # bytes; larger tensors are mapped by themselves, and go back to the system when they are freed
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as <malloc.h> numbers them

Task = TypeVar("Task")
Result = TypeVar("Result")

_END = object()

differentiating = threading.RLock()  # to hold around torch.func.jvp and jacfwd: all threads share one level of forward differentiation


class Stopped(Exception):
    """Raised in a task by `stop_if_interrupted` when nobody waits for its result any longer."""


class _Here(threading.local):
    """What a thread knows about itself."""

    inside = False  # whether it belongs to the pool, or acts as if it did
    count: int | None = None  # the number of workers, while `steady` leaves torch one thread
    processors: frozenset[int] = frozenset()  # its own, if it is a worker
    stop: threading.Event | None = None  # set when nobody waits for its task any longer


_here = _Here()


def workers() -> int:
    """The number of workers: GFDT_WORKERS, otherwise the number of threads that torch would use, which OMP_NUM_THREADS limits.

    Raises:
        ValueError: GFDT_WORKERS is not a whole number ≥ 1.
    """
    given = os.environ.get("GFDT_WORKERS", "").strip()
    if not given:
        return torch.get_num_threads() if _here.count is None else _here.count
    if not (given.isdecimal() and int(given) >= 1):
        raise ValueError(f"GFDT_WORKERS is {given!r}; expected a whole number ≥ 1, or leave it unset to use all cores")
    return int(given)


def mapped(function: Callable[[Task], Result], tasks: Iterable[Task], *, device: torch.device = CPU) -> Iterator[Result]:
    """The results of a function for each task, in the order of the tasks; as the built-in `map`, computed by the pool.

    If a task fails, or the caller leaves the iterator (also by Ctrl-C), tasks that have not begun are dropped, and those that run are
    waited for: they end at their next `stop_if_interrupted`. Tasks inherit the caller's gradient mode.

    Args:
        device: on which the tasks run; a device other than the CPU serves one thread.

    >>> list(mapped(abs, [-2, 3]))
    [2, 3]
    """
    count = workers()
    alone = isinstance(tasks, Sized) and len(tasks) == 1 and torch.get_num_threads() == 1
    if _here.inside or alone or device.type != "cpu":
        yield from map(function, tasks)
        return
    waiting, submitted = iter(tasks), deque[Future[Result]]()
    pool, stop = _pool(count), threading.Event()
    work = partial(_work, function, stop, submitted, torch.is_grad_enabled(), torch.is_inference_mode_enabled())
    try:
        while True:
            submitted.extend(pool.submit(work, task) for task in islice(waiting, AHEAD * count - len(submitted)))
            if not submitted:
                return
            if len(submitted) < AHEAD * count:  # the last ones: waiting for all of them takes Python's lock once, instead of for each
                wait(submitted, return_when=FIRST_EXCEPTION)
            result = submitted[0].result()
            submitted.popleft()
            yield result
    finally:
        stop.set()
        for future in submitted:
            future.cancel()
        wait(submitted)


def mapped_in_portions(function: Callable[[Task], Result], tasks: Iterable[Task], *, device: torch.device = CPU) -> Iterator[Result]:
    """As `mapped`, for tasks that may be many and short: a worker takes several at a time, because each hand-over costs as much as many
    operations.

    >>> sum(mapped_in_portions(abs, range(-1000, 0)))
    500500
    """
    every = list(tasks)
    size = max(1, -(-len(every) // PORTIONS))
    portions = [every[first : first + size] for first in range(0, len(every), size)]
    for results in mapped(lambda portion: [function(task) for task in portion], portions, device=device):
        yield from results


def side_by_side(iterators: Iterable[Iterator[Result]], *, device: torch.device = CPU) -> Iterator[list[Result]]:
    """The items of several iterators of one length, as `zip` gives them; the pool computes the next item of each.

    >>> list(side_by_side([iter([1, 2]), iter([3, 4])]))
    [[1, 3], [2, 4]]
    """
    together = list(iterators)
    while True:
        items = list(mapped(_next, together, device=device))
        if not items or any(item is _END for item in items):
            return
        yield items


def in_turn(function: Callable[..., Result]) -> Callable[..., Result]:
    """A function for one thread at a time: its author need not have thought of threads. A function of this package is returned unchanged.

    >>> in_turn(abs)(-2)
    2
    """
    if (getattr(function, "__module__", None) or "").startswith(PACKAGE):
        return function

    def alone(*arguments: Any, **options: Any) -> Result:
        with differentiating, _inside():  # a map within the function stays in this thread: a worker could wait for the lock held here
            return function(*arguments, **options)

    return alone


def stop_if_interrupted() -> None:
    """Called by long tasks between two steps.

    Raises:
        Stopped: this thread works for a map that was left; nobody sees the exception.
    """
    if _here.stop is not None and _here.stop.is_set():
        raise Stopped


@contextmanager
def steady() -> Iterator[None]:
    """Outside the pool, torch has one thread in this context; also a decorator.

    Sums that are not worth dividing into blocks are then rounded alike on all machines of one kind, and torch's own threads, which go on
    spinning for some milliseconds after each operation, take no processor from the workers.
    """
    _keep_freed_memory()
    if torch.get_num_threads() == 1:
        yield
        return
    before, count = torch.get_num_threads(), _here.count
    _here.count = workers()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        _here.count = count
        torch.set_num_threads(before)


@contextmanager
def one_thread() -> Iterator[None]:
    """Everything in this context runs on the calling thread alone, as within a worker: torch has one thread, and `mapped` is `map`."""
    with steady(), _inside():
        yield


@contextmanager
def _inside() -> Iterator[None]:
    """For this context, the thread counts as a worker."""
    before, _here.inside = _here.inside, True
    try:
        yield
    finally:
        _here.inside = before


def _next(iterator: Iterator[Result]) -> Any:
    return next(iterator, _END)


def _work(
    function: Callable[[Task], Result], stop: threading.Event, submitted: deque[Future[Result]], grad: bool, inference: bool, task: Task
) -> Result:
    if stop.is_set():
        raise Stopped
    _here.stop = stop
    with _on_own_processors(len(submitted) > 1), torch.inference_mode(inference), torch.set_grad_enabled(grad):
        return function(task)


@contextmanager
def _on_own_processors(several: bool) -> Iterator[None]:
    """Keep a worker on its own processors while several work.

    The workers hand Python's lock to each other at every operation. If Linux wakes one on the processor of the other, as it likes to, both
    share that processor for a while: two workers then run 1.5 instead of 1.8 times as fast as one.
    """
    if not several or not _here.processors:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, _here.processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


_pools: dict[int, ThreadPoolExecutor] = {}
_lock = threading.Lock()


def _pool(count: int) -> ThreadPoolExecutor:
    with _lock:
        if count not in _pools:
            _pools[count] = _started(count)
        return _pools[count]


@cache
def _keep_freed_memory() -> None:
    """Ask the C library, where it is GNU's, to keep up to KEPT bytes that were freed.

    Otherwise it returns the memory of every large tensor to the system and has each page zeroed again for the next one, one worker at a
    time: averaging a response is then 1.2 instead of 1.8 times as fast on two workers, and a step of the flow takes a quarter longer.
    """
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, LARGEST)
        mallopt(M_TRIM_THRESHOLD, KEPT)


def _started(count: int) -> ThreadPoolExecutor:
    """A pool whose threads have all begun.

    torch.set_num_threads counts for the thread that calls it and for all that begin later; once the workers run, the latter is undone.
    """
    _keep_freed_memory()
    threads, numbers = torch.get_num_threads(), iter(range(count))
    processors = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    shared = len(processors) < count or count == 1
    groups = [frozenset[int]() if shared else frozenset(processors[number::count]) for number in range(count)]
    ready = threading.Barrier(count + 1)

    def begin() -> None:
        torch.get_num_threads()  # makes this thread take the common number now: later it would overwrite its own
        torch.set_num_threads(1)
        _here.inside, _here.processors = True, groups[next(numbers)]
        ready.wait()

    pool = ThreadPoolExecutor(count, thread_name_prefix="gfdt", initializer=begin)
    for _ in range(count):
        pool.submit(int)
    ready.wait()
    torch.set_num_threads(threads)
    return pool


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)  # a forked process has none of the threads
