"""Files of responses and errors: three forms under three names, and what the first format called them."""

import json

import numpy as np
import pytest
import torch

from gfdt_tutorial import OrnsteinUhlenbeck, Response, exact_response
from gfdt_tutorial.core import storage
from gfdt_tutorial.experiments import results

GRID = OrnsteinUhlenbeck().grid


def first_format(path, *, normalised, control=None):
    """A response as format 1 wrote it: with one flag, and no format."""
    info = {} if control is None else {"control": control}
    about = {"method": "generative", "level": 0.9, "freedom": 31, "normalised": normalised, "grid": None, "info": info}
    return storage.save_npz(path, {"times": torch.arange(3.0), "values": torch.ones(3), "about": json.dumps(about)})


@pytest.mark.parametrize(
    ("normalised", "control", "form"),
    [(False, False, "raw"), (True, False, "normalised"), (True, True, "controlled"), (False, True, "controlled"), (False, None, "raw")],
)
def test_a_response_of_the_first_format_gets_the_name_of_its_form(tmp_path, normalised, control, form):
    assert Response.load(first_format(tmp_path / "old.npz", normalised=normalised, control=control)).form == form


def test_twins_with_a_control_variate_of_their_signs_stay_raw(tmp_path):
    about = {"method": "dynamical", "level": 0.9, "freedom": 15, "normalised": False, "grid": None, "info": {"control": True, "pairs": 64}}
    storage.save_npz(tmp_path / "twins.npz", {"times": torch.arange(2.0), "values": torch.ones(2), "about": json.dumps(about)})
    assert Response.load(tmp_path / "twins.npz").form == "raw"


@pytest.mark.parametrize("form", ["raw", "normalised", "controlled"])
def test_a_form_is_saved_and_read(tmp_path, form):
    saved = Response(torch.arange(3.0), torch.ones(3, 2), "analytic", form=form)
    assert Response.load(saved.save(tmp_path / "new.npz")).form == form
    about = json.loads(str(np.load(tmp_path / "new.npz")["about"]))
    assert about["format"] == 2 and "normalised" not in about


def test_an_unknown_form_and_a_later_format_are_refused(tmp_path):
    with pytest.raises(ValueError, match="form 'divided' is unknown; expected one of 'raw', 'normalised', 'controlled'"):
        Response(torch.arange(3.0), torch.ones(3), "analytic", form="divided")
    about = {"format": 3, "method": "x", "form": "raw", "level": 0.9, "freedom": None, "grid": None, "info": {}}
    storage.save_npz(tmp_path / "later.npz", {"times": torch.arange(2.0), "values": torch.ones(2), "about": json.dumps(about)})
    with pytest.raises(ValueError, match="written in format 3; this version reads formats 1 and 2"):
        Response.load(tmp_path / "later.npz")


METHODS = ("gaussian", "generative", "generative_normalised")


def test_metrics_of_the_first_format_are_read_with_normalised_as_controlled(tmp_path):
    systems = {name: {"methods": {method: {"l2": [0.0]} for method in METHODS}} for name in ("allen-cahn", "ornstein-uhlenbeck")}
    path = storage.save_json(tmp_path / "metrics.json", {"seed": 0, "systems": systems})
    found = results.load_metrics(path)
    assert found["format"] == 1 and list(found["systems"]["allen-cahn"]["methods"]) == ["gaussian", "generative", "generative_controlled"]
    assert list(found["systems"]["ornstein-uhlenbeck"]["methods"]) == list(METHODS)  # there it was R(t) R(0)⁻¹
    path = storage.save_json(path, {"format": 2, "systems": {"allen-cahn": {"methods": {method: {} for method in METHODS}}}})
    assert list(results.load_metrics(path)["systems"]["allen-cahn"]["methods"]) == list(METHODS)
    with pytest.raises(ValueError, match="format 9"):
        results.load_metrics(storage.save_json(path, {"format": 9}))
    path.write_text("[", encoding="utf-8")
    with pytest.raises(ValueError, match="not JSON"):
        results.load_metrics(path)


def test_arrays_of_the_first_format_are_read_with_normalised_as_controlled(tmp_path):
    values = exact_response(OrnsteinUhlenbeck(), lags=2.0).values
    arrays = {f"allen-cahn/{name}": values for name in METHODS} | {"allen-cahn/times": torch.arange(3.0)}
    found = results.load_arrays(storage.save_npz(tmp_path / "responses.npz", arrays))
    assert set(found) == {f"allen-cahn/{name}" for name in ("gaussian", "generative", "generative_controlled", "times")}
    np.testing.assert_array_equal(found["allen-cahn/generative_controlled"], values)
    again = results.load_arrays(storage.save_npz(tmp_path / "responses.npz", arrays | {"format": torch.tensor(2)}))
    assert set(again) == set(arrays)
