# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 03 · Score matching
#
# **You will** learn a score from data alone, without ever writing down a density; see why the textbook loss is nearly useless at small noise,
# and correct it in two lines; check the learned score against the exact one; use it in the fluctuation-dissipation theorem; and generate new
# fields with it. **Time** 75 minutes. **Runs in** about 2 minutes on two cores, in 1 GB. **Needs** [lesson 02](02_ornstein_uhlenbeck.ipynb).
# **Symbols and words** are explained in [notation and glossary](notation_and_glossary.ipynb).

# %% [markdown]
# ## The question
#
# The theorem of lesson 02 needs the score $s(u) = \nabla \ln \rho(u)$, a vector field on a space of 1024 dimensions. All we have is snapshots
# drawn from ρ, and a histogram in 1024 dimensions is out of the question. Is there a loss, an average over the *data*, that is smallest
# exactly when a network equals the unknown score? (The first such loss [9] needs derivatives of the network, one for each pixel.)
#
# ## Bet first
#
# > 1. To learn the score of clean data we shall add noise to the data. The less noise we add, the closer we are to what we want. What goes
# >    wrong when σ → 0?
# > 2. Take the exact score of this field and multiply it by 3, or by any other number, different for every wavevector. Use the result in the
# >    theorem, and then divide the response by its value at lag 0, as the letter does. How wrong is the response?

# %%
from dataclasses import replace

import plotly.graph_objects as go
import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial import figures
from gfdt_tutorial.core.memory import free_memory
from gfdt_tutorial.core.spectra import mode_covariance, shell_average
from gfdt_tutorial.course import panels, views, widgets
from gfdt_tutorial.course.exercises import check
from gfdt_tutorial.scores import budgets, diagnostics, steins_identity

system = gfdt.OrnsteinUhlenbeck()
grid = system.grid
everything = gfdt.simulate(system, members=40, duration=767.0, seed=0, device="cpu")
fit, use = everything.split(0.5)  # learn from one half, and average over the other

# %% [markdown]
# ## Derive: why denoising works
#
# Let $x = w + \sigma z$ be a data point $w$ with added white noise $z$. Given $w$, the density of $x$ is a Gaussian around $w$, and its score
# is known: $-(x - w)/\sigma^2 = -z/\sigma$. The score of the *noisy data*, which we want, is the average of this over all the $w$ that could
# have led to the same $x$:
#
# $$ s_\sigma(x) = \nabla_x \ln \int \rho(w)\, e^{-|x-w|^2/2\sigma^2} dw = \mathbb E\Big[-\frac z\sigma \,\Big|\, x\Big]. $$
#
# A least-squares fit finds a conditional mean. So we fit a function $s$ to the targets $-z/\sigma$ by minimising
#
# $$ \mathcal L_{\text{naive}} = \tfrac12\, \mathbb E\,\big| s(w + \sigma z) + z/\sigma \big|^2 , $$
#
# and the minimiser is the score of the noisy data [10]. This method is called **denoising score matching**. For small σ, the score of the
# noisy data is nearly the score of the data.
#
# The next figure shows an example in one dimension: data $w$ distributed uniformly between −1 and 1, and noise of σ = 0.3. Each small point
# is a target. A single target says little, but the mean of the targets in each bin is the score.

# %%
sigma, rng = 0.3, torch.Generator().manual_seed(1)
w, z = 2 * torch.rand(40_000, generator=rng) - 1, torch.randn(40_000, generator=rng)
x, targets = w + sigma * z, -z / sigma
edges = torch.linspace(-1.5, 1.5, 31)
middles, bins = (edges[1:] + edges[:-1]) / 2, torch.bucketize(x, edges)
means = torch.stack([targets[bins == number].mean() for number in range(1, len(edges))])
noise = torch.distributions.Normal(0.0, sigma)
slope = noise.log_prob(middles + 1).exp() - noise.log_prob(middles - 1).exp()
exact = slope / (noise.cdf(middles + 1) - noise.cdf(middles - 1))  # ρ′/ρ of the noisy data
error = (means - exact).square().mean().sqrt()
print(f"scatter of the targets {targets.std():.2f}; error of their means {error:.2f} (rms)")
assert error < 0.1 * targets.std()
figures.noisy_targets(x[:3000], targets[:3000], middles, means, exact)

# %% [markdown]
# Near the centre, noise to the left and noise to the right are equally likely for a given $x$, and the targets average to zero. At $x = 1.3$
# there are no clean data, so the noise must have pointed outwards. The target is the negative of the noise and points back to the data, which
# is the direction in which the density increases.
#
# ## What goes wrong, and the remedy
#
# When σ is small, the targets $-z/\sigma$ are very large: the network has to find the score, of order one, under noise of variance
# $1/\sigma^2$. This settles the first bet. But this noise is *odd* in $z$. Therefore we use each noise sample twice, with both signs. Expand
# the square, drop the term that does not depend on $s$, and average over $\pm z$:
#
# $$ \mathcal L_{\text{anti}} = \tfrac14\big(|s(x_+)|^2 + |s(x_-)|^2\big) + z\cdot\frac{s(x_+) - s(x_-)}{2\sigma}, \qquad x_\pm = w \pm \sigma z . $$
#
# The difference $s(x_+) - s(x_-)$ is itself of order σ, so nothing diverges. The expectation is the same as before up to a constant; the
# variance is far smaller.
#
# What does this loss become as σ → 0? To first order $s(x_\pm) = s \pm \sigma\,(z\cdot\nabla)s$, so the second term is
# $z\cdot(z\cdot\nabla)s$. Because $\langle z_i z_j\rangle = \delta_{ij}$, its mean over $z$ is the divergence of $s$:
#
# $$ \mathcal L_{\text{anti}} \;\to\; \big\langle \tfrac12 |s|^2 + \nabla\!\cdot s \big\rangle . $$
#
# This is the loss of Hyvärinen [9] mentioned above, and it contains no noise at all. The antithetic pairs measure the divergence along random
# directions, so we need not differentiate the network once for each pixel. In code:


# %%
def antithetic(s, w, z, sigma):
    plus, minus = s(w + sigma * z), s(w - sigma * z)
    return (0.25 * (plus**2 + minus**2) + z * (plus - minus) / (2 * sigma)).mean()


def naive(s, w, z, sigma):
    return (0.5 * (s(w + sigma * z) + z / sigma) ** 2).mean()


w, z = torch.randn(2, 4000, generator=torch.Generator().manual_seed(0)).split(1)
for loss in (naive, antithetic):
    values = [float(loss(lambda x: -a * x, w, z, 0.02)) for a in (0.8, 0.9, 1.0, 1.1, 1.2)]
    print(f"{loss.__name__:10}", [f"{value - values[2]:+.3f}" for value in values])

# %% [markdown]
# Here the data are one-dimensional and Gaussian with variance 1, so the true score is $-x$. The two lines show each loss for $s(x) = -ax$,
# minus its value at $a = 1$, on the *same* 4000 samples.
#
# The antithetic loss has its minimum near $a = 1$. Up to the scatter of so few samples it equals the limit above, $\tfrac12a^2 - a$, which is
# $\tfrac12(a - 1)^2$ above its minimum. The naive loss is dominated by the particular noise that was drawn. Next we ask how noisy the
# gradient of each loss is for a network on our field (10 s):

# %%
training = gfdt.Training(fit, budgets.budget("quick"))
sigmas = [0.01, 0.02, 0.05, 0.1, 0.3]
noise = [
    diagnostics.gradient_variances(training.network, fit, s, mean=training.mean, repeats=24)
    for s in sigmas
]
plot = go.Figure(
    [go.Scatter(x=sigmas, y=y, name=n) for n, y in zip(("naive", "antithetic"), zip(*noise))]
)
plot.update_layout(
    template="gfdt", title="variance of the gradient", width=560, height=380, margin_t=100
)
plot.update_xaxes(type="log", title="noise level σ").update_yaxes(
    type="log", exponentformat="power"
)
print(f"naive over antithetic at σ = 0.02: {noise[1][0] / noise[1][1]:.0f}")
assert noise[1][0] > 100 * noise[1][1]
plot

# %% [markdown]
# On the logarithmic axes the variance of the naive gradient falls like $1/\sigma^2$, as expected. A gradient whose variance is a thousand
# times larger needs a thousand times more samples for the same accuracy. This, more than anything else, is why the training below takes
# seconds and not hours.
#
# ## The network
#
# The network is a sum of two parts, and *neither* knows the equation:
#
# 1. a **spectral filter** $-g_k\,\hat u_k/C_k$, with $C_k$ estimated from the data and $g_k = 1$ at the start. Training therefore starts from
#    the Gaussian score and improves on it;
# 2. a small **convolutional network** with circular padding, whose last layer is zero at the start. It represents the part of the score that
#    is not Gaussian.
#
# There are two kinds of noise.
#
# * **White noise** has the same variance at all wavevectors. It suits a field in which even the weakest wave is well above the noise. The
#   field then needs no whitening, its density remains as local as the equation made it, and a smaller network suffices.
# * **Coloured noise** has the spectrum of the data: at each wavevector, the variance of the noise is proportional to that of the field. The
#   smallest scales, which have a thousandth of the variance of the largest, are then resolved as well as the largest. In *whitened*
#   coordinates every wave of the data $w$ has variance 1, and coloured noise becomes white noise $z$. The data are scaled down slightly when
#   the noise is added, $y = \cos\varphi\, w + \sin\varphi\, z$ with $\tan\varphi = \sigma$, so that the variance remains 1. For Gaussian
#   data, therefore, $y$ has the same density as $w$, and its score *is* the score of the clean data, at any σ.
#
# The function `fit_score` chooses the kind of noise from the data; for this field it takes white noise of σ = 0.01 standard deviations. The
# gradients above and the generated fields below use coloured noise. (The code is in `scores/fit.py`, `scores/network.py` and
# `scores/matching.py`.)
#
# The optimiser is Adam [17]. A fifth of the data is set aside, and progress is judged by the loss on this fifth, the *validation loss*.
# Training takes about 20 s. You may press the stop button of JupyterLab at any time: `fit_score` then returns the best score so far.

# %%
score = gfdt.fit_score(fit, preset="quick", seed=0)
some = use.u[:, ::96].flatten(0, 1)
print(
    f"learned score: relative error {diagnostics.relative_error(score(some), system.score(some)):.4f}"
)
print(
    "validation loss at the start and now:", score.metrics["at_start"], score.metrics["validation"]
)

# %% [markdown]
# The *relative error* is the root mean square of the difference, divided by the root mean square of the exact score. It is about one per
# cent, and it was nearly as small before training: this field *is* Gaussian, so the starting point is already the solution, up to sampling
# noise.
#
# To see that the optimiser does learn, we start it from a deliberately wrong place: a white spectrum, ten times too large. (We also set
# `calibrate=False`, because a last step that tunes the linear part to the data would correct the score without any learning.)

# %%
lost = replace(budgets.budget("quick"), noise="white", level=0.05)
recovered = gfdt.fit_score(fit, budget=lost, start="wrong", calibrate=False, seed=0)
print(
    f"from a wrong start: relative error {diagnostics.relative_error(recovered(some), system.score(some)):.3f}"
)
assert diagnostics.relative_error(recovered(some), system.score(some)) < 0.1

# %% [markdown]
# ## Noise level against bias
#
# With *white* noise of standard deviation σ (in units of $u$), the network learns the score of blurred data: per wavevector it is
# $-\hat u_k/(C_k + \sigma^2)$ instead of $-\hat u_k/C_k$. The score of waves with $C_k < \sigma^2$
# loses more than half of its size. In closed form:

# %%
for sigma in (0.02, 0.05, 0.1, 0.2, 0.4):
    blurred = diagnostics.relative_error(system.score(some, sigma=sigma), system.score(some))
    print(f"white noise σ = {sigma:4}: relative error of the blurred score {blurred:.3f}")

# %% [markdown]
# The *linear part* of the learned scores of this package does not have this bias. Coloured noise at constant variance introduces none for
# Gaussian data, and for a network trained with white noise the effect of σ on the filter is removed exactly (the docstring of `LearnedScore`
# has the formula). Only the non-Gaussian part remains biased; lesson 04 measures this bias.
#
# ## Check: the response
#
# We now use the learned score in the theorem and average over members that were not used in training. The response is **raw**: it is what the
# average gives, without normalisation (20 s).

# %%
exact = gfdt.exact_response(system, lags=90.0)
generative = gfdt.respond(use, score, lags=90.0)
analytic = gfdt.respond(use, system.score, lags=90.0)
figures.response_curves({"exact": exact, "analytic": analytic, "generative": generative})

# %%
errors = {r.method: gfdt.compare(r, exact) for r in (analytic, generative)}
for name, error in errors.items():
    print(f"{name:10} quoted L2 {error.quoted['l2']:.4f}, L∞ {error.quoted['linf']:.4f}")
apart = gfdt.compare(generative, analytic).quoted["l2"]
print(f"L2 distance between the responses of the learned and the exact score: {apart:.4f}")
assert apart < 0.02

# %% [markdown]
# Nearly all of the error is sampling error: it is also present with the exact score. The last number printed is what the *learning* adds.
#
# ## What normalising can hide
#
# This is the second bet. The score below is wrong on purpose: it is the exact score multiplied by a different random factor for each
# wavevector, between a third and three. Its raw response is nonsense. Now take the **normalised** response, $R(t)R(0)^{-1}$, the form that
# the letter shows:

# %%
factor = torch.exp(
    torch.empty(grid.spectral_shape).uniform_(-1.1, 1.1, generator=torch.Generator().manual_seed(3))
)


def wrong(u):
    return grid.apply(factor, system.score(u))


raw = gfdt.compare(gfdt.respond(use, wrong, lags=90.0), exact).quoted["l2"]
tamed = gfdt.respond(use, wrong, lags=90.0, form="normalised")
gaussian = gfdt.respond(use, gfdt.GaussianScore.fit(use), lags=90.0)
print(f"wrong score: L2 {raw:.3f} raw, {gfdt.compare(tamed, exact).quoted['l2']:.4f} normalised")
print(
    f"largest difference between the normalised and the Gaussian response: {(tamed.values - gaussian.values).abs().max():.1e}"
)

# %% [markdown]
# The normalised response equals the Gaussian response to rounding, because the factors cancel: on a linear system *every* linear score ends
# up giving $C(t)C(0)^{-1}$. A good normalised response on this field therefore says nothing about the score, and this course never tests a
# learned score in this way. In general, normalising corrects amplitudes and hides that they were wrong.
#
# ## Tests that need no exact score
#
# For your own data there is no exact score to compare with. But two identities hold for the true score of any density, both by integration by
# parts. The first is Stein's identity of lesson 02, $-\langle \hat u_k \hat s_k^*\rangle/N^2 = 1$ for every wavevector. The second is
# $-\langle u^3 s\rangle = 3\langle u^2\rangle$ at a pixel. The first is necessary but not sufficient: a Gaussian score satisfies it whatever
# the data are. The second can distinguish a Gaussian score from the true one, provided that the data are not Gaussian.

# %%
learned = score(use.u[:8])
identity = steins_identity.stein(grid, use.u[:8], learned).real
print(
    f"linear identity: mean {identity.mean():.3f}, from {identity.min():.2f} to {identity.max():.2f} (sampling error of slow waves)"
)
print(
    f"cubic identity, −⟨u³ s⟩ / 3⟨u²⟩: {steins_identity.cubic_stein(use.u[:8], learned):.3f}, should be 1"
)

# %% [markdown]
# ## Generate
#
# A network that knows the score at *all* noise levels can turn noise into fields. Mixing a field with noise,
# $y = \cos\varphi\,w + \sin\varphi\,z$, is what the equation $dy = -y\,d\tau + \sqrt2\,dW$ does within the time $\tau = -\ln\cos\varphi$. At
# $\tau = 0$ the data are clean; at large τ only noise is left. If we know the score $s_\tau$ of the field at each stage, we can reverse this
# process. The step from τ to $\tau - d\tau$ is
#
# $$ y \;\leftarrow\; y + \big(y + 2\,s_\tau(y)\big)\,d\tau + \sqrt2\,dW \qquad\text{or}\qquad y \;\leftarrow\; y + \big(y + s_\tau(y)\big)\,d\tau . $$
#
# The first is the reverse of the diffusion, with fresh noise [12] (`"sde"`); the second is a deterministic flow through the same densities
# [11] (`"ode"`). We start from white noise, stop at $\tau = 0$, and multiply by the square root of the spectrum to undo the whitening.
#
# If the generated fields have the statistics of the data, the network has learned the density. (Here the noise is coloured. For a Gaussian
# field the process then starts with the right density and only has to preserve it. Lesson 04 shows the harder case, from white noise to two
# phases.) We compare two statistics besides the spectrum: the *kurtosis* $\langle v^4\rangle/\langle v^2\rangle^2$, where $v$ is the field
# minus its mean, and the *W1 distance* between two densities of a pixel, which is the mean difference between equal quantiles. (Training at
# all noise levels for 100 steps, and generating 256 fields: 30 s.)

# %%
levels = gfdt.fit_score(
    fit, noise_levels=True, budget=replace(budgets.budget("quick"), steps=100), seed=0
)
drawn = gfdt.sample(levels, 256, method="sde", seed=0)
curves = {
    "exact": shell_average(grid, system.mode_covariance),
    "generative": shell_average(grid, mode_covariance(grid, drawn)),
}
print(f"kurtosis {diagnostics.kurtosis(drawn):.3f}; a Gaussian has 3")
print(
    f"pixel density: W1 distance {diagnostics.density_distance(drawn, some):.3f} standard deviations"
)
figures.spectrum(curves, "spectrum of generated fields")

# %% [markdown]
# ## Explore
#
# We begin with a static figure: the training from the wrong start, after 60 steps. The left panel shows the losses, the middle panel the
# linear identity, and the right panel the learned score divided by the exact one, by shell of wavenumbers.
#
# The left panel shows three losses, which belong to two sets of weights. Grey: the loss of each batch with the *newest* weights. Dark: the
# loss with the *averaged* weights, on fields used for training (solid) and on the validation fields (dashed). The averaged weights are a
# running average over about the last fifty steps; they are less noisy, and `fit_score` returns them.

# %%
few = gfdt.simulate(system, members=16, duration=255.0, seed=5, device="cpu")
halfway = gfdt.Training(few, replace(lost, steps=300, check_every=10), start="wrong")
for _ in zip(halfway, range(60)):
    pass
(_, trained), (_, validation) = halfway.averaged[-1], halfway.validations[-1]
newest = sum(halfway.losses[-10:]) / 10
print(f"newest: {newest:.1f}; averaged: training {trained:.1f}, validation {validation:.1f}")
assert abs(validation - trained) < 0.2 * (validation - newest)
panels.training(views.TrainingView(halfway, system, few.u[-2:, ::4].flatten(0, 1)))

# %% [markdown]
# The dashed curve is far above the grey one. This is *not* overfitting: the averaged weights lag behind the newest ones, and their loss on
# the training fields is nearly as high. A sign of overfitting would be a growing gap between the solid and the dashed curve. Compare only
# losses of one and the same set of weights.
#
# The widget below trains live. Press **start**; you may stop and resume at any time. Then change σ, which restarts the training, and watch
# the effect on the speed and on the final error:
#
# * Which shells are learned first, and which last? Why?
# * σ = 1: what goes wrong in the right panel, and at which wavenumbers?
# * σ = 0.01: does the loss become noisy? (The naive loss would.)

# %%
lab = widgets.ScoreTraining(few, system)
lab

# %% [markdown]
# ## Exercises
#
# **03.1** By what factor does the variance of the naive targets increase from σ = 0.2 to σ = 0.02?

# %%
my_factor = None
check("03.1", my_factor)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
check("03.1", (0.2 / 0.02) ** 2)

# %% [markdown]
# **03.2** White noise of σ = 0.05 blurs the score. By what fraction does it shrink the score of the wavevector that is affected most?
# (`system.mode_covariance` holds $C_k$.)

# %%
my_fraction = None
check("03.2", my_fraction)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
smallest = system.mode_covariance.min()
check("03.2", 1 - smallest / (smallest + 0.05**2))

# %% [markdown]
# **03.3** Data in one dimension are Gaussian with variance 1. Fit $s(x) = -ax$ by either loss at σ = 0.5 (here with $x = w + \sigma z$).
# Which $a$ results in the infinite-data limit? Derive it, or find it numerically.

# %%
my_a = None
check("03.3", my_a)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: the expected loss is ½ a² (1 + σ²) − a. Its minimum is at a = 1/(1 + σ²), the score of data with variance 1 + σ².
check("03.3", 1 / (1 + 0.5**2))

# %% [markdown]
# **03.4** Data in one dimension are an equal mixture of two Gaussians of standard deviation 0.2, centred at $+1$ and $-1$. What is the slope
# $s'(0)$ of the score of the *noisy* data, halfway between the two, under white noise of σ = 0.5? (For the clean data it is 600.) Derive it,
# or differentiate the logarithm of a density with torch.

# %%
my_slope = None
check("03.4", my_slope)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: each Gaussian plus noise is again a Gaussian, of variance v = 0.2² + 0.5². The mixture has s(x) = [tanh(x/v) − x]/v, so s′(0) = 1/v² − 1/v
x = torch.zeros((), requires_grad=True)
density = torch.exp(-((x - torch.tensor([-1.0, 1.0])) ** 2) / (2 * (0.2**2 + 0.5**2))).sum()
(slope,) = torch.autograd.grad(density.log(), x, create_graph=True)
check("03.4", torch.autograd.grad(slope, x)[0])

# %% [markdown]
# So noise flattens the score between two phases, here by a factor of seventy. Lesson 04 comes back to this.
#
# The recordings are large, so we delete them.

# %%
lab.stop()
del everything, fit, use, some, few  # the recordings
del training, halfway, noise, learned, drawn, levels, recovered, lab
free_memory()

# %% [markdown]
# ## What this lesson does not show
#
# This lesson does not show that learning *pays*. On a Gaussian field the Gaussian score is the right one, the network had almost nothing to
# add, and its starting point was as good as its end point. The lesson shows that the method is sound: the loss has the right minimum, the
# optimiser finds it from a wrong start, and the response and the generated fields are right. Lesson 04 presents the first field on which the
# Gaussian response fails.
#
# ## Summary
#
# 1. Denoising score matching turns the search for an unknown score into a least-squares fit to known targets; antithetic pairs remove the
#    noise that grows like 1/σ².
# 2. Start from the Gaussian score. Either use coloured noise and keep the variance, or keep white noise far below every wave; then σ costs
#    almost nothing where the data are Gaussian.
# 3. Test a score by its raw response, not its normalised one. When no exact score is available, use the identities from integration by parts,
#    the validation loss and generated fields.
#
# **Next:** [04 · The Allen-Cahn field](04_allen_cahn.ipynb), the first on which the Gaussian response fails.
#
# Numbers in square brackets, here [9], [10], [11], [12], [17], refer to [notation, glossary and references](notation_and_glossary.ipynb).
#
# *When you are done, free the memory: Kernel → Shut Down Kernel. On Binder, which has 2 GB, do so before you open another lesson.*
