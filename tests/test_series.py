"""A series says what its axes are; whatever cannot be one is refused in words, and a file is whole or absent."""

import errno
import math
import os
import random
import warnings

import numpy as np
import pytest
import torch

from gfdt_tutorial import GaussianScore, OrnsteinUhlenbeck, TimeSeries, fit_score, respond, simulate
from gfdt_tutorial.core import storage

SHAPES = {"t": (9,), "mt": (2, 9), "tx": (9, 5), "mtx": (2, 9, 5), "tyx": (9, 4, 5), "mtyx": (2, 9, 4, 5)}
STORED = {"t": (1, 9), "mt": (2, 9), "tx": (1, 9, 5), "mtx": (2, 9, 5), "tyx": (1, 9, 4, 5), "mtyx": (2, 9, 4, 5)}
TIMES = np.arange(9.0)


def samples(axes="tx"):
    return np.random.default_rng(0).normal(size=SHAPES[axes])


def series(axes="tx", **changes):
    return TimeSeries(**{"u": samples(axes), "times": TIMES, "axes": axes} | changes)


def one_bad(value):
    u = samples()
    u[3, 2] = value
    return u


@pytest.mark.parametrize("axes", SHAPES)
def test_members_and_times_come_first_whatever_the_axes(axes):
    found = series(axes)
    assert found.u.shape == STORED[axes]
    assert found.u.dtype == torch.float32
    assert found.grid.shape == STORED[axes][2:]
    assert found.grid.lengths == (2 * math.pi,) * len(found.grid.shape)
    assert found.snapshots == STORED[axes][0] * 9
    torch.testing.assert_close(found.u.flatten(), torch.as_tensor(samples(axes), dtype=torch.float32).flatten())


@pytest.mark.parametrize("form", [list, np.float64, np.float32, np.int16, torch.tensor], ids=lambda form: form.__name__)
def test_any_array_will_do(form):
    rows = [[1, 2, 3], [4, 5, 6]]
    u = {list: rows, torch.tensor: torch.tensor(rows, dtype=torch.float64, requires_grad=True)}.get(form)
    found = TimeSeries(np.array(rows, form) if u is None else u, [0, 1], axes="tx")
    assert found.u.tolist() == [rows]
    assert not found.u.requires_grad


def test_sampling_interval_and_box_are_kept():
    found = series("tyx", times=10 + 0.25 * TIMES, lengths=(1.0, 3.0))
    assert found.every == 0.25
    assert found.grid.lengths == found.lengths == (1.0, 3.0)


def test_lags_are_counted_in_steps_up_to_half_the_series():
    found = series(times=0.5 * TIMES)
    assert (found.steps(0.5), found.steps(1.0), found.steps(2.0)) == (1, 2, 4)


def test_a_lag_between_two_samples_is_rounded_with_a_warning():
    found = series(times=0.1 * TIMES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert found.steps(0.3) == found.steps(0.1 * 3) == 3
    with pytest.warns(UserWarning, match=r"lags=0\.33 is not a multiple of the sampling interval 0\.1; 0\.3 is used instead"):
        assert found.steps(0.33) == 3


@pytest.mark.parametrize(("lags", "message"), [(5, "1 to 4, half the series of 9"), (0.2, "1 to 4"), (-1, "> 0"), (math.nan, "> 0")])
def test_a_lag_beyond_half_the_series_or_below_a_step_is_refused(lags, message):
    with pytest.raises(ValueError, match=message):
        series().steps(lags)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": "xt"}, "axes 'xt' is unknown; expected one of 't', 'mt'"),
        ({"axes": "tyx"}, r"u has shape \(9, 5\), 2 axes; axes='tyx' names 3"),
        ({"u": np.zeros((9, 1))}, "a grid side is 1"),
        ({"u": np.zeros((9, 0))}, "an axis is empty"),
        ({"u": one_bad(math.nan)}, r"u has 1 values that are NaN or infinite, the first at index \(0, 3, 2\)"),
        ({"u": one_bad(-math.inf)}, "NaN or infinite"),
        ({"u": samples() + 0j}, "u holds complex128; expected real"),
        ({"times": TIMES[:-1]}, r"times has shape \(8,\); expected \(9,\)"),
        ({"times": TIMES[:, None]}, r"times has shape \(9, 1\)"),
        ({"times": TIMES**2}, "times must increase in equal steps; the gaps run from 1 to 15"),
        ({"times": TIMES[::-1].copy()}, "times must increase, but these decrease; reverse u and times"),
        ({"times": np.zeros(9)}, "times must increase"),
        ({"times": np.where(TIMES == 4, np.nan, TIMES)}, "times has 1 values that are NaN"),
        ({"u": samples()[:1], "times": TIMES[:1]}, "the series has 1 sample; expected at least two"),
        ({"lengths": (1.0, 2.0)}, "one length per axis"),
        ({"lengths": (-1.0,)}, "a grid length is -1.0"),
        ({"context": np.zeros((1, 9, 5))}, "expected \\(member, time, channel, \\*space\\)"),
        ({"context": np.zeros((1, 8, 2, 5))}, "context has shape"),
        ({"context": np.full((1, 9, 2, 5), np.nan)}, "context has 90 values that are NaN"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
def test_what_is_no_series_is_refused_in_words(changes, message):
    with pytest.raises(ValueError, match=message):
        TimeSeries(**{"u": samples(), "times": TIMES, "axes": "tx"} | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"u": np.full((9, 5), "warm")}, "u"),
        ({"times": TIMES.astype("datetime64[D]")}, "times"),
        ({"u": None}, "u"),
    ],
    ids=["words", "dates", "nothing"],
)
def test_what_is_no_number_is_refused_too(changes, message):
    with pytest.raises(ValueError, match=message):
        series(**changes)


@pytest.mark.parametrize("fraction", [0, 1, 80, -0.5, math.nan, "half"])
def test_a_fraction_is_between_none_and_all(fraction):
    with pytest.raises(ValueError, match="fraction is"):
        series("mtx").split(fraction)


def test_rounding_that_blurs_the_fields_is_a_warning():
    with pytest.warns(UserWarning, match="varies by 0.*subtract the mean first") as told:
        series(u=1e6 + samples())
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        series(u=288 + samples())
        series(u=np.ones((9, 5)))


@pytest.mark.parametrize("fit", [GaussianScore.fit, fit_score, lambda u: respond(u, lambda v: -v, lags=3.0)])
def test_an_array_is_no_series(fit):
    with pytest.raises(ValueError, match="data is of type Tensor; expected a series"):
        fit(torch.randn(4, 20, 8))


def test_a_lone_side_may_be_a_number_in_a_file(tmp_path):
    np.savez(tmp_path / "x.npz", u=samples(), times=TIMES, axes="tx", lengths=3.0)
    assert TimeSeries.load(tmp_path / "x.npz").lengths == (3.0,)
    with pytest.raises(ValueError, match=r"lengths is 3.0; give one number per axis, such as \(3.0,\)"):
        series(lengths=3.0)


def test_gaps_that_a_mask_hides_are_not_read_as_data():
    with pytest.raises(ValueError, match=r"NaN|mask"):
        series(u=np.ma.masked_greater(samples(), 1.0))


@pytest.mark.parametrize("form", [np.float32, np.float64, np.int32, torch.float32, torch.float64], ids=str)
def test_a_series_does_not_change_when_the_caller_writes_to_the_array(form):
    u, times, context = (100 * samples()).astype(np.float32), TIMES.copy(), np.ones((1, 9, 2, 5), np.float32)
    u, context = (torch.tensor(u, dtype=form), torch.tensor(context)) if isinstance(form, torch.dtype) else (u.astype(form), context)
    found = series(u=u, times=times, context=context)
    before = found.u.clone(), found.times.clone(), found.context.clone()
    u[:], times[:], context[:] = 7, 7, math.nan
    assert all(one.equal(other) for one, other in zip(before, (found.u, found.times, found.context), strict=True))


def test_a_read_only_array_is_taken_without_a_word():
    arrays = samples().astype(np.float32), TIMES.copy(), np.ones((1, 9, 2, 5), np.float32)
    for array in arrays:
        array.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = TimeSeries(arrays[0], arrays[1], "tx", arrays[2])
    found.u[0, 0, 0] = 3.0
    assert arrays[0][0, 0] != 3.0


def test_parts_of_a_series_take_no_memory():
    whole = simulate(OrnsteinUhlenbeck(), members=4, duration=20.0, spinup=1.0, device="cpu")
    assert {part.u.untyped_storage().data_ptr() for part in whole.split(0.5)} == {whole.u.untyped_storage().data_ptr()}


def test_a_flipped_or_foreign_endian_array_is_an_array():
    assert series(u=samples()[:, ::-1]).u.shape == (1, 9, 5)
    assert series(u=samples().astype(">f4")).u.shape == (1, 9, 5)


@pytest.mark.parametrize("axes", SHAPES)
def test_saved_and_loaded_series_are_equal(axes, tmp_path):
    context = torch.ones(*STORED[axes][:2], 3, *STORED[axes][2:])
    saved = series(axes, context=context, lengths=(3.0, 2.0)[: len(axes.replace("m", "")) - 1], info={"from": "a test", "seed": 4})
    loaded = TimeSeries.load(saved.save(tmp_path / "run.npz"))
    assert loaded.u.equal(saved.u)
    assert loaded.times.equal(saved.times)
    assert loaded.context.equal(context)
    assert (loaded.axes, loaded.lengths, loaded.info) == (saved.axes, saved.lengths, saved.info)


def test_an_npz_of_another_tool_is_read(tmp_path):
    np.savez(tmp_path / "theirs.npz", u=samples(), times=TIMES, axes="tx")
    assert TimeSeries.load(tmp_path / "theirs.npz").u.shape == (1, 9, 5)


def test_nothing_is_left_out_silently(tmp_path):
    np.savez(tmp_path / "part.npz", u=samples())
    with pytest.raises(ValueError, match="lacks axes, times; it has u"):
        TimeSeries.load(tmp_path / "part.npz")
    with pytest.raises(FileNotFoundError):
        TimeSeries.load(tmp_path / "absent.npz")


class Trap:
    """Unpickling one would run code."""

    def __reduce__(self):
        return pytest.fail, ("the pickle was run",)


def test_pickled_objects_are_never_opened(tmp_path):
    np.savez(tmp_path / "trap.npz", u=np.array([Trap()], dtype=object), times=TIMES, axes="tx")
    with pytest.raises(ValueError, match=r"not a readable \.npz file of plain arrays"):
        TimeSeries.load(tmp_path / "trap.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"u,times\n1,2\n"], ids=["empty", "header", "text"])
def test_another_kind_of_file_is_refused(content, tmp_path):
    (tmp_path / "run.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"run\.npz is not a readable \.npz file"):
        TimeSeries.load(tmp_path / "run.npz")


def test_a_lone_npy_array_is_refused(tmp_path):
    np.save(tmp_path / "u.npy", samples())
    with pytest.raises(ValueError, match=r"not a readable \.npz file"):
        TimeSeries.load(tmp_path / "u.npy")


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed], ids=["plain", "compressed"])
def test_a_damaged_file_is_read_in_full_or_refused(write, tmp_path):
    write(tmp_path / "run.npz", u=samples(), times=TIMES, axes="tx", lengths=np.array([2.0]), info="{}")
    whole, rng, refused = (tmp_path / "run.npz").read_bytes(), random.Random(0), 0
    for trial in range(400):
        damaged = bytearray(whole)
        if trial % 2:
            damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        else:
            del damaged[rng.randrange(len(whole)) :]
        (tmp_path / "run.npz").write_bytes(damaged)
        try:
            assert TimeSeries.load(tmp_path / "run.npz").u.shape == (1, 9, 5)
        except ValueError:
            refused += 1
    assert refused > 200


def listing(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_takes_its_name_only_when_whole(tmp_path):
    with storage.atomic(tmp_path / "out.bin") as [file]:
        file.write(b"all")
        assert not (tmp_path / "out.bin").exists()
    assert listing(tmp_path) == ["out.bin"]
    assert (tmp_path / "out.bin").read_bytes() == b"all"


def test_an_error_while_writing_leaves_what_was_there(tmp_path):
    (tmp_path / "out.bin").write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt), storage.atomic(tmp_path / "out.bin") as [file]:
        file.write(b"half")
        raise KeyboardInterrupt
    assert listing(tmp_path) == ["out.bin"]
    assert (tmp_path / "out.bin").read_bytes() == b"before"


@pytest.mark.parametrize("call", ["fsync", "replace", "chmod"])
def test_a_full_disk_leaves_nothing(call, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space left"):
        series().save(tmp_path / "run.npz")
    assert listing(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a device that is always full")
def test_a_disk_that_fills_while_numpy_writes_leaves_nothing(tmp_path, monkeypatch):
    fdopen = os.fdopen

    def onto_a_full_disk(handle, *args, **options):
        with open("/dev/full", "wb") as full:
            os.dup2(full.fileno(), handle)
        return fdopen(handle, *args, **options)

    monkeypatch.setattr(os, "fdopen", onto_a_full_disk)
    with pytest.raises(OSError, match="No space left"):
        storage.save_npz(tmp_path / "run.npz", {"u": np.zeros(100_000)})
    assert listing(tmp_path) == []


def test_of_several_files_all_appear_or_none(tmp_path):
    (tmp_path / "second").mkdir()
    with pytest.raises(IsADirectoryError, match="it is a folder"), storage.atomic(tmp_path / "first", tmp_path / "second") as [one, _]:
        one.write(b"all")
    assert listing(tmp_path) == ["second"]


def test_a_missing_folder_is_an_error_of_the_file_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        series().save(tmp_path / "nowhere" / "run.npz")


def test_files_obey_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        path = series().save(tmp_path / "run.npz")
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o640
