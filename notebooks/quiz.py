# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Quiz: twenty questions
#
# **You will** find out what has stayed with you. Say each answer aloud before you unfold it; where a number answers, the folded cell has just computed it. **Time** 40 minutes. **Runs in** a few seconds.
# Words and symbols: [notation and glossary](notation_and_glossary.ipynb).
#
# Run all cells first (Run → Run All Cells): the answers stay folded.

# %%
import torch
from IPython.display import Markdown, display

import gfdt_tutorial as gfdt
from gfdt_tutorial.scores import diagnostics, steins_identity

system = gfdt.OrnsteinUhlenbeck()
grid = system.grid


def answer(text):
    display(Markdown(f"<details><summary>Answer</summary>\n\n{text}\n\n</details>"))


# %% [markdown]
# ## The theorem
#
# **1.** A recording shows $u(t)$. What does the theorem ask for that no recording shows directly? And over which system is its average taken, the kicked or the undisturbed?
#
# <details><summary>Answer</summary>
#
# The score $s = \nabla\ln\rho$ of the stationary density. The average $-\langle u_i(t)\,s_j(u(0))\rangle$ is over the *undisturbed* system: that is the point of it (lesson 00).
#
# </details>
#
# **2.** All members of an ensemble are kicked upwards at pixel $j$. Seen as an undisturbed ensemble with other weights, which states have become more likely?
#
# <details><summary>Answer</summary>
#
# Those with $s_j(u) < 0$, as the weights are $1 - \delta\,s_j$. A negative $s_j$ says that the density falls towards larger $u_j$: such states lie *above* where most of the states are, and that is where a kick upwards brings them
# (lesson 00).
#
# </details>
#
# **3.** One variable, $\rho(x) \propto e^{-V(x)/D}$ with the double well $V = (x^2-1)^2/4$. At how many places does the score vanish? What is $-\langle x\,s\rangle$, and how does it depend on the noise $D$?

# %% jupyter={"source_hidden": true} tags=["solution"]
x = torch.linspace(-4, 4, 80_001, dtype=torch.float64)
found = []
for D in (0.05, 0.1, 0.5):
    density = torch.exp(-((x**2 - 1) ** 2) / (4 * D))
    found.append(float(-(x * (x - x**3) / D * density).sum() / density.sum()))
answer(
    "At three: $s = (x - x^3)/D$ is 0 at the bottoms $\\pm1$ and on the ridge 0. $-\\langle x\\,s\\rangle = 1$ for every density that falls off, by parts; "
    f"by quadrature for D = 0.05, 0.1, 0.5: {', '.join(f'{value:.4f}' for value in found)} (lessons 01, 02)."
)

# %% [markdown]
# **4.** The same double well, $D = 0.1$, at $x = 1/2$. Which way does the true score point, and which way the Gaussian one, $-x/\langle x^2\rangle$?

# %% jupyter={"source_hidden": true} tags=["solution"]
density = torch.exp(-((x**2 - 1) ** 2) / 0.4)
variance = float((x**2 * density).sum() / density.sum())
answer(
    f"The true score is {(0.5 - 0.125) / 0.1:+.2f}, up and away from the ridge, to the bottom at 1. The Gaussian one is {-0.5 / variance:+.2f}, down to the mean, "
    "where hardly any state is. It knows the spread of the data, and not their shape (lessons 01, 04)."
)

# %% [markdown]
# ## The linear field
#
# **5.** The noise ε of the Ornstein-Uhlenbeck field is tripled. By which factors do $\langle u^2\rangle$, the score of one and the same field, and the response change?

# %% jupyter={"source_hidden": true} tags=["solution"]
loud = gfdt.OrnsteinUhlenbeck(epsilon=3 * system.epsilon)
u = gfdt.simulate(system, members=1, duration=1.0, seed=0, device="cpu").u[0, 0]
exact, same = (gfdt.exact_response(each, lags=90.0) for each in (system, loud))
answer(
    f"By {loud.variance / system.variance:.3g}, by {float(loud.score(u).norm() / system.score(u).norm()):.3g}, and not at all (largest difference "
    f"{float((same.values - exact.values).abs().max()):.1g}). A linear system answers a kick as it does, however much it fluctuates (lesson 02)."
)

# %% [markdown]
# **6.** How many pairs of twins are needed to measure the response of the Ornstein-Uhlenbeck field to three digits? Why not as many for the Allen-Cahn field?

# %% jupyter={"source_hidden": true} tags=["solution"]
twins = gfdt.perturb(system, lags=20.0, pairs=16, seed=0, device="cpu")
off = float((twins.parts[0] - exact.values[:21]).abs().max())
answer(
    f"One. The same noise drives both twins and drops out of their difference, if the equation is linear: by the first of {len(twins.parts)} pairs alone the largest error is {off:.0e}, rounding. "
    "In a nonlinear field the difference depends on the history of the pair, and pairs scatter (lessons 02, 04)."
)

# %% [markdown]
# **7.** Which wave of the Ornstein-Uhlenbeck field is forgotten last, and why is it not the longest one?

# %% jupyter={"source_hidden": true} tags=["solution"]
life = -1 / system.rates.real
where = float(grid.k_squared[life == life.max()][0]) ** 0.5
answer(
    f"One with $k$ = {where:.2f}, which lives for {float(life.max()):.0f} time units; $k = 0$ lives for {float(life[0, 0]):.0f}. Relaxation $\\lambda/(1+k^2)$ holds the large scales, "
    "diffusion $\\kappa k^2$ wears down the small ones, and the slowest are in between (lesson 02)."
)

# %% [markdown]
# ## Learning a score
#
# **8.** Denoising score matching at σ = 0.1, then at σ = 0.01. By which factor does the variance of the naive targets $-z/\sigma$ grow? Why do antithetic pairs not mind?

# %% jupyter={"source_hidden": true} tags=["solution"]
answer(
    f"By {(0.1 / 0.01) ** 2:.0f}. That noise is odd in $z$: averaged over $\\pm z$ it drops out, and what stays is $z\\cdot[s(x_+) - s(x_-)]/2\\sigma$, where the difference is itself of order σ (lesson 03)."
)

# %% [markdown]
# **9.** Somebody's learned score of a linear field is three times too large at every wavevector. What is $R(0)$ of the raw response? And of the normalised one, $R(t)R(0)^{-1}$, the letter's form: what is left of the mistake?

# %% jupyter={"source_hidden": true} tags=["solution"]
data = gfdt.simulate(system, members=16, duration=127.0, seed=0, device="cpu")
right, wrong = (
    gfdt.respond(data, lambda u, f=f: f * system.score(u), lags=30.0, resamples=2) for f in (1, 3)
)
gap = float((wrong.normalise().values - right.normalise().values).abs().max())
answer(
    f"$R(0)$ at the kicked pixel is {float(wrong.values[0, 0, 0]):.2f}, with the right score {float(right.values[0, 0, 0]):.2f}. Normalised, nothing is left of it: the two differ by {gap:.0e}. "
    "So a good normalised response on a linear field says nothing about the score (lesson 03)."
)

# %% [markdown]
# **10.** Pixels that are independent and sit near $+1$ or $-1$, half of them each, with a scatter of 0.2. The Gaussian score is fitted to them. Does it pass Stein's identity $-\langle u\,s\rangle = 1$? And the cubic one, $-\langle u^3 s\rangle = 3\langle u^2\rangle$?

# %% jupyter={"source_hidden": true} tags=["solution"]
rng = torch.Generator().manual_seed(0)
pixels = torch.randn(100_000, generator=rng).sign() + 0.2 * torch.randn(100_000, generator=rng)
score = -pixels / pixels.var()
answer(
    f"The first: yes, {float(-(pixels * score).mean()):.3f}; it does so for any data. The second: {steins_identity.cubic_stein(pixels, score):.2f} of what it should be. "
    f"For a Gaussian score and independent pixels it is a third of the kurtosis, here {diagnostics.kurtosis(pixels):.2f}: less than 3 for two phases (lessons 03, 04)."
)

# %% [markdown]
# **11.** Why must a network know the score at *all* noise levels to generate fields, when the theorem needs only that of clean data?
#
# <details><summary>Answer</summary>
#
# Generating starts from white noise, where no clean field ever is and a score of clean data is made up. It goes down through ever smaller noise, and at each level it needs the score of data with *that* noise. The theorem is averaged
# over fields of the recording, which is where the score of clean data was learned (lesson 03).
#
# </details>
#
# ## Two phases
#
# **12.** The Gaussian response of the Allen-Cahn field two pixels downstream is more than twice too large at lag 20, and that to a uniform kick some thirty times. What does the covariance mistake for what?

# %% jupyter={"source_hidden": true} tags=["solution"]
names = ("gaussian", "truth")
left = [float(gfdt.load_shipped(f"allen-cahn-{name}").values[20].double().sum()) for name in names]
answer(
    "The memory of the phases, which live for hundreds of time units, for the memory of a kick, which the well takes back at once. "
    f"Of a uniform kick {left[0]:.2f} is left after 20 time units by the Gaussian response, and {left[1]:.2f} by the truth (lesson 04)."
)

# %% [markdown]
# **13.** The formula (10) of the letter is the exact score of the Allen-Cahn field without advection. Advection only carries fields along, and yet with it the formula is not exact. Why?
#
# <details><summary>Answer</summary>
#
# On a grid, $u^3$ has wavenumbers that the grid cannot hold. They are folded back to others (*aliasing*), so that $\int u^3\,\partial_x u = 0$ no longer holds, and advection changes the density. A network that is trained on
# snapshots sees the density as it is (lesson 04).
#
# </details>
#
# **14.** Twins of the Allen-Cahn field, kicked at random signs: how many times as many pairs does it take at lag 80 as at lag 10 for the same standard error?

# %% jupyter={"source_hidden": true} tags=["solution"]
growth = gfdt.load_shipped("allen-cahn-truth").info["growth"]["mean"]
answer(
    f"{growth[80] / growth[10]:.0f} times: $\\langle|J|^2\\rangle$ is {growth[10]:.2f} at lag 10 and {growth[80]:.1f} at lag 80, and the standard error is $(\\langle|J|^2\\rangle/n)^{{1/2}}$ (lesson 04)."
)

# %% [markdown]
# ## Turbulence
#
# **15.** The spatial mean of the flow obeys $\dot{\bar u} = -\bar u + \bar\varsigma$, with a forcing that forgets itself in one time unit and that nobody recorded. What is its response at lag 1? What does the Gaussian recipe make of it, and what the *exact* score of $u$?

# %% jupyter={"source_hidden": true} tags=["solution"]
lag = torch.tensor(1.0)
names = ("truth", "gaussian", "generative")
of_mean = [float(gfdt.load_shipped(f"navier-stokes-{n}").values[16].double().sum()) for n in names]
answer(
    f"The response is $e^{{-1}}$ = {float(torch.exp(-lag)):.3f}. The Gaussian recipe gives $C(1)/C(0) = 2e^{{-1}}$ = {float((1 + lag) * torch.exp(-lag)):.3f}, "
    "as it takes the memory of the hidden forcing for that of the flow, and **the exact score of $u$ gives the same**. Three lines, with $\\bar s$ the derivative of $\\ln\\rho(u)$ by the mean: "
    "(1) $\\langle\\bar u(t)\\rangle$, given $\\bar u$ and $\\bar\\varsigma$ at lag 0, is $e^{-t}\\,\\bar u + t\\,e^{-t}\\,\\bar\\varsigma$. "
    "(2) $\\bar u$ stirs nothing and is stirred by $\\bar\\varsigma$ alone, so $\\bar s$ depends on $\\bar u$ only, and since no probability flows along $\\bar u$ in the stationary state, $\\langle\\bar\\varsigma\\,|\\,\\bar u\\rangle = \\bar u$. "
    "(3) With Stein's identity, $-\\langle\\bar u\\,\\bar s\\rangle = 1$ and hence $-\\langle\\bar\\varsigma\\,\\bar s\\rangle = 1$: together $-\\langle\\bar u(t)\\,\\bar s\\rangle = (1 + t)\\,e^{-t}$, whatever the density. "
    f"(Twins give {of_mean[0]:.3f}, the Gaussian score {of_mean[1]:.3f}, and the learned one, in its controlled form, {of_mean[2]:.3f}.) What is hidden cannot be learned from $u$, however well it is learned (lesson 05)."
)
assert abs(of_mean[2] - 2 * float(torch.exp(-lag))) < 0.02 < of_mean[2] - of_mean[0]

# %% [markdown]
# **16.** At which scales is the Gaussian response of the flow wrong, and why there?
#
# <details><summary>Answer</summary>
#
# At the small ones. (The mean is wrong for another reason, that of question 15, which no score of $u$ mends.) Fluctuations tend to lie along the streamlines, where the flow does not carry them off. A kick falls anywhere and is swept away, the sooner the smaller its scale.
# The covariance follows the former, the response the latter. So a score has to know the flow around each place, and a learned one can (lesson 05).
#
# </details>
#
# ## Errors
#
# **17.** A response is 0.020 in L2 from kicked twins. Their own noise accounts for 0.012 of this, and the scatter of the finite series for 0.010. How large is the error that the score makes?

# %% jupyter={"source_hidden": true} tags=["solution"]
answer(
    f"$(0.020^2 - 0.012^2 - 0.010^2)^{{1/2}}$ = {(0.020**2 - 0.012**2 - 0.010**2) ** 0.5:.4f}: squares add up, as the three are independent. More data to average over, or more twins, would not touch it (lesson 06)."
)

# %% [markdown]
# ## Your own data
#
# **18.** One run of your own, 400 snapshots, one a day, on a grid of 32 × 32. Which `axes` does `TimeSeries` want, and up to which lag can it be asked for a response? You have no exact score and no twins: what can you still check?

# %% jupyter={"source_hidden": true} tags=["solution"]
own = gfdt.TimeSeries(torch.randn(400, 32, 32), torch.arange(400.0), axes="tyx")
for lags in range(190, 210):
    try:
        own.steps(lags=float(lags))
    except ValueError as error:
        refused = error
        break
answer(
    f'`axes="tyx"`, and up to {lags - 1} days. Beyond it says: *{refused}*. Checks that need no truth: Stein\'s identity and the cubic one; the loss on data that training did not see; '
    "fields generated from the score against the data; the responses of two halves of the record, which should differ by no more than their standard errors allow (lessons 03, 07)."
)

# %% [markdown]
# ## Pushes and parameters
#
# **19.** A strong kick of the Allen-Cahn field, up and down: the even part of the answer vanishes within its error. Is the answer linear?
#
# <details><summary>Answer</summary>
#
# That does not follow. The field is as likely as its negative, so the answer to the opposite kick is the opposite answer, *however strong* the kick, and the even part vanishes by symmetry. Compare the size of the answer with what
# linear theory says: with a kick of size 2 it was about twice that (lesson 08). And where no departure is seen, quote the bound: it says how large a departure the test could have missed.
#
# </details>
#
# **20.** The speed $A$ of the Ornstein-Uhlenbeck field is raised a little, for good. What are $f$ and $\nabla\cdot f$? How much does $\langle u^2\rangle$ change in the end, and how much when λ is raised by 1 % instead?

# %% jupyter={"source_hidden": true} tags=["solution"]
f, divergence = system.drift_derivative("advection")
faster, firmer = (
    gfdt.OrnsteinUhlenbeck(advection=1.1 * system.advection),
    gfdt.OrnsteinUhlenbeck(lam=1.01 * system.lam),
)
answer(
    f"$f = -\\partial_x u$, and $\\nabla\\cdot f$ = {float(divergence(u)):.0f}. $\\langle u^2\\rangle$ changes by {faster.variance - system.variance:.1g}: carried along, a field fluctuates as much as at rest. "
    f"With λ up by 1 % it changes by {100 * (firmer.variance / system.variance - 1):.2f} %. The undisturbed recording knows both (lessons 02, 12)."
)

# %% [markdown]
# *When you are done, free the memory: Kernel → Shut Down Kernel. On Binder, with its 2 GB, do so before you open another lesson.*
