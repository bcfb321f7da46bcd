# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07 · Your own data
#
# **You will** take a series that this package did not simulate from the file to the response: check its clock, its memory, whether it is stationary in time and homogeneous in space, and whether it has noise of its own; learn its score and
# test it without knowing the true one; compare the response with kicked twins; and find out whether a single number has hidden memory. Then spoil the data on purpose and see which checks refuse them, and what the result would have been. **Time** 60 minutes. **Runs in** about a minute on two
# cores, in 0.6 GB. **Needs** [lesson 03](03_score_matching.ipynb), and `pip install 'gfdt-tutorial[files,data]'` (`make lab` and Binder have both). **Symbols and words** [notation and glossary](notation_and_glossary.ipynb).

# %% [markdown]
# ## The question
#
# Every response so far came from fields that we made ourselves. We knew that they were stationary, periodic, homogeneous, and driven by white noise. A file from somewhere else promises nothing. The theorem needs
#
# * a **stationary** system, because otherwise $\rho$ has no meaning;
# * a **density** of what was measured, smooth enough to have a gradient;
# * for averages over places, a **homogeneous**, periodic box;
# * and **no hidden memory**, if the response is to be that of a kick of the measured quantity alone.
#
# If one of these conditions fails, a response comes out all the same: smooth, with narrow bands, and wrong. *How do you know before you believe it?*
#
# ## Bet first
#
# > 1. Add a pattern that never changes to a good series, warmer here and colder there. The fluctuations are untouched. What happens to the response at long lags?
# > 2. Take a system of equations without any noise. Its trajectories are chaotic and lie strictly on an attractor, a set of measure zero, so that strictly there is no score to learn. Is the Gaussian response good enough, or can a learned score do better?

# %%
import math
import tempfile
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import torch
import xarray
from reservoirpy.datasets import lorenz96

# %%
import gfdt_tutorial as gfdt
from gfdt_tutorial.core.memory import free_memory
from gfdt_tutorial.course.exercises import check
from gfdt_tutorial.data.analysis import analyse
from gfdt_tutorial.data.hidden_memory import hidden_memory
from gfdt_tutorial.data.reading import read_series
from gfdt_tutorial.data.suitability import examine
from gfdt_tutorial.figures import theme
from gfdt_tutorial.figures.series_overview import (
    overview,
    response_at_all_places,
    response_overview,
)
from gfdt_tutorial.scores.steins_identity import TOLERANCES

# %% [markdown]
# ## Derive: the data, and their clock from their equation
#
# [reservoirpy](https://pypi.org/project/reservoirpy/), a library for reservoir computing, ships a generator of the ring of Lorenz [22]. On 36 sites, advection, damping and forcing act much as on the weather along a circle of latitude,
#
# $$ \dot u_i = (u_{i+1} - u_{i-2})\,u_{i-1} - u_i + F, \qquad F = 8. $$
#
# The ring is the classical test bed of fluctuation-dissipation theory [23] and has no noise at all. We treat its output as we would treat anybody's. First of all, *is the clock right?* The documentation
# says that samples are `h` apart. The equation can tell: over two intervals $\delta$, Simpson's rule gives $u_{n+1} - u_{n-1} = \tfrac\delta3(\dot u_{n-1} + 4\dot u_n + \dot u_{n+1})$ up to order $\delta^5$.


# %%
def drift(u):
    return (np.roll(u, -1, -1) - np.roll(u, 2, -1)) * np.roll(u, 1, -1) - u + 8.0


def interval(u):
    """Sampling interval of a series that obeys the equation, by least squares."""
    rate = (drift(u[:-2]) + 4 * drift(u[1:-1]) + drift(u[2:])) / 3
    change = u[2:] - u[:-2]
    return float((rate * change).sum() / (rate**2).sum())


found = interval(lorenz96(400, h=0.1)[200:])
print(f"asked for h = 0.1: samples are {found:.4f} apart")

# %% [markdown]
# In release 0.4 they are $h^2$ apart, not $h$. Nothing else would have revealed this. Every check below concerns statistics and passes with the wrong clock, and the response would come out ten times too slow. In that case we ask for $\sqrt{0.1}$. We then
# drop the start, and take 64 members from different initial states (10 s).

# %%
h = 0.1 if abs(found - 0.1) < 0.01 else math.sqrt(0.1)
rng = np.random.default_rng(0)
members = [
    lorenz96(500, h=h, x0=8.0 + rng.normal(size=36), rtol=1e-4, atol=1e-4)[100:] for _ in range(64)
]
u = np.stack(members).astype(np.float32)
measured = interval(u[0].astype(float))
every = round(measured, 2)  # the accuracy of Simpson's rule at this interval
print(u.shape, f"samples {measured:.4f} apart, taken as {every}")

# %% [markdown]
# ## The file
#
# Your series will be in a file, so let us write this one to a file. NetCDF and Zarr name their axes, and the reader knows the usual names. For a bare `.npy` you name the axes yourself, by letters: m member, t time, y and x space. The reader guesses nothing: if it does not know a name, it
# asks you.

# %%
coordinates = {
    "time": ("time", every * np.arange(400), {"units": "days since 2000-01-01"}),
    "x": np.arange(36.0),
}
path = Path(tempfile.mkdtemp()) / "lorenz96.nc"
xarray.Dataset({"u": (("member", "time", "x"), u)}, coordinates).to_netcdf(path)
data = read_series(path)
print(tuple(data.u.shape), f"every {data.every:.3f}", data.info)

# %% [markdown]
# ## Check: before trust
#
# One example shows the idea of all checks in a few lines: do all places fluctuate equally? Take the variance at each place, and its *sampling error* from the scatter between members, which are independent. The cell does so for the data as they
# are, and for a copy in which one instrument reads 5 % too much.

# %%
louder = u.copy()
louder[..., 10] *= 1.05
for name, values in (("original", u), ("one place +5 %", louder)):
    variance = ((values - values.mean()) ** 2).mean(1)  # (member, place)
    error = variance.std(0, ddof=1) / math.sqrt(64)
    z = (variance.mean(0) - variance.mean()) / error
    print(f"{name:15} largest |z| {abs(z).max():.1f} at place {abs(z).argmax()}")

# %% [markdown]
# Among 36 places a $z$ of 2 or 3 is nothing special. But neighbours are not independent, so we cannot simply count places. In Fourier space we can: in a homogeneous ensemble the coefficients of such a profile are independent and
# zero but for sampling, and the power of each over its variance follows the F distribution.
#
# `examine` does this for four profiles: the mean; the variance; the squared step in time, which shows how fast each place loses its memory; and the squared step from each place to the next, which shows a seam where
# the box does not close on itself. It also makes five further checks:

# %%
print(examine(data))

# %% [markdown]
# The checks one at a time:
#
# * **memory.** The 400 samples of 64 members are not 25,600 independent ones. The mean of $u$ has the variance of a mean over $T/\tau$ independent samples, with $\tau = \delta\,(1 + 2\sum_m\rho_m)$, where $\delta$ is the sampling interval and $\rho_m$ the autocorrelation after $m$ samples. For products, of which responses are made, it is
#   $\tau = \delta\,(1 + 2\sum_m\rho_m^2)$. The check uses the longer of the two, at the slowest scale that carries a hundredth of the variance. Some 1,800 independent times are plenty; below ten the series is refused.
# * **stationarity.** The check looks at mean and variance against time for a straight line, a remaining spin-up, a level shift, and seasons. For seasons it tests the periods of the calendar first and then all frequencies, each against its neighbours. It is printed first, because a trend or a season also lengthens the memory.
# * **members.** Are the members replicas of one another, with equal mean, variance and memory? An average over unlike members would describe none of them.
# * **homogeneity.** As above.
# * **smoothness.** $\langle(u(t+\tau) - u(t))^2\rangle$ grows like $\tau$ for a path driven by white noise and like $\tau^2$ for a smooth one. Here the exponent is well above 1.5: *the system looks deterministic*. The check warns but does not refuse. The theorem
#   is proven for smooth densities, and nobody knows whether chaotic systems in general have densities that are smooth enough. We shall see.
# * **Gaussianity.** The check tests skewness and kurtosis of a pixel and of a step to the next pixel. Steps have a skewness of −0.4, some 150 standard errors from zero: the Gaussian score cannot be exact here.

# %%
overview(data, examine(data))

# %% [markdown]
# ## The analysis
#
# One call does the rest. Each half of the members is averaged with the score that was learned from the *other* half, so no score meets the data that it was fitted to, and no data are lost. Noise levels are relative to the standard deviation of the data, so units
# do not matter. (20 s)

# %%
result = analyse(data, preset="quick", lags=1.5)
for name, identity in result.identities.items():
    print(name)
    for which, verdict in identity.grades.items():
        value, error = getattr(identity, which)
        print(f"   {which:7} {value:6.3f} ± {error:.3f}  {verdict}")
    print("   implied error of the response: {:.3f} ± {:.3f}".format(*identity.response))
assert result.identities["gaussian"].grade == "fails"
assert result.identities["generative"].response[0] < 0.5 * result.identities["gaussian"].response[0]

# %% [markdown]
# *Is the score right?* No exact score is available, but integration by parts gives averages that are known for the true score. There are three identities, with $v = (u - \langle u\rangle)/\mathrm{std}\,u$ and $s$ per unit of $v$:
#
# * `linear`: $-\langle v s\rangle = 1$, which any reasonable fit passes;
# * `cubic`: $-\langle v^3 s\rangle/3 = 1$, which tests the shape of a pixel's density;
# * `pairs`: $\langle v_i v_j\, s_{k}\rangle = 0$ for neighbours $i \neq j$ and any $k$, which tests how neighbours depend on one another.
#
# Each identity is graded by its own standard error, and the grade has three values:
#
# * **fails**, if the miss is larger than sampling explains and larger than is harmless;
# * **cannot tell**, if the standard error is so large that a score which is badly wrong would pass too;
# * **passes** otherwise, which means that the data could have shown a large miss and did not.
#
# The next cell prints the limits.
#
# The Gaussian score fails the last two identities by many standard errors. The learned score passes the second and narrowly fails the third: a network of this size does not quite represent the dependence of neighbours on a ring where each site acts on the *next but one*.
#
# *What does a miss mean for the response?* The score has at least an error along the functions $q$ that were tested, $e = -m^\mathsf{T}\langle qq^\mathsf{T}\rangle^{-1}q$ with the misses $m$. It changes the response by $-\langle u(t)\,e\rangle$. This is the *implied error*,
# given as an L2 at the worst lag, where $R(0)$ is 1. It is a lower bound, as no set of identities tests the whole score.

# %%
print(TOLERANCES, result.halves.finding, result.verdict, sep="\n\n")

# %% [markdown]
# The verdict combines the grades and also asks whether the responses of the two halves agree. Compare the implied errors with the actual ones, which follow.

# %%
response_overview(result.responses)

# %% [markdown]
# ## The true response
#
# Since we know the equation, we can kick twins. From every fourth sample of the data we start twins with ± a small kick of random sign at every site, and integrate them by the classical Runge-Kutta method. First, does our integrator agree with the package's?


# %%
def advance(u, time, steps):
    """u a `time` later, by the fourth-order Runge-Kutta method."""
    dt = time / steps
    for _ in range(steps):
        a = drift(u)
        b = drift(u + dt / 2 * a)
        c = drift(u + dt / 2 * b)
        u = u + dt / 6 * (a + 2 * b + 2 * c + drift(u + dt * c))
    return u


gap = abs(advance(u[:, :-1].astype(float), every, 4) - u[:, 1:])
print(f"one sample later: largest difference {gap.max():.3f}; standard deviation {u.std():.1f}")
assert gap.mean() < 3e-3 * u.std()

# %% [markdown]
# It does, so both equation and clock are as we think. Now the twins, 6,400 pairs (10 s). The kick of site $j$ is $s_j a$ with random signs $s_j$, and $\langle \delta u_{j+d}\, s_j\rangle/a$, averaged over all sites at once, is $R(d, t)$.


# %%
def twins(start, amplitude=0.1, lags=15, parts=16):
    """R(d, t), as a Response whose parts are independent."""
    signs = rng.choice([-1.0, 1.0], size=start.shape).astype(start.dtype)
    plus, minus, rows = start + amplitude * signs, start - amplitude * signs, []
    conjugate = np.fft.fft(signs).conj()
    for _ in range(lags + 1):
        product = np.fft.fft((plus - minus) / (2 * amplitude)) * conjugate
        rows.append(np.fft.ifft(product).real.reshape(parts, -1, 36).mean(1) / 36)
        plus, minus = advance(plus, every, 2), advance(minus, every, 2)
    each = torch.as_tensor(np.stack(rows, 1), dtype=torch.float32)
    times, error = every * torch.arange(lags + 1.0).double(), each.std(0) / math.sqrt(parts)
    return gfdt.Response(times, each.mean(0), "dynamical", error, parts - 1.0, 0.9, each, data.grid)


truth = twins(u[:, ::4].reshape(-1, 36))
response_overview({"dynamical": truth} | result.responses)

# %%
size = truth.values.norm(dim=1)
for name, answer in result.responses.items():
    error = gfdt.compare(answer, truth)
    free_of_noise = error.l2_sq_unbiased.clamp_min(0).sqrt()
    each = ", ".join(f"{float(free_of_noise[row] / size[row]):.0%}" for row in (1, 2, 5, 10))
    print(
        f"{name:10} L2 {error.quoted['l2']:.3f}; relative to the response at lags 0.1, 0.2, 0.5, 1: {each}"
    )
errors = {
    name: gfdt.compare(answer, truth).quoted["l2"] for name, answer in result.responses.items()
}
assert errors["combined"] < errors["generative"] < 0.6 * errors["gaussian"]

# %% [markdown]
# This settles the second bet. The Gaussian response is wrong by a fifth right after the kick and by its own size one time unit later, and one site downstream it even has the wrong shape. The learned score removes most of this error, on a system that
# strictly has no density: at the resolution of the data, chaos fills space smoothly enough.
#
# The third response is the *combined* one. `analyse` also learns to forecast the ring, and corrects the forecast by the score, so that the errors of the two multiply; [lesson 15](15_errors_that_multiply.ipynb) explains how. It removes another third of the error.
#
# The remaining errors are *larger than the bands*, which contain the sampling error and the differences between two fits and nothing else. The identities announced this, as a lower bound of the right order of
# magnitude for both scores, and the verdict announced it for the combined response: the data reject its score and its forecast, so that the product of their errors may matter. Part of the error comes from what the networks still miss, and part may come from the lack of smoothness that the warning is about.
#
# The whole response, all places and lags at once:

# %%
response_at_all_places(result.responses["generative"])

# %% [markdown]
# ## Hidden memory
#
# An index, a spatial mean, or the record of one station is a single number, and its present value seldom determines its future. Lesson 05 has the clearest case. The spatial mean of the flow obeys $\dot{\bar u} = -\bar u + \bar\varsigma$, where $\bar\varsigma$, a cosine whose phase performs a random walk, is not in the
# data. A kick of $\bar u$ that leaves $\bar\varsigma$ where it is decays like $e^{-t}$. The data, however, give $(1+t)e^{-t}$, because over all times a raised $\bar u$ goes along with a raised $\bar\varsigma$.
#
# The theorem gives a correct response, but to this kick: *the number is raised, and every hidden variable is distributed as it usually is at the raised value*. Is that the kick you mean?
#
# The data can tell whether the distinction matters. Give the score a sample from a time $d$ earlier,
#
# $$ \tilde R(\tau) = -\Big\langle u(t+\tau)\, \frac{\partial \ln \rho(u(t) \mid u(t-d))}{\partial u(t)} \Big\rangle. $$
#
# If the series is Markov, then $u(t+\tau)$ depends on the past only through $u(t)$, and $\tilde R = R$ for every $d$. If the past carries information about a hidden variable, the two differ, because they hold different things fixed.
#
# The comparison must not depend on how well a score was learned. Write $m(u)$ for the forecast $\mathrm{E}[u(t+\tau) \mid u(t) = u]$. Then
# $\tilde R - R = -\langle [u(t+\tau) - m(u(t))]\,g\rangle$, where $g$ is the difference of the two scores. For a Markov series this is zero *for any* function $g$ of the pair, so an inaccurate score cannot raise a false alarm.


# %%
def flow_mean(members, steps, delta, seed=0):
    """The mean of the flow in units of the amplitude of its forcing: Euler's scheme, four steps per sample."""
    rng = np.random.default_rng(seed)
    walk = math.sqrt(delta / 2) * rng.normal(size=(members, 4 * (steps + 80))).cumsum(1)
    mean, rows = np.zeros(members), []
    for wave in np.cos(rng.uniform(0, 2 * math.pi, members) + walk.T):
        mean = mean + delta / 4 * (wave - mean)
        rows.append(mean)
    return np.stack(rows[320::4], 1)


flow = gfdt.TimeSeries(flow_mean(64, 1000, 1 / 8), np.arange(1000) / 8, "mt")
well = gfdt.simulate(gfdt.DoubleWell(), members=64, duration=250.0, every=0.25)
remembered = {"double well": hidden_memory(well), "mean of the flow": hidden_memory(flow)}
for name, found in remembered.items():
    print(f"{name}: {found.finding}\n")
assert [found.verdict for found in remembered.values()] == ["not found", "found"]

# %% [markdown]
# (*Normal scores* are the number mapped to a Gaussian by its ranks. The Markov property does not depend on the coordinate, and in this coordinate the score of the number alone is known and need not be learned.) The walker in the double well is Markov, and giving its score an earlier sample changes nothing beyond sampling error. For the mean of the flow the two responses
# differ by many standard errors, *and neither is the response to a kick with the forcing held fixed*:


# %%
def points(found, values, name, colour):
    """Markers with bars of two standard errors of the difference R̃ − R."""
    bars = {"array": 2 * found.error.numpy(), "color": colour}
    marks = {"color": colour, "size": 9, "symbol": "circle" if name == "R" else "diamond-open"}
    return go.Scatter(x=found.lags, y=values, name=name, error_y=bars, mode="markers", marker=marks)


found, t = remembered["mean of the flow"], np.linspace(0, 7, 100)
curves = {
    "(1 + t) exp(−t), from the data alone": (1 + t) * np.exp(-t),
    "exp(−t), forcing held": np.exp(-t),
}
figure = go.Figure()
for (name, y), dash in zip(curves.items(), theme.DASHES):
    figure.add_scatter(x=t, y=y, name=name, line_dash=dash)
figure.add_trace(points(found, found.response, "R", theme.INK))
figure.add_trace(points(found, found.conditional, f"R̃, d = {found.distance:.3g}", theme.PURPLE))
figure.update_layout(template="gfdt", width=760, height=360, xaxis_title="lag t", margin_t=90)
figure

# %% [markdown]
# Such a finding does not say which response is right. It says that *the data alone cannot tell, because the response depends on what is held fixed during the kick*. `analyse` makes this test for every series of single numbers, includes it in the verdict and the report, and says what is kicked. (With presets `tiny` and `quick` it also tests fields, unless their paths are smooth as on our ring; a field needs two more networks.)

# %%
indexed = analyse(flow, preset="quick", lags=5.0)
print(indexed.verdict, indexed.kicked, sep="\n\n")
assert indexed.remembers and indexed.grade != "passes"

# %% [markdown]
# ## The same from a shell
#
# `python -m gfdt_tutorial analyse FILE --out DIR` reads, checks, learns and writes `report.html`, one page that opens offline, together with `responses.npz`, `analysis.json` and the two scores. For a bare array, use
# `analyse u.npy --axes mtx --every 0.1 --out DIR`.
#
# ## Explore: what is refused, and what the result would have been
#
# Now the first bet. Every place gets its own constant, as every place on Earth has its own climate; the fluctuations stay as they are.

# %%
climate = 3 * np.cos(2 * np.pi * np.arange(36) / 36)
uneven = gfdt.TimeSeries(u + climate.astype(np.float32), data.times, "mtx")
try:
    analyse(uneven, preset="tiny", lags=1.5)
except ValueError as refusal:
    print(refusal)

# %% [markdown]
# Had we continued, here with the Gaussian score alone:

# %%
lags = 15.0
blind = gfdt.respond(uneven, gfdt.GaussianScore.fit(uneven), lags=lags)
plain = gfdt.respond(data, gfdt.GaussianScore.fit(data), lags=lags)
figure = response_overview({"original": plain, "with the climate pattern": blind})
print(
    f"at lag {lags:g}: {float(blind.along(0)[-1]):.3f}, band ± {float(blind.band[1, -1, 0] - blind.values[-1, 0]):.4f}"
)
assert float(blind.along(0)[-1]) > 0.03 > 5 * abs(float(plain.along(0)[-1]))
figure

# %% [markdown]
# The kick seems *never* to decay. In the average over places, a constant pattern looks like a fluctuation that lasts for ever. The band is narrow, because this is not a sampling error. The refusal names the remedy: subtract the time mean at each place.

# %%
anomaly = uneven.u - uneven.u.mean((0, 1))
print(examine(gfdt.TimeSeries(anomaly, data.times, "mtx"))["homogeneity"].finding)

# %% [markdown]
# Here are a few more ways to spoil a series. Which check refuses it, and what does it say?

# %%
days = np.arange(400) * every
spoilt = {
    "warming": u + days[:, None] / 20,
    "a cycle": u + 1.5 * np.cos(2 * np.pi * days / 4.0)[:, None],
    "other units on one half": u * np.where(np.arange(36) < 18, 1.0, 1.94),
    "a tenth of it": u[:2, :60],
}
for name, values in spoilt.items():
    times = data.times[: values.shape[1]]
    for found in examine(gfdt.TimeSeries(values, times, "mtx")).refused:
        print(f"{name}: {found.name}. {found.finding}")

# %% [markdown]
# ## Exercises
#
# **07.1** A single record has a decorrelation time of 1.45. How long must it be for its mean to have a standard error of a hundredth of a standard deviation?

# %%
my_duration = None
check("07.1", my_duration)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: 1/√(T/τ) = 0.01
check("07.1", 1.45 / 0.01**2)

# %% [markdown]
# **07.2** A series is driven by white noise, with $\rho(\tau) = e^{-\tau/\tau_0}$, and sampled so coarsely that $\rho = 0.8$ after one step. Which exponent does the smoothness check find between one and two steps?

# %%
my_exponent = None
check("07.2", my_exponent)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: it is below 1, which is why the check trusts no exponent once samples are too far apart
check("07.2", math.log2((1 - 0.8**2) / (1 - 0.8)))

# %% [markdown]
# **07.3** Fluctuations are stronger on one side of the ring than on the other, by the factor $1 + 0.1\cos(2\pi i/36)$. By how much does the *variance* vary over the ring, as a root mean square deviation from its mean relative to that mean? (Beyond 0.1 the series is
# refused.)

# %%
my_variation = None
check("07.3", my_variation)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
variance = (1 + 0.1 * np.cos(2 * np.pi * np.arange(36) / 36)) ** 2
check("07.3", variance.std() / variance.mean())

# %%
path.unlink()
del members, louder, uneven, anomaly, spoilt, values, result, indexed, blind, plain
free_memory()

# %% [markdown]
# ## What this lesson does not show
#
# * **Hidden variables of a field.** This lesson tests single numbers only. A field whose forcing is hidden, as in lesson 05, has the response to a kick after which the forcing is distributed as usual for the raised field.
# * **Weak hidden memory.** A test that finds nothing has only the power that its standard errors show. Measurement noise and averages over time also look like hidden memory, and rightly so: they make what is recorded differ from what evolves.
# * **Smoothness concerns paths, not densities.** A map such as the logistic map jumps as noise does, but has no noise; a system whose forcing is smooth on the sampling interval looks deterministic, but is not. Coarse samples cannot tell at all, and the check says "unknown".
# * **A check that passes has only found nothing.** With 50 independent times it can miss a lot; look at the sampling errors it prints. And nothing but the equation could show that the clock was wrong.
# * **Fields on a sphere, along coasts, or between walls** are not homogeneous, and no check makes them so. Take a region that is nearly homogeneous, or single numbers (an index, one mode): `analyse` also takes series without a space axis.
#
# ## Summary
#
# 1. First check clock, memory, stationarity, homogeneity and smoothness, each against its sampling error: a response from unfit data looks as good as any.
# 2. A learned score is judged without the true one, by averages that are known for the true one, and each gets one of three grades. On a ring without noise, from somebody else's package, a learned score removes most of the error of the Gaussian response, and a forecast beside it another third.
# 3. The response of a single number is that to a kick in which everything that was not measured goes along as usual. The response with an earlier sample held fixed can tell whether this matters.
#
# **Next:** [lesson 08](08_response_lab.ipynb), where responses are put to use.
#
# *When you are done, free the memory: Kernel → Shut Down Kernel. On Binder, with its 2 GB, do so before you open another lesson.*
#
# Numbers in square brackets, here [22], [23]: [notation, glossary and references](notation_and_glossary.ipynb).
