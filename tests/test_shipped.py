"""What travels with the package: whole, described, and small enough."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from gfdt_tutorial import (
    AllenCahn,
    NavierStokes,
    OrnsteinUhlenbeck,
    PeriodicGrid,
    load_shipped,
    load_shipped_score,
    perturb,
    respond,
    simulate,
)
from gfdt_tutorial.__main__ import main
from gfdt_tutorial.experiments import shipped
from gfdt_tutorial.systems.built_in import system_of
from gfdt_tutorial.systems.simulate import parameters

MANIFEST = json.loads((shipped.ASSETS / "manifest.json").read_text(encoding="utf-8"))


@pytest.fixture
def folder(tmp_path):
    for file in ("manifest.json", "allen-cahn-truth.npz", "allen-cahn-architectures.json"):
        shutil.copy(shipped.ASSETS / file, tmp_path)
    return tmp_path


def test_every_asset_is_what_the_manifest_says_and_all_are_small():
    for name, entry in MANIFEST.items():
        assert shipped._checked(shipped._entry(name, shipped.ASSETS), shipped.ASSETS).stat().st_size <= 2e6
        assert entry["command"].startswith("python -m gfdt_tutorial ") and entry["versions"]["torch"]
    sizes = [path.stat().st_size for path in shipped.ASSETS.rglob("*") if path.is_file()]
    assert max(sizes) <= 2e6 and sum(sizes) <= 15e6


def test_the_truth_is_that_of_the_letters_field_and_good_to_a_thousandth():
    truth, size = load_shipped("allen-cahn-truth"), AllenCahn.reference
    assert truth.info["parameters"] == parameters(AllenCahn())
    assert (truth.info["pairs"], truth.info["kick"], truth.info["amplitude"]) == (size.pairs, "random signs", 1 / 16)
    assert float(truth.standard_error.max()) <= 0.001
    assert truth.times.tolist() == list(range(91)) and len(truth.parts) == 4
    torch.testing.assert_close(truth.parts.mean(0), truth.values, atol=1e-3, rtol=0)
    torch.testing.assert_close(truth.values[0], torch.eye(1024)[0].reshape(32, 32), atol=1e-4, rtol=0)


def test_the_truth_of_the_flow_is_good_to_a_hundredth():
    truth, size = load_shipped("navier-stokes-truth"), NavierStokes.reference
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


def agreement(name, folder, lags):
    """How far the shipped generative response is from one that the shipped score gives on data of today: rms, in standard errors."""
    was, score = load_shipped(f"{name}-generative", folder=folder), load_shipped_score(name, folder=folder)
    system, every = system_of(was.info["data"]), float(was.times[1])
    data = simulate(system, members=16, spinup=None, duration=16 * lags, every=every, seed=77, device="cpu")
    options = {"form": was.form, "symmetries": was.info["symmetries"]}
    now = respond(data, score, lags=lags, **options, thin=was.info["thin"])
    count = len(now.times)
    z = (now.values - was.values[:count])[1:] / (now.standard_error[1:].square() + was.standard_error[1:count].square()).sqrt()
    return float(z.square().mean().sqrt())


LAGS = {"ornstein-uhlenbeck": 10.0, "allen-cahn": 10.0, "navier-stokes": 1.0}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in LAGS if f"{name}-score" in MANIFEST])
def test_a_shipped_score_gives_its_shipped_response_on_data_of_today(name):
    assert 0.7 < agreement(name, shipped.ASSETS, LAGS[name]) < 1.35


def test_scores_are_shipped_for_all_systems_or_not_at_all():
    scores = {name.removesuffix("-score") for name in MANIFEST if name.endswith("-score")}
    assert scores in (set(), set(LAGS))
    assert all({f"{name}-generative", f"{name}-gaussian"} <= set(MANIFEST) for name in scores)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What the verb `assets` makes, preset tiny, of one system."""
    folder = tmp_path_factory.mktemp("assets")
    words = ["assets", "--system", "ornstein-uhlenbeck", "--preset", "tiny", "--device", "cpu", "--no-cache", "--out", str(folder)]
    assert main(words) == 0
    return folder


def test_the_verb_ships_scores_and_responses_with_how_they_were_made(made):
    manifest = json.loads((made / "manifest.json").read_text(encoding="utf-8"))
    name = "ornstein-uhlenbeck"
    assert set(manifest) == {
        f"{name}-{what}"
        for what in ("score", "gaussian", "analytic", "analytic-normalised", "generative", "generative-normalised", "combined")
    }
    for entry in manifest.values():
        assert entry["command"] == "python -m gfdt_tutorial assets --preset tiny" and entry["seed"] == 0 and entry["seconds"] > 0
    assert manifest[f"{name}-score"]["config"] == {"preset": "tiny", "system": name, "parameters": parameters(OrnsteinUhlenbeck())}
    found = load_shipped(f"{name}-generative", folder=made)
    assert found.method == "generative" and found.form == "raw" and found.info["shipped"] == manifest[f"{name}-generative"]
    assert load_shipped_score(name, folder=made).method == "generative"


def test_a_score_and_its_response_belong_together(made, tmp_path):
    assert 0.6 < agreement("ornstein-uhlenbeck", made, 10.0) < 1.5  # eight members only
    folder = shutil.copytree(made, tmp_path / "wrong")
    score = load_shipped_score("ornstein-uhlenbeck", folder=folder)
    wrong = replace(score, correction=1.1 * score.correction - 0.1 * score.unit**2)
    shipped.ship_score("ornstein-uhlenbeck", wrong, command="x", folder=folder)
    assert agreement("ornstein-uhlenbeck", folder, 10.0) > 1.5


def test_a_changed_score_is_refused(made, tmp_path):
    folder = shutil.copytree(made, tmp_path / "changed")
    path = folder / "ornstein-uhlenbeck-score" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match="damaged, truncated, or of another score"):
        load_shipped_score("ornstein-uhlenbeck", folder=folder)
    (path.parent / "score.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match="not the file that the manifest describes"):
        load_shipped_score("ornstein-uhlenbeck", folder=folder)


def test_what_was_changed_is_refused(folder):
    content = bytearray((folder / "allen-cahn-truth.npz").read_bytes())
    content[5000] ^= 1
    (folder / "allen-cahn-truth.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"not the file that the manifest describes.*python -m gfdt_tutorial truth"):
        load_shipped("allen-cahn-truth", folder=folder)
    (folder / "allen-cahn-architectures.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ValueError, match="not the file that the manifest describes"):
        shipped.load_table("allen-cahn-architectures", folder=folder)


def test_what_is_not_there_is_named(folder, tmp_path):
    with pytest.raises(ValueError, match="shipped result 'weights' is unknown; expected one of"):
        load_shipped("weights")
    (folder / "allen-cahn-truth.npz").unlink()
    with pytest.raises(FileNotFoundError):
        load_shipped("allen-cahn-truth", folder=folder)


def test_shipping_keeps_values_and_tells_how(tmp_path):
    made = perturb(AllenCahn(grid=PeriodicGrid((4, 6))), lags=3.0, pairs=16, spinup=1.0, device="cpu")
    shipped.ship("small", made, command="python -m gfdt_tutorial truth", folder=tmp_path)
    found = load_shipped("small", folder=tmp_path)
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
