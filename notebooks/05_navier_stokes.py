# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 · Navier-Stokes
#
# **You will** meet turbulence stirred by waves that you do not see; find out, first in one line of algebra and then in data, what a hidden forcing does to the theorem; learn a score of a field whose
# liveliness varies from place to place; and see how much of the remaining error the hidden forcing holds. **Time** 60 minutes. **Runs in** about 2 minutes on two cores. **Needs**
# [lesson 04](04_allen_cahn.ipynb).

# %% [markdown]
# ## The question
#
# The letter's third system, equations (11)-(13), is the vorticity $u$ of a flow in two dimensions,
#
# $$ \partial_t u = \partial_x\psi\,\partial_y u - \partial_x u\,\partial_y\psi - A\,\partial_x u - \nu_h\Delta^{-2}u - \nu\Delta^2u - \nu_0\!\int\! u + \varsigma, \qquad \Delta\psi = u . $$
#
# $A = \pi$ carries everything along $+x$, a pixel in 1/16 of a time unit. The forcing is a sum of waves,
#
# $$ \varsigma(x,t) = a \sum_k m_k \cos(k\cdot x + \varphi_k(t)), \qquad d\varphi_k = \sqrt2\,dW_k , $$
#
# whose phases walk at random and forget themselves in one time unit. **A recording of $u$ does not show $\varphi$.** And no formula for the density, or its score, is known.
#
# ## Bet first
#
# > 1. Does the Gaussian response come out too large again, as it did in lesson 04? At which wavevectors is it worst?
# > 2. A network is given $u$ alone. Another one is given $u$ and the forcing. Will the second predict the response better, or does $u$ tell all that matters?

# %%
from dataclasses import replace

import plotly.graph_objects as go
import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial import experiments, figures, shipped, statistics, widgets
from gfdt_tutorial.exercises import check
from gfdt_tutorial.responses.curves import wave_errors
from gfdt_tutorial.scores import diagnostics, fit

# networks and grids as small as these gain nothing from a second thread, and wait for it if anything else runs
torch.set_num_threads(1)
system = gfdt.NavierStokes()
grid = system.grid

# %% [markdown]
# ## See it: a flow, and what stirs it
#
# 96 members of 32 time units each, eight samples a time unit, after 80 time units that turn random waves into turbulence (half a minute). `context=True` keeps the forcing, which nature would not.

# %%
data = gfdt.simulate(system, members=96, duration=32.0, every=1 / 8, seed=0, device="cpu", context=True)
figures.field_map(grid, data.u[0, -1], "vorticity u")

# %%
figures.field_map(grid, data.context[0, -1, 0], "the forcing ς at the same time", unit="ς")

# %%
covariance = statistics.mode_covariance(grid, data.u)
curves = {"u": statistics.shell_average(grid, covariance)}
print(f"std u = {data.u.std():.3f}, kurtosis {diagnostics.kurtosis(data.u):.2f} (a Gaussian has 3)")
print(f"wavevectors differ in variance by a factor {float(covariance.max() / covariance.min()):.0e}")
figures.spectrum(curves)

# %% [markdown]
# ## Derive: what hides in the forcing
#
# $(u, \varphi)$ together are a Markov process with a density $\rho(u, \varphi)$. A kick raises $u$ and leaves $\varphi$ as it is, so the theorem of lesson 01, applied to the pair, reads
#
# $$ R(t) = -\big\langle u(t)\; \nabla_u \ln \rho(u, \varphi)\big|_0 \big\rangle . $$
#
# The score of $u$ alone is its average, $\nabla_u\ln\rho(u) = \langle\nabla_u\ln\rho(u,\varphi)\,|\,u\rangle$. Using that instead answers another question: what if $u$ were raised *and the forcing exchanged for one
# that goes with the raised field*. Both agree only if the future does not care, or if the raised field says nothing about the forcing.
#
# The spatial mean shows it in closed form. It obeys $\dot{\bar u} = -\bar u + \bar\varsigma$, with $\langle\bar\varsigma(t)\bar\varsigma(0)\rangle \propto e^{-t}$. A kick decays as $R = e^{-t}$. But the
# covariance of $\bar u$ remembers the forcing too, and
#
# $$ C(t)/C(0) = (1 + t)\,e^{-t} . $$

# %%
mean = data.u.mean((2, 3))
steps = int(4 / data.every)
C = torch.stack([(mean[:, m:] * mean[:, : mean.shape[1] - m]).mean() for m in range(steps + 1)])
t = data.every * torch.arange(steps + 1)
known = {
    "C(t)/C(0), data": C / C[0],
    "(1 + t) exp(−t)": (1 + t) * torch.exp(-t),
    "response exp(−t)": torch.exp(-t),
}
figure = go.Figure([go.Scatter(x=t, y=y, name=name) for name, y in known.items()])
figure.update_layout(template="gfdt", title="the spatial mean", xaxis_title="lag t", width=640, height=360)
figure

# %% [markdown]
# The Gaussian recipe $C(t)/C(0)$ takes the slow forcing for the system's own memory. For the mean that is all wrong. How bad is it for the other wavevectors, which the flow tears apart long before the forcing turns?
#
# ## The Gaussian response
#
# The truth: 20,480 kicked pairs with common forcing, computed once and shipped.

# %%
truth = gfdt.load_shipped("navier-stokes-truth")
made = truth.info["shipped"]
print(f"{truth.info['pairs']} pairs, by {made['command']}; largest standard error {truth.standard_error.max():.4f}")
use, learn = data.split(0.5)
options = {"lags": 4.0, "symmetries": system.symmetries}
gaussian = gfdt.respond(use, gfdt.GaussianScore.fit(use), **options)
figures.response_curves({"truth": truth, "gaussian": gaussian})

# %%
def by_shell(answer, lag=0.5):
    """Root mean square error over the wavevectors of each shell, freed of the truth's noise."""
    errors = wave_errors(answer, truth)[int((answer.times - lag).abs().argmin())]
    k, mean = statistics.shell_average(grid, errors)
    return k, mean.clamp_min(0).sqrt()


def shell_figure(answers):
    figure = go.Figure()
    for name, answer in answers.items():
        k, error = by_shell(answer)
        figure.add_trace(go.Scatter(x=k, y=error, name=name, mode="lines+markers"))
    figure.update_layout(template="gfdt", title="error by wavenumber, lag 1/2", xaxis_title="k")
    return figure.update_layout(width=680, height=400, margin_t=110)


shell_figure({"Gaussian": gaussian})

# %% [markdown]
# The first bet: the Gaussian response is too large, and it is the *small* scales that it gets wrong. (And the mean, $k = 0$, as derived.) Fluctuations of small scales live where the flow leaves them in peace; a kick
# falls anywhere, mostly where it is sheared away at once. Covariance averages over the former, the response over the latter.
#
# ## Learn the score
#
# So the score has to know how lively each place is. Whitened fields show it: every wavevector has the same variance, and yet their pixels are far from Gaussian.

# %%
whitened = grid.apply(covariance.rsqrt().float(), use.u[:, ::16])
print(f"kurtosis of whitened pixels: {diagnostics.kurtosis(whitened):.2f}")
chosen = replace(fit.suited(learn, "quick"), steps=150)
print(f"so `fit_score` takes convolutions {chosen.kernels}, gated: {chosen.gated}, inputs Q^p w with p in {chosen.powers}")

# %% [markdown]
# $w = Q^{-1/2}u$ is the whitened field, $Q$ the spectrum; $Q^p w$ with growing $p$ are ever smoother versions of the flow, so that small convolutions know about large eddies. A gate lets the network say "quiet here, so
# any departure is a surprise". The network that trains now gets half of the steps of preset `quick` (about 40 s).

# %%
score = gfdt.fit_score(learn, spent=chosen, seed=0)
generative = gfdt.respond(use, score, thin=4, **options)
raw = {"gaussian": gaussian, "generative": generative}
errors = {name: gfdt.compare(answer, truth) for name, answer in raw.items()}
for name, error in errors.items():
    print(f"{name:10} L2 = {error.quoted['l2']:.3f} ± {error.quoted['l2_se']:.3f}, L∞ = {error.quoted['linf']:.3f}")
assert errors["generative"].quoted["linf"] < 0.75 * errors["gaussian"].quoted["linf"]
figures.response_curves({"truth": truth} | raw)

# %%
figures.error_curves(errors)
