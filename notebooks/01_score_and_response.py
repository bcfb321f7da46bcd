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
# **You will** meet drift, density and score where each of them is a curve that you can draw; derive the fluctuation-dissipation theorem by
# one integration by parts; predict how a mean and a variance respond to a kick from data that were never kicked; see the Gaussian
# approximation fail badly; and estimate the score from samples in four ways. **Time** 65 minutes. **Runs in** about a minute on two cores, in
# 0.5 GB. **Needs** calculus, what a probability density is, and a little Python; no other lesson, though [lesson 00](00_start_here.ipynb)
# shows where all this leads. **Symbols and words** are explained in [notation and glossary](notation_and_glossary.ipynb).

# %% [markdown]
# ## The question
#
# A ball lies in a tray with two hollows, and somebody shakes the tray. The ball rattles about in one hollow, occasionally hops to the other,
# and so on for ever. Let $x$ be its position. In the time $dt$ it moves by
#
# $$ dx = -V'(x)\,dt + \varepsilon\,dW, \qquad V(x) = h\,(x^2-1)^2 - a\,x . $$
#
# The first term, the **drift**, moves the ball downhill in the potential $V$. The second term is a random displacement, normally distributed
# with standard deviation $\varepsilon\sqrt{dt}$. The hill between the hollows has height $h$, and the tilt $a$ makes the right hollow the
# deeper one. We consider many such balls that do not interact, and call them *walkers*.
#
# Now kick all walkers at time 0, that is, move each of them by the same small $\delta$. **How do their mean and their variance respond, and
# can we know this without kicking them?**
#
# ## Bet first
#
# > 1. Half a time unit after a small kick to the right, how much of it is left in the mean: nearly all, half, a quarter?
# > 2. A colleague has measured that fluctuations of $x$ live for about two time units, and says: a kick is like a fluctuation, so four fifths
# >    of it are left after half a time unit. Do you agree?
# > 3. Is the *spread* of the walkers larger or smaller after the kick than before?

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
# Left alone, the walkers settle into a **stationary density** $\rho(x)$: as many walkers enter any interval as leave it. Noise spreads the
# walkers out and contributes the probability current $-\tfrac12\varepsilon^2\rho'$. The drift gathers them and contributes the current
# $-V'\rho$. On the infinite line the two must cancel, so that $-V'\rho = \tfrac12\varepsilon^2\rho'$. Divide by ρ:
#
# $$ s(x) \;=\; \frac{d}{dx}\ln\rho(x) \;=\; \frac{\rho'(x)}{\rho(x)} \;=\; -\frac{2V'(x)}{\varepsilon^2}, \qquad \rho(x) \propto e^{-2V(x)/\varepsilon^2}. $$
#
# The function $s$ is the **score**, the central quantity of this course. It points to where walkers are more likely to be found: it is
# positive to the left of a peak of ρ, negative to the right of it, and zero at the peak. It is large where the density falls steeply.

# %%
figures.well(well)

# %% [markdown]
# The next figure shows two walkers. Each of them jitters in one hollow and occasionally crosses to the other:

# %%
figures.walkers(gfdt.simulate(well, members=2, duration=40.0, every=0.05, seed=3, device="cpu"))

# %% [markdown]
# Our data are 5,000 other walkers. Each is sampled 20 times, once every quarter of a time unit, which gives 100,000 samples. The initial
# positions are drawn from ρ itself.

# %%
data = gfdt.simulate(well, members=5000, duration=4.75, every=0.25, seed=0, device="cpu")
x = data.u.double()  # (walker, time)
mean, variance = well.average(torch.clone), well.variance  # integrals over ρ
print(
    f"mean {x.mean():.3f}, by integration {mean:.3f}; variance {x.var():.3f}, by integration {variance:.3f}"
)
assert abs(x.mean() - mean) < 0.04 and abs(x.var() - variance) < 0.02

# %% [markdown]
# Two identities hold for the score of *any* density that vanishes at infinity. Each takes one line to prove:
#
# $$ \langle s\rangle = \int \rho\,\frac{\rho'}{\rho}\,dx = \int\rho'\,dx = 0, \qquad \langle x\,s\rangle = \int x\,\rho'\,dx = -\int \rho\,dx = -1 . $$
#
# The second identity is an integration by parts, which moves the derivative from ρ to $x$. Remember it: below we use it to correct an
# estimated score.

# %%
s = well.score(x)
print(f"⟨s⟩ = {s.mean():.3f}, ⟨x s⟩ = {(x * s).mean():.3f}")

# %% [markdown]
# ## Derive: the theorem, by one integration by parts
#
# Let $A(x)$ be any observable, for example $x$ itself. Let $m_t(x)$ be the mean of $A$ at time $t$ over walkers that were at $x$ at time 0.
# We do not know this function, and we shall not need it.
#
# For unperturbed walkers, $\langle A\rangle = \int\rho(x)\,m_t(x)\,dx$. A kick by δ moves every walker, so that the density just after it is
# $\rho(x-\delta) \approx \rho(x) - \delta\,\rho'(x)$. From then on the dynamics are the same as before, and so is $m_t$. Hence
#
# $$ \frac{\delta\langle A(t)\rangle}{\delta} \;=\; -\int\rho'(x)\,m_t(x)\,dx \;=\; -\int\rho(x)\,s(x)\,m_t(x)\,dx \;=\; -\big\langle A(x(t))\;s(x(0))\big\rangle \;=:\; R_A(t). $$
#
# The last average is over *unperturbed* walkers: evaluate the score at the present position of each walker, evaluate $A$ at its position a
# time $t$ later, and average the product.
#
# Where is the integration by parts? A kick moves each walker from $x$ to $x + \delta$ and so changes the mean by $\delta\int\rho\,m_t'\,dx$,
# which contains the slope of the unknown function $m_t$. Integration by parts transfers the derivative to ρ, which we can learn from data.
# The drift does not appear. This is the **generalized fluctuation-dissipation theorem** for one variable; for several variables $s$ becomes a
# gradient, and nothing else changes.
#
# In code the theorem is one line. Half a time unit is two samples:

# %%
lag = 2
R_half = -(x[:, lag:] * s[:, :-lag]).mean()
exact_half = well.response([0.5])[0]
print(f"fraction of a small kick left in the mean after 0.5: {R_half:.2f}; exact: {exact_half:.2f}")
assert abs(R_half - exact_half) < 0.05

# %% [markdown]
# This settles the first bet: about half is left. The "exact" number comes from the equation for $m_t$,
# $\partial_t m = -V'\,\partial_x m + \tfrac12\varepsilon^2\,\partial_x^2 m$ with $m_0 = A$, which `well.response` solves on a fine grid. In
# one variable this is easy and provides a reference without sampling noise. It needs the drift; the theorem does not.
#
# ## Check: mean and variance, all lags
#
# The function `sensitivities` does the same for all lags and adds a *band*. The band is a 90 % **confidence interval** for the response that
# this score would give in the infinite-data limit: if the whole procedure is repeated with new samples, the band covers that value in 90 % of
# the repetitions.
#
# We consider two observables at once: $x$ for the mean, and $(x-\langle x\rangle)^2$ for the variance. We also use a symmetry. A film of such
# a walker looks the same when it runs backwards (a single variable in a potential is *reversible*), so every sample can be used twice, once
# in each direction of time.

# %%
mean_and_variance = Moments(float(x.mean()))  # x → (x, (x − ⟨x⟩)²)
kick = {"kick": None}  # None stands for a kick of x itself
both_ways = data.both_ways()
analytic = gfdt.sensitivities(
    both_ways, well.score, mean_and_variance, kick, lags=2.0, integrate=False, form="raw"
)["kick"]
times = torch.linspace(0, 2, 81, dtype=torch.float64)
exact = gfdt.Response(times, well.response(times, Moments(float(mean))), "exact")
figures.mean_and_variance({"exact": exact, "analytic": analytic})

# %% [markdown]
# Half of the kick disappears from the mean quickly, in about a quarter of a time unit, and the rest disappears slowly. The quick part is what
# happens *inside* a hollow: its walls push the walker back. The slow part is the small change in the *number of walkers* in each hollow: the
# kick helps a few of them over the hill, and these take a long time to return.
#
# The variance falls: more walkers are now in the right, deeper hollow, so fewer are far from the mean. This settles the third bet; the effect
# needs the tilt (exercise 01.2).
#
# ## The colleague's method: a Gaussian score
#
# If ρ were Gaussian, its score would be a straight line, $s = -(x-\langle x\rangle)/C(0)$, where $C(t)$ is the lagged covariance. The theorem
# would then read
#
# $$ R_x(t) = \frac{C(t)}{C(0)} : $$
#
# a kick decays as a fluctuation does. This is what the colleague claimed, and it needs no score.

# %%
scores = {"gaussian": gfdt.GaussianScore.fit(data)}
gaussian = check_score(well, scores["gaussian"], data)
figures.mean_and_variance({"exact": exact, "analytic": analytic, "gaussian": gaussian.response})

# %%
print(
    f"relative error over lags 1/4 to 2: mean {gaussian.mean:.0%}, variance {gaussian.variance:.0%}"
)
assert gaussian.both > 0.5

# %% [markdown]
# The Gaussian response is not slightly off: its error is most of the response itself, and its narrow band gives no warning. This settles the
# second bet.
#
# Large fluctuations of $x$ *are* transitions between the hollows, and these persist for a long time. A kick is different: it moves every
# walker inside its own hollow, and the walls undo this at once. A covariance cannot distinguish the two. The score can: it changes sign three
# times, where the Gaussian score is a single straight line.
#
# ## Four ways to estimate a score
#
# We now have samples and no formula. The obvious method is to count walkers in bins and take the slope of the logarithm of the counts, in
# four lines:

# %%
counts, edges = np.histogram(x, bins=60)
centres, counts = (edges[1:] + edges[:-1])[counts > 0] / 2, counts[counts > 0]
by_hand = np.diff(np.log(counts)) / np.diff(centres)
places = (centres[1:] + centres[:-1]) / 2
print(
    f"near x = 0: {np.interp(0.0, places, by_hand):.2f}, exact {well.score(torch.tensor(0.0)):.2f}"
)

# %% [markdown]
# | name | method | blurs the density by |
# |---|---|---|
# | **histogram** | take the slope of the logarithm of the counts | the width of a bin |
# | **kernel density** | put a small Gaussian hill on each sample, add the hills, and take the slope of the logarithm (`scipy.stats.gaussian_kde`) | the width of a hill |
# | **clusters** | add noise, $y = x + \sigma z$; then $s(y) = -\langle z\,\vert\,y\rangle/\sigma$. Average $z$ over clusters of $y$ found by K-means (KGMM [18]) | σ |
# | **network** | let a small network find $-\langle z\,\vert\,y\rangle/\sigma$ by least squares: *denoising score matching* | σ |
#
# The last two methods rest on one observation. Suppose that you know the noisy position $y$ of a walker. In which direction has the noise
# moved it? The walker probably came from where walkers are many. On average, therefore, the noise points *away* from there, opposite to the
# score.
#
# All four methods see a density that is a little wider than the true one, and therefore flatter. Their scores are too small, and
# $-\langle x\,s\rangle$ is less than 1. Since we know that it must be 1, we multiply the score by the missing factor. This is how the method
# `calibrated` uses the identity. (Narrow bins, as here, hardly blur; their cost is noise.)

# %%
uncalibrated = {kind.method: kind.fit(data, calibrate=False) for kind in ESTIMATORS}
scores |= {name: score.calibrated(data) for name, score in uncalibrated.items()}
for name, score in uncalibrated.items():
    print(f"{name:15} −⟨x s⟩ = {-((x - x.mean()) * score(x)).mean():.3f}")
figures.one_variable_scores(well, scores)

# %% [markdown]
# The histogram is noisy: the slope between bins of $n$ walkers has an error of $\sqrt{2/n}$ divided by the width of a bin. The kernel density
# and the network are smooth, and a little too flat at the steepest places. The clusters lie in between. Which matters more for a response,
# noise or flatness? We let the responses decide. All errors in the table below are relative, root mean square over lags, for mean and
# variance together:
#
# * *not calibrated* and *calibrated*: the response from these 100,000 samples;
# * *infinite data*: the response of the same (calibrated) score with the average computed exactly, so that only the error of the score
#   remains;
# * *other samples*: the response of the same score, averaged over another 100,000 samples.

# %%
fresh = gfdt.simulate(well, members=5000, duration=4.75, every=0.25, seed=1000, device="cpu")
found = {
    name: check_score(well, score, data)
    for name, score in {**scores, "analytic": well.score}.items()
}
print("                 score  not calibrated  calibrated  infinite data  other samples")
for name, one in found.items():
    score = scores.get(name, well.score)
    before = check_score(well, uncalibrated.get(name, score), data).both
    other = check_score(well, score, fresh).both
    print(
        f"{name:15} {one.score:6.1%}{before:16.1%}{one.both:12.1%}{one.infinite_data:15.1%}{other:15.1%}"
    )
assert min(found[name].both for name in uncalibrated) < 0.02 < 0.5 < found["gaussian"].both

# %%
best = min(uncalibrated, key=lambda name: found[name].both)
print(
    f"best here: {best}, {found[best].both:.1%} (mean {found[best].mean:.1%}, variance {found[best].variance:.1%})"
)
answers = {"exact": exact, "gaussian": gaussian.response}
figures.mean_and_variance(answers | {name: found[name].response for name in uncalibrated})

# %% [markdown]
# Read the table slowly.
#
# * The score of the histogram is wrong by a seventh, but its response only by a per cent. Noise that changes sign from bin to bin averages
#   out; flatness does not.
# * Calibration removes the part of the error that is due to blur, at the cost of one multiplication.
# * The *exact* score does no better than the four estimates. On other samples all five have errors of about two per cent, which is the
#   scatter of the average itself. On their own samples the learned scores do better. Suppose, for example, that by chance too many walkers
#   are in the left hollow. A score learned from these walkers contains this excess, the exact score does not, and so the errors of score and
#   average partly cancel. (Over three sets of samples the error of the exact score is up to 3.7 %, that of these four 1.5 to 2.2 %:
#   `python -m gfdt_tutorial bench --only double-well`.)
# * In one dimension it hardly matters how we estimate the score. But it matters by a factor of forty or more that the score is not a straight
#   line.
#
# ## Explore
#
# We begin with a static figure: the density before a kick of 0.4 and just after it, and the responses of mean and variance. Everything here
# is computed without sampling. The grey line is the exact response to *this* kick, however large it is; the other two lines are linear
# predictions, proportional to δ.

# %%
panels.kicked_well(views.KickedWell(well, kick=0.4))

# %% [markdown]
# The widget below shows the same figure with sliders. Try:
#
# * δ from 0.05 to 1: when does the prediction of the theorem depart from the exact response? Does the sign of δ matter?
# * h up to 1.5, or ε down: what happens to the quick part and to the slow part of the response? And to the Gaussian prediction?
# * a to 0: the prediction for the variance vanishes, but the exact response does not. Of which order in δ is the remainder?

# %%
explorer = widgets.DoubleWellExplorer(well)
explorer

# %%
explorer.controls["tilt"].value = 0.0  # code moves the slider, to show that the curves follow
assert explorer.view.linear[:, 1].abs().max() < 1e-6 < explorer.view.exact[:, 1].abs().max()
explorer.controls["tilt"].value = well.tilt

# %% [markdown]
# ## Exercises
#
# Replace `None` by your answer and run the cell. A folded solution follows each exercise: click on the three dots to open it.
#
# **01.1** What is the score at $x = 0.5$? In which direction does it point, and why?

# %%
my_score = None
check("01.1", my_score)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
# V′ = 4h x(x² − 1) − a = −0.75 − 0.3 at x = 0.5, and s = −2V′/ε². It points to the right, towards the peak near x = 1.
check("01.1", -2 * (4 * 0.5 * 0.5 * (0.5**2 - 1) - 0.3) / 1.0**2)

# %% [markdown]
# **01.2** Remove the tilt. How large is the impulse response of the *variance* at its largest, over all lags? (Think first, then use
# `well.response` or the explorer.)

# %%
my_largest = None
check("01.2", my_largest)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
# A kick to the left is the mirror image of one to the right and changes the variance by the same amount. So R = −R = 0.
even = gfdt.DoubleWell(tilt=0.0)
check("01.2", even.response(times, Moments(0.0))[:, 1].abs().max())

# %% [markdown]
# **01.3** How fast does the response of the mean begin to fall: what is $R_x'(0)$? Write it as an average over ρ, and compute this average
# with `well.average`.

# %%
my_slope = None
check("01.3", my_slope)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
# Walkers at x and x + δ feel the same noise, and their distance δ grows at the rate −V″(x): R′(0) = −⟨V″⟩, with V″ = 4h(3x² − 1).
check("01.3", well.average(lambda x: -4 * well.barrier * (3 * x**2 - 1)))

# %% [markdown]
# **01.4** From now on a constant force of 0.05 acts on every walker: the tilt is raised permanently. By how much will the mean have moved
# after a very long time, *to first order*? You may use unperturbed data or the density, but not a well with another tilt. (For a system like
# this one, $R_x(t) = -\tfrac{2}{\varepsilon^2}\,\frac{d}{dt}C(t)$, which is Kubo's form of the theorem. Can you derive it from
# $s = -2V'/\varepsilon^2$?)

# %%
my_shift = None
check("01.4", my_shift)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
# The force is a kick of 0.05 dt in every dt: 0.05 ∫R dt = 0.05 · 2/ε² (C(0) − C(∞)). Compare with the effect of a new tilt.
moved = gfdt.DoubleWell(tilt=well.tilt + 0.05).average(torch.clone) - mean
print(f"first order {0.05 * 2 * x.var():.4f}; a well with the new tilt {moved:.4f}")
check("01.4", 0.05 * 2 * well.variance / well.epsilon**2)

# %% [markdown]
# ## What this lesson does not show
#
# One variable is too easy. A histogram of two variables needs 60² bins, and one of a field of 1024 pixels needs $60^{1024}$; kernel densities
# fare no better. Of the four methods only the noise-based ones survive in high dimensions, and in lesson 03 only the network is left.
#
# A single variable in a potential is also *reversible*, that is, in equilibrium. If its noise is known, Kubo's formula gives the response
# from $C(t)$ alone, and no score is needed. Fields with advection or with turbulence are not reversible, and for them nothing replaces the
# score. Finally, all this is *linear* response; the explorer shows where it ends.
#
# ## Summary
#
# 1. The score is the slope of $\ln\rho$. A kick of all walkers shifts ρ, and one integration by parts gives
#    $R_A(t) = -\langle A(t)\,s(0)\rangle$ from unperturbed data.
# 2. With two hollows, the error of the response from a Gaussian score is most of the response; the error of the response from the true score
#    is sampling error only.
# 3. Any reasonable estimate of the score from 100,000 samples gives mean and variance to two or three per cent. Blur makes the score too
#    small, and $\langle x\,s\rangle = -1$ corrects this.
#
# **Next:** [02 · The Ornstein-Uhlenbeck field](02_ornstein_uhlenbeck.ipynb): 1024 variables at once, and still everything in closed form.
#
# *When you are done, free the memory: Kernel → Shut Down Kernel. On Binder, which has 2 GB, do so before you open another lesson.*
#
# Numbers in square brackets, here [18], refer to [notation, glossary and references](notation_and_glossary.ipynb).
