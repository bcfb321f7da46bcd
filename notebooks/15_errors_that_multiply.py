# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 15 · Errors that multiply
#
# **You will** learn the same response in two ways, from a score and from a forecast, and combine them so that their errors *multiply*; prove it in two lines; spoil one part, the other, and both; test each part without knowing the truth; see what a confidence band
# then means, and where the idea fails. **Time** 50 minutes. **Runs in** about a minute on two cores, in 0.8 GB.
# **Needs** lessons [01](01_score_and_response.ipynb) and [04](04_allen_cahn.ipynb). **Symbols and words** [notation and glossary](notation_and_glossary.ipynb).

# %% [markdown]
# ## The question
#
# A learned score is never exact, and in every lesson so far its error went straight into the response: a score that is wrong by a tenth gives a response that is wrong by about a tenth. No confidence band shows it, because a band describes sampling. Can we do better than to train longer?
#
# ## Bet first
#
# There is a second way to a response. Learn to *forecast*: find the mean of the later field, given the present one, by least squares. The derivative of the forecast is a response. Suppose that our score is wrong by 10 % and our forecast by 5 %.
#
# > 1. How wrong is the best response that can be computed from both: 10 %, 7.5 %, 5 %, or less?
# > 2. Can one tell from data alone which of the two is the worse?

# %%
from dataclasses import replace

import plotly.graph_objects as go
import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial import figures
from gfdt_tutorial.core.memory import free_memory
from gfdt_tutorial.course import panels, views, widgets
from gfdt_tutorial.course.exercises import check
from gfdt_tutorial.experiments import shipped
from gfdt_tutorial.experiments.pipeline import shipped_smooth_truth
from gfdt_tutorial.scores.budgets import forecast_budget
from gfdt_tutorial.scores.dictionary import Power

# %% [markdown]
# ## Derive
#
# Let $m_t(u) = E[u(t)\,|\,u(0) = u]$ be the perfect forecast: the mean of the later field, given the present one. A small kick changes it by its derivative, so the response is the *mean Jacobian* of the forecast. An integration by parts gives back the theorem:
#
# $$ R(t) = \langle\nabla m_t(u)\rangle = -\langle m_t(u)\,s(u)\rangle = -\langle u(t)\,s(u(0))\rangle . $$
#
# So there are two ways to learn it: a score $\hat s$, as in the letter, or a forecast $\hat m_t$, whose mean Jacobian is taken. Put them together as
#
# $$ \hat R(t) = \langle\nabla\hat m_t\rangle - \big\langle\,[u(t) - \hat m_t(u(0))]\;\hat s(u(0))\,\big\rangle . $$
#
# The first term is the answer of the forecast. The second corrects it: it is the answer of the score for *what the forecast leaves over*. The proof that the errors multiply takes two lines. First, $\langle u(t)\,\hat s\rangle = \langle m_t\,\hat s\rangle$ for any
# $\hat s$, by the definition of $m_t$. Second, $\langle\nabla\hat m_t\rangle = -\langle\hat m_t\,s\rangle$, by parts. Hence
#
# $$ \hat R - R = -\langle\hat m_t s\rangle - \langle(m_t - \hat m_t)\,\hat s\rangle + \langle m_t s\rangle = -\big\langle\,(m_t - \hat m_t)\,(\hat s - s)\,\big\rangle . $$
#
# Each error is weighed by the other. *If either part is right, the answer is right.* What we had before are special cases: without a forecast, this is the raw form; with the linear forecast $C(t)C(0)^{-1}u$, it is the controlled form of lesson 04.

# %% [markdown]
# ## Check: spoil one, the other, both
#
# In the double well of lesson 01 the score and the forecast are curves, and averages are integrals. We add $\delta\,g(x)$ to the score and $\delta'\,h(x)$ to the forecast. No sampling is involved.

# %%
well = gfdt.DoubleWell()
panels.spoiled_well(views.SpoiledWell(well, score_error=0.5, forecast_error=0.3))

# %% [markdown]
# Three sizes of each error. The last column is the error of the combined response, divided by $\delta\delta'$.

# %%
rows = []
for score_error in (0.2, 0.4, 0.8):
    for forecast_error in (0.15, 0.3, 0.6):
        spoiled = views.SpoiledWell(well, score_error, forecast_error)
        off = float((spoiled.estimates.combined - spoiled.estimates.exact)[10])
        rows.append((score_error, forecast_error, off, off / (score_error * forecast_error)))
print("     δ     δ′    error    error / δδ′")
for row in rows:
    print("{:6.2f} {:6.2f} {:8.4f} {:10.4f}".format(*row))
ratios = torch.tensor([row[3] for row in rows])
assert float(ratios.std() / ratios.mean().abs()) < 0.01

# %% [markdown]
# The ratio is the same in every row: it is $\langle g\,h\rangle$, as the derivation says.
#
# ## With data: a wrong score, and a forecast that mends it
#
# The Gaussian score knows nothing of the two wells, and its response is wrong by a factor of almost two. We give it a forecast from a *dictionary*: the powers of $x$ up to the seventh, with coefficients by least squares. It trains nothing.
#
# One rule matters. A forecast that has seen the data over which we average agrees with their noise. `fit_forecast` therefore learns two forecasts, one from each half of the members, and `respond` uses for each member the one that has *not* seen it. This is called *cross-fitting*.

# %%
walkers = gfdt.simulate(well, members=64, duration=200.0, every=0.1, seed=0)
gaussian = gfdt.GaussianScore.fit(walkers)
ahead = gfdt.fit_forecast(
    walkers, lags=3.0, preset=None, dictionary=[Power(p) for p in range(2, 8)]
)
found = gfdt.respond_in_forms(walkers, gaussian, lags=3.0, forecast=ahead)
exact = gfdt.Response(found["raw"].times, well.response(found["raw"].times), "exact")
curves = {"exact": exact, "gaussian": found["raw"], "combined": found["combined"]}
figures.observable_curves(
    curves, "Gaussian score alone, and with a forecast", "response of the mean"
)

# %%
at = 10  # lag 1
for name in ("raw", "combined"):
    off = float((found[name].values - exact.values)[at])
    print(
        f"{name:9} error at lag 1: {off:+.4f}, by its own account ± {float(found[name].standard_error[at]):.4f}"
    )
assert abs(float((found["combined"].values - exact.values)[at])) < 0.25 * abs(
    float((found["raw"].values - exact.values)[at])
)

# %% [markdown]
# The raw response with the Gaussian score is wrong by many of its own standard errors. The combined one is right within its band, although its score is as wrong as before.
#
# ## Test each part without the truth
#
# Two of the averages vanish if a part is right:
#
# $$ \langle(u(t) - \hat m_t)\,\hat s\rangle = 0 \;\text{ for a right forecast, whatever } \hat s; \qquad \langle\nabla\hat m_t + \hat m_t\hat s\rangle = 0 \;\text{ for a right score, whatever } \hat m . $$
#
# Their sizes say by how much the response would err *with that part alone*.

# %%
for part, told in found["combined"].info["checks"].items():
    print(
        f"{part:9} alone would err by {told['l2']:+.3f}, {told['sigmas']:+.1f} standard errors of its square"
    )

# %% [markdown]
# The test rejects the score and not the forecast, without knowledge of the truth. If neither part is rejected, that is no proof: a score and a forecast can be blind to the same thing. If both are rejected, the product may matter, and nothing here bounds it.
#
# ## Where it fails: blind to the same thing
#
# Take the Gaussian score again, and a forecast that is linear, too. Both parts are wrong, and they are wrong about the same thing: each sees the two wells as one bell.

# %%
linear = gfdt.fit_forecast(walkers, lags=3.0, preset=None, dictionary=[])
blind = gfdt.respond(walkers, gaussian, lags=3.0, forecast=linear)
off = float((blind.values - exact.values)[at])
print(f"error at lag 1: {off:+.4f}, by its own account ± {float(blind.standard_error[at]):.4f}")
for part, told in blind.info["checks"].items():
    print(
        f"{part:9} alone would err by {told['l2']:+.3f}, {told['sigmas']:+.1f} standard errors of its square"
    )
assert off > 5 * float(blind.standard_error[at])

# %% [markdown]
# The answer is as wrong as the Gaussian one, its band is narrow, and neither test rejects its part: a linear score and a linear forecast agree on everything that either of them knows. A band contains the truth only if the *product* of the two errors is small against it.
#
# ## Fields: Allen-Cahn
#
# For fields, a network learns what the dictionary leaves over. One network has outputs for several lags; its outputs join the dictionary, and the coefficients follow by least squares for every wavevector and every lag. At each lag and scale the simplest
# forecast is kept unless a richer one is better on held-out data. The score is the one that is shipped (40 s).

# %%
field = gfdt.AllenCahn()
data = gfdt.simulate(field, members=64, duration=200.0, seed=0)
budget = replace(forecast_budget("quick", field.grid, intermittent=False), steps=200)
forecasts = gfdt.fit_forecast(data, lags=30.0, budget=budget)
score = gfdt.load_shipped_score("allen-cahn")
answers = gfdt.respond_in_forms(
    data, score, lags=30.0, symmetries=("reflect y",), forecast=forecasts
)

# %%
truth = shipped.load_shipped("allen-cahn-truth")
bump, smooth = gfdt.kick_pattern(field.grid, "bump"), shipped_smooth_truth(field, 30.0, 1.0)
print("form           L2      L∞    bump at lag 5, 15, 30")
for name, answer in answers.items():
    quoted, kicked = gfdt.compare(answer, truth).quoted, gfdt.kick_error(answer, smooth, bump)
    print(
        f"{name:11} {quoted['l2']:6.4f}  {quoted['linf']:6.4f}   "
        + "  ".join(f"{float(kicked.relative[lag]):6.2f}" for lag in (5, 15, 30))
    )

# %% [markdown]
# The last columns are the blind spot of the L2 error. A kick of one pixel weighs all 1024 wavevectors alike, and hardly any of them is long. A *bump*, which is what people draw, lives on the long ones: there the letter's form is wrong by several times the
# response itself, and the combined form is not. (With these few data, what is left of its error is mostly sampling; the tables below have all data.) How well the truth of the bump is known:

# %%
known = gfdt.kick_error(answers["combined"], smooth, bump).truth_error
print(
    "relative standard error of the truth at lags 5, 15, 30:",
    "  ".join(f"{float(known[lag]):.3f}" for lag in (5, 15, 30)),
)

# %% [markdown]
# The same with all data of the presets, several seeds: mean ± scatter between seeds of the errors against the truth.


# %%
def table(name, columns):
    """Mean ± scatter over seeds of some columns of a shipped table, for each form."""
    rows = shipped.load_table(name)
    seeds = len({row["seed"] for row in rows})
    print(f"{name}, {seeds} seed{'s' * (seeds > 1)}")
    print(f"{'':12}" + "".join(f"{column:>24}" for column in columns))
    for form in dict.fromkeys(row["form"] for row in rows):
        line = f"{form:12}"
        for column in columns:
            each = torch.tensor([row[column] for row in rows if row["form"] == form])
            scatter = f" ± {float(each.std()):.4f}" if seeds > 1 else ""
            line += f"{float(each.mean()):.4f}{scatter}".rjust(24)
        print(line)


table("allen-cahn-combined-quick", ["l2", "linf", "bump 5", "bump 15"])
table("allen-cahn-combined-standard", ["l2", "linf", "bump 5", "bump 15"])

# %% [markdown]
# ## The flow
#
# The flow of lesson 05 is stirred by waves that the field does not show. Score and forecast of the field alone would both tend to the response of the field alone, which is another number; here both are given the forcing. The forecast has one more advantage: the mean of the flow is moved by the mean forcing alone and decays at rate one, so that
# a forecast that is linear in both is exact there. No score in this course had learned it.

# %%
table("navier-stokes-combined-standard", ["l2", "linf", "bump 0.5", "bump 2"])
table(
    "navier-stokes-combined-standard",
    ["k ≤ 5, lag 0.5", "8 < k ≤ 10.6, lag 0.5", "10.6 < k, lag 0.5"],
)

# %% [markdown]
# ## What the band means now
#
# The standard error of the combined response has two parts: the scatter between groups of members, which is sampling, and the spread between the two folds beyond sampling, which is what another fit would change.

# %%
answer = answers["combined"]
between, sampling = (
    torch.tensor(answer.info["between_folds"]),
    answer.standard_error.square().flatten(1).mean(1).sqrt(),
)
figure = go.Figure(
    [
        go.Scatter(x=answer.times, y=sampling, name="standard error of a pixel"),
        go.Scatter(x=answer.times, y=between, name="its part between folds", line_dash="dash"),
    ]
)
figure.update_layout(
    template="gfdt",
    width=620,
    height=340,
    xaxis_title="lag t",
    yaxis_title="error of R",
    margin_t=80,
)

# %% [markdown]
# Does such a band contain the truth? That can be counted where the truth is known, over repetitions of the whole experiment with the preset `quick`: new data, another score, other forecasts. We look at the largest value of the response, and at its mean over bands of wavenumbers, at a few lags. The next-to-last column is the mean error in standard errors, the last one the error relative to the largest true value.

# %%
counted = shipped.load_table("combined-coverage")
print("90 % bands that contain the truth     within   error/s.e.   relative")
for row in counted:
    print(
        f"{row['system']:14} {row['seeds']} seeds, {row['what']:13} {row['inside']:7.2f} {row['sigmas']:+10.1f} {row['relative']:12.3f}"
    )

# %% [markdown]
# In the double well, 90 % bands contained the truth in 91 % of 160 cases (40 repetitions, four lags): there both parts are good, and the product of their errors is negligible. *For the fields they do not.* The peak of the Allen-Cahn response comes out about one per cent too small every time, which is several standard errors, because averages over 64 members and 1024 places have hardly any sampling error left. What is left is the product of the two errors. (A third of that per cent is
# not an error of the estimate. The true response was measured with kicks of 1/16 at every pixel at once, and with kicks four times smaller its peak at lag 5 is 0.4 ± 0.1 % lower.) The two tests above said so beforehand: for these data they reject both parts.
#
# So read a band as what it is, sampling and the difference between two fits. *Where both tests reject their part, the answer may be farther off than its band*, by a few per cent of the peak here; train longer, or compare two budgets, before you quote it more precisely.

# %% [markdown]
# ## Explore
#
# Move one of the sliders to zero: the combined curve then lies on the exact one, wherever the other slider stands.

# %%
widgets.ErrorsMultiply(well)

# %% [markdown]
# ## Exercises
#
# **15.1** In the double well, $g(x) = -\tanh 2x$ and $h(x) = \sin x$ (`views.SpoiledWell.g` and `.h`). By how much does the combined response err for $\delta = 0.4$ and $\delta' = 0.2$? (Use `well.average`; mind the sign.)

# %%
my_error = None
check("15.1", my_error)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: the error is −⟨(m − m̂)(ŝ − s)⟩ = ⟨δ′h δg⟩
product = well.average(lambda x: views.SpoiledWell.g(x) * views.SpoiledWell.h(x))
check("15.1", 0.4 * 0.2 * float(product))

# %% [markdown]
# **15.2** A score is too small by a tenth everywhere, $\hat s = 0.9\,s$, and a forecast by a twentieth, $\hat m_t = 0.95\,m_t$. What is the relative error of the combined response, with its sign?

# %%
my_relative_error = None
check("15.2", my_relative_error)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: −⟨0.05 m · (−0.1 s)⟩ = 0.005 ⟨m s⟩ = −0.005 R
check("15.2", -0.1 * 0.05)

# %% [markdown]
# **15.3** The standard error of an average over $n$ independent samples falls as $n^{-1/2}$. The errors of score and forecast both fall as $n^{-a}$. What is the least $a$ for which their product does not fall more slowly than the standard error?

# %%
my_exponent = None
check("15.3", my_exponent)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: n^(−2a) ≤ n^(−1/2)
check("15.3", 1 / 4)

# %%
del data, answers, forecasts, walkers
free_memory()

# %% [markdown]
# ## What this lesson does not show
#
# * **A bound on the product.** The tests find errors of either part; how far the two errors are alike, they cannot tell.
# * **Errors that do not shrink.** With a fixed training budget and noise of a fixed size, the product does not fall as data grow, and the sampling error does: with enough data, a band is too narrow again.
# * **The smallest scales of the flow.** Beyond $|k| = 16$ the field follows the larger scales almost rigidly; neither a score nor a forecast learns from data what a kick across that constraint does.
# * **Hidden variables.** If both parts see the field alone, both answer for the field alone.
#
# ## Summary
#
# 1. A response is the mean Jacobian of a forecast; a score turns it into an average without derivatives. Combined, the errors of the two multiply, and the answer is right if either part is.
# 2. Learn on one half of the data and average over the other. Two averages then test forecast and score, each by itself, without the truth.
# 3. Look at large scales: after a kick of one pixel, a small L2 can hide an answer to a smooth kick that is wrong several times over.
#
# **Next:** [lesson 12](12_parameters_and_calibration.ipynb), where `sensitivities(..., form="combined", dictionary=...)` does the same for observables and parameters, or [the quiz](quiz.ipynb).
#
# Numbers in square brackets: [notation, glossary and references](notation_and_glossary.ipynb).
#
# *When you are done, free the memory: Kernel → Shut Down Kernel. On Binder, with its 2 GB, do so before you open another lesson.*
