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
# **You will** push a field and watch its response; see why nobody needs to push it to know that response; learn how this course is
# laid out, what its conventions are, and how to read a band. **Time** 25 minutes. **Runs in** about 10 seconds on two cores, in
# 0.7 GB. **Needs** nothing but some calculus, linear algebra and probability, and a little Python. **Symbols and words** that you do not
# know: [notation and glossary](notation_and_glossary.ipynb), here and in every lesson.

# %% [markdown]
# ## The question
#
# Somebody hands you a recording of a system left alone: a climate, a flow, a chemical reactor, a market. They ask: *what would
# it have done had I given it a small push?* You may not push it. You have one long, undisturbed record, and that is all.
#
# It sounds hopeless, and it is not. A system that fluctuates is pushed all the time, by its own noise and its own chaos, and
# its record shows how it recovers from each of those pushes. The **generalized fluctuation-dissipation theorem** turns this into an
# exact formula. The formula asks for one thing that no recording shows directly: the **score**, the gradient of the logarithm of the
# probability density of the system's states. For decades that was the obstacle, and people wrote down a Gaussian density and hoped.
# Generative modelling has changed this. A diffusion model that paints pictures *is* a learned score, and a score learned from the
# recording can go straight into the theorem. That is the idea of the letter this course follows [1].
#
# ## Bet first
#
# You will meet bets like this one in every lesson. Say your answer aloud before you go on; a wrong bet teaches more than a right one.
#
# > A field of 32 × 32 pixels drifts to the right, diffuses, and is stirred by noise. At time 0 we raise *one* pixel by 1 and
# > average over many repetitions, to be rid of the noise. After a while, where is the bump, and what has become of its height? Could the
# > field be *lowered* anywhere by a kick upwards?

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
# ## Push a field, see its response
#
# The field of this lesson is the gentlest of the course's three: an Ornstein-Uhlenbeck field, linear, with everything about it
# known in closed form. We run it 16 times, independently; each run is a **member** of the ensemble, and the field of one member at one time is a **snapshot**:

# %%
system = gfdt.OrnsteinUhlenbeck()
data = gfdt.simulate(system, members=16, duration=127.0, seed=0, device="cpu")
figures.field_map(system.grid, data.u[0, -1], "one snapshot of the undisturbed field")

# %% [markdown]
# Now the mean response to a *unit kick*, which raises one pixel by 1, from the closed form, at four times. (The maps put the kicked pixel in the middle; in
# the arrays it is pixel (0, 0).) Each map has a colour scale of its own: the title says how high the highest point is.

# %%
exact = gfdt.exact_response(system, lags=90.0)
figures.response_maps(exact, lags=[0, 10, 30, 60])

# %% [markdown]
# The bump moves right at speed $A = 0.02$, sinks and spreads. The faint streak along its row is not a mistake of ours: a single pixel
# contains the shortest wave that the grid can carry, and that wave has no direction to travel in.
#
# *Yes*, a kick upwards can lower the field nearby: the next figure of curves shows dips below zero (on the maps they are very pale blue). Why? Two causes come to mind. The relaxation
# pulls the large scales back harder than the small ones, and what is left of a bump without its large scales is surrounded by a ring below zero. Or the kick is too sharp:
# one pixel is a sum of *all* the waves of the grid, and once they have been carried along by half a pixel, the same sum swings above and below zero
# between the pixels. This is called **ringing** (the Gibbs phenomenon). To find out which cause it is, remove one at a time, and do so
# for a smooth kick, too, a bump some four pixels wide:

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
    print(f"{name:21} lowest R_31 {pixel_dips[name]:7.3f}, after a bump {bump_dips[name]:7.3f}")
still, gone = pixel_dips["almost no relaxation"], pixel_dips["no advection"]
assert still < 0.95 * pixel_dips["the field as it is"] and gone > 0.2 * still
assert bump_dips["almost no relaxation"] > -0.001 and bump_dips["no advection"] < -0.04

# %% [markdown]
# ($R_{31}$ is the response two pixels downstream.) After a kick of one pixel the dip stays when the relaxation is taken away, and nearly all of it goes when nothing carries the kick along: it is
# ringing. A smooth bump contains no short waves and does not ring. It has a shallower dip, which goes when the relaxation does: this one is the ring around a bump that
# has lost its large scales. Ringing belongs to the kick and the grid, and fades as diffusion wears the short waves down.

# %% [markdown]
# ## Derive: the same response without any push
#
# Let $u_i$ be the field at pixel $i$, and $\rho(u)$ the probability density of its undisturbed states. Kick pixel $j$ by a small δ, whatever state the field is in. The states
# are then distributed as ρ shifted by δ, which to first order is
#
# $$ \rho(u - \delta e_j) \approx \rho(u) - \delta\,\partial_j\rho(u) = \rho(u)\,\big[1 - \delta\, s_j(u)\big], \qquad s_j = \partial_j \ln\rho, $$
#
# with $e_j$ the field that is 1 at pixel $j$ and 0 elsewhere. So *the kicked ensemble is the undisturbed one with other weights*, $1 - \delta s_j$: some states have become likelier. A time $t$ later the mean of $u_i$ over it
# is $\langle u_i(t)\,[1 - \delta s_j(u(0))]\rangle$.
#
# Why does a weight that is given at time 0 hold at time $t$? Because after the kick nothing is different: the equation and the noise are what they were. Let $m(u)$ be the mean of $u_i(t)$ over all futures
# of the state $u$. It is one and the same function in both ensembles, and only the states on which it is averaged differ:
# $\int \rho(u)\,[1 - \delta s_j(u)]\,m(u)\,du$, which is the average above. So each undisturbed history keeps, for ever, the weight of the state that it started from.
#
# The first term of the average is the mean without a kick. The second, over δ, is the response:
#
# $$ R_{ij}(t) \;=\; \frac{\langle \delta u_i(t)\rangle}{\delta u_j(0)} \;=\; -\,\big\langle u_i(t)\, s_j(u(0)) \big\rangle . $$
#
# Angle brackets are averages over the undisturbed system. No kick is left on the right-hand side. (Lesson 01 takes this apart for a single variable, lesson 02 for this field.)
#
# A picture of it. Of the 1024 values of a state we look at two, $u_1$ and its neighbour downstream, $u_2$, and kick $u_1$ by $\delta = 0.6$:

# %%
states = data.u[:, ::8, 0, [0, 1]].flatten(0, 1).double()
states = states - states.mean(0)
s = -states @ torch.linalg.inv(states.T @ states / len(states))  # Gaussian score of the two
weights = 1 - 0.6 * s[:, 0]
means = (weights[:, None] * states).mean(0)
print(f"correlation of u_1 and u_2: {torch.corrcoef(states.T)[0, 1]:.2f}")
print(f"weighted means: u_1 {means[0]:.2f}, u_2 {means[1]:.2f}; of the shifted cloud: 0.60, 0.00")
assert abs(means[0] - 0.6) < 0.01 and abs(means[1]) < 0.01
figures.kicked_cloud(states, weights, kick=0.6)

# %% [markdown]
# Left, the undisturbed states; in the middle, the same states after the kick (black) over those before (grey). On the right nothing has moved: states that the kick makes more likely are drawn larger and red, those
# that it makes less likely smaller and blue. Both clouds have the same means (dotted lines), and to first order in δ the same density. Note that $u_1$ is raised and $u_2$ is not, although the two are correlated: a kick is not
# the same as *selecting* states in which $u_1$ happens to be high. Red are states whose $u_1$ is high *for their* $u_2$, and it takes the score to know them.
#
# Here is the whole course in three lines. We take the *undisturbed* data from above, guess that their density is Gaussian (for this
# field it is), and ask the theorem for the response. No kick has ever been applied to these data.

# %%
score = gfdt.GaussianScore.fit(data)
response = gfdt.respond(data, score, lags=60.0)
figures.response_curves({"exact": gfdt.exact_response(system, lags=60.0), "gaussian": response})

# %% [markdown]
# The panels show $R_{11}$, $R_{31}$, $R_{51}$, $R_{71}$: how the pixel 0, 2, 4 and 6 places downstream responds to a kick of pixel 1,
# in the letter's numbering. The wide grey line is the closed form. The coloured line is what the recording says. The shaded **band** around it is the
# subject of the next section.
#
# What differs between methods is only where the score $s$ comes from:
#
# | name | score $s$ | needs |
# |---|---|---|
# | **Gaussian** | $-C(0)^{-1}(u - \langle u\rangle)$ | the recording |
# | **analytic** | a closed form, where one exists | the equation |
# | **generative** | a network, trained by denoising score matching (lesson 03) | the recording |
# | **dynamical** | none: pairs of runs with the same noise, one of them kicked (*twins*), averaged over many; the truth | the equation, and many runs |
#
# $C(0)$ is the covariance matrix between pixels, $C_{ij}(t) = \langle u_i(t)\,u_j(0)\rangle$ at $t = 0$, the mean removed.

# %% [markdown]
# ## Check: how to read a band
#
# A finite recording gives a noisy response. `respond` cuts it into independent blocks (whole members here), draws them again with
# replacement some 200 times, and so finds how much the response would scatter from one recording to the next. The band is a **confidence interval**, at a `level` of 0.90:
# if you repeated it all with other recordings, again and again, the bands would cover the true value at any one point in 90 % of the repetitions. (It does not say that the truth has a probability of 90 % to lie in *this* band: the truth does not vary, the band does.)
# We have many points instead of many repetitions, so let us count how many of them are covered, and then give it eight times the data:


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
        f"{name:12} the 90 % band covers the truth at {share:.0%} of the points, mean width {width:.4f}"
    )

# %% [markdown]
# Eight times the data make the band $\sqrt 8 \approx 2.8$ times narrower, and the share of points covered stays near 90 %. The share is a little lower for few
# members, since the standard error itself is less well known then. A result whose band is missing is
# an anecdote; every response in this course carries one. What a band does *not* contain is the error of a wrong score: with bad assumptions
# a band can be narrow and in the wrong place. Telling these two apart is a theme of the later lessons.

# %% [markdown]
# ## Explore
#
# The maps at the beginning, under your hand. **This is the test of your installation**: move the slider, and the map and the line below the slider
# should follow. (If the cell shows text such as `FirstKick(...)` instead, the widgets are not installed in the Jupyter that shows this page:
# start it with `make lab`, or with the conda environment of the README.) When has the bump moved by two pixels, and how high is it then? (Exercise 00.1 asks for that time.)

# %%
first = widgets.FirstKick(exact)
first

# %%
first.controls["lag"].value = 30  # a slider can be moved by code, too
assert "t = 30" in first.readout.value

# %% [markdown]
# ## How this course works
#
# **Rhythm.** Every lesson has the same headings: the question, bet first, derive, check, explore, exercises, what this lesson does not show, summary. The idea of a lesson is always
# visible code of a few lines; plots and widgets are one call each. Before each widget stands a static figure that says the same.
#
# **Lessons.** They build on one another as the last column says; 00, 02 and 03 are the trunk.
#
# | lesson | what it is about | after |
# |---|---|---|
# | [01](01_score_and_response.ipynb) | score and response in one variable: a double well, everything on one page | 00 |
# | [02](02_ornstein_uhlenbeck.ipynb) | the Ornstein-Uhlenbeck field, where all is known: the judge of every method | 00 |
# | [03](03_score_matching.ipynb) | score matching: a score learned from snapshots | 02 |
# | [04](04_allen_cahn.ipynb) | the Allen-Cahn field, where the Gaussian response fails | 03 |
# | [05](05_navier_stokes.ipynb) | turbulence, and forcing that a recording does not show | 04 |
# | [06](06_figure_one.ipynb) | the letter's figure, and what its errors are made of | 02 to 05 |
# | [07](07_your_own_data.ipynb) | your own data | 03 |
# | [08](08_response_lab.ipynb) | a laboratory: kicks and pushes of any shape, and where linearity ends | 02 |
# | [12](12_parameters_and_calibration.ipynb) | parameters and calibration | 02, 04 |
# | [quiz](quiz.ipynb) | twenty questions on all of them | |
#
# **Presets** say how large an ensemble to run (members, time units, and for the truth how many pairs of twins): `quick` for lessons and Binder, `standard` for a laptop over coffee, `paper` for the
# letter's sizes, and `tiny` for the tests alone:

# %%
for name in PRESETS:
    size = gfdt.OrnsteinUhlenbeck().ensemble(name)
    print(
        f"{name:9} {size.members:4} members × {size.duration:6g} time units = {size.snapshots:7} snapshots, {size.pairs:6} kicked pairs"
    )

# %% [markdown]
# **Conventions**, the same everywhere:
#
# | | |
# |---|---|
# | fields | torch tensors, float32, shape `(..., y, x)`; periodic; advection along $+x$, the last axis |
# | box | side $2\pi$ by default, so wavenumbers are integers; real FFTs, unnormalised forward |
# | score | $s = \nabla \ln \rho$ with respect to *pixel values*; Itô calculus |
# | noise | white in space and time, the delta function normalised on unit area; σ is a standard deviation, in units of the data |
# | response | to a unit kick at pixel (0, 0); `values[lag, y, x]`, indexed by displacement; lags in time units |
# | seeds | every random routine takes `seed`; noise belongs to (seed, member), so member 3 is the same however many run beside it |
#
# **Your own arrays** come in as `TimeSeries`, whose axes are named and never guessed; what cannot work is refused with a sentence that
# says what to try:

# %%
try:
    data.steps(lags=100.0)
except ValueError as error:
    print(error)

# %% [markdown]
# ## Exercises
#
# Put your answer in place of `None` and run the cell; `check` says "not attempted yet", gives a hint, or says "passed". A solution is folded below each:
# click on the three dots (in JupyterLab) to open it. In every lesson they grow harder.
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
# **00.2** You want lags up to 90 and sample every time unit. How long must the recording be, at least?

# %%
my_duration = None
check("00.2", my_duration)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
# A lag t can be measured only from origins that lie at least t before the end; respond asks for at least half of them.
check("00.2", 2 * 90.0)

# %% [markdown]
# **00.3** `exact.values[t, 0, j]` is the response at displacement `j` along $x$. Which `j`, from 0 to 31, is the pixel just *upstream* (left) of the kick?

# %%
my_j = None
check("00.3", my_j)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
# Displacements are periodic: −1 is the same as 31. exact.values[t, 0, -1] works too.
check("00.3", -1 % 32)

# %% [markdown]
# ## What this lesson does not show
#
# A linear field with a Gaussian density is the one case in which the Gaussian response is right. Nothing here needed a learned score, and nothing
# tested one. The numbers say that the instrument works: the simulation, the theorem's average and its error bars agree with a closed form. The reason to
# build such an instrument comes with fields that are not Gaussian.
#
# ## Summary
#
# 1. The response of a stationary system to a small push can be computed from an undisturbed recording, if one knows the score of its density.
# 2. Four names for four responses: Gaussian, analytic, generative, dynamical. They differ in where the score comes from; the last is the truth.
# 3. Every response carries a band, a confidence interval for the error of sampling, which shrinks like one over the square root of the data.
#
# **Next:** [01 · Score and response in one variable](01_score_and_response.ipynb), where each of these words is a curve that you can draw.
#
# Numbers in square brackets, here [1]: [notation, glossary and references](notation_and_glossary.ipynb).
#
# *When you are done, free the memory: Kernel → Shut Down Kernel. On Binder, with its 2 GB, do so before you open another lesson.*
