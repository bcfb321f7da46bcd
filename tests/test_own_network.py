"""A network of the user's own learns the score as the built-in one does: it starts from the Gaussian score, resumes, saves and refuses."""

import json
import math
from functools import lru_cache

import pytest
import torch
from torch import nn

from gfdt_tutorial import (
    Budget,
    GaussianScore,
    LearnedScore,
    OrnsteinUhlenbeck,
    PeriodicGrid,
    TimeSeries,
    Training,
    fit_score,
    respond,
    run,
    sample,
    simulate,
)
from gfdt_tutorial.scores import diagnostics
from gfdt_tutorial.scores.own_network import described

SMALL = OrnsteinUhlenbeck(grid=PeriodicGrid((8, 8)))
SHORT = Budget(steps=24, pairs=4, noise="white", average=0.5, check_every=5)


class Circular(nn.Module):
    """Two circular convolutions, with or without context and noise angle."""

    def __init__(self, *, inputs=1, width=6, activation=torch.tanh, seed=0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.first = nn.Conv2d(inputs, width, 3, padding=1, padding_mode="circular")
            self.second = nn.Conv2d(width, 1, 1)
        self.activation = activation

    def forward(self, y, context=None, angle=None):
        channels = y[:, None] if context is None else torch.cat([y[:, None], context], 1)
        values = self.second(self.activation(self.first(channels)))[:, 0]
        return values if angle is None else values * angle.cos()[:, None, None]


class Pixelwise(nn.Module):
    """Each pixel by itself."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layers = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, y):
        return self.layers(y[..., None])[..., 0]


@lru_cache(maxsize=4)
def series(system=SMALL, members=16, duration=199.0, seed=1):
    return simulate(system, members=members, duration=duration, seed=seed, device="cpu")


def fit(network=None, *, data=None, budget=SHORT, **options):
    network = Circular() if network is None else network
    return fit_score(data or series(), budget=budget, network=network, device="cpu", **options)


def begin(network=None, **options):
    return Training(series(), SHORT, network=Circular() if network is None else network, device="cpu", **options)


def assert_same_weights(one, other):
    for name, tensor in one.state_dict().items():
        assert tensor.equal(other.state_dict()[name]), name


# --- it learns


def test_training_starts_from_the_gaussian_score():
    built_in = Training(series(), SHORT, device="cpu").score()
    assert begin().score()(series().u[:2]).equal(built_in(series().u[:2]))


def test_the_score_of_a_gaussian_field_stays_as_good_as_the_gaussian_one():
    data, fresh = series(), series(members=4, seed=9).u
    budget = Budget(steps=200, pairs=16, noise="white", level=0.05, rate=4e-3)
    score = fit(Circular(width=16), budget=budget)
    scores = score, begin().score(), GaussianScore.fit(data)
    learned, start, gaussian = (diagnostics.relative_error(s(fresh), SMALL.score(fresh)) for s in scores)
    assert learned < 1.1 * start
    assert learned < 0.7 * gaussian  # whose spectrum is not smoothed
    assert float(score.network.strength.abs()) > 1e-3  # the network took part
    response = respond(data, score, lags=10.0)
    assert response.method == "generative" and float((response.values - SMALL.response(response.times)).abs().max()) < 0.1


def test_what_is_not_gaussian_is_learned_too():
    """Independent pixels u = ±1 + 0.5 η, s = (tanh(u/τ²) − u)/τ²: the Gaussian score of the same data errs by 85 %."""
    rng, tau = torch.Generator().manual_seed(0), 0.5
    u = 2.0 * torch.randint(2, (16, 100, 8, 8), generator=rng) - 1 + tau * torch.randn(16, 100, 8, 8, generator=rng)
    data, exact = TimeSeries(u, torch.arange(100.0)), (torch.tanh(u / tau**2) - u) / tau**2
    learned = fit(Pixelwise(), data=data, budget=Budget(steps=200, pairs=16, level=0.1, noise="white", rate=1e-2))
    assert diagnostics.relative_error(learned(u), exact) < 0.4 < 0.8 < diagnostics.relative_error(GaussianScore.fit(data)(u), exact)


def test_the_module_that_was_given_is_left_alone_and_so_is_the_global_random_state():
    module, state = Circular(), torch.get_rng_state()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    fit(module)
    assert all(tensor.equal(before[name]) for name, tensor in module.state_dict().items())
    assert torch.get_rng_state().equal(state)


def test_a_network_that_returns_zero_is_trained_all_the_same():
    module = Circular()
    nn.init.zeros_(module.second.weight)
    nn.init.zeros_(module.second.bias)
    trained = run(begin(module))
    assert float(trained.network.module.second.weight.detach().abs().max()) > 0


def test_lazy_layers_are_made_with_the_seed():
    class Lazy(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.LazyConv2d(1, 3, padding=1, padding_mode="circular")

        def forward(self, y):
            return self.layer(y[:, None])[:, 0]

    one, same, other = (run(begin(Lazy(), seed=seed)) for seed in (0, 0, 1))
    assert one.losses == same.losses != other.losses


def test_single_numbers_and_lines_are_fields_too():
    u = torch.randn(8, 200, generator=torch.Generator().manual_seed(0))
    number = fit(Pixelwise(), data=TimeSeries(u, torch.arange(200.0), "mt"))
    assert number(u).shape == u.shape
    line = simulate(OrnsteinUhlenbeck(grid=PeriodicGrid((16,))), members=8, duration=60.0, device="cpu")
    assert fit(Pixelwise(), data=line)(line.u).isfinite().all()


def test_context_is_passed_and_used():
    rng = torch.Generator().manual_seed(0)
    context = torch.randn(16, 50, 1, 8, 8, generator=rng)
    u = context[:, :, 0] + 0.5 * torch.randn(16, 50, 8, 8, generator=rng)  # s = −(u − c) / 0.25
    data = TimeSeries(u, torch.arange(50.0), context=3 * context + 7)
    budget = Budget(steps=200, pairs=16, noise="white", rate=1e-2)
    score = fit(Circular(inputs=2, width=16), data=data, budget=budget, context=True)
    assert diagnostics.relative_error(score(u, data.context), -(u - context[:, :, 0]) / 0.25) < 0.4
    assert score.method == "conditioned"


def test_with_all_noise_levels_the_angle_is_passed_and_fields_are_generated():
    score = fit(noise_levels=True)
    assert sample(score, 3, steps=4).isfinite().all()
    assert score(series().u[0, 0], sigma=1.3).isfinite().all()


# --- seeds, interrupts, checkpoints


def test_seeds_decide():
    first, again, other = (run(begin(seed=seed)) for seed in (1, 1, 2))
    assert first.losses == again.losses != other.losses
    assert_same_weights(first.best, again.best)


def test_a_resumed_run_ends_with_the_same_bits(tmp_path):
    whole, part = run(begin()), begin()
    for step, _ in enumerate(part):
        if step == 12:
            break
    part.save(tmp_path / "run")
    resumed = run(begin().resume(tmp_path / "run"))
    for name in ("network", "average", "best"):
        assert_same_weights(getattr(resumed, name), getattr(whole, name))
    assert (resumed.losses, resumed.validations) == (whole.losses, whole.validations)


def test_an_interrupted_fit_goes_on_from_its_checkpoint(monkeypatch, tmp_path):
    whole, advance = fit(), Training._advance

    def interrupted(self):
        if self.step == 13:
            raise KeyboardInterrupt
        return advance(self)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "_advance", interrupted)
        assert fit(checkpoint=tmp_path / "fit").metrics["interrupted"] is True
    resumed = fit(checkpoint=tmp_path / "fit")
    assert resumed.metrics == whole.metrics
    assert_same_weights(resumed.network, whole.network)


@pytest.mark.parametrize("other", [Circular(seed=1), Circular(width=7), Pixelwise()], ids=["weights", "width", "class"])
def test_the_checkpoint_of_another_network_is_refused(other, tmp_path):
    begin().save(tmp_path / "run")
    with pytest.raises(ValueError, match="belongs to another training"):
        begin(other).resume(tmp_path / "run")
    Training(series(), SHORT, device="cpu").save(tmp_path / "built-in")
    with pytest.raises(ValueError, match="belongs to another training"):
        begin().resume(tmp_path / "built-in")


# --- files


@pytest.mark.parametrize("options", [{}, {"noise_levels": True}], ids=str)
def test_saved_and_loaded_scores_are_equal_to_the_bit(options, tmp_path):
    score, u = fit(**options), series().u[:2]
    loaded = LearnedScore.load(score.save(tmp_path), network=Circular(seed=5))  # of whatever weights
    assert loaded(u).equal(score(u))
    assert loaded(u, sigma=0.15).equal(score(u, sigma=0.15))
    assert (loaded.config, loaded.metrics, loaded.fitted_to) == (score.config, score.metrics, score.fitted_to)
    assert LearnedScore.load(loaded.save(tmp_path / "again"), network=Circular())(u).equal(score(u))


def test_tied_weights_are_saved_and_loaded(tmp_path):
    class Tied(Pixelwise):
        def __init__(self):
            super().__init__()
            self.again = self.layers[2]

        def forward(self, y):
            return self.layers(y[..., None])[..., 0] + self.again(y[..., None].expand(*y.shape, 16)).sum(-1)

    score = fit(Tied())
    assert LearnedScore.load(score.save(tmp_path), network=Tied())(series().u[0]).equal(score(series().u[0]))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (None, "with a network of your own, Circular, of which only the weights are saved; pass the module"),
        (Circular(activation=torch.sin), "returns other values"),
        (Circular(width=7), "do not fit the network that was given"),
        (Pixelwise(), "do not fit the network that was given"),
    ],
    ids=["none", "another activation", "another width", "another class"],
)
def test_another_network_is_refused(network, message, tmp_path):
    fit().save(tmp_path)
    with pytest.raises(ValueError, match=message):
        LearnedScore.load(tmp_path, network=network)


def test_a_network_for_a_score_that_has_the_built_in_one_is_refused(tmp_path):
    fit_score(series(), preset="tiny", device="cpu").save(tmp_path)
    with pytest.raises(ValueError, match="holds a score with the built-in network; leave network out"):
        LearnedScore.load(tmp_path, network=Circular())


def test_the_description_is_plain_text():
    about = json.loads(json.dumps(described(Circular())))
    assert about["class"] == "Circular" and "Conv2d" in about["layers"]
    assert described(Circular()) == about != described(Circular(seed=1))


# --- the door


class Bad(Circular):
    """A network whose output is changed by a function."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, y):
        return self.change(super().forward(y))


class Fixed(nn.Module):
    def forward(self, y):
        return -y


class Noisy(Circular):
    def forward(self, y):
        return nn.functional.dropout(super().forward(y), 0.5)


class Batched(Circular):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(1)

    def forward(self, y):
        return super().forward(self.norm(y[:, None])[:, 0])


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda y: -y, "network is of type function; expected a torch.nn.Module"),
        (Fixed(), "network has no parameters to train"),
        (Circular().requires_grad_(False), "network has no parameters to train"),
        (Bad(lambda s: s[:, None]), r"network returned shape \(3, 1, 8, 8\) for fields of shape \(3, 8, 8\)"),
        (Bad(lambda s: (s, s)), "network returned a tuple"),
        (Bad(lambda s: s / 0), "network returned NaN or infinity"),
        (Bad(lambda s: s.double()), "network returned torch.float64; expected torch.float32"),
        (Bad(lambda s: s.detach()), "network returned values without a gradient"),
        (Noisy(), "remove dropout"),
        (Batched(), "replace batch normalisation"),
        (nn.Linear(5, 1), r"network failed when it was called with y, where y has shape \(3, 8, 8\)"),
        (Circular(inputs=3), "NonlinearPart states what it is called with"),
    ],
    ids=["function", "fixed", "frozen", "shape", "tuple", "nan", "double", "detached", "dropout", "batch", "layer", "channels"],
)
def test_networks_that_break_the_contract_are_refused(network, message):
    with pytest.raises(ValueError, match=message):
        fit(network)


def test_a_network_that_knows_no_angle_is_refused_where_one_is_needed():
    with pytest.raises(ValueError, match="called with y, angle, where y has shape"):
        fit(Pixelwise(), noise_levels=True)


def test_a_loss_that_overflows_is_an_error():
    with pytest.raises(ValueError, match="the loss is not finite at step"):
        fit(budget=Budget(steps=24, pairs=4, noise="white", rate=1e30, filter_rate=1e-9))
    assert math.isfinite(fit().metrics["validation"])
