# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Quiz: twenty-four questions
#
# **You will** find out what you remember. Say each answer aloud before you unfold it; where the answer is a number, the folded cell has just computed it. **Time** 40 minutes. **Runs in** a few seconds.
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
# **1.** A recording shows $u(t)$. Which quantity does the theorem need that no recording shows directly? And over which system does it average, the kicked or the unperturbed one?
#
# <details><summary>Answer</summary>
#
# It needs the score $s = \nabla\ln\rho$ of the stationary density. The average $-\langle u_i(t)\,s_j(u(0))\rangle$ is over the *unperturbed* system, which is what makes the theorem useful (lesson 00).
#
# </details>
#
# **2.** All members of an ensemble are kicked upwards at pixel $j$. One can describe the result as the unperturbed ensemble with other weights. Which states have become more likely?
#
# <details><summary>Answer</summary>
#
# Those with $s_j(u) < 0$, as the weights are $1 - \delta\,s_j$. A negative $s_j$ means that the density decreases as $u_j$ grows: such states lie *above* most of the states, and that is where an upward kick brings them
# (lesson 00).
#
# </details>
#
# **3.** Consider one variable with $\rho(x) \propto e^{-V(x)/D}$ and the double well $V = (x^2-1)^2/4$. At how many places does the score vanish? What is $-\langle x\,s\rangle$, and how does it depend on the noise $D$?

# %% jupyter={"source_hidden": true} tags=["solution"]
x = torch.linspace(-4, 4, 80_001, dtype=torch.float64)
found = []
for D in (0.05, 0.1, 0.5):
    density = torch.exp(-((x**2 - 1) ** 2) / (4 * D))
    found.append(float(-(x * (x - x**3) / D * density).sum() / density.sum()))
answer(
    "It vanishes at three: $s = (x - x^3)/D$ is 0 at the minima $\\pm1$ and at the top of the barrier, 0. Integration by parts gives $-\\langle x\\,s\\rangle = 1$ for every density that falls off; "
    f"quadrature for D = 0.05, 0.1, 0.5 gives {', '.join(f'{value:.4f}' for value in found)} (lessons 01, 02)."
)

# %% [markdown]
# **4.** Take the same double well with $D = 0.1$, at $x = 1/2$. In which direction does the true score point, and in which the Gaussian one, $-x/\langle x^2\rangle$?

# %% jupyter={"source_hidden": true} tags=["solution"]
density = torch.exp(-((x**2 - 1) ** 2) / 0.4)
variance = float((x**2 * density).sum() / density.sum())
answer(
    f"The true score is {(0.5 - 0.125) / 0.1:+.2f} and points away from the barrier to the minimum at 1. The Gaussian one is {-0.5 / variance:+.2f} and points to the mean, "
    "where hardly any state is. It knows the variance of the data, but not the shape of their density (lessons 01, 04)."
)

# %% [markdown]
# ## The linear field
#
# **5.** The noise ε of the Ornstein-Uhlenbeck field is tripled. By which factors do $\langle u^2\rangle$, the score of a given field, and the response change?

# %% jupyter={"source_hidden": true} tags=["solution"]
loud = gfdt.OrnsteinUhlenbeck(epsilon=3 * system.epsilon)
u = gfdt.simulate(system, members=1, duration=1.0, seed=0, device="cpu").u[0, 0]
exact, same = (gfdt.exact_response(each, lags=90.0) for each in (system, loud))
answer(
    f"By {loud.variance / system.variance:.3g}, by {float(loud.score(u).norm() / system.score(u).norm()):.3g}, and not at all (largest difference "
    f"{float((same.values - exact.values).abs().max()):.1g}). The response of a linear system does not depend on how much it fluctuates (lesson 02)."
)

# %% [markdown]
# **6.** How many pairs of twins are needed to measure the response of the Ornstein-Uhlenbeck field to three digits? Why does the Allen-Cahn field need more?

# %% jupyter={"source_hidden": true} tags=["solution"]
twins = gfdt.perturb(system, lags=20.0, pairs=16, seed=0, device="cpu")
off = float((twins.parts[0] - exact.values[:21]).abs().max())
answer(
    f"One. The same noise drives both twins and, in a linear equation, cancels in their difference: with the first of {len(twins.parts)} pairs alone the largest error is {off:.0e}, which is rounding. "
    "In a nonlinear field the difference depends on the trajectory of the pair, and pairs scatter (lessons 02, 04)."
)

# %% [markdown]
# **7.** Which wave of the Ornstein-Uhlenbeck field decays most slowly, and why is it not the longest one?

# %% jupyter={"source_hidden": true} tags=["solution"]
life = -1 / system.rates.real
where = float(grid.k_squared[life == life.max()][0]) ** 0.5
answer(
    f"One with $k$ = {where:.2f}, which decays in {float(life.max()):.0f} time units; $k = 0$ decays in {float(life[0, 0]):.0f}. Relaxation $\\lambda/(1+k^2)$ damps the large scales, "
    "diffusion $\\kappa k^2$ damps the small ones, and the slowest are in between (lesson 02)."
)

# %% [markdown]
# ## Learning a score
#
# **8.** A score is learned by denoising score matching at σ = 0.1, then at σ = 0.01. By which factor does the variance of the naive targets $-z/\sigma$ grow? Why do antithetic pairs not suffer from this?

# %% jupyter={"source_hidden": true} tags=["solution"]
answer(
    f"By {(0.1 / 0.01) ** 2:.0f}. This noise is odd in $z$ and cancels in the average over $\\pm z$. The remaining term is $z\\cdot[s(x_+) - s(x_-)]/2\\sigma$, where the difference is itself of order σ (lesson 03)."
)

# %% [markdown]
# **9.** Somebody's learned score of a linear field is three times too large at every wavevector. What is $R(0)$ of the raw response? How much of the mistake remains in the normalised response, $R(t)R(0)^{-1}$, the letter's form?

# %% jupyter={"source_hidden": true} tags=["solution"]
data = gfdt.simulate(system, members=16, duration=127.0, seed=0, device="cpu")
right, wrong = (
    gfdt.respond(data, lambda u, f=f: f * system.score(u), lags=30.0, resamples=2) for f in (1, 3)
)
gap = float((wrong.normalise().values - right.normalise().values).abs().max())
answer(
    f"$R(0)$ at the kicked pixel is {float(wrong.values[0, 0, 0]):.2f}, and {float(right.values[0, 0, 0]):.2f} with the right score. Nothing of the mistake remains in the normalised response: the two differ by {gap:.0e}. "
    "A good normalised response of a linear field is therefore no evidence for a good score (lesson 03)."
)

# %% [markdown]
# **10.** Pixels are independent and lie near $+1$ or $-1$, half of them each, with a standard deviation of 0.2. A Gaussian score is fitted to them. Does it pass Stein's identity $-\langle u\,s\rangle = 1$? And the cubic one, $-\langle u^3 s\rangle = 3\langle u^2\rangle$?

# %% jupyter={"source_hidden": true} tags=["solution"]
rng = torch.Generator().manual_seed(0)
pixels = torch.randn(100_000, generator=rng).sign() + 0.2 * torch.randn(100_000, generator=rng)
score = -pixels / pixels.var()
answer(
    f"It passes the first, {float(-(pixels * score).mean()):.3f}, as it does for any data. The second gives {steins_identity.cubic_stein(pixels, score):.2f} of the correct value. "
    f"For a Gaussian score and independent pixels it is a third of the kurtosis, here {diagnostics.kurtosis(pixels):.2f}: less than 3 for two phases (lessons 03, 04)."
)

# %% [markdown]
# **11.** Why must a network know the score at *all* noise levels to generate fields, when the theorem needs only that of clean data?
#
# <details><summary>Answer</summary>
#
# Generation starts from white noise, far from any clean field, where the score of clean data was never learned. It proceeds through ever smaller noise, and at each level it needs the score of data with *that* noise. The theorem averages
# over fields of the recording, which is where the score of clean data was learned (lesson 03).
#
# </details>
#
# ## Two phases
#
# **12.** At lag 20, the Gaussian response of the Allen-Cahn field two pixels downstream is more than twice too large, and the Gaussian response to a uniform kick is some thirty times too large. What does the covariance mistake for what?

# %% jupyter={"source_hidden": true} tags=["solution"]
names = ("gaussian", "truth")
left = [float(gfdt.load_shipped(f"allen-cahn-{name}").values[20].double().sum()) for name in names]
answer(
    "It mistakes the memory of the phases, which live for hundreds of time units, for the memory of a kick, which the well pulls back at once. "
    f"After 20 time units the remaining fraction of a uniform kick is {left[0]:.2f} in the Gaussian response, and {left[1]:.2f} in the truth (lesson 04)."
)

# %% [markdown]
# **13.** Formula (10) of the letter is the exact score of the Allen-Cahn field without advection. Advection only carries fields along, and yet with advection the formula is not exact. Why?
#
# <details><summary>Answer</summary>
#
# On a grid, $u^3$ has wavenumbers that the grid cannot represent. They are folded back onto others (*aliasing*), so that $\int u^3\,\partial_x u = 0$ no longer holds, and advection changes the density. A network that is trained on
# snapshots learns the density as it is (lesson 04).
#
# </details>
#
# **14.** Twins of the Allen-Cahn field are kicked with random signs. How many times more pairs does lag 80 need than lag 10 for the same standard error?

# %% jupyter={"source_hidden": true} tags=["solution"]
growth = gfdt.load_shipped("allen-cahn-truth").info["growth"]["mean"]
answer(
    f"{growth[80] / growth[10]:.0f} times as many: $\\langle|J|^2\\rangle$ is {growth[10]:.2f} at lag 10 and {growth[80]:.1f} at lag 80, and the standard error is $(\\langle|J|^2\\rangle/n)^{{1/2}}$ (lesson 04)."
)

# %% [markdown]
# ## Turbulence
#
# **15.** The spatial mean of the flow obeys $\dot{\bar u} = -\bar u + \bar\varsigma$, with a forcing that loses its memory in one time unit and that nobody recorded. What is its response at lag 1? What does the Gaussian estimate give, and what the *exact* score of $u$?

# %% jupyter={"source_hidden": true} tags=["solution"]
lag = torch.tensor(1.0)
names = ("truth", "gaussian", "generative")
of_mean = [float(gfdt.load_shipped(f"navier-stokes-{n}").values[16].double().sum()) for n in names]
answer(
    f"The response is $e^{{-1}}$ = {float(torch.exp(-lag)):.3f}. The Gaussian estimate is $C(1)/C(0) = 2e^{{-1}}$ = {float((1 + lag) * torch.exp(-lag)):.3f}, "
    "because it mistakes the memory of the hidden forcing for that of the flow, and **the exact score of $u$ gives the same**. The proof takes three lines, with $\\bar s$ the derivative of $\\ln\\rho(u)$ with respect to the mean: "
    "(1) The mean of $\\bar u(t)$, given $\\bar u$ and $\\bar\\varsigma$ at lag 0, is $e^{-t}\\,\\bar u + t\\,e^{-t}\\,\\bar\\varsigma$. "
    "(2) $\\bar u$ affects nothing else and is driven by $\\bar\\varsigma$ alone, so $\\bar s$ depends on $\\bar u$ only. The probability flux along $\\bar u$ vanishes in the stationary state, hence $\\langle\\bar\\varsigma\\,|\\,\\bar u\\rangle = \\bar u$. "
    "(3) Stein's identity is $-\\langle\\bar u\\,\\bar s\\rangle = 1$, hence $-\\langle\\bar\\varsigma\\,\\bar s\\rangle = 1$, and together $-\\langle\\bar u(t)\\,\\bar s\\rangle = (1 + t)\\,e^{-t}$, whatever the density. "
    f"(Twins give {of_mean[0]:.3f}, the Gaussian score {of_mean[1]:.3f}, and the learned one, in its controlled form, {of_mean[2]:.3f}.) No training on $u$ alone can reveal what $u$ does not show (lesson 05)."
)
assert abs(of_mean[2] - 2 * float(torch.exp(-lag))) < 0.02 < of_mean[2] - of_mean[0]

# %% [markdown]
# **16.** At which scales is the Gaussian response of the flow wrong, and why there?
#
# <details><summary>Answer</summary>
#
# At the small scales. (The mean is wrong for another reason, that of question 15, which no score of $u$ can remove.) Fluctuations tend to lie along the streamlines, where the flow does not carry them away. A kick falls anywhere and is swept away, the sooner the smaller its scale.
# The covariance follows the fluctuations and the response follows the kick. A score therefore has to know the flow around each place, and a learned one can (lesson 05).
#
# </details>
#
# ## Errors
#
# **17.** A response is 0.020 in L2 from kicked twins. Their own noise accounts for 0.012 of this, and the sampling error of the finite series for 0.010. How large is the error of the score?

# %% jupyter={"source_hidden": true} tags=["solution"]
answer(
    f"$(0.020^2 - 0.012^2 - 0.010^2)^{{1/2}}$ = {(0.020**2 - 0.012**2 - 0.010**2) ** 0.5:.4f}: squares add up, as the three are independent. Averaging over more data, or more twins, would not change it (lesson 06)."
)

# %% [markdown]
# ## Your own data
#
# **18.** You have one run of your own, 400 snapshots, one per day, on a grid of 32 × 32. Which `axes` does `TimeSeries` need, and up to which lag can you ask for a response? You have no exact score and no twins: what can you still check?

# %% jupyter={"source_hidden": true} tags=["solution"]
own = gfdt.TimeSeries(torch.randn(400, 32, 32), torch.arange(400.0), axes="tyx")
for lags in range(190, 210):
    try:
        own.steps(lags=float(lags))
    except ValueError as error:
        refused = error
        break
answer(
    f'`axes="tyx"`, and up to {lags - 1} days. Beyond that the package says: *{refused}*. Checks that need no truth: Stein\'s identity and the cubic one; the loss on data that training did not see; '
    "fields generated from the score against the data; the responses of two halves of the record, which should differ by no more than their standard errors allow (lessons 03, 07)."
)

# %% [markdown]
# **19.** A series of a single number may have hidden memory. How can the data tell, without a truth? If they show hidden memory, which response is right?
#
# <details><summary>Answer</summary>
#
# Give the score an earlier sample, $s(u(t)\,|\,u(t - d))$, and compare the response $\tilde R$ with $R$. In a Markov series $u(t + \tau)$ depends on the past only through $u(t)$, and the two agree for every $d$. If they differ, the earlier sample carries information about a hidden variable.
# Then the response depends on what the kick holds fixed, and the data alone cannot tell which response a given kick has: for the mean of the flow, neither is $e^{-t}$, the response with the forcing held (lesson 07).
#
# </details>
#
# ## Forcings and parameters
#
# **20.** The Allen-Cahn field gets a strong kick, up and down, and the even part of the response vanishes within its standard error. Is the response linear?
#
# <details><summary>Answer</summary>
#
# This does not follow. The field is as likely as its negative, so the response to the opposite kick is the opposite response, *however strong* the kick, and the even part vanishes by symmetry. Compare the size of the response with the linear
# prediction: for a kick of size 2 it was about twice as large (lesson 08). Where no departure is seen, quote the bound: it says how large a departure the test could have missed.
#
# </details>
#
# **21.** The speed $A$ of the Ornstein-Uhlenbeck field is raised a little and stays so. What are $f$ and $\nabla\cdot f$? How much does $\langle u^2\rangle$ change in the end, and how much if λ is raised by 1 % instead?

# %% jupyter={"source_hidden": true} tags=["solution"]
f, divergence = system.drift_derivative("advection")
faster, firmer = (
    gfdt.OrnsteinUhlenbeck(advection=1.1 * system.advection),
    gfdt.OrnsteinUhlenbeck(lam=1.01 * system.lam),
)
answer(
    f"$f = -\\partial_x u$, and $\\nabla\\cdot f$ = {float(divergence(u)):.0f}. $\\langle u^2\\rangle$ changes by {faster.variance - system.variance:.1g}: an advected field fluctuates as much as one at rest. "
    f"With λ up by 1 % it changes by {100 * (firmer.variance / system.variance - 1):.2f} %. The unperturbed recording contains both (lessons 02, 12)."
)

# %% [markdown]
# ## Many variables
#
# **22.** Two indices $x_1$ and $x_2$ are strongly correlated at lag one, both ways. In the matrix of responses, $R_{12}$ and $R_{21}$ at lag one vanish within their standard errors. What has happened? Could it be the other way round, with responses that show a link where there is none?
#
# <details><summary>Answer</summary>
#
# Most likely they have a common cause, or a go-between, among the recorded variables. $x_1$ tells something about the cause, and so about $x_2$ later, but given all the others today, $x_2$ itself among them, it tells nothing more. (Or the data are too few: no link found is not no link.) If the cause is *not* recorded, the responses show links between $x_1$ and $x_2$,
# too: the score is then that of a marginal density, and answers for a push that moves the hidden cause along. Without further assumptions the two series alone cannot tell (lesson 13).
#
# </details>
#
# **23.** With twelve variables you test every ordered pair, 132 of them, for a link at each of twenty lags, and call a pair linked if it is significant at 1 % at *any* lag. About how many of the unlinked pairs will you call linked, if the tests are independent? What should you do instead?

# %% jupyter={"source_hidden": true} tags=["solution"]
answer(
    f"Each unlinked pair is called linked with a chance of $1 - 0.99^{{20}}$ = {1 - 0.99**20:.2f}: of 132 pairs without links that is {132 * (1 - 0.99**20):.0f}. (Neighbouring lags are correlated, so in practice it is somewhat less.) "
    "Decide beforehand on one number for each pair, the response at the first lag or its sum over all lags, and bound the false discovery rate over the pairs (lesson 13)."
)

# %% [markdown]
# **24.** For 32 latitudes of a channel the responses to a kick of a single latitude are noise, and those to a bump with a standard deviation of three latitudes are good to one per cent. The data are the same. Why? What would ten times as many data do for the former?
#
# <details><summary>Answer</summary>
#
# The variance of the weight $B = p^\top C^{-1}u$ is $p^\top C^{-1}p$. A kick of one latitude contains shapes across the channel that the data hardly ever show, whose variance in $C$ is tiny, and so contributes enormously; a wide kick contains hardly any of them. Ten times as many data reduce the error by a factor of three only. Kick wide shapes, or stay within the principal components and
# look at how much of the kick lies outside (lesson 13).
#
# </details>

# %% [markdown]
# *When you are done, free the memory: Kernel → Shut Down Kernel. On Binder, with its 2 GB, do so before you open another lesson.*
