# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 00 · Start here
#
# **You will** kick a field and watch its response; see why nobody needs to kick it to know that response; and learn how this course is
# organised, which conventions it uses, and how to read a confidence band. **Time** 25 minutes. **Runs in** about 10 seconds on two cores, in
# 0.7 GB. **Needs** some calculus, linear algebra and probability, and a little Python. **Symbols and words** are explained in [notation and
# glossary](notation_and_glossary.ipynb), here and for every lesson.

# %% [markdown]
# ## The question
#
# Somebody hands you a recording of a system that was left alone: a climate, a flow, a chemical reactor, a market. They ask: *how would the
# system have responded to a small kick?* You may not kick it. One long, unperturbed record is all you have.
#
# This sounds hopeless, but it is not. A fluctuating system is kicked all the time, by its own noise and its own chaos, and the record shows
# how it recovers from each of these kicks. The **generalized fluctuation-dissipation theorem** turns this idea into an exact formula.
#
# The formula needs one quantity that no recording shows directly: the **score**, which is the gradient of the logarithm of the probability
# density of the system's states. For decades this was the obstacle, and people assumed a Gaussian density and hoped for the best. Generative
# modelling has changed this. A diffusion model that generates images *is* a learned score, and a score learned from the recording can be used
# in the theorem. This is the idea of the letter that this course follows [1].
#
# ## Bet first
#
# Every lesson contains bets like the one below. Say your answer aloud before you read on; a wrong bet teaches more than a right one.
#
# > A field of 32 × 32 pixels drifts to the right, diffuses, and is driven by noise. At time 0 we raise *one* pixel by 1. We repeat this many
# > times and average, which removes the noise. After a while, where is the bump, and how high is it? Can an upward kick *lower* the field
# > anywhere?

# %%
from dataclasses import replace

import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial import figures
from gfdt_tutorial.course import widgets
from gfdt_tutorial.course.exercises import check
from gfdt_tutorial.systems.sizes import PRESETS

print(widgets.first_kick.installation())

# %% [markdown]
# ## Kick a field and see its response
#
# This lesson uses the simplest of the three fields in this course, an Ornstein-Uhlenbeck field. It is linear, and everything about it is
# known in closed form. We simulate it 16 times, independently. Each run is a **member** of the ensemble, and the field of one member at one
# time is a **snapshot**:

# %%
system = gfdt.OrnsteinUhlenbeck()
data = gfdt.simulate(system, members=16, duration=127.0, seed=0, device="cpu")
figures.field_map(system.grid, data.u[0, -1], "one snapshot of the unperturbed field")

# %% [markdown]
# The next figure shows the mean response to a *unit kick*, which raises one pixel by 1, at four times. It is computed from the closed form.
# (The maps show the kicked pixel in the middle; in the arrays it is pixel (0, 0).) Each map has its own colour scale, and its title gives the
# height of the highest point.

# %%
exact = gfdt.exact_response(system, lags=90.0)
figures.response_maps(exact, lags=[0, 10, 30, 60])

# %% [markdown]
# The bump moves to the right at speed $A = 0.02$, becomes lower, and spreads. The faint streak along its row is not an error: a single pixel
# contains the shortest wave that the grid can represent, and that wave has no direction in which to travel.
#
# *Yes*, an upward kick can lower the field nearby. The response curves below show dips below zero; on the maps they are very pale blue. There
# are two possible causes:
#
# * *Relaxation.* It pulls the large scales back faster than the small ones, and a bump that has lost its large scales is surrounded by a ring
#   below zero.
# * *Ringing.* A kick of one pixel is a sum of *all* the waves of the grid. Once these waves have been carried along by half a pixel, the same
#   sum oscillates above and below zero between the pixels. This is called **ringing** (the Gibbs phenomenon).
#
# To find out which cause is at work, we remove one at a time. We do so for the kick of one pixel and for a smooth kick, a bump about four
# pixels wide:

# %%
cases = {
    "the field as it is": system,
    "almost no relaxation": replace(system, lam=1e-9),
    "no advection": replace(system, advection=0.0),
}
bump = gfdt.kick_pattern(system.grid, "bump")
pixel_dips, bump_dips = {}, {}
for name, other in cases.items():
    response = gfdt.exact_response(other, lags=90.0)
    pixel_dips[name], bump_dips[name] = response.values[:, 0, 2].min(), response.to(bump).min()
    print(f"{name:21} lowest R_31 {pixel_dips[name]:7.3f}; after a bump {bump_dips[name]:7.3f}")
still, gone = pixel_dips["almost no relaxation"], pixel_dips["no advection"]
assert still < 0.95 * pixel_dips["the field as it is"] and gone > 0.2 * still
assert bump_dips["almost no relaxation"] > -0.001 and bump_dips["no advection"] < -0.04

# %% [markdown]
# Here $R_{31}$ is the response two pixels downstream. After a kick of one pixel, the dip remains when we remove the relaxation, and nearly
# all of it disappears when we remove the advection. This dip is therefore ringing.
#
# A smooth bump contains no short waves and does not ring. Its dip is shallower and disappears together with the relaxation: it is the ring
# around a bump that has lost its large scales. Ringing is a property of the kick and the grid, and it fades as diffusion damps the short
# waves.

# %% [markdown]
# ## Derive: the same response without any kick
#
# Let $u_i$ be the field at pixel $i$, and let $\rho(u)$ be the probability density of the unperturbed states. Kick pixel $j$ by a small δ,
# whatever the state of the field. The density of the states is then ρ shifted by δ, which to first order is
#
# $$ \rho(u - \delta e_j) \approx \rho(u) - \delta\,\partial_j\rho(u) = \rho(u)\,\big[1 - \delta\, s_j(u)\big], \qquad s_j = \partial_j \ln\rho, $$
#
# where $e_j$ is the field that is 1 at pixel $j$ and 0 elsewhere. So *the kicked ensemble is the unperturbed ensemble with different
# weights*, $1 - \delta s_j$: some states have become more likely, others less. At a later time $t$, the mean of $u_i$ over the kicked
# ensemble is $\langle u_i(t)\,[1 - \delta s_j(u(0))]\rangle$.
#
# Why is a weight that we assign at time 0 still valid at time $t$? The reason is that after the kick nothing differs: the equation and the
# noise are the same as before. Let $m(u)$ be the mean of $u_i(t)$ over all futures of a system that starts in the state $u$. This function is
# the same in both ensembles; they differ only in the distribution of the starting states. The mean over the kicked ensemble is therefore
# $\int \rho(u)\,[1 - \delta s_j(u)]\,m(u)\,du$, which is the average above. In other words, each unperturbed history keeps for ever the
# weight of the state from which it started.
#
# The first term of the average is the mean without a kick. The second term, divided by δ, is the response:
#
# $$ R_{ij}(t) \;=\; \frac{\langle \delta u_i(t)\rangle}{\delta u_j(0)} \;=\; -\,\big\langle u_i(t)\, s_j(u(0)) \big\rangle . $$
#
# Angle brackets denote averages over the unperturbed system. No kick appears on the right-hand side. (Lesson 01 derives this step by step for
# a single variable, lesson 02 for this field.)
#
# The next figure illustrates the argument. Of the 1024 values of a state we look at two, $u_1$ and its neighbour downstream, $u_2$, and we
# kick $u_1$ by $\delta = 0.6$:

# %%
states = data.u[:, ::8, 0, [0, 1]].flatten(0, 1).double()
states = states - states.mean(0)
s = -states @ torch.linalg.inv(states.T @ states / len(states))  # Gaussian score of these two
weights = 1 - 0.6 * s[:, 0]
means = (weights[:, None] * states).mean(0)
print(f"correlation of u_1 and u_2: {torch.corrcoef(states.T)[0, 1]:.2f}")
print(f"weighted means: u_1 {means[0]:.2f}, u_2 {means[1]:.2f}; shifted cloud: 0.60, 0.00")
assert abs(means[0] - 0.6) < 0.01 and abs(means[1]) < 0.01
figures.kicked_cloud(states, weights, kick=0.6)

# %% [markdown]
# The left panel shows the unperturbed states. The middle panel shows the same states after the kick (black) and before it (grey). In the
# right panel no state has moved: states that the kick makes more likely are drawn larger and in red, and states that it makes less likely are
# drawn smaller and in blue. The shifted cloud and the weighted cloud have the same means (dotted lines) and, to first order in δ, the same
# density.
#
# Note that the kick raises $u_1$ and not $u_2$, although the two are correlated. A kick is different from *selecting* states in which $u_1$
# happens to be high. The red states are those in which $u_1$ is high *given the value of* $u_2$, and it takes the score to identify them.
#
# The whole course fits in three lines of code. We take the *unperturbed* data from above, assume that their density is Gaussian (for this
# field it is), and ask the theorem for the response. Nobody has ever kicked these data.

# %%
score = gfdt.GaussianScore.fit(data)
response = gfdt.respond(data, score, lags=60.0)
figures.response_curves({"exact": gfdt.exact_response(system, lags=60.0), "gaussian": response})

# %% [markdown]
# The panels show $R_{11}$, $R_{31}$, $R_{51}$ and $R_{71}$, in the letter's numbering: the response of the pixels 0, 2, 4 and 6 places
# downstream to a kick of pixel 1. The wide grey line is the closed form. The coloured line is the estimate from the recording. The next
# section explains the shaded **band** around it.
#
# Methods differ only in where the score $s$ comes from:
#
# | name | score $s$ | needs |
# |---|---|---|
# | **Gaussian** | $-C(0)^{-1}(u - \langle u\rangle)$ | the recording |
# | **analytic** | a closed form, where one exists | the equation |
# | **generative** | a network, trained by denoising score matching (lesson 03) | the recording |
# | **dynamical** | none: pairs of runs with the same noise, one of them kicked (*twins*), averaged over many pairs; this is the truth | the equation, and many runs |
#
# $C(0)$ is the covariance matrix between pixels. With the mean removed, $C_{ij}(t) = \langle u_i(t)\,u_j(0)\rangle$, here at $t = 0$.

# %% [markdown]
# ## Check: how to read a band
#
# A finite recording gives a noisy response. To find out how much the response would vary from one recording to the next, `respond` cuts the
# data into independent blocks (here, whole members) and draws blocks with replacement 200 times. The result is the confidence band, a
# **confidence interval** at each point, with `confidence=0.90` by default.
#
# The meaning of 90 % is this: if you repeated the whole procedure many times, each time with a new recording, the bands would cover the true
# value at any given point in 90 % of the repetitions. It does not say that the truth has a probability of 90 % of lying in *this* band: the
# truth is fixed, and the band varies.
#
# We have many points instead of many repetitions. We therefore count how many of the points are covered, and then do the same with eight
# times as much data:


# %%
def inside(data):
    response = gfdt.respond(data, gfdt.GaussianScore.fit(data), lags=60.0)
    exact = gfdt.exact_response(system, lags=60.0).values
    lower, upper = response.band[:, 1:]  # lag 0 is exact by construction
    return ((lower < exact[1:]) & (exact[1:] < upper)).float().mean(), (upper - lower).mean()


little, much = data, gfdt.simulate(system, members=128, duration=127.0, seed=1, device="cpu")
for name, series in (("16 members", little), ("128 members", much)):
    share, width = inside(series)
    print(
        f"{name:12} the 90 % band covers the truth at {share:.0%} of the points; mean width {width:.4f}"
    )

# %% [markdown]
# With eight times as much data the band is $\sqrt 8 \approx 2.8$ times narrower, and the fraction of points covered stays near 90 %. For few
# members this fraction is a little lower, because the standard error itself is then less well known.
#
# A result without a band is an anecdote; every response in this course has one. However, a band does *not* contain the error of a wrong
# score: under wrong assumptions a band can be narrow and in the wrong place. How to distinguish these two kinds of error is a theme of the
# later lessons.

# %% [markdown]
# ## Explore
#
# The widget below shows the maps from the beginning of the lesson at any lag. **It also tests your installation**: when you move the slider,
# the map and the line of text below the slider should follow. If the cell shows text such as `FirstKick(...)` instead, the widgets are not
# installed in the Jupyter that displays this page: start it with `make lab`, or with the conda environment described in the README.
#
# When has the bump moved by two pixels, and how high is it then? (Exercise 00.1 asks for that time.)

# %%
first = widgets.FirstKick(exact)
first

# %%
first.controls["lag"].value = 30  # code can move a slider, too
assert "t = 30" in first.readout.value

# %% [markdown]
# ## How this course works
#
# **Structure.** Every lesson has the same headings: the question, bet first, derive, check, explore, exercises, what this lesson does not
# show, summary. The central idea of a lesson is always visible code of a few lines; each plot or widget is a single call. Each widget is
# preceded by a static figure with the same content.
#
# **Lessons.** The last column shows which lessons each one builds on. Lessons 00, 02 and 03 are the core of the course.
#
# | lesson | what it is about | after |
# |---|---|---|
# | [01](01_score_and_response.ipynb) | score and response in one variable: a double well, in which every quantity can be drawn | 00 |
# | [02](02_ornstein_uhlenbeck.ipynb) | the Ornstein-Uhlenbeck field, where everything is known: the test case for every method | 00 |
# | [03](03_score_matching.ipynb) | score matching: a score learned from snapshots | 02 |
# | [04](04_allen_cahn.ipynb) | the Allen-Cahn field, where the Gaussian response fails | 03 |
# | [05](05_navier_stokes.ipynb) | turbulence, and forcing that a recording does not show | 04 |
# | [06](06_figure_one.ipynb) | the letter's figure, and the sources of its errors | 02 to 05 |
# | [07](07_your_own_data.ipynb) | your own data | 03 |
# | [08](08_response_lab.ipynb) | a laboratory: kicks and forcings of any shape, and where linearity ends | 02 |
# | [12](12_parameters_and_calibration.ipynb) | parameters and calibration | 02, 04 |
# | [quiz](quiz.ipynb) | twenty questions on all of them | |
#
# **Presets** set the size of an ensemble: the number of members, the duration in time units, and the number of pairs of twins for the truth.
# Use `quick` for lessons and Binder, `standard` for a laptop over a coffee break, `paper` for the letter's sizes; `tiny` is meant for the
# tests only:

# %%
for name in PRESETS:
    size = gfdt.OrnsteinUhlenbeck().ensemble(name)
    print(
        f"{name:9} {size.members:4} members × {size.duration:6g} time units = {size.snapshots:7} snapshots, {size.pairs:6} kicked pairs"
    )

# %% [markdown]
# **Conventions** are the same everywhere:
#
# | | |
# |---|---|
# | fields | torch tensors, float32, shape `(..., y, x)`; periodic; advection along $+x$, the last axis |
# | box | side $2\pi$ by default, so wavenumbers are integers; real FFTs, unnormalised forward |
# | score | $s = \nabla \ln \rho$ with respect to *pixel values*; Itô calculus |
# | noise | white in space and time, the delta function normalised on unit area; σ is a standard deviation, in units of the data |
# | response | to a unit kick at pixel (0, 0); `values[lag, y, x]`, indexed by displacement; lags in time units |
# | seeds | every random routine takes `seed`; noise depends on (seed, member), so member 3 is the same however many members are simulated |
#
# **Your own arrays** enter as a `TimeSeries`. You name its axes; the package never guesses them. When a request cannot work, the error
# message says what to try instead:

# %%
try:
    data.steps(lags=100.0)
except ValueError as error:
    print(error)

# %% [markdown]
# ## Exercises
#
# Replace `None` by your answer and run the cell. The function `check` says "not attempted yet", gives a hint, or says "passed". A folded
# solution follows each exercise: click on the three dots (in JupyterLab) to open it. In every lesson the exercises become harder towards the
# end.
#
# **00.1** The bump moves at speed $A = 0.02$ along $x$, in a box of side $2\pi$ with 32 pixels. How long does it take to move two pixels?

# %%
my_time = None
check("00.1", my_time)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
step = system.grid.lengths[-1] / system.grid.shape[-1]  # one pixel is 2π/32 long
check("00.1", 2 * step / system.advection)

# %% [markdown]
# **00.2** You want lags up to 90, and you sample once per time unit. How long must the recording be, at least?

# %%
my_duration = None
check("00.2", my_duration)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
# Only origins that lie at least t before the end contribute to lag t; respond requires that at least half of them do.
check("00.2", 2 * 90.0)

# %% [markdown]
# **00.3** `exact.values[t, 0, j]` is the response at displacement `j` along $x$. Which `j`, from 0 to 31, is the pixel just *upstream* (to
# the left) of the kick?

# %%
my_j = None
check("00.3", my_j)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
# Displacements are periodic: −1 is the same as 31, and exact.values[t, 0, -1] works, too.
check("00.3", -1 % 32)

# %% [markdown]
# ## What this lesson does not show
#
# A linear field with a Gaussian density is the one case in which the Gaussian response is right. Nothing in this lesson needed a learned
# score, and nothing tested one. The numbers show only that the tools work: the simulation, the average in the theorem and the error bars
# agree with a closed form. We need these tools for fields that are not Gaussian.
#
# ## Summary
#
# 1. The response of a stationary system to a small kick can be computed from an unperturbed recording if the score of its density is known.
# 2. There are four kinds of response: Gaussian, analytic, generative and dynamical. They differ in where the score comes from; the last needs
#    no score and is the truth.
# 3. Every response has a band, a confidence interval for the sampling error; its width decreases as one over the square root of the amount of
#    data.
#
# **Next:** [01 · Score and response in one variable](01_score_and_response.ipynb), where each of these quantities is a curve that you can
# draw.
#
# Numbers in square brackets, here [1], refer to [notation, glossary and references](notation_and_glossary.ipynb).
#
# *When you are done, free the memory: Kernel → Shut Down Kernel. On Binder, which has 2 GB, do so before you open another lesson.*
