"""What travels with the package: whole, described, and small enough."""

import json
import shutil

import numpy as np
import pytest
import torch

from gfdt_tutorial import AllenCahn, NavierStokes, PeriodicGrid, load_shipped, perturb, presets, shipped
from gfdt_tutorial.systems.simulate import parameters

MANIFEST = json.loads((shipped.ASSETS / "manifest.json").read_text())


@pytest.fixture
def folder(tmp_path):
    for file in ("manifest.json", "allen-cahn-truth.npz", "allen-cahn-architectures.json"):
        shutil.copy(shipped.ASSETS / file, tmp_path)
    return tmp_path


def test_every_asset_is_what_the_manifest_says_and_all_are_small():
    for name, entry in MANIFEST.items():
        assert shipped._checked(shipped._entry(name, shipped.ASSETS), shipped.ASSETS).stat().st_size <= 2e6
        assert entry["command"].startswith("python -m gfdt_tutorial ") and entry["versions"]["torch"]
    assert sum(path.stat().st_size for path in shipped.ASSETS.iterdir()) <= 10e6


def test_the_truth_is_that_of_the_letters_field_and_good_to_a_thousandth():
    truth, size = load_shipped("allen-cahn-truth"), presets.TRUTHS["allen-cahn"]
    assert truth.info["parameters"] == parameters(AllenCahn())
    assert (truth.info["pairs"], truth.info["kick"], truth.info["amplitude"]) == (size.pairs, "random signs", 1 / 16)
    assert float(truth.standard_error.max()) <= 0.001
    assert truth.times.tolist() == list(range(91)) and len(truth.parts) == 4
    torch.testing.assert_close(truth.parts.mean(0), truth.values, atol=1e-3, rtol=0)
    torch.testing.assert_close(truth.values[0], torch.eye(1024)[0].reshape(32, 32), atol=1e-4, rtol=0)


def test_the_truth_of_the_flow_is_good_to_a_hundredth():
    truth, size = load_shipped("navier-stokes-truth"), presets.TRUTHS["navier-stokes"]
    assert truth.info["parameters"] == parameters(NavierStokes())
    assert (truth.info["pairs"], truth.info["kick"], truth.info["amplitude"]) == (size.pairs, "pixel", 1 / 64)
    assert float((truth.standard_error.square().sum((1, 2)).mean()).sqrt()) <= 0.01  # L2
    assert len(truth.times) == 65 and float(truth.times[-1]) == 4.0
    torch.testing.assert_close(truth.values[0], torch.eye(1024)[0].reshape(32, 32), atol=1e-4, rtol=0)
    mean = truth.values.sum((1, 2))  # the mean decays at rate one, whatever the rest does
    torch.testing.assert_close(mean, torch.exp(-truth.times).float(), atol=2e-3, rtol=0)


@pytest.mark.slow
def test_a_few_kicks_of_the_flow_agree_with_its_shipped_truth():
    truth = load_shipped("navier-stokes-truth")
    few = perturb(NavierStokes(), lags=0.5, pairs=128, seed=9, every=1 / 16, amplitude=1 / 64, spinup=20.0, device="cpu")
    z = (few.values - truth.values[:9])[1:] / (few.standard_error[1:].square() + truth.standard_error[1:9].square()).sqrt()
    assert 0.7 < z.square().mean().sqrt() < 1.35


@pytest.mark.slow
def test_a_few_kicks_of_today_agree_with_the_shipped_truth():
    truth = load_shipped("allen-cahn-truth")
    few = perturb(AllenCahn(), lags=10.0, pairs=64, seed=9, kick="random signs", device="cpu")
    z = (few.values - truth.values[:11])[1:] / (few.standard_error[1:].square() + truth.standard_error[1:11].square()).sqrt()
    assert 0.7 < z.square().mean().sqrt() < 1.35  # Student's t with 15 degrees of freedom


def test_what_was_changed_is_refused(folder):
    content = bytearray((folder / "allen-cahn-truth.npz").read_bytes())
    content[5000] ^= 1
    (folder / "allen-cahn-truth.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"not the file that the manifest describes.*python -m gfdt_tutorial truth"):
        load_shipped("allen-cahn-truth", folder)
    (folder / "allen-cahn-architectures.json").write_text("[]")
    with pytest.raises(ValueError, match="not the file that the manifest describes"):
        shipped.load_table("allen-cahn-architectures", folder)


def test_what_is_not_there_is_named(folder, tmp_path):
    with pytest.raises(ValueError, match="shipped result 'weights' is unknown; expected one of"):
        load_shipped("weights")
    (folder / "allen-cahn-truth.npz").unlink()
    with pytest.raises(FileNotFoundError):
        load_shipped("allen-cahn-truth", folder)


def test_shipping_keeps_values_and_tells_how(tmp_path):
    made = perturb(AllenCahn(grid=PeriodicGrid((4, 6))), lags=3.0, pairs=16, spinup=1.0, device="cpu")
    shipped.ship("small", made, command="python -m gfdt_tutorial truth", folder=tmp_path)
    found = load_shipped("small", tmp_path)
    assert found.values.equal(made.values)
    torch.testing.assert_close(found.parts, made.parts.unflatten(0, (4, 4)).mean(1), atol=1e-3, rtol=1e-3)
    np.testing.assert_allclose(found.standard_error, made.standard_error, rtol=1e-3, atol=1e-6)
    assert found.info["shipped"]["config"]["pairs"] == 16


def test_too_large_is_not_shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "LARGEST_MB", 0.001)
    with pytest.raises(ValueError, match=r"at most 0.001 are shipped"):
        shipped.ship(
            "large",
            perturb(AllenCahn(grid=PeriodicGrid((8, 8))), lags=3.0, pairs=16, spinup=1.0, device="cpu"),
            command="x",
            folder=tmp_path,
        )
    assert list(tmp_path.iterdir()) == []
