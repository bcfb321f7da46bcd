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
# **You will** solve a stochastic partial differential equation on paper; check the spectrum, covariance, score and response of a simulation
# against the solution; state the fluctuation-dissipation theorem and compute a response with five lines of code; kick the field directly; and
# predict the effect of a change of a *parameter*. **Time** 40 minutes. **Runs in** less than half a minute on two cores, in 1 GB. **Needs**
# [lesson 00](00_start_here.ipynb). **Symbols and words** are explained in [notation and glossary](notation_and_glossary.ipynb).

# %% [markdown]
# ## The question
#
# A computed response can be wrong for many reasons: a bad simulation, a bad score, too little data, a missing factor. To find out which, we
# need a system in which *everything* is known. The field of this lesson is such a system, and every method in this course is tested on it.
#
# The field $u(x, y, t)$ lives on a periodic square and obeys equation (6) of the letter,
#
# $$ \partial_t u = -\lambda\,\Sigma u + \kappa\,\Delta u - A\,\partial_x u + \varepsilon\,\Sigma^{1/2}\xi, \qquad \Sigma = (1-\Delta)^{-1}. $$
#
# The four terms describe relaxation (λ), diffusion (κ), advection along $+x$ ($A$) and noise (ε); ξ is white noise, independent at every
# point and at every time. The operator Σ smooths: because of it, relaxation and noise act more strongly on large scales than on small ones.
# Its square root $\Sigma^{1/2}$ is the operator which, applied twice, gives Σ; in Fourier space it multiplies by $(1+k^2)^{-1/2}$. The noise
# $\Sigma^{1/2}\xi$ therefore has the covariance Σ.
#
# The parameters are those of the letter, $\lambda = 0.04$, $\kappa = 2.5\cdot10^{-4}$, $A = 0.02$ and $\varepsilon^2 = 0.004$; the cell below
# prints them. "The letter" is [1], here and throughout. (It prints $+A$ in the equation, but its figure and its code move along $+x$, as ours
# do.) For a single variable, such a process is the oldest model of Brownian motion [7].
#
# ## Bet first
#
# > 1. Double the noise strength ε. By what factor does the response to a unit kick change?
# > 2. In a pair of twins, one is kicked and the other is not, and both feel the same noise. How many pairs are needed to measure the response
# >    of this field to three digits?

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
# Every operator in the equation is diagonal in Fourier space: $\Delta \to -k^2$, $\Sigma \to 1/(1+k^2)$, $\partial_x \to i k_x$. The field is
# therefore a set of *independent* complex Ornstein-Uhlenbeck processes, one for each wavevector,
#
# $$ d\hat u_k = L_k \hat u_k\,dt + \text{noise}, \qquad L_k = -\frac{\lambda}{1+k^2} - \kappa k^2 - iAk_x . $$
#
# Each process decays at the rate $-\mathrm{Re}\,L_k$ and is driven by the noise. In the stationary state its variance is the variance that
# the noise adds per unit time, divided by twice the rate,
#
# $$ C_k = \frac{N^2\varepsilon^2/(1+k^2)}{-2\,\mathrm{Re}\,L_k}, \qquad C_k(t) = e^{L_k t}\,C_k . $$
#
# Here $N = 32$ is the number of pixels along a side, and $C_k$ is an eigenvalue of the covariance matrix between pixels. With the
# unnormalised Fourier transform of the code, $\langle|\hat u_k|^2\rangle = N^2 C_k$. The values $C_k$ as a function of $k$ are the
# **spectrum**.
#
# Where does $N^2\varepsilon^2$ come from? The covariance of white noise is a delta function in space, and the letter normalises this delta
# function on a box of *unit area*. On a grid, each pixel occupies $1/N^2$ of that area, and the delta function becomes $N^2$ at one pixel and
# 0 elsewhere, so that its mean over the box is 1. In the time $dt$, therefore, the noise adds the variance $N^2\varepsilon^2\,dt$ to every
# pixel before $\Sigma^{1/2}$ smooths it, and the smoothing leaves the fraction $1/(1+k^2)$ of it at wavevector $k$. (This factor does not
# make a fine grid fluctuate more: $\langle u^2\rangle$ is the sum of all $C_k$ divided by $N^2$.)
#
# A kick evolves according to the homogeneous equation: $R_k(t) = e^{L_k t}$. This expression does not contain ε, which settles the first bet:
# a linear system responds to a kick in the same way however strongly it fluctuates.
#
# The exact solution also provides exact *time steps*. Over any time $t$, multiply $\hat u_k$ by $e^{L_k t}$ and add noise of variance
# $C_k\,(1 - e^{2\,\mathrm{Re} L_k t})$. The simulation below has no time discretisation error, and it starts in the stationary state.

# %% [markdown]
# ## Check: the spectrum
#
# We simulate 49,152 snapshots (64 independent members at 768 times each), which takes a few seconds. The figure shows the mean of $C_k$ over
# **shells**; a shell contains all wavevectors of about the same length $k$.

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
    "the spectrum is wrong: is the noise scaled as the docstring says?"
)

# %% [markdown]
# ## The score
#
# The $\hat u_k$ are Gaussian and independent, so $\ln\rho(u) = -\tfrac12\,u^T C(0)^{-1}u$ plus a constant, and the score is
#
# $$ s(u) = \nabla\ln\rho(u) = -C(0)^{-1}u, \qquad \hat s_k = -\hat u_k / C_k = \frac{2}{N^2\varepsilon^2}\big(-\lambda - \kappa k^2 - \kappa k^4\big)\,\hat u_k . $$
#
# It points from an unlikely field to more likely ones. Rough fields are unlikely here, so the small scales dominate the score. The score is
# itself a field, and the derivative is taken with respect to *pixel values*:

# %%
snapshot = data.u[0, -1].clone()  # a copy, or it would keep the whole recording in memory
figures.field_map(grid, system.score(snapshot), "the score of the snapshot", unit="s")

# %% [markdown]
# One identity holds for the score of *any* density that vanishes at infinity. Integration by parts gives
# $\langle u_i s_j\rangle = -\delta_{ij}$, which is **Stein's identity** [13]. In the theorem it states that a kick is still unchanged at lag
# 0, $R(0) = 1$. Per wavevector it reads $-\langle \hat u_k \hat s_k^*\rangle / N^2 = 1$. A simulation of finite length satisfies it up to
# sampling error:

# %%
some = data.u[:8]  # an eighth of the members, to save memory
stein = -(grid.rfft(some) * grid.rfft(system.score(some)).conj()).mean((0, 1)).real / grid.size
print(
    f"−⟨u s*⟩ per wavevector: mean {stein.mean():.4f}, from {stein.min():.3f} to {stein.max():.3f}"
)

# %% [markdown]
# The extremes belong to the slowest waves, whose decay time is 160 time units: these 8 members contain fewer than forty independent samples
# of each of them.

# %% [markdown]
# ## The theorem
#
# > **Generalized fluctuation-dissipation theorem.** Let a system be stationary with smooth density ρ. Kick it at time 0 by a small
# > $\delta u_j$. Then
# >
# > $$ R_{ij}(t) = \frac{\langle\delta u_i(t)\rangle}{\delta u_j(0)} = -\langle u_i(t)\,s_j(u(0))\rangle, \qquad s = \nabla\ln\rho, \tag{3, 4} $$
# >
# > where the average on the right is over the *unperturbed* system.
#
# The proof is that of lesson 00. Shifting the initial density by $\delta u_j$ changes it by
# $-\delta u_j\,\partial_j\rho = -\delta u_j\,s_j\,\rho$; the response is the average of $u_i(t)$ over this change. ([Lesson
# 01](01_score_and_response.ipynb) gives the proof in detail for a single variable; [2] is the classical review and [3] a modern one.) With
# the Gaussian score the theorem reads
#
# $$ R(t) = C(t)\,C(0)^{-1}: \tag{5} $$
#
# a system recovers from a kick as it recovers from its own fluctuations. In general $C(t)\,C(0)^{-1}$ is a product of 1024 × 1024 matrices.
# Translation invariance reduces it to *one division per wavevector*. This is the central idea of this lesson, in five lines, at lag 30:

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
# The function `respond` does the same for all lags at once and for any score, and it adds the band. (It computes the sum over origins by an
# FFT in time, padded with zeros so that large lags do not fold back onto small ones.)

# %%
gaussian = gfdt.respond(data, gfdt.GaussianScore.fit(data), lags=90.0)
analytic = gfdt.respond(data, system.score, lags=90.0)
figures.response_curves({"exact": exact, "analytic": analytic, "gaussian": gaussian})

# %% [markdown]
# How large are the errors? From here on we quote two numbers. At each lag, **L2** is the root of the *sum* over all pixels of the squared
# error, and **L∞** is the error at the worst pixel. We quote the root mean square of L2 over lags and the mean of L∞ over lags, both without
# lag 0. (For scale: a response is at most 1, and the sum has 1024 terms.)

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
# The letter shows **normalised** responses, $R(t)\,R(0)^{-1}$. In this form the analytic and the Gaussian response agree here to rounding,
# because a linear score cancels in the ratio. (The letter reports 0.012 and 0.013 in L2, from a longer recording.) The Gaussian response is
# already normalised, since its $R(0)$ is 1. The figures show the analytic response in its **raw** form, that is, as the average gives it.
#
# Both forms are correct within their bands. But note that the error of the raw response with the *exact* score is larger than the error with
# the covariance estimated from the data. This is not a paradox. The Gaussian estimate divides by the fluctuations that this recording happens
# to have: at lag 0 it is exact, and at short lags the errors of numerator and denominator largely cancel. The exact score divides by the
# expected fluctuations instead. In lesson 03 we shall compare a learned score with both.
#
# ## How fast does the error decrease?
#
# With $n$ independent snapshots and the exact score, the error of the average at lag 0 is
#
# $$ L_2^2 = \frac1n\,\frac1{N^2}\sum_k C_k\,\frac{1}{C_k} = \frac1n, $$
#
# whatever the spectrum. We check this with snapshots that are 500 time units apart and hence practically independent:

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
# ## Kick the field directly
#
# The dynamical response needs the equation, and no score. Take two twins with the same past and the same noise, raise one pixel of the first,
# lower the same pixel of the second, and compute $(u_+ - u_-)/2\delta$.
#
# In a *linear* system the noise is common to both twins and cancels in the difference, so a single pair gives the response to rounding. This
# settles the second bet. In the nonlinear fields of later lessons the pairs scatter, and tens of thousands of them are needed.

# %%
twins = gfdt.perturb(system, lags=90.0, pairs=16, seed=1)
print(
    f"largest difference between twins and closed form: {(twins.values - exact.values).abs().max():.1e}, rounding in single precision"
)
assert (twins.values - exact.values).abs().max() < 1e-5

# %% [markdown]
# ## Any kick
#
# The response to one pixel determines the response to any kick. The response is linear in the kick and the same everywhere in the box, so the
# response to a kick of any shape is a convolution, `response.to(pattern)`, which takes one multiplication per wavevector. The next figure
# shows it for a smooth bump, from the unperturbed data:

# %%
bump = gfdt.kick_pattern(grid, "bump", amplitude=1.0)
figures.response_maps(gaussian, lags=[0, 20, 40, 80], field=gaussian.to(bump))

# %% [markdown]
# ## Explore
#
# We begin with a static figure: a snapshot, the covariance of each wavevector, the mean response to a bump as a map at lag 20, and the same
# response 0, 2, 4 and 6 pixels downstream.

# %%
panels.explorer(views.Exploration(system, bump, lag=20.0))

# %% [markdown]
# The widget below shows the same figure with sliders. Everything is computed from the closed form and follows the sliders at once. The
# snapshot keeps its noise while the parameters change, so you see the same weather in a different climate. Try:
#
# * ε: which of the four panels change, and which do not?
# * κ to the right: what happens to the small scales of the spectrum, and to the height of the response?
# * A below zero, with the kick "plane wave": in which direction does it move, and how fast does it fade?
# * λ up: the response to the bump now has a negative ring. Where does it come from?

# %%
explorer = widgets.OrnsteinUhlenbeckExplorer(system)
explorer

# %%
explorer.controls["advection"].value = 0.05  # code moves the slider, to show that the panels follow
assert torch.allclose(explorer.view.answer, gfdt.exact_response(explorer.view.system).to(bump))
explorer.controls["advection"].value = system.advection

# %% [markdown]
# ## Beyond kicks: change a parameter
#
# The theorem says more. For *any* observable $A(u)$ and any small change $f(u)$ of the drift,
#
# $$ R_A(t) = \big\langle A(u(t))\,B(u(0))\big\rangle, \qquad B = -\nabla\!\cdot f - f\cdot s . $$
#
# The proof is again that of lesson 00. Let the change act for an instant, so that every state moves from $u$ to $u + \delta f(u)$.
# Probability is conserved under this motion, so ρ changes by $-\delta\,\nabla\!\cdot(f\rho)$. By the product rule and $\nabla\rho = s\,\rho$,
# this change is $\delta\,(-\nabla\!\cdot f - f\cdot s)\,\rho = \delta\,B\,\rho$. The states again receive new weights, now $1 + \delta B$,
# and $B$ takes the place of $-s_j$.
#
# A kick of pixel $j$ is the special case $f = e_j$, whose divergence is 0. The response to a lasting change of a *parameter* is the integral
# of $R_A$ over time. The unperturbed recording therefore tells us how the variance would change if λ were raised. For this we need
# $f = \partial(\text{drift})/\partial\lambda = -\Sigma u$:


# %%
def mean_square(u):
    return u.square().mean((-2, -1))


knob = system.drift_derivative("lam")  # the pair (f, ∇·f) for λ
predicted = gfdt.sensitivities(
    data, system.score, mean_square, {"lam": knob}, lags=100.0, form="raw"
)["lam"]

# %% [markdown]
# We compare the prediction with a closed form: after λ is raised by δλ, the variance of each wave relaxes to its new value at twice the decay
# rate of the wave.

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
    f"after {predicted.times[-1]:g}: predicted {predicted.values[-1]:.1f} ± {predicted.standard_error[-1]:.1f}; closed form {change[-1]:.1f}"
)
figures.observable_curves(
    {"exact": truth, "analytic": predicted}, "response of ⟨u²⟩ to a lasting change of λ", "d⟨u²⟩/dλ"
)

# %% [markdown]
# No simulation with a different λ was needed. The band is wide, because every wave of the field adds its noise to $B$, although only the
# large ones matter for $\langle u^2\rangle$. Lesson 12 shows how to make such predictions precise, for several parameters at once.

# %% [markdown]
# ## Exercises
#
# **02.1** By what factor does $\langle u^2\rangle$ increase when ε is doubled?

# %%
my_factor = None
check("02.1", my_factor)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
check("02.1", gfdt.OrnsteinUhlenbeck(epsilon=2 * system.epsilon).variance / system.variance)

# %% [markdown]
# **02.2** What is the decay time of the slowest wave, that is, the largest $-1/\mathrm{Re}\,L_k$? (Which wave is it? It is not $k = 0$.)

# %%
my_lifetime = None
check("02.2", my_lifetime)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
# λ/(1 + k²) decreases and κk² increases with k, so the rate has a minimum, at k² = (λ/κ)^½ − 1 ≈ 11.6.
# Among the integer wavevectors of the grid, k = (2, 3), with k² = 13, is the slowest.
lifetimes = -1 / system.rates.real
check("02.2", lifetimes.max())

# %% [markdown]
# **02.3** A colleague sends you `other`, a shorter recording of the same system. Compute its Gaussian response at lag 30, a tensor of shape
# (32, 32), *without* `respond`.

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
# **02.4** To what value does the curve of $d\langle u^2\rangle/d\lambda$ above settle after a very long time? Use `system.variance`, and
# compute the value to 1 %.

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
# The recordings are large, so we delete them.

# %%
del data, some, other, u_k, my_C_30
free_memory()

# %% [markdown]
# ## What this lesson does not show
#
# The Gaussian response is right here because the field has a Gaussian density. On a linear system *every* linear score, even a wrong one,
# gives the right response once this response is normalised to $R(0) = 1$. This field can therefore test code and calibrate error bars, but
# the normalised response cannot tell a good learned score from a bad one. Nor did we ask how to find out that a field is *not* Gaussian.
# Finally, translation invariance simplified the computation considerably; for data without it, full matrices are needed.
#
# ## Summary
#
# 1. Each wavevector of the field is an independent Ornstein-Uhlenbeck process. Spectrum, covariance, score and response are known in closed
#    form, and the simulation has no time discretisation error.
# 2. The theorem needs only the unperturbed recording and a score. With the Gaussian score the response is $C(t)\,C(0)^{-1}$, one division per
#    wavevector.
# 3. The sampling error is $1/\sqrt n$, as the bands show; kicked twins of a linear system agree with the closed form to rounding.
#
# **Next:** [03 · Score matching](03_score_matching.ipynb): the same response from a score that a network has learned.
#
# Numbers in square brackets, here [1], [2], [3], [7], [13], refer to [notation, glossary and references](notation_and_glossary.ipynb).
#
# *When you are done, free the memory: Kernel → Shut Down Kernel. On Binder, which has 2 GB, do so before you open another lesson.*
