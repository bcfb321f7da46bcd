"""The checker of the exercises: "not attempted yet", a hint, or "passed". It never raises, so that Run All reaches the end."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from gfdt_tutorial.experiments.parameter_responses import response_to
from gfdt_tutorial.experiments.shipped import load_shipped
from gfdt_tutorial.responses.errors import error_sources
from gfdt_tutorial.responses.response import exact_response
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.double_well import DoubleWell
from gfdt_tutorial.systems.enso_triad import enso_triad
from gfdt_tutorial.systems.navier_stokes import NavierStokes
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck


@dataclass(frozen=True)
class Exercise:
    """The right answer, which is computed and never typed in, its tolerance, and a hint for a wrong answer."""

    answer: torch.Tensor | float | Callable[[], float]  # a function where a file must be read
    tolerance: float
    hint: str

    @property
    def expected(self) -> torch.Tensor:
        """The answer, computed if it is given as a function."""
        return torch.as_tensor(self.answer() if callable(self.answer) else self.answer, dtype=torch.float64)


def check(exercise: str, attempt: object = None) -> None:
    """Print the verdict on an attempt.

    Args:
        exercise: its number, such as "02.1".
        attempt: a number, an array or a tensor; None or ... while not attempted.

    >>> check("00.1", None)
    Exercise 00.1: not attempted yet. Replace None by your answer and run the cell again.
    """
    print(f"Exercise {exercise}: {verdict(exercise, attempt)}")


def verdict(number: str, attempt: object) -> str:
    """The words that `check` prints: not attempted yet, a hint, or passed."""
    if number not in EXERCISES:
        return f"there is no exercise of this number; there are {', '.join(EXERCISES)}"
    if attempt is None or attempt is ...:
        return "not attempted yet. Replace None by your answer and run the cell again."
    exercise = EXERCISES[number]
    expected = exercise.expected
    try:
        found = torch.as_tensor(attempt).detach().cpu()
    except (TypeError, ValueError, RuntimeError):
        return f"the answer should be numbers, not a {type(attempt).__name__}. Hint: {exercise.hint}"
    if found.is_complex():
        return f"the answer should be real, and this one is complex. Hint: {exercise.hint}"
    if found.numel() == 1:
        found = found.reshape(())
    if found.shape != expected.shape:
        return f"the answer has shape {tuple(found.shape)}, expected {tuple(expected.shape)}. Hint: {exercise.hint}"
    error = float((found.double() - expected).abs().max())
    return "passed." if error <= exercise.tolerance else f"not yet. Hint: {exercise.hint}"


def _first_slope() -> float:
    well = DoubleWell()
    return float(well.average(lambda x: -4 * well.barrier * (3 * x.square() - 1)))


def _moved_mean(force: float) -> float:
    return force * 2 * DoubleWell().variance / DoubleWell().epsilon ** 2


def _downstream_time(pixels: int) -> float:
    system = OrnsteinUhlenbeck()
    return pixels * system.grid.lengths[-1] / system.grid.shape[-1] / system.advection


def _slowest_time() -> float:
    return float((-1 / OrnsteinUhlenbeck().rates.real).max())


def _variance_ratio() -> float:
    return OrnsteinUhlenbeck(epsilon=2 * OrnsteinUhlenbeck().epsilon).variance / OrnsteinUhlenbeck().variance


def _variance_slope() -> float:
    lam = OrnsteinUhlenbeck().lam
    return (OrnsteinUhlenbeck(lam=1.001 * lam).variance - OrnsteinUhlenbeck(lam=0.999 * lam).variance) / (0.002 * lam)


def _bias() -> float:
    """Relative error of the score of the wavevector with the smallest C at σ = 0.05: 1 − C/(C + σ²)."""
    return 1 - 1 / (1 + 0.05**2 / float(OrnsteinUhlenbeck().mode_covariance.min()))


def _pairs_for(standard_error: float, lag: int) -> float:
    return load_shipped("allen-cahn-truth").info["growth"]["mean"][lag] / standard_error**2


def _pixel_pairs_for(standard_error: float, lag: float) -> float:
    truth = load_shipped("navier-stokes-truth")
    row = int((truth.times - lag).abs().argmin())
    return (truth.info["growth"]["mean"][row] - float(truth.values[row].square().sum())) / standard_error**2


def _fraction_of_the_score() -> float:
    sources = error_sources(load_shipped("allen-cahn-gaussian"), load_shipped("allen-cahn-truth"))
    score, sampling = float(sources.score[1:].mean()), float(sources.sampling[1:].mean())
    return score / (score + sampling)


def _times_the_data(l2: float) -> float:
    response = load_shipped("ornstein-uhlenbeck-generative")
    return (error_sources(response, exact_response(OrnsteinUhlenbeck())).quoted["sampling"] / l2) ** 2


def _uneven_variance(amplitude: float, places: int = 36) -> float:
    """Root mean square of the variance over the box about its mean, relative to that, for fluctuations 1 + amplitude · cos(2πi/places)."""
    variance = (1 + amplitude * torch.cos(2 * math.pi * torch.arange(places, dtype=torch.float64) / places)).square()
    return float(variance.std(correction=0) / variance.mean())


def _dipole_response() -> float:
    along = load_shipped("navier-stokes-truth").values[8, 0]
    return float(along[0] - along[-1])


def _noisy_slope(sigma: float) -> float:
    """s'(0) of the score of data at ±1, each with variance 0.04, under white noise: −1/v + 1/v², v = 0.04 + σ²."""
    v = 0.2**2 + sigma**2
    return 1 / v**2 - 1 / v


def _uniform_excess(lag: int) -> float:
    gaussian, truth = (load_shipped(f"allen-cahn-{name}").values[lag].double().sum() for name in ("gaussian", "truth"))
    return float(gaussian - truth)


def _memory_of_fast_forcing(gamma: float) -> float:
    """max over t of (e^{−t} − e^{−γt})/(γ − 1), the excess of C(t)/C(0) over e^{−t}; the maximum is at t = ln γ/(γ − 1)."""
    return gamma ** (-gamma / (gamma - 1))


def _pairs_for_all_lags(l2: float) -> float:
    truth = load_shipped("allen-cahn-truth")
    scatter = torch.tensor(truth.info["growth"]["mean"]).double() - truth.values.double().square().sum((-2, -1))
    return float(scatter[1:].mean()) / l2**2


def _log_slope_of_variance() -> float:
    """∂ ln⟨u²⟩/∂ ln λ of the Ornstein-Uhlenbeck field."""
    system = OrnsteinUhlenbeck()
    return _variance_slope() * system.lam / system.variance


def _larger_moment_change() -> float:
    """The change of ⟨u²⟩ or ⟨u⁴⟩ of the Allen-Cahn field, whichever is larger, 3 time units after κ was raised by 2 %."""
    responses = load_shipped("allen-cahn-parameters-generative")
    moments = response_to(responses, "kappa", slice(0, 2), 0.02).values[round(3.0 / float(responses.times[1]))]
    return float(moments[moments.abs().argmax()])


def _steady_amplitude(period: float) -> float:
    return 1 / math.hypot(OrnsteinUhlenbeck().lam, 2 * math.pi / period)


def _product_of_shapes() -> float:
    """⟨g h⟩ in the double well of lesson 15."""
    return float(DoubleWell().average(lambda x: -torch.tanh(2 * x) * torch.sin(x)))


def _rise_after_wind() -> float:
    """R of u1 to tau in the ENSO triad at lag one."""
    p = enso_triad().parameters
    drift = [[-p["d_u"], -p["omega"], 1.0], [p["omega"], -p["d_u"], 0.0], [0.0, 0.0, -p["d_tau"]]]
    return float(torch.linalg.matrix_exp(torch.tensor(drift, dtype=torch.float64))[0, 2])


def _response_of_correlated() -> float:
    """The second entry of (0.5, 0.3) C(0)⁻¹, with the correlation 0.6."""
    covariance = torch.tensor([[1.0, 0.6], [0.6, 1.0]], dtype=torch.float64)
    return float(torch.linalg.solve(covariance, torch.tensor([0.5, 0.3], dtype=torch.float64))[1])


EXERCISES = {
    "00.1": Exercise(_downstream_time(2), 0.1, "two pixels are 2 · 2π/32 long, and the field moves at speed A."),
    "00.2": Exercise(180.0, 0.0, "lags may reach to half the series."),
    "00.3": Exercise(31.0, 0.0, "the box is periodic: the pixel before the first of a row is the last of that row."),
    "01.1": Exercise(
        float(DoubleWell().score(torch.tensor(0.5))), 0.01, "s = −2V′/ε², with V = h (x² − 1)² − a x, h = 0.5, a = 0.3, ε = 1."
    ),
    "01.2": Exercise(
        0.0,
        1e-3,
        "the variance is even under left ↔ right, and a kick is odd: what does a kick to the left do? Take the variance about the mean, 0.",
    ),
    "01.3": Exercise(_first_slope(), 0.05, "at first every walker follows its drift; two neighbours separate at the rate ∂ₓ(−V′) = −V″."),
    "01.4": Exercise(
        _moved_mean(0.05),
        0.002,
        "a constant force is a kick of 0.05 dt in every dt: 0.05 ∫R dt. In equilibrium R = −(2/ε²) C′(t), so the integral is 2 C(0)/ε².",
    ),
    "03.1": Exercise(100.0, 1.0, "the variance of z/σ is 1/σ²: compare 1/0.02² with 1/0.2²."),
    "03.2": Exercise(_bias(), 0.002, "the noisy data have the score −û/(C_k + σ²) instead of −û/C_k; the smallest C_k is worst."),
    "03.3": Exercise(1 / 1.25, 0.02, "the expected loss is ½ a² (1 + σ²) − a; its derivative vanishes at the answer."),
    "04.1": Exercise(3**-0.5, 0.005, "the derivative of u − u³ vanishes there."),
    "04.2": Exercise(
        float(AllenCahn().score(torch.full((32, 32), 0.5))[0, 0]), 0.01, "Δu = 0, so s = 2α u(1 − u²)/(N²ε²), with N² = 1024."
    ),
    "04.3": Exercise(lambda: _pairs_for(0.01, 40), 500.0, "the standard error of random signs is (⟨|J|²⟩/n)^½; solve for n."),
    "05.1": Exercise(
        lambda: NavierStokes().forcing_variance ** 0.5,
        0.002,
        "⟨cos²⟩ = 1/2 for each wave, so the variance is a²/2 times their number, 348.01.",
    ),
    "05.2": Exercise(1.0, 0.01, "the difference is (1 + t) exp(−t) − exp(−t) = t exp(−t); its derivative vanishes there."),
    "05.3": Exercise(
        lambda: _pixel_pairs_for(0.01, 1.0),
        100.0,
        "with one pixel kicked the squared error is (⟨|J|²⟩ − |R|²)/n; |R|² is the sum of R² over pixels.",
    ),
    "06.1": Exercise(_fraction_of_the_score, 0.01, "error_sources has both parts at each lag; average over lags > 0, then divide."),
    "06.2": Exercise(
        lambda: _times_the_data(0.005),
        0.3,
        "quoted['sampling'] is the present L2; its square is proportional to 1/n.",
    ),
    "06.3": Exercise(lambda: _pixel_pairs_for(1.0, 1.0) ** 0.5 / 128**0.5, 0.005, "((⟨|J|²⟩ − |R|²)/n)^½, with n = 128; see 05.3."),
    "07.1": Exercise(1.45 / 0.01**2, 100.0, "the standard error is 1/√n_eff standard deviations, and n_eff = T/τ."),
    "07.2": Exercise(
        math.log2((1 - 0.8**2) / (1 - 0.8)), 0.01, "⟨(u(t + τ) − u(t))²⟩ = 2⟨u²⟩(1 − ρ(τ)), with ρ = 0.8 and 0.8²; take log₂ of the ratio."
    ),
    "07.3": Exercise(_uneven_variance(0.1), 0.002, "the variance at place i is (1 + 0.1 cos)²; take its standard deviation over its mean."),
    "08.2": Exercise(_dipole_response, 1e-4, "make the kick as a tensor, and take truth.to(kick) at lag 8, as the lags are 1/16 apart."),
    "08.3": Exercise(1 / OrnsteinUhlenbeck().lam, 0.05, "integrate exp(−λt) over all t."),
    "08.1": Exercise(0.1, 1e-6, "half of ⟨u₊ − u₀⟩ + ⟨u₋ − u₀⟩."),
    "02.2": Exercise(
        _slowest_time(),
        0.5,
        "wavevector k decays at the rate −Re L_k, and system.rates contains L_k; the slowest wavevector has the smallest rate.",
    ),
    "02.1": Exercise(_variance_ratio(), 1e-3, "C_k is proportional to ε²; R_k(t) = exp(L_k t) has no ε in it."),
    "02.3": Exercise(
        exact_response(OrnsteinUhlenbeck(), lags=30.0).values[30],
        0.02,
        "divide per wavevector, then transform back: grid.irfft(C_30 / C_0), with C_30 = ⟨û(τ + 30) û(τ)*⟩ and C_0 = ⟨|û(τ)|²⟩.",
    ),
    "02.4": Exercise(
        _variance_slope(),
        0.01 * abs(_variance_slope()),
        "the difference of two variances at λ a little up and a little down, over the difference in λ.",
    ),
    "03.4": Exercise(
        _noisy_slope(0.5),
        0.05,
        "the noisy data are again two Gaussians at ±1, each of variance v = 0.04 + σ²; differentiate ln of their sum twice.",
    ),
    "04.4": Exercise(
        lambda: _uniform_excess(20),
        0.005,
        "the response to a uniform kick is the same at every pixel: the sum of R(d, t) over all displacements, `.to(torch.ones(32, 32))`.",
    ),
    "05.4": Exercise(
        _memory_of_fast_forcing(10.0),
        0.001,
        "C(t)/C(0) = (γ exp(−t) − exp(−γt))/(γ − 1); subtract exp(−t), and find the largest value on a fine grid of t.",
    ),
    "06.4": Exercise(
        lambda: _pairs_for_all_lags(0.01),
        300.0,
        "the squared error at a lag is (⟨|J|²⟩ − |R|²)/n, random signs included; average it over lags 1 to 90, then solve for n.",
    ),
    "08.4": Exercise(
        _steady_amplitude(100.0),
        0.05,
        "the response is ∫ exp(−λs) sin(ω(t − s)) ds over all s > 0, with ω = 2π/T: a sine of the same period. How large is its amplitude?",
    ),
    "12.1": Exercise(0.2, 0.002, "every C_k is proportional to ε². (Give a fraction, not per cent.)"),
    "12.2": Exercise(
        -_log_slope_of_variance(),
        0.005,
        "the sum over wavevectors of C_k (λ/(1 + k²))/r_k, with r_k = λ/(1 + k²) + κk², divided by the sum of C_k.",
    ),
    "12.3": Exercise(
        math.exp(0.05 / _log_slope_of_variance()),
        0.003,
        "δ ln λ is the desired change of ln⟨u²⟩ divided by the slope of 12.2; take its exponential.",
    ),
    "12.4": Exercise(
        _larger_moment_change,
        1e-5,
        "response_to(…, 'kappa', slice(0, 2), 0.02) has both; t = 3 is sample 24, as they are 1/8 apart.",
    ),
    "13.1": Exercise(_rise_after_wind(), 0.005, "R(t) = exp(A t) with the matrix A of the drift; which row is u1, which column tau?"),
    "13.2": Exercise(
        _response_of_correlated(),
        1e-3,
        "R(1) = C(1) C(0)⁻¹, and of C(1) the first row is known. Invert the matrix of 1, 0.6, 0.6, 1.",
    ),
    "13.3": Exercise(0.25, 1e-3, "d⟨x²⟩/dt = −2⟨x²⟩ + ⟨D⟩ vanishes in the mean, with ⟨D⟩ = 1 + ε⟨x²⟩; solve for ⟨x²⟩ and differentiate."),
    "13.4": Exercise(0.02, 1e-4, "two steps are A². Which way does the push take from x2 to x3?"),
    "13.5": Exercise(4, 1e-6, "compare the k-th smallest p-value with 0.05 k/6, and take the largest k for which it is not larger."),
    "13.6": Exercise(10.0, 0.05, "⟨B²⟩ = pᵀC⁻¹p. Invert the matrix of 1, 0.99, 0.99, 1, or use its eigenvectors (1, 1) and (1, −1)."),
    "15.1": Exercise(
        lambda: 0.08 * _product_of_shapes(),
        0.0005,
        "the error is −⟨(m − m̂)(ŝ − s)⟩, and m − m̂ = −δ′h, ŝ − s = δg: so it is δ δ′ ⟨g h⟩.",
    ),
    "15.2": Exercise(-0.1 * 0.05, 1e-6, "the error is −⟨(m − m̂)(ŝ − s)⟩ = −⟨0.05 m · (−0.1 s)⟩, and R = −⟨m s⟩."),
    "15.3": Exercise(0.25, 1e-6, "the product falls as n^(−2a); compare the exponents."),
}
