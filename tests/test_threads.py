"""All cores: the same bits with any number of workers, errors and interrupts that reach the caller, and nothing left running."""

import contextlib
import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import count, islice

import pytest
import torch

from gfdt_tutorial import (
    AllenCahn,
    DivergedError,
    GaussianScore,
    NavierStokes,
    OrnsteinUhlenbeck,
    PeriodicGrid,
    exact_response,
    fit_score,
    kick_pattern,
    kubo,
    observables,
    perturb,
    respond,
    run,
    sensitivities,
    simulate,
)
from gfdt_tutorial.core import threads
from gfdt_tutorial.responses.changed_ensemble import ChangedEnsemble
from gfdt_tutorial.responses.forced_ensemble import ForcedEnsemble
from gfdt_tutorial.responses.theorem import along
from gfdt_tutorial.scores.budgets import Budget
from gfdt_tutorial.systems.simulate import VALUES, member_blocks

SMALL = PeriodicGrid((16, 16))
WORKERS = (1, 2, 3, 4)


@lru_cache
def series(kind=OrnsteinUhlenbeck, members=12):
    return simulate(kind(grid=SMALL), members=members, duration=24.0, spinup=1.0, device="cpu")


def tensors(response):
    return response.values, response.standard_error


def simulated(kind, **options):
    grid = PeriodicGrid((32, 64))  # 16 members in a block
    found = simulate(kind(grid=grid), members=40, duration=2.0, every=0.25, spinup=0.5, device="cpu", **options)
    return (found.u,) if found.context is None else (found.u, found.context)


def fitted(kind):
    budget = Budget(steps=3, pairs=160, width=4, noise="data", kernels=(3,))
    score = fit_score(series(kind), budget=budget, device="cpu")
    return score.correction, *score.network.state_dict().values(), score(series(kind).u)


def of_sensitivities():
    system = AllenCahn(grid=SMALL)
    changes = {name: system.drift_derivative(name) for name in ("alpha", "kappa")}
    found = sensitivities(series(AllenCahn), system.score, observables.spectrum(SMALL), changes, lags=4.0, form="controlled")
    return tensors(found["alpha"]) + tensors(found["kappa"])


def of_kubo():
    system = OrnsteinUhlenbeck(grid=SMALL)
    return tensors(kubo(series(), observables.moment(SMALL, 2), {"lam": system.potential("lam")}, lags=4.0)["lam"])


def forced():
    system, pattern = OrnsteinUhlenbeck(grid=PeriodicGrid((32, 64))), kick_pattern(PeriodicGrid((32, 64)), "bump")
    with threads.steady():
        linear = exact_response(system, lags=3.0).to(pattern)
    ensemble = run(ForcedEnsemble(system, pattern, linear, members=20, device="cpu"))
    return ensemble.responses, torch.tensor([ensemble.gain.value, ensemble.departure.value])


def changed():
    system = AllenCahn(grid=PeriodicGrid((32, 64)))
    options = {"lags": 1.0, "every": 0.5, "members": 20, "spinup": 0.5, "device": "cpu"}
    return tensors(run(ChangedEnsemble(system, system.changed(alpha=15.0), observables.moment(system.grid, 2), **options)).response())


WORK = {
    "simulate, Ornstein-Uhlenbeck": lambda: simulated(OrnsteinUhlenbeck),
    "simulate, Allen-Cahn": lambda: simulated(AllenCahn),
    "simulate, Navier-Stokes": lambda: simulated(NavierStokes, context=True),
    "perturb": lambda: tensors(perturb(AllenCahn(grid=SMALL), lags=2.0, pairs=36, kick="random signs", spinup=1.0, device="cpu")),
    "respond": lambda: tensors(respond(series(), GaussianScore.fit(series()), lags=6.0, form="controlled")),
    "respond, one run": lambda: tensors(respond(series(members=2), OrnsteinUhlenbeck(grid=SMALL).score, lags=1.0, thin=2)),
    "sensitivities": of_sensitivities,
    "kubo": of_kubo,
    "training and evaluation, data": lambda: fitted(OrnsteinUhlenbeck),
    "forced ensemble": forced,
    "changed ensemble": changed,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", WORK)
def test_the_bits_are_the_same_with_any_number_of_workers(name, monkeypatch):
    found = []
    for number in WORKERS:
        monkeypatch.setenv("GFDT_WORKERS", str(number))
        found.append(WORK[name]())
    assert all(one.equal(first) for other in found[1:] for one, first in zip(other, found[0], strict=True))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.slow
@pytest.mark.parametrize("name", WORK)
def test_the_bits_do_not_depend_on_the_threads_of_torch(name, monkeypatch):
    monkeypatch.setenv("GFDT_WORKERS", "2")
    before, found = torch.get_num_threads(), []
    try:
        for number in (1, 3):
            torch.set_num_threads(number)
            series.cache_clear()
            found.append(WORK[name]())
    finally:
        torch.set_num_threads(before)
    assert all(one.equal(other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("number", WORKERS)
def test_blocks_depend_on_the_grid_alone(number, monkeypatch):
    monkeypatch.setenv("GFDT_WORKERS", str(number))
    cpu = torch.device("cpu")
    for system, size in ((OrnsteinUhlenbeck(), 32), (AllenCahn(grid=PeriodicGrid((256, 256))), 1)):
        blocks = member_blocks(system, range(5, 75), cpu)
        assert [member for block in blocks for member in block] == list(range(5, 75))
        assert {len(block) for block in blocks[:-1]} == {size} and size * system.grid.size <= max(VALUES, system.grid.size)
    assert member_blocks(AllenCahn(), range(70), torch.device("meta")) == [range(70)]  # a GPU wants them all at once


# --- the pool


def test_results_come_in_the_order_of_the_tasks_and_few_wait(monkeypatch):
    monkeypatch.setenv("GFDT_WORKERS", "2")
    second, drawn = threading.Event(), []

    def late(number):
        """The first task ends after the second."""
        second.set() if number == 1 else second.wait()
        return number

    results = threads.mapped(late, (drawn.append(number) or number for number in count()))
    for number in range(12):
        assert next(results) == number
        assert len(drawn) <= number + 2 * threads.AHEAD + 1
    results.close()


@pytest.mark.parametrize("number", WORKERS)
def test_so_many_work_at_once_and_each_on_one_thread(number, monkeypatch):
    monkeypatch.setenv("GFDT_WORKERS", str(number))
    together, before = threading.Barrier(number), torch.get_num_threads()

    def meet(_):
        together.wait(30)  # passes only if so many tasks run at the same time
        return threading.get_ident(), torch.get_num_threads()

    found = list(threads.mapped(meet, range(number)))
    assert len({name for name, _ in found}) == number
    assert [own for _, own in found] == [1] * number
    assert torch.get_num_threads() == before


def test_a_worker_keeps_its_one_thread_when_torch_has_more(monkeypatch):
    monkeypatch.setenv("GFDT_WORKERS", "2")
    monkeypatch.setattr(threads, "_pools", {})  # a fresh one
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert list(threads.mapped(lambda _: torch.get_num_threads(), range(4))) == [1] * 4
        assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as other:  # a thread of the user's
            assert other.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(before)


def test_many_small_tasks_are_handed_over_in_few_portions(monkeypatch):
    monkeypatch.setenv("GFDT_WORKERS", "2")
    handed = []
    mapped = threads.mapped
    monkeypatch.setattr(threads, "mapped", lambda function, tasks, device: mapped(function, handed.extend(tasks) or tasks, device=device))
    assert list(threads.mapped_in_portions(abs, range(-1000, 0))) == list(range(1000, 0, -1))
    assert len(handed) <= threads.PORTIONS and list(threads.mapped_in_portions(abs, [])) == []


def test_work_within_the_pool_or_on_another_device_stays_where_it_is(monkeypatch):
    monkeypatch.setenv("GFDT_WORKERS", "2")

    def own(_):
        return threading.get_ident()

    def nested(_):
        return {threading.get_ident(), *threads.mapped(own, range(4))}

    assert all(len(found) == 1 for found in threads.mapped(nested, range(4)))
    assert set(threads.mapped(own, range(4), device=torch.device("meta"))) == {threading.get_ident()}
    with threads.one_thread():
        assert set(threads.mapped(own, range(4))) == {threading.get_ident()} and torch.get_num_threads() == 1


def test_an_error_reaches_the_caller_and_what_has_not_begun_is_dropped(monkeypatch):
    monkeypatch.setenv("GFDT_WORKERS", "2")
    begun, ended = [], []

    def fail(number):
        begun.append(number)
        if number == 0:
            raise ZeroDivisionError("the first task")
        while True:
            threads.stop_if_interrupted()

    def counted(number):
        try:
            fail(number)
        finally:
            ended.append(number)

    with pytest.raises(ZeroDivisionError, match="the first task"):
        list(threads.mapped(counted, range(100)))
    assert sorted(begun) == sorted(ended) and len(begun) <= 2 * threads.AHEAD


def test_who_leaves_a_map_waits_for_nobody_but_those_at_work(monkeypatch):
    monkeypatch.setenv("GFDT_WORKERS", "2")
    at_work, ended = threading.Semaphore(0), []

    def endless(number):
        if number == 0:
            return number
        at_work.release()
        try:
            while True:
                threads.stop_if_interrupted()
        finally:
            ended.append(number)

    results = threads.mapped(endless, count())
    assert next(results) == 0
    at_work.acquire()
    results.close()  # as Ctrl-C does
    assert ended and not [one for one in ended if one > 2 * threads.AHEAD]


def test_functions_of_the_user_are_called_by_one_thread_at_a_time(monkeypatch):
    monkeypatch.setenv("GFDT_WORKERS", "4")
    at_work = []

    def score(u):
        at_work.append(True)
        found = torch.func.jvp(lambda v: -0.5 * v.square(), (u,), (torch.ones_like(u),))[1]
        assert len(at_work) == 1, "two threads at once"
        assert list(threads.mapped(threads.in_turn(lambda x: x), range(3))) == [0, 1, 2]  # does not wait for itself
        at_work.pop()
        return found

    def linear(u):
        return -u

    assert respond(series(), score, lags=6.0).values.equal(respond(series(), linear, lags=6.0).values)


@pytest.mark.parametrize("kind", ["a function of the user", "forward differentiation"])
def test_two_threads_never_meet_in(kind, monkeypatch):
    monkeypatch.setenv("GFDT_WORKERS", "2")
    gate, met, u = threading.Barrier(2), [], torch.ones(3)

    def meet(v):
        """Waits for the other thread, which must not come."""
        with contextlib.suppress(threading.BrokenBarrierError):
            gate.wait(0.5)
            met.append(True)
        return v.square()

    work = {
        "a function of the user": lambda _: threads.in_turn(meet)(u),
        "forward differentiation": lambda _: along(meet, u, u, "this test"),
    }
    list(threads.mapped(work[kind], range(2)))
    assert not met


def test_tasks_inherit_the_gradient_mode():
    for mode in (torch.no_grad, torch.enable_grad, torch.inference_mode):
        with mode():
            here = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
            assert list(threads.mapped(lambda _: (torch.is_grad_enabled(), torch.is_inference_mode_enabled()), [0])) == [here]


def test_side_by_side_is_zip():
    rows = [range(3 * k, 3 * k + 3) for k in range(5)]
    assert list(threads.side_by_side(map(iter, rows))) == [list(items) for items in zip(*rows, strict=True)]
    assert list(threads.side_by_side([])) == []


def test_steady_leaves_the_pool_its_workers(monkeypatch):
    monkeypatch.delenv("GFDT_WORKERS", raising=False)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        with threads.steady(), threads.steady():
            assert torch.get_num_threads() == 1 and threads.workers() == 3
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert threads.workers() == before


@pytest.mark.parametrize("given", ["0", "-1", "two", "1.5"])
def test_a_number_of_workers_that_cannot_be_is_refused(given, monkeypatch):
    monkeypatch.setenv("GFDT_WORKERS", given)
    with pytest.raises(ValueError, match=r"GFDT_WORKERS is '.*'; expected a whole number"):
        simulate(OrnsteinUhlenbeck(grid=SMALL), members=2, duration=2.0, device="cpu")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not assign processors to threads")
def test_workers_stay_on_their_own_processors_only_while_several_work(monkeypatch):
    processors = os.sched_getaffinity(0)
    if len(processors) < 2:
        pytest.skip("one processor")
    monkeypatch.setenv("GFDT_WORKERS", "2")
    together = threading.Barrier(2)

    def where(wait):
        if wait:
            together.wait(30)
        return os.sched_getaffinity(0)

    one, other = threads.mapped(where, [True, True])
    assert not one & other and one | other == processors
    assert list(threads.mapped(where, [False])) == [processors]


def _in_child(connection):
    connection.send(list(threads.mapped(abs, [-1, -2])))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_starts_a_pool_of_its_own():
    assert list(threads.mapped(abs, [-1])) == [1]
    context = multiprocessing.get_context("fork")
    mine, its = context.Pipe()
    child = context.Process(target=_in_child, args=(its,))
    child.start()
    assert mine.poll(60) and mine.recv() == [1, 2]
    child.join()


def test_a_run_that_fails_in_one_block_keeps_what_all_blocks_have(monkeypatch):
    """Sixteen members in a block of this grid; the second block fails."""
    monkeypatch.setenv("GFDT_WORKERS", "2")

    class Fragile(OrnsteinUhlenbeck):
        name = "fragile"

        def stepper(self, every, device):
            step, done = super().stepper(every, device), iter(count(1))

            def fragile(state, noise):
                return step(state, noise) * (torch.nan if len(noise._streams) == 4 and next(done) == 40 else 1.0)

            return fragile

    system = Fragile(grid=PeriodicGrid((32, 64)))
    with pytest.raises(DivergedError) as caught:
        simulate(system, members=20, duration=60.0, device="cpu")
    whole = simulate(OrnsteinUhlenbeck(grid=PeriodicGrid((32, 64))), members=20, duration=60.0, device="cpu")
    assert caught.value.partial.u.equal(whole.u[:, :33])


def test_the_pool_is_used_up_to_its_last_worker_by_a_long_map(monkeypatch):
    monkeypatch.setenv("GFDT_WORKERS", "3")
    assert list(islice(threads.mapped(lambda x: x * x, count()), 50)) == [x * x for x in range(50)]
