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
# liveliness varies from place to place; and see how much of the remaining error the hidden forcing holds. **Time** 60 minutes. **Runs in** about 2½ minutes on two cores, in 1 GB. **Needs**
# [lesson 04](04_allen_cahn.ipynb). **Symbols and words** [notation and glossary](notation_and_glossary.ipynb).

# %% [markdown]
# ## The question
#
# The letter's third system, equations (11)-(13), is the vorticity $u$ of a flow in two dimensions,
#
# $$ \partial_t u = \partial_x\psi\,\partial_y u - \partial_x u\,\partial_y\psi - A\,\partial_x u - \nu_h\Delta^{-2}u - \nu\Delta^2u - \nu_0\!\int\! u + \varsigma, \qquad \Delta\psi = u . $$
#
# The first two terms are the flow that carries its own vorticity; its velocity comes from the stream function ψ. $A = \pi$ carries everything along $+x$, a pixel in 1/16 of a time unit. The ν damp: $\nu_h$ the largest eddies, ν the smallest,
# $\nu_0$ the spatial mean. The forcing is a sum of waves,
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
import plotly.graph_objects as go
import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial import experiments, figures, shipped, statistics, views, widgets
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
data = gfdt.simulate(
    system, members=96, duration=32.0, every=1 / 8, seed=0, device="cpu", context=True
)
figures.field_map(grid, data.u[0, -1], "vorticity u")

# %%
figures.field_map(grid, data.context[0, -1, 0], "the forcing ς at the same time", unit="ς")

# %%
covariance = statistics.mode_covariance(grid, data.u)
curves = {"u": statistics.shell_average(grid, covariance)}
print(f"std u = {data.u.std():.3f}, kurtosis {diagnostics.kurtosis(data.u):.2f} (a Gaussian has 3)")
print(
    f"wavevectors differ in variance by a factor {float(covariance.max() / covariance.min()):.0e}"
)
figures.spectrum(curves)

# %% [markdown]
# ## Derive: what hides in the forcing
#
# $(u, \varphi)$ together are a Markov process, one whose future depends on its present alone, with a density $\rho(u, \varphi)$. A kick raises $u$ and leaves $\varphi$ as it is, so the theorem, applied to the pair, reads
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
figure.update_layout(
    template="gfdt", title="the spatial mean", xaxis_title="lag t", width=640, height=360
)
figure

# %% [markdown]
# The Gaussian recipe $C(t)/C(0)$ takes the slow forcing for the system's own memory. For the mean that is all wrong. How bad is it for the other wavevectors, which the flow tears apart long before the forcing turns?
#
# ## Check: the Gaussian response
#
# The truth: 20,480 kicked pairs with common forcing, computed once and shipped.

# %%
truth = gfdt.load_shipped("navier-stokes-truth")
made = truth.info["shipped"]
print(
    f"{truth.info['pairs']} pairs, by {made['command']}; largest standard error {truth.standard_error.max():.4f}"
)
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
# So the score has to know how lively each place is. Whitened fields, $\hat u_k/C_k^{1/2}$ transformed back, show it: every wavevector has the same variance, and yet their pixels are far from Gaussian.

# %%
whitened = grid.apply(covariance.rsqrt().float(), use.u[:, ::16])
print(f"kurtosis of whitened pixels: {diagnostics.kurtosis(whitened):.2f}")
chosen = fit.suited(learn, "quick")
print(
    f"so `fit_score` takes convolutions {chosen.kernels}, gated: {chosen.gated}, inputs Q^p w with p in {chosen.powers}"
)

# %% [markdown]
# $w = Q^{-1/2}u$ is the whitened field, where the operator $Q$ multiplies each wavevector by the spectrum $C_k$; $Q^p w$ with growing $p$ are ever smoother versions of the flow, so that small convolutions know about large eddies. A gate lets the network say "quiet here, so
# any departure is a surprise". Preset `quick` takes 160 steps (a minute).

# %%
score = gfdt.fit_score(learn, preset="quick", seed=0)
generative = gfdt.respond(use, score, thin=4, **options)
raw = {"gaussian": gaussian, "generative": generative}
errors = {name: gfdt.compare(answer, truth) for name, answer in raw.items()}
for name, error in errors.items():
    print(
        f"{name:10} L2 = {error.quoted['l2']:.3f} ± {error.quoted['l2_se_truth']:.3f}, L∞ = {error.quoted['linf']:.3f}"
    )
figures.response_curves({"truth": truth} | raw)

# %%
figures.error_curves(errors)

# %% [markdown]
# Raw responses, neither divided by $R(0)$ nor helped: L∞ is better than the Gaussian's, L2 hardly. Most of what is left at *small* wavenumbers is scatter of the average: the score is many times as large as a Gaussian's, and so is its noise. There the Gaussian
# part, as a control variate, costs nothing:

# %%
controlled = gfdt.respond(use, score, control=True, thin=4, **options)
better = gfdt.compare(controlled, truth).quoted
print(f"with control variate: L2 = {better['l2']:.3f}, L∞ = {better['linf']:.3f}")
assert better["l2"] < 0.85 * errors["gaussian"].quoted["l2"]
shell_figure(
    {
        "Gaussian": gaussian,
        "generative, raw": generative,
        "generative, with control variate": controlled,
    }
)

# %% [markdown]
# ## Does the hidden forcing matter?
#
# First at the level of covariances. The Gaussian score of $u$ given $\varsigma$ takes one 2 × 2 inverse a wavevector:

# %%
u_k, f_k = grid.rfft(use.u), grid.rfft(use.context[:, :, 0])
uu, ff, uf = (
    (a * b.conj()).mean((0, 1)) / grid.size for a, b in ((u_k, u_k), (f_k, f_k), (u_k, f_k))
)
forced = ff.real > 1e-6
det = uu * ff - uf.abs() ** 2


def given_forcing(u, context):
    """−(C⁻¹)ᵤᵤ u − (C⁻¹)ᵤς ς, and −u/C where nothing is forced."""
    u_k, f_k = grid.rfft(u), grid.rfft(context[:, :, 0])
    return grid.irfft(-torch.where(forced, (ff * u_k - uf * f_k) / det, u_k / uu))


joint = gfdt.respond(use, given_forcing, **options)
for name, answer in (("of u alone", gaussian), ("given the forcing", joint)):
    print(
        f"Gaussian, {name}: L2 = {gfdt.compare(answer, truth).quoted['l2']:.4f}, {by_shell(answer)[1][0]:.2f} at k = 0"
    )

# %% [markdown]
# The mean is mended, as it should be; all the rest stays as it was. Is that also so for scores that know better? Below, two networks of one design and one budget, fitted to the same 128 recordings; the second is given
# $\varsigma$ as an input ("conditioned" in names and tables). **They are precomputed**, preset `standard`, by the commands that the next cell prints. ($\varsigma$ is all of $\varphi$ that the flow can feel: exchanging $\varphi_k$ and $-\varphi_{-k}$ changes
# neither the forcing nor the way it walks.)

# %%
shown = {name: gfdt.load_shipped(f"navier-stokes-{name}") for name in ("generative", "conditioned")}
for answer in shown.values():
    print(answer.info["shipped"]["command"])
rows = shipped.load_table("navier-stokes-standard")
keys = ["seed", "score", "l2", "linf", "low", "edge", "high"]
header = ["seed", "score", "L2", "L∞", "0 < |k| ≤ 5", "8 < |k| ≤ 10.6", "|k| > 10.6"]
cells = [[row[key] for row in rows] for key in keys]
table = go.Table(
    header={"values": header}, cells={"values": cells}, columnwidth=[1, 4, 1, 1, 2, 2, 2]
)
go.Figure(table, layout={"template": "gfdt", "width": 920, "height": 560})

# %% [markdown]
# (The last three columns: root mean square error of $R_k$ at lag 1/2 over a band of wavevectors.)

# %%
by = {(row["seed"], row["score"]): row for row in rows}
bands = {"l2": "L2, whole field", "edge": "error at 8 < |k| ≤ 10.6", "high": "error at |k| > 10.6"}
for key, what in bands.items():
    alone, given = (
        torch.tensor([by[n, f"{method}, with control variate"][key] for n in (0, 1, 2)])
        for method in ("generative", "conditioned")
    )
    gain, se = (alone - given).mean(), (alone - given).std() / 3**0.5
    print(f"{what}: {alone.mean():.3f} from u; the forcing takes off {gain:.4f} ± {se:.4f}")
    assert key != "edge" or gain > 3 * se

# %%
answers = {"u alone": shown["generative"], "given the forcing": shown["conditioned"]}
shell_figure({"Gaussian": gaussian} | answers)

# %% [markdown]
# It does matter, and the figure says where: at the highest *forced* wavenumbers, $k = 8$ to 10. Below, the flow is far larger than what one push of the forcing does. Above, there is no forcing to know, and the conditioned network is even the worse
# one, by 0.02 with all three seeds (it has one budget for two inputs; whether that is why, we do not know). In between, once a
# score knows how much of $u_k$ its surroundings explain, what they leave unexplained is mostly the recent forcing; then "$u_k$ was raised" and "the forcing was different" become the same event, and a score
# of $u$ alone cannot tell them apart. So the second bet has two answers. Where the forcing hides, the second network predicts better by far, and no covariance tells; over the
# whole field, what it wins is not to be told from chance.
#
# ## What did not work
#
# The table is precomputed, by `python -m gfdt_tutorial bench --only navier-stokes-networks`: one change at a time from what you trained above, with the budget of preset `quick`.

# %%
rows = shipped.load_table("navier-stokes-networks")
keys = ["what", "l2_raw", "l2_control", "linf_control", "seconds"]
header = ["what", "L2, raw", "L2, with control variate", "L∞, with control variate", "seconds"]
table = go.Table(
    header={"values": header},
    cells={"values": [[row[key] for row in rows] for key in keys]},
    columnwidth=[4, 1, 2, 2, 1],
)
go.Figure(table, layout={"template": "gfdt", "width": 920, "height": 420})

# %% [markdown]
# * **A small view.** A network that sees two pixels far does hardly better than the Gaussian. It cannot know the strain that the large eddies put on the small ones.
# * **SiLU instead of gates** (a layer that bends each channel by $x/(1 + e^{-x})$), **or the two roughest inputs alone**: each a fifth worse, raw.
# * **Weighting quiet and lively places evenly.** Quiet places have the largest scores, so the loss is mostly theirs, while the response is made where the flow is lively. A weight $h$ that evens this out leaves the minimum
#   of the loss where it was, and sounds like a good idea. With as few data and steps as here it is none; preset `standard`, with more of both, uses it.
# * **More steps.** With preset `standard`, 400 steps reach a lower loss than 200, and a worse response, raw L2 0.091 instead of 0.08: what is learned last is the score of the density of $u$ alone, in which forcing that is
#   hidden looks like a property of $u$, and it is large, so its noise is too. `standard` stops at 200.
# * **More noise, σ = 0.2**, blurs the quiet places away.
# * **The mean**, $k = 0$: its error stays at 0.3 for every network here. One wavevector among 1024 is nothing to a loss.
#
# ## Explore
#
# First the static figure: 16 pairs, kicked at one pixel, one time unit later. Above, one pair; below, the mean of all pairs beside what was predicted from undisturbed data.

# %%
view = views.StirredFlow(system, shown["conditioned"], seed=3)
view.kick(0, 20, 1.0)
for _ in zip(range(16), view):
    pass
figures.flow(view)

# %% [markdown]
# Now live. **Start**, let it run, and click on the flow.
#
# * Kick in the middle of an eddy, and at its rim. How long does one pair's difference stay in one piece? The prediction is a mean over all places, and does not know where you clicked.
# * Kick with size 2, and with 0.25. Does the mean of the pairs grow in proportion?
# * Wait. After four time units the prediction has faded; has the difference of one pair?

# %%
lab = widgets.FlowLab(shown["conditioned"])
lab

# %% [markdown]
# ## Exercises
#
# **05.1** What is the standard deviation of the forcing $\varsigma$ at a pixel? (`system.forcing` is $a$; all but one of the 349 forced waves have $m_k = 1$, and the wave $k = 0$ has 1/10.)

# %%
my_std = None
check("05.1", my_std)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
check("05.1", system.forcing * (348.01 / 2) ** 0.5)

# %% [markdown]
# **05.2** At which lag does the Gaussian response of the spatial mean exceed the true one by most?

# %%
my_lag = None
check("05.2", my_lag)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: t exp(−t) has its largest value at
check("05.2", 1.0)

# %% [markdown]
# **05.3** How many pairs, each kicked at one pixel, give an L2 standard error of 0.01 at lag 1? (`truth.info["growth"]["mean"]` has $\langle|J|^2\rangle$ every 1/16.)

# %%
my_pairs = None
check("05.3", my_pairs)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
check("05.3", (truth.info["growth"]["mean"][16] - truth.values[16].square().sum()) / 0.01**2)

# %% [markdown]
# **05.4** Suppose the phases walked ten times as fast, so that the mean forcing forgets itself as $e^{-\gamma t}$ with γ = 10, and $\dot{\bar u} = -\bar u + \bar\varsigma$ as before. How large is now the largest excess of $C(t)/C(0)$ over the response
# $e^{-t}$ of the mean? (With γ = 1 it was $1/e$, at the lag of 05.2. First derive $C(t)$; for $t > 0$ it is a sum of $e^{-t}$ and $e^{-\gamma t}$ with a slope of zero at $t = 0$.)

# %%
my_excess = None
check("05.4", my_excess)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: C(t)/C(0) = (γ exp(−t) − exp(−γt))/(γ − 1). Forcing that forgets quickly is nearly white noise, and hides nothing.
gamma, lags = 10, torch.linspace(0, 5, 100_001)
memory = (gamma * torch.exp(-lags) - torch.exp(-gamma * lags)) / (gamma - 1)
check("05.4", (memory - torch.exp(-lags)).max())

# %% [markdown]
# Let go of the recordings.

# %%
lab.stop()
del data, use, learn, view, lab, whitened, mean, u_k, f_k
experiments.free_memory()

# %% [markdown]
# ## What this lesson does not show
#
# What the letter's figure ran: there the phases stood still while the recording was made, and the Nyquist wavenumber was set to zero. `gfdt.NavierStokes(frozen=True, nyquist=False)` is that system. Its responses are worse, the
# Gaussian and the learned alike, and giving the score the forcing does not mend them; a likely reason is that the flow goes on to settle once the phases stand still, and the theorem is one for stationary fields. And what holds the error that is left above $k = 12$, with the forcing known and the noise small: more of the same training does not remove it.
#
# ## Summary
#
# 1. Turbulence is lively here and quiet there. Covariances follow the fluctuations that live where the flow leaves them in peace; a kick falls anywhere. The Gaussian response errs most at the smallest scales.
# 2. A score has to see far and to adapt to each place. Its noise is many times a Gaussian score's, which the control variate takes off where it hurts, at the large scales.
# 3. Hidden forcing matters just where a good score leaves nothing else unexplained, at the highest forced wavenumbers: a finding that no covariance shows, nor the error of the whole field.
#
# **Next:** [06 · Figure one](06_figure_one.ipynb), and what its errors are made of.
#
# Numbers in square brackets, here [1]: [notation, glossary and references](notation_and_glossary.ipynb).
#
# *When you are done, free the memory: Kernel → Shut Down Kernel. On Binder, with its 2 GB, do so before you open another lesson.*
