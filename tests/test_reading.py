"""A series is read from a file of any kind, with every axis, unit and direction of time that the file or the caller names."""

import os
import warnings

import numpy as np
import pytest
import series_examples
from series_examples import SHAPES, noise

from gfdt_tutorial import TimeSeries
from gfdt_tutorial.data.reading import read_series

here = series_examples.here


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
    with pytest.warns(UserWarning, match="the times of file.n.* decrease .* reversed"):
        found = read_series("file.nc" if ending == "nc" else "file.npz", every=every)
    np.testing.assert_array_equal(found.u, u)
    assert found.every == (every or 0.5) and "reversed" in found.info["notes"][0]
    if ending == "npz":
        np.testing.assert_array_equal(found.context, context)


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


def test_axes_are_recognised_by_the_attributes_of_the_cf_conventions(here):
    """As in files of reanalyses and of NEMO: names of their own, and bounds beside the variable."""
    xarray = pytest.importorskip("xarray", reason="pip install 'gfdt-tutorial[files]'")
    u = noise("mtyx", steps=40).astype(np.float32)
    at = {
        "run": ("run", np.arange(8), {"standard_name": "realization"}),
        "time_counter": ("time_counter", 0.5 * np.arange(40), {"units": "days since 1950-01-01", "bounds": "counter_bounds"}),
        "nav_lat": ("nav_lat", 2.0 * np.arange(6), {"units": "degrees_north"}),
        "i": ("i", 3.0 * np.arange(8), {"axis": "X"}),
        "depth": ((), 5.0),
    }
    bounds = np.stack([0.5 * np.arange(40), 0.5 * np.arange(1, 41)], 1)
    field = xarray.Dataset({"sst": (("run", "time_counter", "nav_lat", "i"), u), "counter_bounds": (("time_counter", "side"), bounds)}, at)
    field.to_netcdf("cf.nc")
    found = read_series("cf.nc")
    assert found.u.numpy().tobytes() == u.tobytes() and found.axes == "mtyx" and found.every == 0.5
    assert found.lengths == (12.0, 24.0) and found.info["time_unit"] == "days" and found.info["variable"] == "sst"


def test_times_may_be_a_coordinate_of_another_name(here):
    """As in files of WRF."""
    xarray = pytest.importorskip("xarray", reason="pip install 'gfdt-tutorial[files]'")
    field = xarray.Dataset({"T2": (("Time", "x"), noise("tx", steps=40))})
    field.coords["XTIME"] = ("Time", 180.0 * np.arange(40), {"units": "minutes since 2000-01-01"})
    field.to_netcdf("wrf.nc")
    assert read_series("wrf.nc").every == 180 and read_series("wrf.nc").info["time_unit"] == "minutes"


def test_a_list_of_stations_is_neither_latitude_nor_longitude(here):
    xarray = pytest.importorskip("xarray", reason="pip install 'gfdt-tutorial[files]'")
    at = {"time": np.arange(40.0), "lat": ("station", np.arange(16.0), {"units": "degrees_north"})}
    at["lon"] = ("station", np.arange(16.0) ** 2, {"units": "degrees_east"})
    xarray.Dataset({"sst": (("time", "station"), noise("tx", steps=40))}, at).to_netcdf("stations.nc")
    with pytest.raises(ValueError, match="does not say what the axes"):
        read_series("stations.nc")
