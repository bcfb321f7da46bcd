"""Work done by other processes: the same bits, whoever does it and whoever dies, and a word on what is missing."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import lru_cache
from itertools import count
from queue import SimpleQueue
from threading import Thread

import pytest
import torch

from gfdt_tutorial import AllenCahn, DivergedError, NavierStokes, OrnsteinUhlenbeck, PeriodicGrid, perturb, simulate
from gfdt_tutorial.__main__ import main
from gfdt_tutorial.core import cluster
from gfdt_tutorial.responses.kicked_twins import Twins

SMALL = AllenCahn(grid=PeriodicGrid((16, 16)))
TWINS = {"lags": 10.0, "pairs": 64, "kick": "random signs", "restarts": 2, "spinup": 20.0, "device": "cpu"}  # 16 batches


@lru_cache
def at_home():
    return perturb(SMALL, **TWINS)


class LocalCluster:
    """A scheduler and its workers, each a process of its own, started as a user would."""

    def __init__(self, folder, processes: ExitStack):
        self.processes = processes
        self.scheduler, line = self.start("scheduler", "--host", "127.0.0.1", "--port", "0")
        self.address = line("Scheduler at:").split()[-1]
        self.folder, self.workers = folder, []

    def start(self, *words):
        """A process, and a function that waits until it prints a line with some words."""
        command = [sys.executable, "-m", "dask", *words, "--no-dashboard"]
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8"}
        process, printed = subprocess.Popen(command, stdin=subprocess.DEVNULL, **output), SimpleQueue()

        def read():
            for line in process.stdout:
                printed.put(line)
            printed.put(None)  # the process has ended

        reader = Thread(target=read)
        reader.start()
        for step in (process.stdout.close, reader.join, process.wait, process.kill):  # in reverse
            self.processes.callback(step)

        def line(words):
            said = []
            for found in iter(printed.get, None):
                said.append(found)
                if words in found:
                    return found
            raise AssertionError("".join(said))

        return process, line

    def add_worker(self):
        """One without a nanny, which would start it again when it is killed."""
        options = ["--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--local-directory", str(self.folder)]
        worker, line = self.start("worker", self.address, *options)
        line("Registered to:")
        self.workers.append(worker)

    @contextmanager
    def watched(self):
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            yield client


@pytest.fixture(scope="module")
def crew(tmp_path_factory):
    """A cluster that no test harms."""
    with ExitStack() as processes:
        made = LocalCluster(tmp_path_factory.mktemp("cluster"), processes)
        made.add_worker()
        made.add_worker()
        yield made


@pytest.fixture
def doomed(tmp_path):
    with ExitStack() as processes:
        yield LocalCluster(tmp_path, processes)


def before_each_batch(monkeypatch, strike):
    """`strike`, told how many are counted, before each is."""
    add = Twins.add
    monkeypatch.setattr(Twins, "add", lambda self, *sums: strike(self.done) or add(self, *sums))


def assert_same_answer(one, other):
    for name in ("values", "parts", "standard_error"):
        assert getattr(one, name).equal(getattr(other, name)), name
    assert one.info["growth"] == other.info["growth"]


# --- the same bits


@pytest.mark.slow
def test_a_worker_is_killed_at_its_work_and_nothing_is_lost(doomed, monkeypatch):
    whole = at_home()
    for _ in range(2):
        doomed.add_worker()
    victim, survivor = doomed.workers
    ensemble = {"members": 140, "spinup": 2.0, "duration": 20.0, "device": "cpu", "cluster": doomed.address}
    by_two = simulate(SMALL, **ensemble)
    with doomed.watched() as client:
        (home,) = (address for address, pid in client.run(os.getpid).items() if pid == victim.pid)

        def kill(done):
            if done >= 4 and victim.poll() is None and client.processing()[home]:
                victim.send_signal(signal.SIGKILL)
                victim.wait()

        before_each_batch(monkeypatch, kill)
        assert_same_answer(perturb(SMALL, **TWINS, cluster=doomed.address), whole)
    assert victim.poll() == -signal.SIGKILL and survivor.poll() is None
    by_one = simulate(SMALL, **ensemble)
    assert by_one.u.equal(by_two.u) and by_one.times.equal(by_two.times) and by_one.info == by_two.info


@pytest.mark.slow
def test_a_series_has_the_bits_it_has_here(crew):
    options = {"members": 140, "spinup": 2.0, "duration": 20.0, "device": "cpu"}  # two blocks
    there, here = simulate(SMALL, **options, cluster=crew.address), simulate(SMALL, **options)
    assert there.u.shape == (140, 21, 16, 16) and there.info == here.info
    assert there.u.equal(here.u)


@pytest.mark.slow
def test_members_are_those_that_run_here(crew):
    system, options = OrnsteinUhlenbeck(grid=PeriodicGrid((8, 6))), {"members": 70, "duration": 20.0, "device": "cpu"}
    torch.testing.assert_close(simulate(system, **options, cluster=crew.address).u, simulate(system, **options).u, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_the_hidden_forcing_comes_along(crew):
    options = {"members": 35, "spinup": 0.0, "duration": 0.5, "every": 0.25, "context": True, "device": "cpu"}
    there, here = simulate(NavierStokes(), **options, cluster=crew.address), simulate(NavierStokes(), **options)
    torch.testing.assert_close(there.context, here.context, atol=1e-4, rtol=0)
    torch.testing.assert_close(there.u, here.u, atol=1e-3, rtol=0)


# --- stopped


@pytest.mark.slow
def test_interrupted_it_leaves_the_workers_idle_and_a_checkpoint(crew, monkeypatch, tmp_path):
    def interrupt(done):
        if done == 5:
            raise KeyboardInterrupt

    whole, path = at_home(), tmp_path / "twins.npz"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        before_each_batch(patch, interrupt)
        perturb(SMALL, **TWINS, checkpoint=path, cluster=crew.address)
    assert Twins(SMALL, seed=0, **TWINS).resume(path).done == 5

    async def without_tasks(dask_scheduler):
        """Returns once the scheduler has forgotten all tasks; other coroutines run in between."""
        while dask_scheduler.tasks:
            await asyncio.sleep(0)

    with crew.watched() as client:
        client.run_on_scheduler(without_tasks)
    assert_same_answer(perturb(SMALL, **TWINS, checkpoint=path), whole)


@pytest.mark.slow
def test_a_scheduler_that_dies_is_told_and_the_checkpoint_kept(doomed, monkeypatch, tmp_path):
    doomed.add_worker()
    before_each_batch(monkeypatch, lambda done: doomed.scheduler.kill() if done == 3 else None)
    with pytest.raises(ConnectionError, match="the scheduler went away"):
        perturb(SMALL, **TWINS, checkpoint=tmp_path / "twins.npz", cluster=doomed.address)
    assert 4 <= Twins(SMALL, seed=0, **TWINS).resume(tmp_path / "twins.npz").done < 16


@pytest.mark.slow
def test_a_task_that_kills_its_workers_is_given_up(monkeypatch, tmp_path):
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")  # three by default
    with ExitStack() as processes:
        doomed = LocalCluster(tmp_path, processes)
        doomed.add_worker()
        with pytest.raises(ConnectionError, match="one worker after another"), cluster.workers(doomed.address) as run:
            list(run(os._exit, [1]))


@pytest.mark.slow
def test_a_run_that_diverges_there_says_so_here(crew):
    wild = replace(NavierStokes(), dt=0.5)
    with pytest.raises(DivergedError, match="Courant number"):
        simulate(wild, members=2, duration=2.0, every=0.5, device="cpu", cluster=crew.address)


# --- the map


@pytest.mark.slow
def test_results_come_in_the_order_of_the_tasks_and_few_are_under_way(crew):
    def late(number):
        """The first task ends after the second, which another worker does."""
        from distributed import Event

        if number == 0:
            Event("the second is done").wait()
        elif number == 1:
            Event("the second is done").set()
        return number, torch.get_num_threads()

    drawn = []
    tasks = (drawn.append(number) or number for number in count())
    with cluster.workers(crew.address) as run:
        results = run(late, tasks)
        for number in range(12):
            assert next(results) == (number, 1)
            assert len(drawn) <= number + 2 * cluster.AHEAD


# --- what is missing


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(cluster, "WORKER_TIMEOUT", 0.1)
    monkeypatch.setattr(cluster, "SCHEDULER_TIMEOUT", 0.5)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "http://127.0.0.1:9"])
@pytest.mark.parametrize("verb", ["simulate", "perturb", "truth"])
def test_without_a_scheduler_it_is_one_message_and_no_file(impatient, monkeypatch, tmp_path, capsys, verb, address):
    monkeypatch.chdir(tmp_path)
    assert main([verb, "--system", "allen-cahn", "--preset", "tiny", "--cluster", address, "--out", "out.npz"]) == 2
    error = capsys.readouterr().err
    assert f"no scheduler answers at '{address}'" in error and "dask scheduler" in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_and_nothing_follows_that_message(tmp_path):
    command = [sys.executable, "-m", "gfdt_tutorial", "simulate", "--system", "allen-cahn", "--cluster", "http://127.0.0.1:9"]
    done = subprocess.run([*command, "--out", str(tmp_path / "out.npz")], capture_output=True, encoding="utf-8")
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("error: no scheduler") and done.stderr.count("\n") == 1


@pytest.mark.slow
def test_without_a_worker_it_says_how_to_start_one(impatient, doomed):
    with pytest.raises(ValueError, match=f"has no worker; start one on each machine: dask worker {doomed.address}"):
        perturb(SMALL, **TWINS, cluster=doomed.address)


@pytest.mark.slow
def test_workers_of_another_version_are_refused(crew, monkeypatch):
    monkeypatch.setattr(cluster, "version", lambda package: f"of process {os.getpid()}")
    with pytest.raises(ValueError, match=rf"need gfdt-tutorial of process {os.getpid()}, as it is here; found of process \d+, of process"):
        perturb(SMALL, **TWINS, cluster=crew.address)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r"pip install 'gfdt-tutorial\[cluster\]'"):
        simulate(SMALL, members=2, spinup=0.0, duration=2.0, cluster="tcp://127.0.0.1:9")
    assert simulate(SMALL, members=2, spinup=0.0, duration=2.0).u.shape == (2, 3, 16, 16)
