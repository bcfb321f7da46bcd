# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 · Score and response in one variable
#
# **You will** meet drift, density and score where each is a curve that you can draw; derive the fluctuation-dissipation theorem by one integration by parts;
# predict how a mean and a variance answer a push from data that were never pushed; see the Gaussian approximation fail by a factor; and get the score from samples in four ways.
# **Time** 65 minutes. **Runs in** about a minute on two cores, in 0.5 GB. **Needs** calculus, what a probability density is, a little Python; no other lesson, though
# [lesson 00](00_start_here.ipynb) shows where all this leads. **Symbols and words** [notation and glossary](notation_and_glossary.ipynb).

# %% [markdown]
# ## The question
#
# A ball in a tray with two hollows, and somebody shakes the tray. The ball rattles about in one hollow, now and then hops to the other, and so on for ever. Write
# $x$ for where it is. In the time $dt$ it moves by
#
# $$ dx = -V'(x)\,dt + \varepsilon\,dW, \qquad V(x) = h\,(x^2-1)^2 - a\,x : $$
#
# downhill in the potential $V$ (the first term, the **drift**), and by a random amount (the second, a normal number of standard deviation $\varepsilon\sqrt{dt}$). The hill between the hollows has
# height $h$; the tilt $a$ makes the right hollow the deeper one. Many such balls, which never meet, we call *walkers*.
#
# Now push all walkers by the same small $\delta$ at time 0. **How do their mean and their variance answer, and can one know it without pushing?**
#
# ## Bet first
#
# > 1. Half a time unit after a small push to the right, how much of it is left in the mean: nearly all, half, a quarter?
# > 2. A colleague has measured that fluctuations of $x$ live for some two time units, and says: a push is like a fluctuation, so after half a unit four fifths of it are left. Do you agree?
# > 3. After the push, is the *spread* of the walkers larger or smaller than before?

# %%
import numpy as np
import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial import figures
from gfdt_tutorial.course import panels, views, widgets
from gfdt_tutorial.course.exercises import check
from gfdt_tutorial.experiments.double_well import check_score
from gfdt_tutorial.scores.one_variable import ESTIMATORS
from gfdt_tutorial.systems.double_well import Moments

well = gfdt.DoubleWell()  # h = 0.5, a = 0.3, ε = 1

# %% [markdown]
# ## Drift, density, score
#
# Left to themselves the walkers settle into a **stationary density** $\rho(x)$: as many enter any place as leave it. Noise spreads the walkers out, with the current
# $-\tfrac12\varepsilon^2\rho'$; the drift gathers them, with the current $-V'\rho$. On a line that ends nowhere the two must cancel, $-V'\rho = \tfrac12\varepsilon^2\rho'$. Divide by ρ:
#
# $$ s(x) \;=\; \frac{d}{dx}\ln\rho(x) \;=\; \frac{\rho'(x)}{\rho(x)} \;=\; -\frac{2V'(x)}{\varepsilon^2}, \qquad \rho(x) \propto e^{-2V(x)/\varepsilon^2}. $$
#
# $s$ is the **score**, the hero of this course. It points to where walkers are more likely to be found: it is positive left of a peak of ρ, negative right of it, and zero on top. Where the
# density falls steeply it is large.

# %%
figures.well(well)

# %% [markdown]
# Two walkers. Each trembles in a hollow, and now and then crosses to the other:

# %%
figures.walkers(gfdt.simulate(well, members=2, duration=40.0, every=0.05, seed=3, device="cpu"))

# %% [markdown]
# Our data are 5,000 others, each seen 20 times, every quarter of a time unit: 100,000 samples. They start from ρ itself.

# %%
data = gfdt.simulate(well, members=5000, duration=4.75, every=0.25, seed=0, device="cpu")
x = data.u.double()  # (walker, time)
mean, variance = well.average(torch.clone), well.variance  # integrals over ρ
print(
    f"mean {x.mean():.3f}, by integration {mean:.3f}; variance {x.var():.3f}, by integration {variance:.3f}"
)
assert abs(x.mean() - mean) < 0.04 and abs(x.var() - variance) < 0.02

# %% [markdown]
# Two identities hold for the score of *any* density that vanishes far out, and cost one line each:
#
# $$ \langle s\rangle = \int \rho\,\frac{\rho'}{\rho}\,dx = \int\rho'\,dx = 0, \qquad \langle x\,s\rangle = \int x\,\rho'\,dx = -\int \rho\,dx = -1 . $$
#
# The second is an integration by parts: it moves the derivative from ρ to $x$. Keep it in mind; it will mend a score below.

# %%
s = well.score(x)
print(f"⟨s⟩ = {s.mean():.3f}, ⟨x s⟩ = {(x * s).mean():.3f}")

# %% [markdown]
# ## Derive: the theorem, by one integration by parts
#
# Let $A(x)$ be anything that we watch, such as $x$ itself. Let $m_t(x)$ be its mean at time $t$ among walkers that were at $x$ at time 0. We do not know this function, and shall not need it.
# Undisturbed, $\langle A\rangle = \int\rho(x)\,m_t(x)\,dx$. A push by δ moves every walker, so that the density right after it is $\rho(x-\delta) \approx \rho(x) - \delta\,\rho'(x)$; from then on nothing
# is different, so $m_t$ is the same function. Hence
#
# $$ \frac{\delta\langle A(t)\rangle}{\delta} \;=\; -\int\rho'(x)\,m_t(x)\,dx \;=\; -\int\rho(x)\,s(x)\,m_t(x)\,dx \;=\; -\big\langle A(x(t))\;s(x(0))\big\rangle \;=:\; R_A(t). $$
#
# The last average is over *undisturbed* walkers: note the score where each is now, and $A$ where it is a time $t$ later. (Where is the integration by parts? Pushing the walkers means $\int\rho\,m_t'\,dx$, the mean
# slope of the unknown $m_t$. By parts, the derivative goes over to ρ, which we can learn.) The drift does not appear. That is the
# **generalized fluctuation-dissipation theorem**, here for one variable; with more, $s$ becomes a gradient and nothing else changes.
#
# In code it is one line. Half a time unit is two samples:

# %%
lag = 2
R_half = -(x[:, lag:] * s[:, :-lag]).mean()
exact_half = well.response([0.5])[0]
print(f"of a small push, {R_half:.2f} is left in the mean after 0.5; exact: {exact_half:.2f}")
assert abs(R_half - exact_half) < 0.05

# %% [markdown]
# The first bet: about half. The "exact" number comes from the equation for $m_t$, $\partial_t m = -V'\,\partial_x m + \tfrac12\varepsilon^2\,\partial_x^2 m$ with $m_0 = A$, which
# `well.response` solves on a fine grid. In one variable this is easy, and gives us a judge without any noise. It needs the drift; the theorem did not.
#
# ## Check: mean and variance, all lags
#
# `respond` does the same for all lags, and adds a *band*, a 90 % **confidence interval** for the response that this score would give on endless data: in 90 % of repetitions of the whole procedure, with other samples each time, the band covers that value. We watch two things at once: $x$ for the mean, and $(x-\langle x\rangle)^2$ for the variance. One more trick: a film of such a walker run
# backwards looks like the film run forwards (one variable in a potential is *reversible*), so every sample may be used twice, once in each direction of time.

# %%
mean_and_variance = Moments(float(x.mean()))  # x → (x, (x − ⟨x⟩)²)
kick = {"kick": None}  # None stands for a kick of the field itself
both_ways = data.both_ways()
analytic = gfdt.sensitivities(
    both_ways, well.score, mean_and_variance, kick, lags=2.0, integrate=False, form="raw"
)["kick"]
times = torch.linspace(0, 2, 81, dtype=torch.float64)
exact = gfdt.Response(times, well.response(times, Moments(float(mean))), "exact")
figures.mean_and_variance({"exact": exact, "analytic": analytic})

# %% [markdown]
# The mean forgets half of the push quickly, in about a quarter of a time unit, and the rest slowly. Quick is what happens *inside* a hollow: its walls push the walker back. Slow is the small change in *how many*
# walkers are in each hollow: the push helps a few of them over the hill, and these have to come back the long way. The variance falls: more walkers end up in the right, deeper hollow, so fewer are far from the
# mean. That is the third bet, and it needs the tilt (exercise 01.2).
#
# ## The colleague's way: a Gaussian score
#
# If ρ were Gaussian, its score would be a straight line, $s = -(x-\langle x\rangle)/C(0)$ with $C(t)$ the lagged covariance, and the theorem would read
#
# $$ R_x(t) = \frac{C(t)}{C(0)} : $$
#
# a push decays as a fluctuation does. This is what the colleague said, and it needs no score.

# %%
scores = {"gaussian": gfdt.GaussianScore.fit(data)}
gaussian = check_score(well, scores["gaussian"], data)
figures.mean_and_variance({"exact": exact, "analytic": analytic, "gaussian": gaussian.answer})

# %%
print(
    f"relative error over lags 1/4 to 2: mean {gaussian.mean:.0%}, variance {gaussian.variance:.0%}"
)
assert gaussian.both > 0.5

# %% [markdown]
# It is not a little off: it is wrong by most of the answer, and its narrow band does not warn you. Large fluctuations of $x$ *are* hops between hollows, which live long. A push is not like them: it shifts every walker inside its
# hollow, and the walls undo that at once. A covariance cannot tell the two apart. The score can: it is a zigzag through three zeros where the Gaussian's is one straight line.
#
# ## Four ways to a score
#
# We have samples and no formula. The obvious way is to count walkers in bins and take the slope of the logarithm, in four lines:

# %%
counts, edges = np.histogram(x, bins=60)
centres, counts = (edges[1:] + edges[:-1])[counts > 0] / 2, counts[counts > 0]
by_hand = np.diff(np.log(counts)) / np.diff(centres)
places = (centres[1:] + centres[:-1]) / 2
print(
    f"near x = 0: {np.interp(0.0, places, by_hand):.2f}, exact {well.score(torch.tensor(0.0)):.2f}"
)

# %% [markdown]
# | name | how | blurs by |
# |---|---|---|
# | **histogram** | slope of log counts | the width of a bin |
# | **kernel density** | put a small Gaussian hill on each sample, add up, take the slope of the log (`scipy.stats.gaussian_kde`) | the width of a hill |
# | **clusters** | add noise, $y = x + \sigma z$; then $s(y) = -\langle z\,\vert\,y\rangle/\sigma$. Average $z$ over clusters of $y$ found by K-means (KGMM [18]) | σ |
# | **network** | let a small network find $-\langle z\,\vert\,y\rangle/\sigma$ by least squares: *denoising score matching* | σ |
#
# The last two rest on one remark. If you know that a walker with noise is at $y$, is the noise more likely to have pushed it right or left? It came from where walkers are many, so on average the noise points *away* from there,
# against the score. All four see a density that is a little wider than the true one, and so flatter: their scores come out too small, and $-\langle x\,s\rangle$ falls short of 1. We know that it must be 1, so we multiply. That is the
# use of the identity, `calibrated`. (Narrow bins, as here, hardly blur; they pay with noise.)

# %%
uncalibrated = {kind.method: kind.fit(data, calibrate=False) for kind in ESTIMATORS}
scores |= {name: score.calibrated(data) for name, score in uncalibrated.items()}
for name, score in uncalibrated.items():
    print(f"{name:15} −⟨x s⟩ = {-((x - x.mean()) * score(x)).mean():.3f}")
figures.one_variable_scores(well, scores)

# %% [markdown]
# The histogram is noisy (a slope between bins of $n$ walkers is off by $\sqrt{2/n}$ over the width of a bin), the kernel density and the network are smooth and a little flat at the steepest places, the clusters are in between. Which matters more for a response, noise or flatness? Let the
# responses decide. All errors are relative, root mean square over lags, mean and variance together:
#
# * *not calibrated*, and *calibrated*: the response from these 100,000 samples;
# * *endless data*: the same score, but the average taken exactly, so that only the fault of the score is left;
# * *other samples*: the same score, averaged over another 100,000.

# %%
fresh = gfdt.simulate(well, members=5000, duration=4.75, every=0.25, seed=1000, device="cpu")
found = {
    name: check_score(well, score, data)
    for name, score in {**scores, "analytic": well.score}.items()
}
print("                 score   not calibrated  calibrated  endless data  other samples")
for name, one in found.items():
    score = scores.get(name, well.score)
    before = check_score(well, uncalibrated.get(name, score), data).both
    other = check_score(well, score, fresh).both
    print(
        f"{name:15} {one.score:6.1%} {before:13.1%} {one.both:13.1%} {one.endless:11.1%} {other:13.1%}"
    )
assert min(found[name].both for name in uncalibrated) < 0.02 < 0.5 < found["gaussian"].both

# %%
best = min(uncalibrated, key=lambda name: found[name].both)
print(
    f"best here: {best}, {found[best].both:.1%} (mean {found[best].mean:.1%}, variance {found[best].variance:.1%})"
)
answers = {"exact": exact, "gaussian": gaussian.answer}
figures.mean_and_variance(answers | {name: found[name].answer for name in uncalibrated})

# %% [markdown]
# Read the table slowly.
#
# * The score of the histogram is off by a seventh, and its response by a percent: noise that changes sign from bin to bin averages out, a flatness does not.
# * Calibrating takes the blur's share away, for one multiplication.
# * The *exact* score is no better than the four others. On other samples all five err by some two percent, which is the scatter of the average itself. On their own samples the learned ones do better: say that
#   by chance too many walkers are in the left hollow. A score learned from them knows of it, the exact one does not, and so the errors of score and average partly cancel. (Over three sets of samples the exact score
#   errs by up to 3.7 %, these four by 1.5 to 2.2: `python -m gfdt_tutorial bench --only double-well`.)
# * How one gets the score hardly matters in one dimension. That it is no straight line matters by a factor of forty or more.
#
# ## Explore
#
# First the static figure: the density before and right after a push of 0.4, and what mean and variance do. Everything here is computed without sampling. The grey line is the exact response to *this* push, however large; the other
# two are linear predictions, proportional to δ.

# %%
panels.kicked_well(views.KickedWell(well, kick=0.4))

# %% [markdown]
# Now under your hand. Try:
#
# * δ from 0.05 to 1: when does the prediction of the theorem leave the exact answer? Is the sign of δ of importance?
# * h up to 1.5, or ε down: what becomes of the quick part, what of the slow one? And of the Gaussian's?
# * a to 0: the prediction for the variance vanishes; the exact answer does not. Of which order in δ is what is left?

# %%
explorer = widgets.DoubleWellExplorer(well)
explorer

# %%
explorer.controls["tilt"].value = 0.0  # moved by code, to show that it follows
assert explorer.view.linear[:, 1].abs().max() < 1e-6 < explorer.view.exact[:, 1].abs().max()
explorer.controls["tilt"].value = well.tilt

# %% [markdown]
# ## Exercises
#
# Put your answer in place of `None` and run the cell. A solution is folded below each: click on the three dots to open it.
#
# **01.1** What is the score at $x = 0.5$? Which way does it point, and why?

# %%
my_score = None
check("01.1", my_score)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
# V′ = 4h x(x² − 1) − a = −0.75 − 0.3 at x = 0.5, and s = −2V′/ε². To the right: towards the peak near x = 1.
check("01.1", -2 * (4 * 0.5 * 0.5 * (0.5**2 - 1) - 0.3) / 1.0**2)

# %% [markdown]
# **01.2** Take the tilt away. How large is the impulse response of the *variance* at its largest, over all lags? (Think first, then use `well.response` or the explorer.)

# %%
my_largest = None
check("01.2", my_largest)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
# A push to the left is the mirror image of one to the right, and changes the variance by as much. So R = −R = 0.
even = gfdt.DoubleWell(tilt=0.0)
check("01.2", even.response(times, Moments(0.0))[:, 1].abs().max())

# %% [markdown]
# **01.3** How fast does the response of the mean start to fall: what is $R_x'(0)$? Write it as an average over ρ, and compute that with `well.average`.

# %%
my_slope = None
check("01.3", my_slope)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
# Walkers at x and x + δ see the same noise, and their distance δ grows at the rate −V″(x): R′(0) = −⟨V″⟩, with V″ = 4h(3x² − 1).
check("01.3", well.average(lambda x: -4 * well.barrier * (3 * x**2 - 1)))

# %% [markdown]
# **01.4** From now on a constant force of 0.05 acts on every walker: the tilt is raised for good. By how much will the mean have moved after a very long time, *to first order*? You
# may use undisturbed data, or the density, but not a well with another tilt. (For a system like this one, $R_x(t) = -\tfrac{2}{\varepsilon^2}\,\frac{d}{dt}C(t)$: Kubo's form of the theorem. Can you show it from $s = -2V'/\varepsilon^2$?)

# %%
my_shift = None
check("01.4", my_shift)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
# A kick of 0.05 dt in every dt: 0.05 ∫R dt = 0.05 · 2/ε² (C(0) − C(∞)). Compare with what a new tilt really does.
moved = gfdt.DoubleWell(tilt=well.tilt + 0.05).average(torch.clone) - mean
print(f"first order {0.05 * 2 * x.var():.4f}, a well with that tilt {moved:.4f}")
check("01.4", 0.05 * 2 * well.variance / well.epsilon**2)

# %% [markdown]
# ## What this lesson does not show
#
# One variable is too easy. A histogram of two variables needs 60² bins, one of a field of 1024 pixels $60^{1024}$, and kernels fare no better; of the four ways only the noise-based ones survive, and in lesson 03
# a network is all that is left. One variable in a potential is also *reversible*, in equilibrium: with the noise known, Kubo's formula gives the response from $C(t)$ alone, and no score is needed. Fields with a wind or with
# turbulence are not like that, and there the score has no substitute. And all this is *linear* response: the explorer shows where it ends.
#
# ## Summary
#
# 1. The score is the slope of $\ln\rho$; pushing all walkers shifts ρ, and one integration by parts gives $R_A(t) = -\langle A(t)\,s(0)\rangle$ from undisturbed data.
# 2. With two hollows a Gaussian score is wrong by most of the answer; the true score by nothing but sampling.
# 3. Any decent estimate of the score from 100,000 samples brings mean and variance to two or three percent; blur makes it too small, and $\langle x\,s\rangle = -1$ mends that.
#
# **Next:** [02 · The Ornstein-Uhlenbeck field](02_ornstein_uhlenbeck.ipynb): 1024 variables at once, and still everything in closed form.
#
# *When you are done, free the memory: Kernel → Shut Down Kernel. On Binder, with its 2 GB, do so before you open another lesson.*
#
# Numbers in square brackets, here [18]: [notation, glossary and references](notation_and_glossary.ipynb).
