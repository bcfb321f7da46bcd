"""A series of one's own: read whatever its file, examined before it is trusted, answered in a report; or refused in one sentence."""

import json
import math
import os
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import torch

from gfdt_tutorial import AllenCahn, DoubleWell, LearnedScore, NavierStokes, OrnsteinUhlenbeck, PeriodicGrid, TimeSeries, simulate
from gfdt_tutorial.__main__ import main
from gfdt_tutorial.bench.hidden_memory import flow_mean
from gfdt_tutorial.core.confidence_bands import band_factor
from gfdt_tutorial.core.correlations import autocovariance, decorrelation_time
from gfdt_tutorial.data import reading
from gfdt_tutorial.data.analysis import analyse
from gfdt_tutorial.data.reading import read_series
from gfdt_tutorial.data.suitability import examine
from gfdt_tutorial.data.verdicts import Agreement, verdict
from gfdt_tutorial.figures.report import page
from gfdt_tutorial.figures.series_overview import overview, response_at_all_places, response_overview
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.steins_identity import Identity, grade, identity
from gfdt_tutorial.scores.training import Training
from gfdt_tutorial.systems.built_in import system_of

RING = OrnsteinUhlenbeck(grid=PeriodicGrid((16,)), lam=0.2)
SHAPES = {"t": (), "mt": (), "tx": (16,), "mtx": (16,), "tyx": (6, 8), "mtyx": (6, 8)}


def noise(axes="mtx", steps=600, memory=0.8, seed=0, members=8):
    """A field of independent pixels, each an autoregressive series with a known decorrelation time, in the shape of `axes`."""
    members = members if "m" in axes else 1
    z = np.random.default_rng(seed).normal(size=(members, steps, *SHAPES[axes]))
    u = np.empty_like(z)
    u[:, 0] = z[:, 0]
    for i in range(1, steps):
        u[:, i] = memory * u[:, i - 1] + math.sqrt(1 - memory**2) * z[:, i]
    return u if "m" in axes else u[0]


def series(axes="mtx", change=lambda u: u, **options):
    u = change(noise(axes, **options))
    return TimeSeries(u, np.arange(u.shape[axes.index("t")], dtype=float), axes)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words):
    return main(["analyse", *(str(word) for word in words)])


# --- reading


@pytest.mark.parametrize("axes", SHAPES)
@pytest.mark.parametrize("ending", ["npy", "npz", "nc", "zarr"])
def test_a_file_of_any_kind_gives_the_same_series(here, axes, ending):
    u = noise(axes, steps=40).astype(np.float32)
    path, options = write(u, axes, ending)
    found = read_series(path, **options)
    assert found.u.numpy().tobytes() == u.tobytes()
    assert found.every == pytest.approx(0.5) and found.axes == "mt" + axes.strip("mt")
    assert found.info["file"] == path
    if ending in ("nc", "zarr"):
        assert found.info["time_unit"] == "days" and found.info["long_name"] == "a quantity"
        assert found.lengths == tuple(0.25 * n for n in SHAPES[axes])


def write(u, axes, ending):
    """A file named series.<ending>, and what else it takes to read it."""
    path, times = f"series.{ending}", 7.0 + 0.5 * np.arange(u.shape[axes.index("t")])
    if ending == "npy":
        np.save(path, u)
        return path, {"axes": axes, "every": 0.5}
    if ending == "npz":
        np.savez(path, u=u, times=times, axes=axes)
        return path, {}
    xarray = pytest.importorskip("xarray", reason="pip install 'gfdt-tutorial[files]'")
    names = {"m": "member", "t": "time", "y": "lat", "x": "lon"}
    coordinates = {"time": ("time", times, {"units": "days since 1950-01-01"})}
    coordinates |= {names[letter]: 0.25 * np.arange(u.shape[axes.index(letter)]) for letter in axes if letter in "yx"}
    field = xarray.Dataset({"u": ([names[letter] for letter in axes], u, {"long_name": "a quantity"})}, coordinates)
    field.to_netcdf(path) if ending == "nc" else field.to_zarr(path, consolidated=False)
    return path, {}


def test_axes_may_come_in_any_order(here):
    u = noise("mtx", steps=40)
    np.save("last.npy", np.moveaxis(u, 1, -1))
    assert read_series("last.npy", axes="mxt", every=1.0).u.equal(TimeSeries(u, np.arange(40.0), "mtx").u)


def test_one_of_several_arrays_is_named(here):
    np.savez("two.npz", warm=noise("tx"), cold=-noise("tx"), times=np.arange(600.0))
    assert read_series("two.npz", axes="tx", variable="cold").u.equal(-read_series("two.npz", axes="tx", variable="warm").u)
    with pytest.raises(ValueError, match="2 arrays, warm, cold; choose one"):
        read_series("two.npz", axes="tx")


def test_netcdf_with_names_of_its_own_is_read_once_its_axes_are_named(here):
    xarray = pytest.importorskip("xarray", reason="pip install 'gfdt-tutorial[files]'")
    field = xarray.Dataset({"sst": (("step", "depth", "cell"), noise("tx")[:, None])}, {"step": 0.1 * np.arange(600), "depth": [5.0]})
    field.to_netcdf("own.nc")
    with pytest.raises(ValueError, match=r"does not say what the axes .*--axes"):
        read_series("own.nc")
    assert read_series("own.nc", axes="tx").every == pytest.approx(0.1)
    field.assign_coords(cell=np.arange(16.0) ** 2).to_netcdf("uneven.nc")
    with pytest.raises(ValueError, match="cell is unevenly spaced"):
        read_series("uneven.nc", axes="tx")


def test_without_xarray_the_extra_is_named(here, monkeypatch):
    (here / "a.nc").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "xarray", None)
    with pytest.raises(ValueError, match=r"gfdt-tutorial\[files\]"):
        read_series("a.nc")


def test_what_a_series_saved_is_read_again(here):
    saved = TimeSeries(noise("mt"), np.arange(600.0), "mt").both_ways()
    saved.save("pairs.npz")
    assert read_series("pairs.npz").paired and read_series("pairs.npz").u.equal(saved.u)


def test_sides_are_turned_with_their_axes(here):
    np.savez("turned.npz", u=noise("tyx", steps=40).transpose(0, 2, 1), times=np.arange(40.0), axes="txy", lengths=(8.0, 6.0))
    assert read_series("turned.npz").lengths == (6.0, 8.0) and tuple(read_series("turned.npz").u.shape) == (1, 40, 6, 8)
    assert read_series("turned.npz", lengths=(4.0, 3.0)).lengths == (3.0, 4.0)
    assert read_series("turned.npz", axes="tyx").lengths == (8.0, 6.0)


def test_an_interval_of_ones_own_is_not_in_the_unit_of_the_file(here):
    pytest.importorskip("xarray", reason="pip install 'gfdt-tutorial[files]'")
    path, _ = write(noise("tx", steps=40), "tx", "nc")
    assert read_series(path).info["time_unit"] == "days"
    found = read_series(path, every=6.0)
    assert found.every == 6 and "time_unit" not in found.info and found.info["long_name"] == "a quantity"


def test_a_falling_coordinate_is_turned_round(here):
    xarray = pytest.importorskip("xarray", reason="pip install 'gfdt-tutorial[files]'")
    u = noise("tyx", steps=40).astype(np.float32)
    at = {"time": 1.0 * np.arange(40), "lat": 10.0 - np.arange(6), "lon": 2.0 * np.arange(8)}
    xarray.Dataset({"v": (("time", "lon", "lat"), u.transpose(0, 2, 1))}, at).to_netcdf("north.nc")
    found = read_series("north.nc")
    np.testing.assert_array_equal(found.u[0], u[:, ::-1])
    assert found.lengths == (6.0, 16.0)


@pytest.mark.parametrize("ending", ["nc", "zarr"])
def test_a_clock_that_no_file_holds_is_asked_for(here, ending):
    """xarray would number the samples 0, 1, 2, ..."""
    xarray = pytest.importorskip("xarray", reason="pip install 'gfdt-tutorial[files]'")
    field = xarray.Dataset({"v": (("time", "x"), noise("tx", steps=40))})
    field.to_netcdf("bare.nc") if ending == "nc" else field.to_zarr("bare.zarr", consolidated=False)
    with pytest.raises(ValueError, match=r"has no times; give the sampling interval.*--every 0\.5"):
        read_series(f"bare.{ending}")
    assert read_series(f"bare.{ending}", every=0.25).every == 0.25


def test_a_plain_hdf5_file_has_no_clock(here):
    netcdf = pytest.importorskip("netCDF4", reason="pip install 'gfdt-tutorial[files]'")
    with netcdf.Dataset("plain.h5", "w") as file:
        file.createDimension("step", 40)
        file.createVariable("u", "f4", ("step",))[:] = noise("t", steps=40)
    with pytest.raises(ValueError, match="has no times"):
        read_series("plain.h5", axes="t")


@pytest.mark.parametrize("every", [None, 2.0])
@pytest.mark.parametrize("ending", ["nc", "npz", "dates"])
def test_falling_times_are_turned_round_and_said_so(here, ending, every):
    """Whatever interval is given instead, the times of the file tell in which direction it runs."""
    u, times = noise("mtx", steps=40).astype(np.float32), 3.0 + 0.5 * np.arange(40)
    context = np.broadcast_to(times[None, :, None, None], (8, 40, 1, 16)).astype(np.float32)
    if ending == "nc":
        xarray = pytest.importorskip("xarray", reason="pip install 'gfdt-tutorial[files]'")
        xarray.Dataset({"v": (("member", "time", "x"), u[:, ::-1])}, {"time": times[::-1]}).to_netcdf("file.nc")
    elif ending == "npz":
        np.savez("file.npz", u=u[:, ::-1], times=times[::-1], axes="mtx", context=context[:, ::-1])
    else:
        np.savez("file.npz", u=u[:, ::-1], times=np.arange("1950-01", "1953-05", dtype="datetime64[M]")[::-1], axes="mtx")
    if ending == "dates" and every is None:
        return
    with pytest.warns(UserWarning, match="the times of file.n.* fall .* turned round"):
        found = read_series("file.nc" if ending == "nc" else "file.npz", every=every)
    np.testing.assert_array_equal(found.u, u)
    assert found.every == (every or 0.5) and "turned round" in found.info["notes"][0]
    if ending == "npz":
        np.testing.assert_array_equal(found.context, context)


def test_the_command_line_says_that_the_series_was_turned_round(here, monkeypatch, capsys):
    monkeypatch.delenv("GFDT_QUIET", raising=False)
    np.savez("file.npz", u=noise("mt"), times=np.arange(600.0)[::-1], axes="mt")
    assert run("file.npz", "--preset", "tiny", "--lags", 4, "--out", "out") == 0
    assert "note: the times of file.npz fall from 599.0 to 0.0: the series was turned round" in capsys.readouterr().err
    about = json.loads(Path("out/analysis.json").read_text(encoding="utf-8"))
    assert "turned round" in about["data"]["notes"][0]


def test_rising_times_bring_no_word(here):
    np.savez("file.npz", u=noise("tx", steps=40), times=np.arange(40.0), axes="tx")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "notes" not in read_series("file.npz").info


@pytest.mark.parametrize("unit", [1e-36, 1e-25, 1e-19, 1.0, 1e19, 1e25, 1e35])
def test_a_series_may_be_in_any_unit(here, unit):
    u = noise("tx", steps=40)
    np.savez("file.npz", u=unit * u, times=np.arange(40.0), axes="tx")
    np.testing.assert_allclose(read_series("file.npz").u[0] / unit, u, rtol=1e-6)


@pytest.mark.parametrize("unit", [1e-300, 1e-40, 1e38, 1e300])
def test_what_single_precision_cannot_hold_is_refused_with_advice(here, unit):
    np.savez("file.npz", u=unit * noise("tx", steps=40), times=np.arange(40.0), axes="tx")
    with pytest.raises(ValueError, match="single precision does not hold; change the unit"):
        read_series("file.npz")


def test_months_may_be_counted(here):
    xarray = pytest.importorskip("xarray", reason="pip install 'gfdt-tutorial[files]'")
    months = np.arange("1950-01", "1953-05", dtype="datetime64[M]").astype("datetime64[ns]")
    xarray.Dataset({"v": (("time", "x"), noise("tx", steps=40))}, {"time": months}).to_netcdf("monthly.nc")
    np.savez("monthly.npz", u=noise("tx", steps=40), times=months, axes="tx")
    for path, words in (("monthly.nc", "28 to 31; if these are months"), ("monthly.npz", "are dates")):
        with pytest.raises(ValueError, match=f"{words}.*--every 1"):
            read_series(path)
        assert read_series(path, every=1.0).every == 1


def test_of_several_variables_of_a_netcdf_file_none_is_taken_unasked(here):
    xarray = pytest.importorskip("xarray", reason="pip install 'gfdt-tutorial[files]'")
    at = {"time": np.arange(40.0)}
    xarray.Dataset({name: (("time", "x"), noise("tx", steps=40)) for name in ("u", "v", "sst")}, at).to_netcdf("three.nc")
    with pytest.raises(ValueError, match="3 arrays, u, v, sst; choose one: --variable"):
        read_series("three.nc")
    assert read_series("three.nc", variable="u").info["variable"] == "u"


def test_capitals_in_an_ending_do_not_matter(here):
    u = noise("tx", steps=40).astype(np.float32)
    path, _ = write(u, "tx", "zarr")
    os.rename(path, "SERIES.ZARR")
    assert read_series("SERIES.ZARR").u.numpy().tobytes() == u.tobytes()


# --- broken inputs, on the command line


def drifting(u):
    return u + np.linspace(0, 3, u.shape[1])[:, None]


def uneven(u):
    return u * (1 + 0.5 * np.cos(2 * np.pi * np.arange(16) / 16))


def with_one(value):
    def changed(u):
        u = u.astype(complex) if isinstance(value, complex) else u.copy()
        u[3, 100, 5] = value
        return u

    return changed


def truncated():
    np.save("whole.npy", noise())
    with open("whole.npy", "rb") as whole, open("in.npy", "wb") as part:
        part.write(whole.read(20_000))
    os.unlink("whole.npy")


def saved(change=lambda u: u, **options):
    return lambda: np.save("in.npy", change(noise(**options)))


BROKEN = {
    "empty": (saved(lambda u: u[:, :0]), "there are no values"),
    "NaN": (saved(with_one(math.nan)), "1 of 76800 values are NaN or infinite, the first at index (3, 100, 5); drop"),
    "wrong axes": (saved(axes="tx"), "2 axes; axes='mtx' names 3"),
    "too short": (saved(steps=12), "12 samples in time, too short"),
    "constant": (saved(lambda u: 0 * u + 4), "all values are 4 but for rounding: data that do not vary"),
    "all in the last digits": (saved(lambda u: u + 3e7), "If it does vary, take off the mean first"),
    "trending": (saved(drifting), "stationarity: The mean changes by"),
    "inhomogeneous": (saved(uneven), "homogeneity: The variance varies over the box by"),
    "non-uniform times": (
        lambda: np.savez("in.npz", u=noise(), times=np.arange(600.0) ** 2, axes="mtx"),
        "times must increase in equal steps",
    ),
    "complex": (saved(with_one(1j)), "complex128; expected real"),
    "huge values": (saved(with_one(9.97e36)), "a mark for missing values?"),
    "truncated file": (truncated, "not a readable .npy file"),
    "unwritable output": (saved(), "out cannot be a folder"),
    "wrong kind of file": (
        lambda: Path("in.npy").write_text("a,b\n1,2\n", encoding="utf-8"),
        "not a readable .npy file (it does not begin as one)",
    ),
    "a long memory": (saved(steps=40, memory=0.99), "memory: The slowest scale forgets itself in"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_input_is_one_sentence_and_exit_2_and_nothing_written(here, capsys, case):
    make, message = BROKEN[case]
    make()
    if case == "unwritable output":
        (here / "out").write_text("a file of this name", encoding="utf-8")
    before = {path: path.read_bytes() for path in here.iterdir()}
    name = "in.npz" if (here / "in.npz").exists() else "in.npy"
    axes = [] if name == "in.npz" else ["--axes", "mtx", "--every", 1]
    assert run(name, *axes, "--preset", "tiny", "--out", "out") == 2
    error = capsys.readouterr().err
    assert message in error and error.startswith("error: ") and error.count("\n") == 1 and "Traceback" not in error
    assert {path: path.read_bytes() for path in here.iterdir()} == before


def test_what_a_file_lacks_is_asked_for(here, capsys):
    np.save("in.npy", noise("tx"))
    assert run("in.npy", "--every", 1, "--out", "out") == 2 and "--axes mtyx" in capsys.readouterr().err
    assert run("in.npy", "--axes", "tx", "--out", "out") == 2 and "--every" in capsys.readouterr().err
    assert run("none.npy", "--out", "out") == 2 and "none.npy was not found" in capsys.readouterr().err
    assert run("in.npy", "--axes", "tx", "--every", 1, "--lags", 200, "--out", "out") == 2 and "half the series" in capsys.readouterr().err
    (here / "in.csv").write_text("1,2", encoding="utf-8")
    assert run("in.csv", "--out", "out") == 2 and "expected one of .npy" in capsys.readouterr().err
    assert [path.name for path in here.iterdir() if path.name not in ("in.npy", "in.csv")] == []


def test_ctrl_c_leaves_130_and_nothing(here, monkeypatch, capsys):
    def stop(training):
        raise KeyboardInterrupt

    np.save("in.npy", noise("tx"))
    monkeypatch.setattr(Training, "_advance", stop)
    assert run("in.npy", "--axes", "tx", "--every", 1, "--preset", "tiny", "--out", "out") == 130
    assert "stopped" in capsys.readouterr().err and not (here / "out").exists()


# --- checks


def test_the_decorrelation_time_of_a_known_series():
    for memory in (0.5, 0.9):
        data = series("mtx", memory=memory, steps=4000)
        rho = autocovariance(data.grid, data.u, float(data.u.mean())).sum(1)
        torch.testing.assert_close(rho[:6] / rho[0], memory ** torch.arange(6).double(), atol=0.02, rtol=0)
        assert decorrelation_time(rho / rho[0], 1.0)[0] == pytest.approx((1 + memory) / (1 - memory), rel=0.1)
    assert decorrelation_time(torch.cos(torch.arange(50.0)), 1.0)[1] is False  # never forgets


def test_an_autocovariance_at_lag_zero_is_the_variance():
    data = series("mtyx")
    assert float(autocovariance(data.grid, data.u, 0.0)[0].sum()) == pytest.approx(float(data.u.square().mean()), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "seeds", "sizes"),
    [
        (OrnsteinUhlenbeck(), 8, {"members": 16, "duration": 300.0}),
        (OrnsteinUhlenbeck(), 8, {"members": 1, "duration": 3000.0}),
        (RING, 16, {"members": 3, "duration": 500.0}),
        (AllenCahn(), 4, {"members": 32, "duration": 200.0}),
        (NavierStokes(), 4, {"members": 8, "duration": 60.0}),
    ],
    ids=["field", "one member", "ring", "two phases", "flow"],
)
def test_what_is_stationary_and_homogeneous_is_not_accused(system, seeds, sizes):
    """Less than one series in a thousand should be; none of these 40 is. The last two systems take 3 s a series."""
    for seed in range(seeds):
        found = examine(simulate(system, seed=100 + seed, device="cpu", **sizes))
        assert found["stationarity"].verdict == found["homogeneity"].verdict == "fine", f"seed {seed}: {found}"


@pytest.mark.parametrize("members", [1, 2, 16])
def test_the_probabilities_are_those_of_chance(members):
    """Of 200 homogeneous, stationary series, about a tenth has a probability below 0.1, for each of the two tests."""
    from gfdt_tutorial.data.suitability.drifts import change
    from gfdt_tutorial.data.suitability.homogeneity import profile_test, profiles_of
    from gfdt_tutorial.data.suitability.record import Record

    chances = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        data = TimeSeries(rng.normal(size=(members, 1600 // members, 12)), np.arange(1600.0 // members), "mtx")
        record = Record(data)
        profiles = profiles_of(record)["variance"]
        line = np.linspace(0, 1, len(data.times))
        chances.append((profile_test(data.grid, profiles)[2], change(record, record.courses[0], line)[2]))
    share = (np.array(chances) < 0.1).mean(0)
    assert (share > 0.03).all() and (share < 0.2).all(), share


CHANGES = {
    "a trend": (drifting, "stationarity", "refused", "The mean changes by 2"),
    "a spin-up": (lambda u: u + 3 * np.exp(-np.arange(600) / 40)[:, None], "stationarity", "refused", "after the first eighth"),
    "growing variance": (lambda u: u * np.linspace(0.7, 1.3, 600)[:, None], "stationarity", "refused", "The variance changes by"),
    "a slight trend": (lambda u: drifting(u) / 30 + 29 / 30 * u, "stationarity", "warning", "The mean changes by 0.1"),
    "a cycle": (lambda u: u + np.cos(2 * np.pi * np.arange(600) / 12)[:, None], "stationarity", "refused", "A cycle of period 12 "),
    "a cycle of the variance": (
        lambda u: u * (1 + 0.6 * np.cos(2 * np.pi * np.arange(600) / 12))[:, None],
        "stationarity",
        "refused",
        "A cycle of period 12 moves the variance",
    ),
    "places of other mean": (lambda u: u + np.arange(16) / 8, "homogeneity", "refused", "The mean varies over the box by"),
    "places of other variance": (uneven, "homogeneity", "refused", "The variance varies over the box by"),
    "one loud place": (lambda u: u * np.where(np.arange(16) == 3, 1.5, 1.0), "homogeneity", "refused", "The variance varies"),
    "a slightly loud place": (lambda u: u * np.where(np.arange(16) == 3, 1.12, 1.0), "homogeneity", "warning", "The variance varies"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_is_wrong_is_found_and_named(case):
    change, name, verdict, words = CHANGES[case]
    found = examine(series("mtx", change, members=24))[name]
    assert (found.verdict, words in found.finding, bool(found.advice)) == (verdict, True, True), found
    assert examine(series("mtx", members=24))[name].verdict == "fine"


@pytest.mark.parametrize("members", [2, 8])
def test_places_that_forget_at_different_rates_are_found(members):
    quick, slow = (noise("mtx", steps=2000, memory=memory, members=members) for memory in (0.3, 0.95))
    data = TimeSeries(np.where(np.arange(16) < 8, quick, slow), np.arange(2000.0), "mtx")
    found = examine(data)["homogeneity"]
    assert found.verdict == "refused" and "step in time" in found.finding and "forget at different rates" in found.advice


def test_a_box_of_two_places_is_judged_as_far_as_it_goes():
    u = noise("mtx")[..., :2]
    assert examine(TimeSeries(u, np.arange(600.0), "mtx"))["homogeneity"].verdict == "fine"
    assert examine(TimeSeries(u + np.arange(2), np.arange(600.0), "mtx"))["homogeneity"].verdict == "refused"


def oscillation(members, steps, period, damping, seed):
    """A number that swings of its own and forgets its phase by e^(-t/damping): an autoregressive series of second order."""
    radius, early = math.exp(-1 / damping), 10 * damping
    z = np.random.default_rng(seed).normal(size=(members, steps + early))
    return scipy.signal.lfilter([1], [1, -2 * radius * math.cos(2 * math.pi / period), radius**2], z)[:, early:]


@pytest.mark.parametrize(
    ("members", "steps", "period", "damping"), [(64, 1000, 12, 12), (64, 1000, 20, 40), (1, 4000, 20, 60), (1, 4000, 4, 20)]
)
def test_an_oscillation_of_its_own_is_no_cycle(members, steps, period, damping):
    for seed in range(5):
        data = TimeSeries(oscillation(members, steps, period, damping, seed), np.arange(float(steps)), "mt")
        assert examine(data)["stationarity"].verdict == "fine"


def test_red_noise_of_many_members_is_no_cycle():
    z = np.random.default_rng(1).normal(size=(1000, 400))
    u = scipy.signal.lfilter([1], [1, -0.9], z)[:, 200:]
    assert examine(TimeSeries(u, np.arange(200.0), "mt"))["stationarity"].verdict == "fine"


@pytest.mark.parametrize("members", [1, 12])
@pytest.mark.parametrize("period", [2.0, 3.0, 4.0, 12.3])
def test_a_cycle_of_any_period_is_found(members, period):
    t = np.arange(2000.0)
    u = noise("mt", steps=2000, members=12)[:members] + 0.8 * np.cos(2 * np.pi * t / period)
    found = examine(TimeSeries(u, t, "mt"))["stationarity"]
    assert found.verdict == "refused" and f"A cycle of period {period:.4g} moves the mean" in found.finding


def test_a_cycle_is_found_where_members_have_clocks_of_their_own():
    t, phases = np.arange(2000.0), np.random.default_rng(0).uniform(0, 7, (12, 1))
    u = noise("mt", steps=2000, members=12) + 0.7 * np.cos(2 * np.pi * t / 12 + phases)
    assert "A cycle of period 12 " in examine(TimeSeries(u, t, "mt"))["stationarity"].finding


def test_a_window_cut_from_a_larger_field_shows_its_seam():
    data = simulate(OrnsteinUhlenbeck(grid=PeriodicGrid((32,)), lam=0.2, kappa=0.02), members=16, duration=600.0, device="cpu")
    assert examine(data)["homogeneity"].verdict == "fine"
    found = examine(TimeSeries(data.u[..., 3:15], data.times, "mtx"))["homogeneity"]
    assert found.verdict == "refused" and "step along x" in found.finding and "close on itself" in found.advice


def test_paths_without_noise_are_told_from_paths_with():
    t = 0.1 * np.arange(4000)
    rng = np.random.default_rng(0)
    smooth = sum(np.cos(w * t[:, None] + rng.uniform(0, 7, 40)) for w in rng.normal(size=30))
    assert examine(TimeSeries(smooth.T, t, "mt"))["smoothness"].verdict == "warning"
    assert examine(series("mtx", memory=0.95))["smoothness"].verdict == "fine"
    assert examine(series("mtx", memory=0.3))["smoothness"].verdict == "unknown"


@pytest.mark.parametrize("change", [lambda u: u > 0, lambda u: np.round(u.clip(-1, 1)), lambda u: np.maximum(u, 1)])
def test_data_of_a_few_levels_are_told_that_they_have_no_score(change):
    found = examine(series("mtx", lambda u: change(u).astype(float)))
    assert found.stepped and found["Gaussianity"].verdict == "warning" and "a score cannot be had" in found["Gaussianity"].finding
    assert not examine(series("mtx", lambda u: np.round(5 * u))).stepped


def test_what_has_no_score_is_not_told_to_train_longer():
    found = analyse(series("mt", lambda u: np.sign(u)), preset="tiny", lags=4)
    assert "none can" in found.verdict and "train longer" not in found.verdict


def dry(u):
    """One member does not vary at all."""
    return np.where(np.arange(8)[:, None] == 3, 0.0, u)


def one_lives(u):
    return np.where(np.arange(8)[:, None] == 3, u, 0.0)


def alternating(u):
    return np.where(np.arange(8)[:, None] < 3, (-1.0) ** np.arange(u.shape[1]), u)


@pytest.mark.parametrize(
    "change", [dry, one_lives, alternating, lambda u: u[:1, :16], lambda u: (-1.0) ** np.arange(60)[None] + 0 * u[:, :60]]
)
def test_pieces_that_do_not_vary_are_left_out(change):
    """Every number can be written down: JSON knows no NaN."""
    for check in examine(series("mt", change)).checks:
        json.dumps([check.value, check.error], allow_nan=False)


def test_dry_spells_change_nothing_about_the_rest():
    found, all_wet = (examine(series("mt", change))["smoothness"] for change in (dry, lambda u: u))
    assert found.verdict == all_wet.verdict and found.value == pytest.approx(all_wet.value, abs=0.05)
    assert found.error == pytest.approx(all_wet.error, rel=0.5)


def test_a_density_that_is_not_gaussian_is_known():
    assert "will do" in examine(series("mtx"))["Gaussianity"].finding
    squashed = examine(series("mtx", np.tanh))["Gaussianity"]
    assert "cannot be exact" in squashed.finding and squashed.value < -10 * squashed.error
    assert examine(series("mtx", lambda u: np.sign(u) * abs(u) ** 4))["Gaussianity"].verdict == "warning"


# --- the analysis


@pytest.mark.parametrize("axes", SHAPES)
def test_a_linear_series_of_any_shape_gets_its_known_answer(axes):
    """Independent pixels that forget by 0.8 a step answer a kick by 0.8^t, where it was."""
    found = analyse(series(axes, steps=2000 if "m" not in axes else 600), preset="tiny", lags=8)
    for answer in found.responses.values():
        here = answer.along(0)
        error = answer.standard_error[(slice(None), *answer._index(0))]
        assert ((here - 0.8**answer.times).abs() <= 4.5 * error + 0.02).all()
        assert here[0] == pytest.approx(1, abs=1e-3)
    assert 0.3 < found.halves.distance < 2
    text = page(found).decode()
    assert text.count("plotly.js v") == 1 and 'src="http' not in text and "May it be trusted?" in text


@pytest.mark.slow
def test_neither_unit_nor_offset_matters():
    plain, other = (analyse(series("mtx", lambda u, a=a, b=b: a * u + b), preset="tiny", lags=4) for a, b in ((1, 0), (1e-6, 3e-6)))
    for name, answer in plain.responses.items():
        torch.testing.assert_close(answer.values, other.responses[name].values, atol=2e-3, rtol=0)
    assert other.suitability.spread == pytest.approx(1e-6 * plain.suitability.spread, rel=1e-3)


def test_each_half_meets_the_score_of_the_other(monkeypatch):
    """Trained on one half only, a score that remembers its data would show in R(0): the average is over the other half."""
    from gfdt_tutorial.data import analysis

    seen = []
    monkeypatch.setattr(analysis, "fit_score", lambda half, *_, **__: seen.append(half) or remembering(half))
    found = analyse(series("mtx"), preset="tiny", lags=4)
    assert [half.u.shape[0] for half in seen] == [4, 4] and not seen[0].u.equal(seen[1].u)
    assert found.identities["generative"].linear[0] == pytest.approx(1, abs=0.05)


def test_what_neighbours_tell_of_a_score():
    """To the exact score of white data is added what no average at one place can tell: a product of two neighbours."""
    data = TimeSeries(torch.randn(16, 800, 24, generator=torch.Generator().manual_seed(0)), torch.arange(800.0), "mtx")
    right = identity(data.split(0.5), [lambda u: -u] * 2)
    wrong = identity(data.split(0.5), [lambda u: -u + 0.3 * u.roll(-1, -1) * u.roll(-2, -1)] * 2)
    for found in (right, wrong):
        assert found.linear[0] == pytest.approx(1, abs=0.02) and found.cubic[0] == pytest.approx(1, abs=0.02)
    assert abs(right.pairs[0]) < 3 * right.pairs[1] and right.holds
    assert wrong.pairs[0] == pytest.approx(0.3, abs=0.02) and not wrong.holds


def test_an_identity_that_cannot_tell_does_not_pass():
    """Errors so large that a wrong score would lie within them, as heavy tails and short series make them."""
    for value, error in ((1445, 1445), (5.8, 3.1), (4.4, 3.0), (1.0, 0.5), (math.nan, math.nan)):
        assert grade(value, error, 1.0) == "cannot tell"
    assert grade(1.04, 0.001, 1.0) == "passes" and grade(1.06, 0.001, 1.0) == "fails" and grade(1.06, 0.03, 1.0) == "passes"
    doubtful = Identity((1.0, 0.01), (5.8, 3.1), (0.01, 0.02))
    assert doubtful.grade == "cannot tell" and not doubtful.holds
    assert replace(doubtful, pairs=(0.3, 0.02)).grade == "fails" and replace(doubtful, cubic=(1.0, 0.02)).holds


def test_heavy_tails_and_short_series_are_told_that_nothing_can_be_told():
    u = np.random.default_rng(0).standard_t(2, size=(4, 300))
    found = analyse(series("mt", lambda _: u), preset="tiny", lags=4)
    assert found.grade == "cannot tell" and found.verdict.startswith("Cannot tell: the data cannot judge")
    assert found.summary()["grade"] == "cannot tell" and found.summary()["identities"]["gaussian"]["grades"]["cubic"] == "cannot tell"


def test_the_implied_error_of_the_response_is_the_actual_one():
    """The Gaussian response of a double well is off by 0.3 at its worst, and that is what its identities imply."""
    well = DoubleWell()
    data = simulate(well, members=64, duration=400.0, every=0.25, device="cpu")
    halves, lags = data.split(0.5), 3.0
    gaussian = GaussianScore.fit(data)
    found = identity(halves, [gaussian] * 2, lags)
    lag = torch.arange(2, 13, 2) / 4
    actual = float((well.response(lag, score=gaussian) - well.response(lag)).abs().max())
    assert found.response[0] == pytest.approx(actual, rel=0.15) and 0.2 < actual < 0.4
    exact = identity(halves, [well.score] * 2, lags)
    assert exact.grade == "passes" and exact.response[0] < 0.02


def test_what_the_response_does_not_see_implies_no_error_of_it():
    """In Gaussian noise ⟨v(t) (v³ − 3v)⟩ = 0 at every lag: a score that is wrong along v³ − 3v fails, and its response is right."""
    data = series("mt", steps=8000)
    found = identity(data.split(0.5), [lambda u: -u - 0.1 * (u**3 - 3 * u)] * 2, 6.0)
    assert found.cubic[0] == pytest.approx(1.2, abs=0.05) and found.grades["cubic"] == "fails"
    assert found.response[0] < 0.01


def test_the_implied_error_of_fields_is_the_actual_one():
    """Of the Gaussian response of an Allen-Cahn field, in L2 at the worst lag, against the exact score on the same data."""
    system = AllenCahn(grid=PeriodicGrid((8, 8)), epsilon=4 * AllenCahn().epsilon)
    data, lags = simulate(system, members=32, duration=200.0, device="cpu"), 12.0
    halves, gaussian = data.split(0.5), GaussianScore.fit(data)
    found, exact = (identity(halves, [score] * 2, lags) for score in (gaussian, system.score))
    first, second = (respond(data, score, lags=lags, form="controlled").values for score in (gaussian, system.score))
    actual = float((first - second)[2::2].flatten(1).norm(dim=1).max())
    assert found.response[0] == pytest.approx(actual, rel=0.2) and actual > 0.1
    assert exact.response[0] < 0.2 * actual


def test_halves_that_disagree_fail():
    """Two responses of 16 groups each, first alike but for sampling, then with scores that differ by more."""
    data = series("mt", members=32)
    one, other = (respond(half, GaussianScore.fit(half), lags=8.0) for half in data.split(0.5))
    alike, apart = Agreement.of(one, other), Agreement.of(one, replace(other, values=other.values + 0.3 * (other.times > 0)))
    assert alike.grade == "passes" and alike.distance < alike.limit and 3.2 < alike.limit < 5
    assert apart.grade == "fails" and "disagree" in apart.finding and apart.size > 0.2
    assert Agreement(5.85, 3.6, 0.01).grade == "passes" and Agreement(math.nan, 3.6, 0.1).grade == "cannot tell"


def test_the_limit_for_halves_holds_whatever_hangs_together():
    """One case in a thousand at most, for lags that are independent and for lags that are one."""
    rng, freedom = np.random.default_rng(0), 15
    for lags in (1, 2, 10):
        z = rng.normal(size=(20_000, lags, 2, freedom + 1))
        means, errors = z.mean(-1), z.std(-1, ddof=1) / math.sqrt(freedom + 1)
        ratio = np.sqrt(((means[..., 0] - means[..., 1]) ** 2).sum(1) / (errors**2).sum((1, 2)))
        assert np.mean(ratio > band_factor(0.999, freedom)) < 0.002


@pytest.mark.parametrize(
    ("generative", "gaussian", "words"),
    [
        ("passes", "passes", "Passes: both scores pass"),
        ("passes", "fails", "Passes: the learned score passes and the Gaussian one fails"),
        ("passes", "cannot tell", "Passes: the learned score passes, and the data cannot tell about the Gaussian one"),
        ("fails", "passes", "Passes: the Gaussian score passes, and the learned one fails"),
        ("cannot tell", "passes", "Passes: the Gaussian score passes, and the data cannot judge the learned one"),
        (
            "cannot tell",
            "fails",
            "Cannot tell: the data cannot judge the learned score, as a wrong one would pass as well, and the Gaussian one fails",
        ),
        ("cannot tell", "cannot tell", "Cannot tell: the data cannot judge either score"),
        ("fails", "fails", "Fails: neither score passes"),
    ],
)
def test_every_verdict_has_its_words(generative, gaussian, words):
    identities = {"gaussian": Identity((1.0, 0.01), (1.0, 0.02), (0.0, 0.01), (0.03, 0.004))}
    found = verdict({"generative": generative, "gaussian": gaussian}, words.split(":")[0].lower(), identities, None, stepped=False)
    assert found.startswith(words) and "0.03 ± 0.004 (Gaussian score)" in found


def test_hidden_memory_is_the_verdict_of_a_series_that_has_it():
    found = analyse(series("mt", lambda _: flow_mean(64, 600, 0)), preset="tiny", lags=20)
    assert found.hidden.verdict == "found" and found.grade != "passes" and "held fixed during the kick" in found.verdict
    assert found.summary()["hidden_memory"]["verdict"] == "found" and json.dumps(found.summary())
    text = page(found).decode()
    assert text.index("Verdict</h2>") < text.index("May it be trusted?") and "this number alone is raised by one" in text
    assert "Does it remember more than it shows?" in text and "Three standard errors" not in text and "3 standard errors" in text
    markov = analyse(series("mt", steps=3000, members=16), preset="tiny", lags=4)
    assert markov.hidden.verdict == "not found" and "hidden memory" not in markov.verdict and markov.grade == "passes"


def test_the_report_lists_what_was_done_to_the_data():
    plain = series("mt")
    info = {"preparation": ["the mean of each of 12 phases was taken off <b>"], "notes": "times were turned round"}
    text = page(analyse(TimeSeries(plain.u, plain.times, "mt", info=info), preset="tiny", lags=4)).decode()
    assert "each of 12 phases was taken off &lt;b&gt;" in text and "times were turned round" in text
    assert "What was done to the data" not in page(analyse(plain, preset="tiny", lags=4)).decode()


def test_lags_follow_the_memory():
    slow = series("mt", memory=0.99, steps=4000)
    found = analyse(slow, preset="tiny")
    assert found.about["lags"] == pytest.approx(2 * found.suitability.decorrelation, abs=1) and found.about["lags"] > 200
    assert not any("lags end" in note for note in found.notes)
    ring = analyse(series("mtx", memory=0.99, steps=4000), preset="tiny")
    assert ring.about["lags"] == 100 and any("take one sample in" in note for note in ring.notes)


def remembering(half):
    score = GaussianScore.fit(half)

    def learned(u):
        assert not any(u[0, 0].equal(known) for known in half.u[:, 0]), "the score meets what it was fitted to"
        return score(u)

    learned.method, learned.metrics = "generative", {"interrupted": False}
    return learned


@pytest.mark.slow
def test_the_learned_score_passes_where_the_gaussian_one_fails():
    system = AllenCahn(grid=PeriodicGrid((8, 8)), epsilon=4 * AllenCahn().epsilon)
    found = analyse(simulate(system, members=64, duration=300.0, device="cpu"), preset="quick", lags=20)
    assert found.identities["generative"].holds and not found.identities["gaussian"].holds
    assert found.verdict.startswith("Passes: the learned score passes and the Gaussian one fails")
    data = simulate(system, members=64, duration=300.0, seed=9, device="cpu")
    exact = respond(data, system.score, lags=20.0, form="controlled")
    gaps = {name: float((answer.values - exact.values).norm()) for name, answer in found.responses.items()}
    assert gaps["generative"] < 0.4 * gaps["gaussian"]


@pytest.mark.slow
def test_a_forced_analysis_says_so():
    with pytest.raises(ValueError, match=r"refused\. homogeneity: The variance varies"):
        analyse(series("mtx", uneven), preset="tiny")
    found = analyse(series("mtx", uneven), preset="tiny", lags=4, force=True)
    assert found.forced and found.summary()["checks"]["homogeneity"]["verdict"] == "refused"
    assert "<b>Forced.</b>" in page(found).decode() and "<b>Forced.</b>" not in page(analyse(series("mtx"), preset="tiny", lags=4)).decode()


@pytest.mark.slow
def test_the_verb_writes_report_arrays_numbers_and_scores(here, capsys):
    simulate(RING, members=8, duration=300.0, device="cpu").save("ring.npz")
    assert run("ring.npz", "--preset", "tiny", "--lags", 10, "--out", "out/deep") == 0
    printed = capsys.readouterr().out
    assert "homogeneity" in printed and "report.html" in printed
    folder = here / "out" / "deep"
    assert {path.name for path in folder.iterdir()} == {"report.html", "responses.npz", "analysis.json", "score-1", "score-2"}
    arrays = np.load(folder / "responses.npz", allow_pickle=False)
    assert {name: arrays[name].shape for name in arrays.files} == {
        "times": (11,),
        **dict.fromkeys(("gaussian", "generative"), (11, 16)),
        **{f"{name}/band": (2, 11, 16) for name in ("gaussian", "generative")},
    }
    about = json.loads((folder / "analysis.json").read_text(encoding="utf-8"))
    assert about["checks"]["memory"]["verdict"] in ("fine", "warning") and about["data"]["system"] == "ornstein-uhlenbeck"
    assert system_of(about["data"]).response(torch.tensor(arrays["times"])).shape == (11, 16)
    assert LearnedScore.load(folder / "score-1").method == "generative"
    first = (folder / "responses.npz").read_bytes()
    assert run("ring.npz", "--preset", "tiny", "--lags", 10, "--out", "out/deep") == 0
    assert np.load(folder / "responses.npz")["generative"].tobytes() == arrays["generative"].tobytes() and first


def test_what_is_not_a_number_is_null_and_what_cannot_be_written_leaves_nothing(here):
    found = replace(analyse(series("mt"), preset="tiny", lags=4), halves=Agreement(math.nan, 3.6, 0.0))
    with pytest.raises(TypeError, match="not JSON"):
        replace(found, notes=(here,)).save("out", b"page")
    Path("taken/analysis.json").mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match=r"analysis\.json"):
        found.save("taken", b"page")
    np.save("in.npy", noise("tx"))
    assert run("in.npy", "--axes", "tx", "--every", 1, "--out", "taken") == 2
    assert not Path("out").exists() and [path.name for path in Path("taken").iterdir()] == ["analysis.json"]
    found.save("out", b"page")
    assert json.loads(Path("out/analysis.json").read_text(encoding="utf-8"))["halves"]["distance"] is None


def test_a_name_with_marks_does_not_break_the_page():
    data = series("mt")
    data = TimeSeries(data.u, data.times, "mt", info={"file": "<script>a&b.npy"})
    text = page(analyse(data, preset="tiny", lags=4)).decode()
    assert "&lt;script&gt;a&amp;b.npy" in text and "<script>a&b" not in text


@pytest.mark.parametrize("axes", ["mt", "mtx", "mtyx"])
def test_figures_show_the_series_and_the_answer(axes):
    data = series(axes)
    found = examine(data)
    figure = overview(data, found)
    curves = {trace.name: trace for trace in figure.data if trace.name}
    width = float(curves["data"].x[1] - curves["data"].x[0])
    assert float(np.sum(curves["data"].y) * width) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(figure.data[-1].y, found.autocorrelation[: len(figure.data[-1].y)])
    answer = respond(data, GaussianScore.fit(data), lags=8.0)
    shown = response_overview({"gaussian": answer})
    lines = [trace for trace in shown.data if trace.fill is None]
    assert len(lines) == (1 if axes == "mt" else 4)
    np.testing.assert_allclose(lines[0 if axes == "mt" else 1].y, answer.along(0))
    everywhere = response_at_all_places(answer)
    assert (everywhere is None) == (axes == "mt")
    if axes == "mtx":
        assert everywhere.data[0].z[3, 8] == pytest.approx(float(answer.along(0)[3]), abs=1e-4)


def test_a_curve_of_many_lags_is_drawn_with_few_points():
    data = series("mt", steps=6000, members=2)
    shown = response_overview({"gaussian": respond(data, GaussianScore.fit(data), lags=2000.0)})
    assert all(len(trace.x) <= 2 * 501 for trace in shown.data)
    curve = next(trace for trace in shown.data if trace.fill is None)
    assert 400 < len(curve.x) <= 501 and curve.x[-1] == pytest.approx(2000, abs=5)


def test_largest_values_that_are_no_marks_are_let_through():
    u = noise("tx")
    u[10, 3] = 50.0
    assert reading.check_values(u) is u
    with pytest.raises(ValueError, match="missing values"):
        u[10, 3] = -99999.0
        reading.check_values(u)


def marked(u, mark, share):
    return np.where(np.random.default_rng(1).random(u.shape) < share, mark, u)


RAIN = np.where(noise() > 1.3, noise() - 1.3, 0.0)
MARKED = {
    "a few": marked(noise(), -9999.0, 0.005),
    "not far": marked(15 + 8 * noise(), -999.0, 0.005),
    "in whole numbers": marked(np.round(15 + 8 * noise()), -999.0, 0.005).astype(int),
    "on land": marked(15 + 8 * noise(), -999.0, 0.4),
    "in rain": marked(RAIN, -9999.0, 0.005),
    "in little rain": marked(np.where(RAIN > 1, RAIN, 0.0), -9999.0, 0.005),
    "above": marked(noise(), 1e3, 0.005),
    "two codes": marked(marked(noise(), -999.9, 0.005), -9999.0, 1e-5),
    "one here, many there": np.where(np.arange(76800).reshape(8, 600, 16) == 500, -9999.0, marked(noise(), -999.9, 0.005)),
    "in little rain, once": np.where(np.arange(76800).reshape(8, 600, 16) == 500, -999.0, np.where(RAIN > 1, RAIN, 0.0)),
}


@pytest.mark.parametrize("case", MARKED)
def test_marks_for_what_is_missing_are_refused(case):
    with pytest.raises(ValueError, match="a mark for missing values"):
        reading.check_values(MARKED[case])


def skewed(rng, size):
    return rng.lognormal(0, 1, size)


def red(rng, size, memory=0.9):
    z = rng.normal(size=size + 200)
    return scipy.signal.lfilter([math.sqrt(1 - memory**2)], [1, -memory], z)[200:]


LAWS = {
    "Gaussian": lambda rng, size: rng.normal(size=size),
    "red": red,
    "Student, 3": lambda rng, size: rng.standard_t(3, size),
    "Student, 2": lambda rng, size: rng.standard_t(2, size),
    "Cauchy": lambda rng, size: rng.standard_cauchy(size),
    "Cauchy in whole numbers": lambda rng, size: np.round(rng.standard_cauchy(size)),
    "Pareto in whole numbers": lambda rng, size: np.round(10 * rng.pareto(1, size)),
    "lognormal": lambda rng, size: rng.lognormal(0, 2, size),
    "rain": lambda rng, size: np.where(rng.random(size) < 0.3, rng.exponential(size=size), 0.0),
    "counts": lambda rng, size: rng.poisson(3, size),
    "a scale that ends at 99": lambda rng, size: np.round(80 + 10 * rng.normal(size=size)).clip(0, 99),
}
LONE = {
    "not far": (lambda rng, size: 15 + 8 * red(rng, size), -99.9),
    "in tenths": (lambda rng, size: np.round(15 + 8 * red(rng, size), 1), -99.9),
    "in whole numbers": (lambda rng, size: np.round(15 + 8 * red(rng, size)), -999),
    "near, in whole numbers": (lambda rng, size: np.round(15 + 8 * red(rng, size)), -99),
    "nought in wide swings": (lambda rng, size: 280 + 40 * red(rng, size), 0.0),
    "nought kelvin": (lambda rng, size: 280 + 10 * red(rng, size), 0.0),
    "order one": (red, -999.9),
    "far": (red, -9999.0),
    "single precision": (lambda rng, size: red(rng, size).astype(np.float32), np.float32(-99.9)),
    "heavy tails": (LAWS["Student, 3"], -999.9),
    "skewed": (skewed, -99.9),
    "rain": (LAWS["rain"], -99.9),
    "above": (LAWS["rain"], 999.9),
    "netCDF": (LAWS["Cauchy"], 9.969209968386869e36),
}


@pytest.mark.parametrize("count", [150, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", LAWS)
def test_no_honest_series_is_refused(case, count):
    for seed in range(count):
        rng = np.random.default_rng([seed, 0])
        reading.check_values(LAWS[case](rng, int(rng.choice([300, 1000, 3000, 10_000]))), time=0)


@pytest.mark.parametrize("case", LONE)
def test_a_lone_mark_is_refused_with_its_index(case):
    law, mark = LONE[case]
    missed = 0
    for seed in range(40):
        rng = np.random.default_rng([seed, 1])
        u = law(rng, 1000)
        at = int(rng.integers(1000))
        u[at] = mark
        try:
            reading.check_values(u, time=0)
            missed += 1
        except ValueError as error:
            assert f"1 of 1000 values is {mark:.7g}, the first at index ({at},)" in str(error) and "missing values" in str(error)
    assert missed <= 2


def test_a_code_within_reach_of_a_heavy_tail_is_a_value():
    """A Cauchy variable comes that far in one of ten series of this length: 3000 × 1/(9999 π)."""
    u = np.random.default_rng(3).standard_cauchy(3000)
    u[500] = -9999.0
    assert reading.check_values(u, time=0) is u


def test_a_step_to_a_round_value_that_stays_is_no_spike():
    """A river that falls dry for a while: the first 0 is far from what was before, and near what follows."""
    u = np.concatenate([100 + 3 * red(np.random.default_rng(0), 300), np.abs(3 * red(np.random.default_rng(1), 30))])
    u[300] = 0.0
    assert reading.check_values(u, time=0) is u


def test_the_axis_of_time_is_known_whatever_the_order(here):
    """A code that the values alone do not betray, and the way to it and back does."""
    u = np.stack([280 + 80 * red(np.random.default_rng([seed, 2]), 1000, memory=0.99) for seed in range(4)])
    u[2, 700] = 0.0
    np.save("last.npy", u.T)
    with pytest.raises(ValueError, match=r"the first at index \(2, 700\)"):
        read_series("last.npy", axes="tm", every=1.0)
    assert reading.check_values(u) is u


HONEST = {
    "heavy tails": np.random.default_rng(2).standard_cauchy(3000),
    "rain": RAIN,
    "little rain": np.where(RAIN > 1, RAIN, 0.0),
    "on and off": np.where(noise() > 1.5, 7, 0),
    "three levels": np.round(noise().clip(-1, 1)),
    "counts": np.random.default_rng(2).poisson(0.1, 100_000),
    "counts of heavy tails": np.floor(np.abs(np.random.default_rng(3).standard_t(2, 100_000))),
    "a sensor that saturates": noise().clip(-4, 0.3),
    "a sensor that saturates far out": np.random.default_rng(2).standard_t(2, 100_000).clip(-40, 60),
    "bytes": np.clip(noise() * 20 + 128, 0, 255).astype("u1"),
    "constant": np.full(50, 4.0),
}


@pytest.mark.parametrize("case", HONEST)
def test_honest_values_are_no_marks(case):
    assert reading.check_values(HONEST[case]) is HONEST[case]


def test_yes_and_no_are_one_and_nought():
    found = reading.check_values(noise() > 0)
    assert found.dtype == np.float32 and set(np.unique(found)) == {0, 1}


def test_a_season_is_taken_off_on_the_way_in_and_the_report_says_so(here, capsys):
    t = np.arange(480.0)
    np.save("season.npy", noise("t", steps=480, memory=0.7) + np.cos(2 * np.pi * t / 12))
    words = ["season.npy", "--axes", "t", "--every", 1, "--preset", "tiny", "--lags", 6, "--out", "out"]
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert "period 12 " in error and "deseasonalise=12" in error and not (here / "out").exists()
    assert run(*words, "--deseasonalise", 12) == 0
    about = json.loads((here / "out" / "analysis.json").read_text(encoding="utf-8"))
    assert about["data"]["preparation"] == [{"step": "deseasonalise", "period": 12.0, "variance": False}]
    assert "deseasonalise" in (here / "out" / "report.html").read_text(encoding="utf-8")
    assert run(*words, "--deseasonalise", 1) == 2 and "expected 2 to 240" in capsys.readouterr().err


def test_what_is_taken_off_is_taken_off_in_order():
    data = series("mt", lambda u: u + 0.01 * np.arange(u.shape[1]) + np.arange(8)[:, None], members=8)
    found = analyse(data, preset="tiny", lags=4, detrend=True, centre_members=True)
    assert [step["step"] for step in found.data.info["preparation"]] == ["detrend", "centre_members"] and not found.forced
