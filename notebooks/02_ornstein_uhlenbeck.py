# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02 · The Ornstein-Uhlenbeck field
#
# **You will** solve a stochastic partial differential equation on paper; check spectrum, covariance, score and response of a simulation against
# it; state the fluctuation-dissipation theorem and compute a response with five lines of NumPy; kick the field for real; and predict what a change of a
# *parameter* would do. **Time** 40 minutes. **Runs in** less than half a minute on two cores, in 1 GB. **Needs** [lesson 00](00_start_here.ipynb). **Symbols and words**
# [notation and glossary](notation_and_glossary.ipynb).

# %% [markdown]
# ## The question
#
# A response can be wrong for many reasons: a bad simulation, a bad score, too little data, an error of a factor. To find out which, one needs a system in which
# *everything* is known. This is that system, and it stays the judge of every method in this course.
#
# The field $u(x, y, t)$ lives on a periodic square and obeys equation (6) of the letter,
#
# $$ \partial_t u = -\lambda\,\Sigma u + \kappa\,\Delta u - A\,\partial_x u + \varepsilon\,\Sigma^{1/2}\xi, \qquad \Sigma = (1-\Delta)^{-1}. $$
#
# It relaxes (λ), diffuses (κ), is carried along $+x$ (A) and is stirred by noise (ε; ξ is white noise, independent at every point and at every time). The operator Σ smooths: it makes
# relaxation and noise act on large scales more than on small ones. Its root $\Sigma^{1/2}$ is the operator which, applied twice, is Σ: in Fourier space it multiplies by $(1+k^2)^{-1/2}$. The noise $\Sigma^{1/2}\xi$ therefore has the covariance Σ. The parameters are the letter's: $\lambda = 0.04$, $\kappa = 2.5\cdot10^{-4}$, $A = 0.02$ and
# $\varepsilon^2 = 0.004$ (the cell below prints them). "The letter" is [1], here and throughout. (It prints $+A$; its figure and code move along $+x$, as we do.) For a single variable such a process is the
# oldest model of Brownian motion [7].
#
# ## Bet first
#
# > 1. Double the noise strength ε. By what factor does the response to a unit kick change?
# > 2. Twins, one kicked and one not, feel the same noise. How many pairs of them are needed to measure the response of this field to three digits?

# %%
import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial import figures
from gfdt_tutorial.core.memory import free_memory
from gfdt_tutorial.core.spectra import mode_covariance, shell_average
from gfdt_tutorial.course import panels, views, widgets
from gfdt_tutorial.course.exercises import check

system = gfdt.OrnsteinUhlenbeck()
grid = system.grid
print(
    f"λ = {system.lam:g}, κ = {system.kappa:g}, A = {system.advection:g}, ε² = {system.epsilon**2:g}"
)

# %% [markdown]
# ## Derive: one equation per wavevector
#
# Every operator in the equation is diagonal in Fourier space: $\Delta \to -k^2$, $\Sigma \to 1/(1+k^2)$, $\partial_x \to i k_x$. So the field
# is a set of *independent* complex Ornstein-Uhlenbeck processes, one a wavevector,
#
# $$ d\hat u_k = L_k \hat u_k\,dt + \text{noise}, \qquad L_k = -\frac{\lambda}{1+k^2} - \kappa k^2 - iAk_x . $$
#
# Each decays at the rate $-\mathrm{Re}\,L_k$ while the noise feeds it; in balance its variance is the variance that noise adds per unit time, over twice the rate,
#
# $$ C_k = \frac{N^2\varepsilon^2/(1+k^2)}{-2\,\mathrm{Re}\,L_k}, \qquad C_k(t) = e^{L_k t}\,C_k . $$
#
# Where does $N^2\varepsilon^2$ come from? White noise has a covariance that is a delta function in space, and in the letter this delta function is normalised on a box of *unit area*. A grid has no points, only pixels, each $1/N^2$ of that area; the delta function becomes $N^2$ at one pixel and 0 elsewhere, so that its mean over the box is 1. So in the time $dt$ the noise
# gives every pixel the variance $N^2\varepsilon^2\,dt$ before $\Sigma^{1/2}$ smooths it, and wavevector $k$ keeps $1/(1+k^2)$ of that. (The factor does not make a fine grid fluctuate more: $\langle u^2\rangle$ is the sum of all $C_k$ over $N^2$.)
#
# Here $N = 32$ is the number of pixels a side, and $C_k$ is an eigenvalue of the covariance matrix between pixels, so that with the unnormalised Fourier transform of the code $\langle|\hat u_k|^2\rangle = N^2 C_k$. The
# $C_k$ as a function of $k$ are the **spectrum**.
#
# And a kick is simply carried along by the homogeneous equation: $R_k(t) = e^{L_k t}$. There is no ε in it, which settles the first bet: a linear system responds to
# a kick in the same way however much it fluctuates. Solving exactly also means *stepping* exactly: over any time $t$, multiply by $e^{L_k t}$ and add noise of variance
# $C_k\,(1 - e^{2\,\mathrm{Re} L_k t})$. The simulation below makes no error in time, and it starts in the stationary state.

# %% [markdown]
# ## Check: the spectrum
#
# A simulation of 49,152 snapshots (64 independent members, 768 times). This takes a few seconds. The figure shows the mean of $C_k$ over **shells**, all wavevectors of about the same length $k$.

# %%
data = gfdt.simulate(system, members=64, duration=767.0, every=1.0, seed=0, device="cpu")
measured = mode_covariance(grid, data.u)
curves = {
    "exact": shell_average(grid, system.mode_covariance),
    "simulated": shell_average(grid, measured),
}
figures.spectrum(curves)

# %%
print(f"⟨u²⟩ simulated {data.u.var():.3f}, closed form {system.variance:.3f}")
ratio = curves["simulated"][1] / curves["exact"][1]
assert (ratio - 1).abs().max() < 0.06, (
    "the spectrum is off: was the noise scaled as the docstring says?"
)

# %% [markdown]
# ## The score
#
# The $\hat u_k$ are Gaussian and independent, so $\ln\rho(u) = -\tfrac12\,u^T C(0)^{-1}u$ plus a constant, and the score is
#
# $$ s(u) = \nabla\ln\rho(u) = -C(0)^{-1}u, \qquad \hat s_k = -\hat u_k / C_k = \frac{2}{N^2\varepsilon^2}\big(-\lambda - \kappa k^2 - \kappa k^4\big)\,\hat u_k . $$
#
# It points from an unlikely field to more likely ones. Rough fields are unlikely here, and the score is dominated by the small scales. It is a field
# itself, and the derivative is taken with respect to *pixel values*:

# %%
snapshot = data.u[0, -1].clone()  # a copy, or it would keep the whole recording in memory
figures.field_map(grid, system.score(snapshot), "the score of the snapshot", unit="s")

# %% [markdown]
# One identity holds for the score of *any* density that falls off at infinity, by one integration by parts: $\langle u_i s_j\rangle = -\delta_{ij}$ (**Stein's identity** [13]; for the theorem it says that a kick has just happened
# at lag 0, $R(0) = 1$). Per wavevector it reads $-\langle \hat u_k \hat s_k^*\rangle / N^2 = 1$. A simulation of finite length obeys it up to sampling error:

# %%
some = data.u[:8]  # an eighth of the members, to keep the memory small
stein = -(grid.rfft(some) * grid.rfft(system.score(some)).conj()).mean((0, 1)).real / grid.size
print(
    f"−⟨u s*⟩ per wavevector: mean {stein.mean():.4f}, from {stein.min():.3f} to {stein.max():.3f}"
)

# %% [markdown]
# The extremes belong to the slowest waves, which live for 160 time units: in these 8 members there are fewer than forty independent samples of each.

# %% [markdown]
# ## The theorem
#
# > **Generalized fluctuation-dissipation theorem.** Let a system be stationary with smooth density ρ. Kick it at time 0 by a small $\delta u_j$. Then
# >
# > $$ R_{ij}(t) = \frac{\langle\delta u_i(t)\rangle}{\delta u_j(0)} = -\langle u_i(t)\,s_j(u(0))\rangle, \qquad s = \nabla\ln\rho, \tag{3, 4} $$
# >
# > where the average on the right is over the *undisturbed* system.
#
# The proof is that of lesson 00: shifting the initial density by $\delta u_j$ changes it by
# $-\delta u_j\,\partial_j\rho = -\delta u_j\,s_j\,\rho$; average $u_i(t)$ over that change. ([Lesson 01](01_score_and_response.ipynb) does it at leisure for a single variable; [2] and [3] are the classical review and a modern one.) With the Gaussian score the theorem reads
#
# $$ R(t) = C(t)\,C(0)^{-1}: \tag{5} $$
#
# a system recovers from a push as it recovers from its own fluctuations. In general $C(t)\,C(0)^{-1}$ is a product of 1024 × 1024 matrices. Translation invariance
# makes it *one division a wavevector*. Here is the idea of this lesson, in five lines, at lag 30:

# %%
lag = 30
spectra = grid.rfft(some)
C_0 = (spectra.abs() ** 2).mean((0, 1))
C_t = (spectra[:, lag:] * spectra[:, :-lag].conj()).mean((0, 1))
by_hand = grid.irfft(C_t / C_0)

exact = gfdt.exact_response(system, lags=90.0)
print(
    f"largest error at any pixel: {(by_hand - exact.values[lag]).abs().max():.4f}, for a response of up to {exact.values[lag].max():.3f}"
)
assert (by_hand - exact.values[lag]).abs().max() < 0.02
del spectra

# %% [markdown]
# `respond` does the same for all lags at once (the sum over origins is an FFT in time, zero-padded so that large lags do not fold back to small ones), for any
# score, and adds the band:

# %%
gaussian = gfdt.respond(data, gfdt.GaussianScore.fit(data), lags=90.0)
analytic = gfdt.respond(data, system.score, lags=90.0)
figures.response_curves({"exact": exact, "analytic": analytic, "gaussian": gaussian})

# %% [markdown]
# How wrong are they? Two numbers will be quoted from here on. At each lag, **L2** is the root of the *sum* over all pixels of the squared error, and **L∞** the error at the worst pixel. Quoted are the root mean square
# over lags of the former and the mean over lags of the latter, lag 0 left out. (A response is 1 at its largest, and 1024 pixels are in the sum.)

# %%
errors = {"gaussian": gfdt.compare(gaussian, exact), "analytic": gfdt.compare(analytic, exact)}
normalised = gfdt.respond(data, system.score, lags=90.0, form="normalised")
forms = {"analytic, normalised": gfdt.compare(normalised, exact)}
forms |= {"Gaussian": errors["gaussian"], "analytic, raw": errors["analytic"]}
for name, error in forms.items():
    print(f"{name:21} quoted L2 {error.quoted['l2']:.4f}, L∞ {error.quoted['linf']:.4f}")
assert (normalised.values - gaussian.values).abs().max() < 1e-4
figures.error_curves(errors)

# %% [markdown]
# The letter shows **normalised** responses, $R(t)\,R(0)^{-1}$. In this form the two are the same here, to rounding, since a linear score drops out of the ratio. (The letter reports 0.012 and 0.013 in L2, from a longer recording.) The Gaussian response is normalised as it stands, for its $R(0)$ is 1.
# The other analytic one, which the figures show, is **raw**: it stands as the average gives it. Both are right within their bands. But look again: raw, with the *exact* score, the
# error is larger than with the covariance estimated from the data. That is no paradox. The Gaussian estimate divides by the fluctuations that this recording happened to have, so
# at lag 0 it is exact, and at short lags numerator and denominator err together. The exact score divides by what the fluctuations are on average. When a learned score comes to be judged
# in lesson 03, it will be against both.
#
# ## How fast does the error fall?
#
# With $n$ independent snapshots, the error of the average is, at lag 0 with the exact score,
#
# $$ L_2^2 = \frac1n\,\frac1{N^2}\sum_k C_k\,\frac{1}{C_k} = \frac1n, $$
#
# whatever the spectrum. Check it with snapshots 500 time units apart, which forget one another:

# %%
for members in (64, 256, 1024):
    apart = gfdt.simulate(
        system, members=members, duration=1500.0, every=500.0, seed=members, device="cpu"
    )
    at_zero = gfdt.respond(apart, system.score, lags=500.0).values[0]
    identity = exact.values[0]
    print(
        f"n = {apart.snapshots:5}: L2 {(at_zero - identity).norm():.4f}, 1/√n {apart.snapshots**-0.5:.4f}"
    )

# %% [markdown]
# ## Kick it for real
#
# The dynamical response needs the equation, and no score. Take two twins with the same past and the same noise, raise a pixel of one, lower that of the other, and watch
# $(u_+ - u_-)/2\delta$. In a *linear* system the noise is common and drops out of the difference altogether: one pair gives the response to rounding. That was
# the second bet. In the nonlinear fields of later lessons, pairs will scatter, and tens of thousands are needed.

# %%
twins = gfdt.perturb(system, lags=90.0, pairs=16, seed=1)
print(
    f"twins against closed form: {(twins.values - exact.values).abs().max():.1e} at most, rounding in single precision"
)
assert (twins.values - exact.values).abs().max() < 1e-5

# %% [markdown]
# ## Any kick
#
# The response to one pixel is the response to everything: the field is linear in the kick and the same everywhere, so the response to a kick of any shape is
# a convolution, `response.to(pattern)`, one multiplication a wavevector. Here for a smooth bump, from the undisturbed data:

# %%
bump = gfdt.kick_pattern(grid, "bump", amplitude=1.0)
figures.response_maps(gaussian, lags=[0, 20, 40, 80], field=gaussian.to(bump))

# %% [markdown]
# ## Explore
#
# First the static figure: a snapshot, the covariance of each wavevector, the mean response to a bump as a map at lag 20, and the same response 0, 2, 4 and 6 pixels downstream.

# %%
panels.explorer(views.Exploration(system, bump, lag=20.0))

# %% [markdown]
# Now under your hand. Everything shown is closed form and follows the sliders at once. The snapshot keeps its noise while the parameters change, so you see the
# same weather in another climate. Try:
#
# * ε: which of the four panels change, and which do not?
# * κ to the right: what happens to small scales in the spectrum, and to the height of the response?
# * A below zero; kick "plane wave": which way does it move, and how fast does it fade?
# * λ up: the response to the bump now gets a negative ring. Where does it come from?

# %%
explorer = widgets.OrnsteinUhlenbeckExplorer(system)
explorer

# %%
explorer.controls["advection"].value = 0.05  # moved by code, to show that it follows
assert torch.allclose(explorer.view.answer, gfdt.exact_response(explorer.view.system).to(bump))
explorer.controls["advection"].value = system.advection

# %% [markdown]
# ## Beyond kicks: turn a knob
#
# The theorem says more. For *any* observable $A(u)$, and any small change $f(u)$ of the drift,
#
# $$ R_A(t) = \big\langle A(u(t))\,B(u(0))\big\rangle, \qquad B = -\nabla\!\cdot f - f\cdot s . $$
#
# It is the proof of lesson 00 once more. Let the change act for a moment, so that every state moves from $u$ to $u + \delta f(u)$. Probability is carried along by this current and neither made nor lost, so that ρ changes by $-\delta\,\nabla\!\cdot(f\rho)$. By the product rule, and with $\nabla\rho = s\,\rho$, this is
# $\delta\,(-\nabla\!\cdot f - f\cdot s)\,\rho = \delta\,B\,\rho$: other weights again, $1 + \delta B$, and $B$ takes the place of $-s_j$.
#
# A kick of pixel $j$ is the case $f = e_j$, whose divergence is 0. The response to a lasting change of a *parameter* is the integral of $R_A$ over time. So the undisturbed recording knows
# what would become of the variance if λ were raised, since $f = \partial(\text{drift})/\partial\lambda = -\Sigma u$:


# %%
def mean_square(u):
    return u.square().mean((-2, -1))


knob = system.drift_derivative("lam")  # the pair (f, ∇·f) for λ
predicted = gfdt.sensitivities(
    data, system.score, mean_square, {"lam": knob}, lags=100.0, form="raw"
)["lam"]

# %% [markdown]
# The closed form to hold it against: after λ is raised by δλ, the variance of each wave relaxes to its new value at twice the wave's own rate.

# %%
rate, rate_by_lam = system.rates.real, -grid.inverse_helmholtz
final = -rate_by_lam / rate * system.mode_covariance  # ∂C_k/∂λ
change = torch.stack(
    [
        grid.irfft((final * (1 - torch.exp(2 * rate * t))).to(torch.complex128))[0, 0]
        for t in predicted.times
    ]
)
truth = gfdt.Response(predicted.times, change, "exact")
print(
    f"after {predicted.times[-1]:g}: predicted {predicted.values[-1]:.1f} ± {predicted.standard_error[-1]:.1f}, closed form {change[-1]:.1f}"
)
figures.observable_curves(
    {"exact": truth, "analytic": predicted}, "⟨u²⟩ after a lasting change of λ", "d⟨u²⟩/dλ"
)

# %% [markdown]
# Nothing was run with another λ. The band is wide: every wave of the field adds its noise to $B$, though only the large ones matter for $\langle u^2\rangle$. Making such predictions
# sharp, for several parameters at once, is the business of the later lessons on parameters and calibration.

# %% [markdown]
# ## Exercises
#
# **02.1** By what factor does $\langle u^2\rangle$ grow when ε is doubled?

# %%
my_factor = None
check("02.1", my_factor)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
check("02.1", gfdt.OrnsteinUhlenbeck(epsilon=2 * system.epsilon).variance / system.variance)

# %% [markdown]
# **02.2** How long does the slowest wave live, that is, what is the largest $-1/\mathrm{Re}\,L_k$? (Which wave is it? It is not $k = 0$.)

# %%
my_lifetime = None
check("02.2", my_lifetime)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
# λ/(1 + k²) falls and κk² grows: the rate has its minimum in between, at k² = (λ/κ)^½ − 1 ≈ 11.6;
# of the grid's whole wavenumbers k = (2, 3), with k² = 13, comes closest to it.
lifetimes = -1 / system.rates.real
check("02.2", lifetimes.max())

# %% [markdown]
# **02.3** A colleague sends `other`, a shorter recording of the same system. Compute its Gaussian response at lag 30, a tensor of shape (32, 32), *without* `respond`.

# %%
other = gfdt.simulate(system, members=32, duration=255.0, seed=7, device="cpu")
my_response = None
check("02.3", my_response)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
u_k = grid.rfft(other.u)
my_C_30 = (u_k[:, 30:] * u_k[:, :-30].conj()).mean((0, 1))
check("02.3", grid.irfft(my_C_30 / u_k.abs().square().mean((0, 1))))

# %% [markdown]
# **02.4** To what value does the curve of $d\langle u^2\rangle/d\lambda$ above settle after a very long time? Use `system.variance`, to 1 %.

# %%
my_slope = None
check("02.4", my_slope)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
up, down = (
    gfdt.OrnsteinUhlenbeck(lam=1.01 * system.lam),
    gfdt.OrnsteinUhlenbeck(lam=0.99 * system.lam),
)
check("02.4", (up.variance - down.variance) / (0.02 * system.lam))

# %% [markdown]
# The recordings are large; let go of them.

# %%
del data, some, other, u_k, my_C_30
free_memory()

# %% [markdown]
# ## What this lesson does not show
#
# A Gaussian response that is right: the field was built for it. On a linear system *every* linear score, even a wrong one, gives the right response once it is normalised to
# $R(0) = 1$, so this field can check code and calibrate error bars, but it cannot tell a good learned score from a lazy one by its normalised response. Nor did we ask how one would
# notice that a field is *not* Gaussian. Translation invariance did much of the work, too: on data without it, the matrices come back.
#
# ## Summary
#
# 1. Per wavevector the field is an independent Ornstein-Uhlenbeck process: spectrum, covariance, score and response in closed form, simulated without error in time.
# 2. The theorem needs only the undisturbed recording and a score; with the Gaussian score it is $C(t)\,C(0)^{-1}$, one division a wavevector.
# 3. Its sampling error is $1/\sqrt n$, and bands say so; kicked twins of a linear system agree with the closed form to rounding.
#
# **Next:** [03 · Score matching](03_score_matching.ipynb): the same response from a score that a network has learned.
#
# Numbers in square brackets, here [1], [2], [3], [7], [13]: [notation, glossary and references](notation_and_glossary.ipynb).
#
# *When you are done, free the memory: Kernel → Shut Down Kernel. On Binder, with its 2 GB, do so before you open another lesson.*
