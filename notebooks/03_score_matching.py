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
# **You will** learn a score from data alone, without ever writing down a density; see why the textbook loss is nearly useless at small noise and mend it in two
# lines; check the learned score against the exact one; use it in the fluctuation-dissipation theorem; and generate new fields with it. **Time** 75 minutes. **Runs in** about
# 2 minutes on two cores, in 1 GB. **Needs** [lesson 02](02_ornstein_uhlenbeck.ipynb). **Symbols and words** [notation and
# glossary](notation_and_glossary.ipynb).

# %% [markdown]
# ## The question
#
# The theorem of lesson 02 wants the score $s(u) = \nabla \ln \rho(u)$, a vector field on a space of 1024 dimensions. We have snapshots, drawn from ρ, and nothing else. A
# histogram is out of the question. (The first loss of this kind needs derivatives of the network, one a pixel [9].) Is there a loss, an average over the *data*, that is smallest exactly when a network equals the score that we do not know?
#
# ## Bet first
#
# > 1. To learn the score of clean data we shall add noise to the data. The less noise, the closer we are to what we want. What goes wrong when σ → 0?
# > 2. Take the exact score of this field and multiply it by 3, or by anything else, a different number for every wavevector. Use the result in the theorem, then divide the response by
# >    its value at lag 0, as the letter does. How wrong is the response?

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
fit, use = everything.split(0.5)  # learn from one half, average over the other

# %% [markdown]
# ## Derive: why denoising works
#
# Let $x = w + \sigma z$ be a data point $w$ with white noise $z$ added. Given $w$, the density of $x$ is a Gaussian around $w$, whose score is $-(x - w)/\sigma^2 = -z/\sigma$: known. The
# score of the *noisy data*, which we want, is its average over all the $w$ that could have led to the same $x$:
#
# $$ s_\sigma(x) = \nabla_x \ln \int \rho(w)\, e^{-|x-w|^2/2\sigma^2} dw = \mathbb E\Big[-\frac z\sigma \,\Big|\, x\Big]. $$
#
# A conditional mean is what a least-squares fit finds. So fit a function $s$ to the targets $-z/\sigma$,
#
# $$ \mathcal L_{\text{naive}} = \tfrac12\, \mathbb E\,\big| s(w + \sigma z) + z/\sigma \big|^2 , $$
#
# and its minimum is the score of the noisy data [10]. For small σ that is nearly the score of the data.
#
# A picture in one dimension: data $w$ that are anywhere between −1 and 1 with equal probability, and noise of σ = 0.3. Each small point is a target. No single one says much; their mean in each bin is the score.

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
print(f"scatter of the targets {targets.std():.2f}; their means are off by {error:.2f} (rms)")
assert error < 0.1 * targets.std()
figures.noisy_targets(x[:3000], targets[:3000], middles, means, exact)

# %% [markdown]
# In the middle, noise to the left and to the right is equally likely behind an $x$, and the targets average to zero. At $x = 1.3$, where no clean data are, the noise must have pointed outwards, so its negative, the target, points back to the data. That is the
# direction in which the density grows.
#
# ## What goes wrong, and the remedy
#
# The targets $-z/\sigma$ are enormous when σ is small: the network sees the score, of order one, under noise of variance $1/\sigma^2$. But that noise is *odd* in $z$. Use each noise twice,
# with both signs. Expand the square, drop what does not depend on $s$, and average over $\pm z$:
#
# $$ \mathcal L_{\text{anti}} = \tfrac14\big(|s(x_+)|^2 + |s(x_-)|^2\big) + z\cdot\frac{s(x_+) - s(x_-)}{2\sigma}, \qquad x_\pm = w \pm \sigma z . $$
#
# The difference $s(x_+) - s(x_-)$ is itself of order σ, and nothing blows up. The expectation is the same up to a constant; the variance is not. What does it become as σ → 0? Then $s(x_\pm) = s \pm \sigma\,(z\cdot\nabla)s$ to first order, the second term
# is $z\cdot(z\cdot\nabla)s$, and as $\langle z_i z_j\rangle = \delta_{ij}$ its mean over $z$ is the divergence of $s$:
#
# $$ \mathcal L_{\text{anti}} \;\to\; \big\langle \tfrac12 |s|^2 + \nabla\!\cdot s \big\rangle , $$
#
# which is the loss of Hyvärinen [9], mentioned above, with no noise in it at all. The pairs measure the divergence along random directions, and nobody has to differentiate the network once for each pixel. In code:


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
# Here the data are one-dimensional, Gaussian with variance 1, so the true score is $-x$. The lines show each loss for $s(x) = -ax$, minus its value at $a = 1$, on the *same* 4000 samples. The
# antithetic loss has its minimum near $a = 1$; up to the scatter of so few samples it is the limit above, $\tfrac12a^2 - a$, that is $\tfrac12(a - 1)^2$ above its minimum. The naive one is off by what the noise happened to be. Now for the real thing: how noisy is the gradient of each loss for a network on our field? (10 s)

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
# On the logarithmic axes the naive variance falls like $1/\sigma^2$, as it must. A gradient with a variance a thousand times larger needs a thousand times more samples for the same accuracy.
# This is, more than anything else, why the training below takes seconds and not hours.
#
# ## The network
#
# It is a sum of two parts, and *neither* knows the equation:
#
# 1. a **spectral filter** $-g_k\,\hat u_k/C_k$, with $C_k$ estimated from the data and $g_k = 1$ at the start. So training starts from the Gaussian score, and can only improve on it;
# 2. a small **convolutional network** with circular padding, whose last layer is zero at the start. It spends its capacity on what is not Gaussian.
#
# The noise comes in two kinds.
#
# * **Coloured noise** has the spectrum of the data: every wave gets noise in proportion to its own strength, so that the smallest scales, with a thousandth of the variance of the largest, are resolved as well as these. In whitened coordinates, in which every wave of the data
#   $w$ has variance 1, coloured noise is white noise $z$. The data are scaled down a little as it is added, $y = \cos\varphi\, w + \sin\varphi\, z$ with $\tan\varphi = \sigma$, and the variance stays 1. For Gaussian data, therefore, $y$ has the same density as $w$, and its score *is* the score of the clean data, at any σ.
# * **White noise** treats all waves alike. It suits a field in which even the weakest wave stands well above the noise. Then the field needs no whitening, its density is as local as the equation made it, and a smaller network will do.
#
# `fit_score` looks at the data and chooses; for this field it takes white noise of σ = 0.01 standard deviations. The gradients above and the fields drawn below are with coloured noise. (`scores/fit.py`, `scores/network.py` and `scores/matching.py` hold these lines.)
#
# The optimiser is Adam [17]. A fifth of the data is kept apart, and progress is judged by the loss on these, the *validation loss*. Training takes about 20 s. The stop button of JupyterLab is safe: the best score so far comes back.

# %%
score = gfdt.fit_score(fit, preset="quick", seed=0)
some = use.u[:, ::96].flatten(0, 1)
print(
    f"learned against exact score: relative error {diagnostics.relative_error(score(some), system.score(some)):.4f}"
)
print(
    "validation loss at the start and now:", score.metrics["at_start"], score.metrics["validation"]
)

# %% [markdown]
# About one per cent (*relative error*: root mean square of the difference, over root mean square of the exact score). It was nearly that good before training, for this field *is* Gaussian, and the start *is* the answer up to sampling noise. To see that the optimiser does learn, start it from a
# deliberately wrong place: a white spectrum, ten times too large (and `calibrate=False`, or a last step, which tunes the linear part to the data, would mend it without any learning).

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
# With *white* noise of size σ (in units of $u$), the network learns the score of blurred data: per wavevector $-\hat u_k/(C_k + \sigma^2)$ instead of $-\hat u_k/C_k$. Waves with $C_k < \sigma^2$
# are erased. In closed form:

# %%
for sigma in (0.02, 0.05, 0.1, 0.2, 0.4):
    blurred = diagnostics.relative_error(system.score(some, sigma=sigma), system.score(some))
    print(f"white noise σ = {sigma:4}: relative error of the blurred score {blurred:.3f}")

# %% [markdown]
# The learned scores of this package do not suffer from it *for the linear part*: noise of the data's own spectrum at constant variance has no such bias for Gaussian data, and the filter of a network that was trained with
# white noise is freed of σ exactly (`LearnedScore`'s docstring has the formula). What bias remains is that of the non-Gaussian part; lesson 04 measures it.
#
# ## Check: the response
#
# The learned score in the theorem, averaged over members that the training has not seen. The response is **raw**: it stands as the average gives it, and is not normalised (20 s).

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
print(f"the learned score's response is {apart:.4f} in L2 from the exact score's on the same data")
assert apart < 0.02

# %% [markdown]
# Nearly all of the error is sampling: it is there with the exact score, too. What the *learning* adds is the last number.
#
# ## What normalising can hide
#
# The second bet. Below is a score that is wrong on purpose: the exact one, multiplied by a different random factor for each wavevector, from a third to three. Its raw response is nonsense. Now
# take the **normalised** response, $R(t)R(0)^{-1}$, which is the form that the letter shows:

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
    f"distance of the normalised one from the Gaussian response: {(tamed.values - gaussian.values).abs().max():.1e}"
)

# %% [markdown]
# Normalised, it is the Gaussian response to rounding. The factors cancel: on a linear system *every* linear score gives $C(t)C(0)^{-1}$ in the end. So a good normalised response on this field says nothing about
# the score, and this course never tests a learned score that way. In general, normalising mends amplitudes and hides that they were wrong.
#
# ## Tests that need no exact score
#
# On your own data there is none to compare with. Two identities hold for the true score of any density, by parts, the first of them Stein's of lesson 02: $-\langle \hat u_k \hat s_k^*\rangle/N^2 = 1$ for every wavevector, and
# $-\langle u^3 s\rangle = 3\langle u^2\rangle$ at a pixel. The first is necessary, but a Gaussian score passes it whatever the data; the second tells the two apart, when there is something to tell.

# %%
learned = score(use.u[:8])
identity = steins_identity.stein(grid, use.u[:8], learned).real
print(
    f"linear identity: mean {identity.mean():.3f}, from {identity.min():.2f} to {identity.max():.2f} (sampling of slow waves)"
)
print(
    f"cubic identity, −⟨u³ s⟩ / 3⟨u²⟩: {steins_identity.cubic_stein(use.u[:8], learned):.3f}, should be 1"
)

# %% [markdown]
# ## Generate
#
# A network that knows the score at *all* noise levels can turn noise into fields. Mixing with noise, $y = \cos\varphi\,w + \sin\varphi\,z$, is what the equation $dy = -y\,d\tau + \sqrt2\,dW$ does to a field within the time $\tau = -\ln\cos\varphi$: at $\tau = 0$ there are clean
# data, at large τ nothing but noise. If one knows the score $s_\tau$ of the field at each stage, one can walk back. From $y$ at τ one gets to $\tau - d\tau$ by
#
# $$ y \;\leftarrow\; y + \big(y + 2\,s_\tau(y)\big)\,d\tau + \sqrt2\,dW \qquad\text{or by}\qquad y \;\leftarrow\; y + \big(y + s_\tau(y)\big)\,d\tau : $$
#
# the reverse of the diffusion, with fresh noise [12] (`"sde"`), or a deterministic flow through the same densities [11] (`"ode"`). Start from white noise, end at $\tau = 0$, and multiply by the spectrum's root to undo the whitening.
#
# If what comes out has the statistics of the data, the density was learned. (Here the noise has their spectrum, so that for a Gaussian field the walk starts where it should end, and must only not spoil it. From white noise to two phases is
# the harder way of lesson 04.) Two of them: the *kurtosis* $\langle v^4\rangle/\langle v^2\rangle^2$, $v$ being the
# field less its mean, and the *W1 distance* of two densities of a pixel, the mean gap between equal quantiles. (Training with levels, 100 steps, and 256 fields: 30 s.)

# %%
levels = gfdt.fit_score(
    fit, noise_levels=True, budget=replace(budgets.budget("quick"), steps=100), seed=0
)
drawn = gfdt.sample(levels, 256, method="sde", seed=0)
curves = {
    "exact": shell_average(grid, system.mode_covariance),
    "generative": shell_average(grid, mode_covariance(grid, drawn)),
}
print(f"kurtosis {diagnostics.kurtosis(drawn):.3f}, a Gaussian has 3")
print(
    f"pixel density: W1 distance {diagnostics.density_distance(drawn, some):.3f} standard deviations"
)
figures.spectrum(curves, "spectrum of generated fields")

# %% [markdown]
# ## Explore
#
# First the static figure: the training from the wrong start, after 60 steps. Left the losses, in the middle the linear identity, on the right the learned score over the exact one, by shell of wavenumbers.
#
# There are three losses, of two sets of weights. Grey: each batch, with the *newest* weights. Dark: the *averaged* weights, a running average over the last fifty steps or so, which is less noisy and is what `fit_score` returns; their loss on fields that are trained on (solid) and on the validation fields (dashed).

# %%
few = gfdt.simulate(system, members=16, duration=255.0, seed=5, device="cpu")
halfway = gfdt.Training(few, replace(lost, steps=300, check_every=10), start="wrong")
for _ in zip(halfway, range(60)):
    pass
(_, trained), (_, validation) = halfway.averaged[-1], halfway.validations[-1]
newest = sum(halfway.losses[-10:]) / 10
print(f"newest weights {newest:.1f}; averaged: training {trained:.1f}, validation {validation:.1f}")
assert abs(validation - trained) < 0.2 * (validation - newest)
panels.training(views.TrainingView(halfway, system, few.u[-2:, ::4].flatten(0, 1)))

# %% [markdown]
# The dashed curve is far above the grey one. That is *not* overfitting: the averaged weights lag behind, and their loss on the training fields is nearly as high. Overfitting would be a gap between solid and dashed that grows. Only losses of one and the same set of weights can be compared.
#
# Now live. Press **start**; stop and resume as you like. Then change σ, which starts anew, and watch what it does to speed and to the final error:
#
# * Which shells are learned first, and which last? Why?
# * σ = 1: what goes wrong on the right-hand panel, and where?
# * σ = 0.01: does the loss become noisy? (With the naive loss it would.)

# %%
lab = widgets.ScoreTraining(few, system)
lab

# %% [markdown]
# ## Exercises
#
# **03.1** By what factor does the variance of the naive targets grow from σ = 0.2 to σ = 0.02?

# %%
my_factor = None
check("03.1", my_factor)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
check("03.1", (0.2 / 0.02) ** 2)

# %% [markdown]
# **03.2** White noise of σ = 0.05 blurs the score. By what fraction does it shrink the score of the wavevector that suffers most? (`system.mode_covariance` holds $C_k$.)

# %%
my_fraction = None
check("03.2", my_fraction)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
smallest = system.mode_covariance.min()
check("03.2", 1 - smallest / (smallest + 0.05**2))

# %% [markdown]
# **03.3** Data in one dimension are Gaussian with variance 1. Fit $s(x) = -ax$ by either loss at σ = 0.5 (here with $x = w + \sigma z$). Which $a$ comes out with infinitely many samples? Derive it, or find it numerically.

# %%
my_a = None
check("03.3", my_a)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: the expected loss is ½ a² (1 + σ²) − a, smallest at a = 1/(1 + σ²), the score of data with variance 1 + σ².
check("03.3", 1 / (1 + 0.5**2))

# %% [markdown]
# **03.4** Data in one dimension lie around $+1$ and $-1$, half of them each, as two Gaussians of standard deviation 0.2. What is the slope $s'(0)$ of the score of the *noisy* data, halfway between, under white noise of σ = 0.5? (That
# of the clean data is 600.) Derive it, or differentiate the logarithm of a density with torch.

# %%
my_slope = None
check("03.4", my_slope)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: a Gaussian plus noise is a Gaussian again, of variance v = 0.2² + 0.5²; with tanh from the two humps, s'(0) = −1/v + 1/v²
x = torch.zeros((), requires_grad=True)
density = torch.exp(-((x - torch.tensor([-1.0, 1.0])) ** 2) / (2 * (0.2**2 + 0.5**2))).sum()
(slope,) = torch.autograd.grad(density.log(), x, create_graph=True)
check("03.4", torch.autograd.grad(slope, x)[0])

# %% [markdown]
# So noise flattens the score between two phases, here seventyfold. Remember it in lesson 04.
#
# Let go of the recordings.

# %%
lab.stop()
del everything, fit, use, some, few  # the recordings
del training, halfway, noise, learned, drawn, levels, recovered, lab
free_memory()

# %% [markdown]
# ## What this lesson does not show
#
# That learning *pays*. On a Gaussian field the Gaussian score is the right one, the network had next to nothing to add, and its start was as good as its end. What was shown is that the machinery is sound: the loss has
# the right minimum, the optimiser finds it from a wrong start, the response and the generated fields come out right. The first field on which the Gaussian response fails is that of lesson 04.
#
# ## Summary
#
# 1. Denoising turns the search for an unknown score into a least-squares fit to known targets; antithetic pairs take away the noise that grows like 1/σ².
# 2. Start from the Gaussian score; give the noise the spectrum of the data and keep the variance, or keep white noise far below every wave: then σ costs next to nothing where the data are Gaussian.
# 3. Test a score raw, not normalised; identities by parts, held-out loss and generated fields are what remains when no exact score is at hand.
#
# **Next:** [04 · The Allen-Cahn field](04_allen_cahn.ipynb), the first on which the Gaussian response fails.
#
# Numbers in square brackets, here [9], [10], [11], [12], [17]: [notation, glossary and references](notation_and_glossary.ipynb).
#
# *When you are done, free the memory: Kernel → Shut Down Kernel. On Binder, with its 2 GB, do so before you open another lesson.*
