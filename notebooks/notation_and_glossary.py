# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Notation, glossary and references
#
# **You will** look things up: what a symbol stands for, on paper and in the code; what a word means here; where to read more. This is not a lesson; every lesson points to it. **Time** 10 minutes.
# **Runs in** a few seconds.

# %% [markdown]
# ## Conventions
#
# These are the conventions as the package states them:

# %%
import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial.core.spectra import mode_covariance, shell_average

print(gfdt.__doc__.split(">>>")[0].rstrip())

# %% [markdown]
# ## Notation
#
# In the third column, `response` is what `gfdt.respond` returns and `truth` what `gfdt.perturb` returns.
#
# | symbol | meaning | in the code | lesson |
# |---|---|---|---|
# | $u$, $u_i$ | a field; its value at pixel $i$ | `data.u`, shape (member, time, y, x) | 00 |
# | $N$ | pixels per side, 32; $N^2$ of them | `grid.shape`, `grid.size` | 02 |
# | $\langle\,\cdot\,\rangle$ | average over the unperturbed, stationary system | | 00 |
# | $\rho(u)$ | stationary probability density of fields | | 00 |
# | $s = \nabla \ln\rho$ | score, $s_j = \partial \ln\rho/\partial u_j$: a field as well | `score(u)` | 00 |
# | $C(t)$ | covariance between pixels, $\langle u_i(t)\,u_j(0)\rangle$, mean removed | `system.covariance(lags)` | 00 |
# | $R(t)$, $R_{ij}(t)$ | mean response of pixel $i$ to a unit kick of pixel $j$ a time $t$ earlier | `response.values`, (lag, y, x) | 00 |
# | $R_{11}, R_{31}, R_{51}, R_{71}$ | the same 0, 2, 4, 6 pixels downstream, in the letter's numbering | `response.along(2)` | 00 |
# | $G(t)$ | Gaussian response, $C(t)\,C(0)^{-1}$ | `gfdt.GaussianScore.fit(data)` | 00 |
# | $\hat R$, $\hat T$, $R_s$ | estimated response; estimated truth; infinite-data limit of the response with one score | `response`, `truth` | 06 |
# | $\tilde R$ | response with an earlier sample held fixed | `hidden_memory(data).held` | 07 |
# | $\hat u_k$ | Fourier coefficient of $u$ at the wavevector $k = (k_x, k_y)$, unnormalised | `grid.rfft(u)` | 02 |
# | $C_k$ | spectrum, $\langle\lvert\hat u_k\rvert^2\rangle/N^2$, an eigenvalue of $C(0)$; as an operator, $Q$ | `system.mode_covariance` | 02 |
# | $R_k(t)$ | Fourier transform of $R(t)$ over displacements | `grid.rfft(response.values)` | 02 |
# | $L_k$ | complex rate of the linear field: $R_k(t) = e^{L_k t}$ | `system.rates` | 02 |
# | $\Delta$, $\Sigma = (1-\Delta)^{-1}$ | Laplacian, $-k^2$; smoothing, $1/(1+k^2)$ | `grid.laplacian`, `grid.inverse_helmholtz` | 02 |
# | $A$, κ, λ, α | advection along $+x$; diffusivity; relaxation rate; strength of the double well | `advection`, `kappa`, `lam`, `alpha` | 02, 04 |
# | ν, $\nu_h$, $\nu_0$ | damping of the smallest eddies ($\nu\Delta^2$), of the largest ($\nu_h\Delta^{-2}$), of the spatial mean, $(2\pi)^{-2}$ | `nu`, `nu_h` | 05 |
# | ε, ξ | strength of the noise; space-time white noise | `epsilon` | 02 |
# | ψ, ς, φ | stream function; forcing; the hidden phases of its waves | `data.context` holds ς | 05 |
# | σ | standard deviation of noise that is *added to data* to learn a score | `sigma` | 03 |
# | $w$, $z$, $x_\pm$ | a data point (whitened in the network); white noise of variance 1; $w \pm \sigma z$ | | 03 |
# | $J$ | response of one pair of twins, $\delta u(t)/\delta u(0)$: one column of the propagator, along one trajectory | `truth.info["growth"]` | 04 |
# | $p$, $f(t)$ | pattern of a kick; time profile of a forcing | `response.to(p, f)` | 08 |
# | $f$, $\nabla\!\cdot f$, $B$ | change of the drift, its divergence; $B = -\nabla\!\cdot f - f\cdot s$ | `system.drift_derivative("lam")` | 02, 12 |
# | $T_A(t)$, $K(t)$ | regression hypothesis for one observable; regression of all observables on themselves | `gfdt.regression` | 12 |
# | L2, L∞ | root of the sum of squared errors over pixels; largest error at any pixel | `gfdt.compare(response, truth)` | 02 |
# | hats and bars | $\hat u$: Fourier coefficient; $\hat R$: estimate; $\bar u$: spatial mean | | |
#
# Some letters have two meanings: $x$ is a place in lessons 02 to 08 and a noisy data point in lesson 03; $f(t)$ is a time profile in lesson 08, and $f(u)$ a change of the drift in 02 and 12; $s$ is a score, and in an integral over time a lag; $A$ is the advection, and an observable in 01 and 12; $\rho$ is a density, and with an index or a time an autocorrelation in 07 and 12; $h$ is a hill in 01 and a step of the integrator in 07.

# %% [markdown]
# The table can be checked against the code. A spectrum is a mean square over $N^2$, and its mean is the variance of a pixel:

# %%
system = gfdt.OrnsteinUhlenbeck()
grid, C_k = system.grid, system.mode_covariance
data = gfdt.simulate(system, members=64, duration=200.0, every=5.0, seed=0, device="cpu")
by_hand = grid.rfft(data.u).abs().square().mean((0, 1)) / grid.size
assert torch.allclose(by_hand.double(), mode_covariance(grid, data.u), rtol=1e-4)
shell = shell_average(grid, by_hand / C_k)[1]
print(f"measured over C_k by shell: from {shell.min():.2f} to {shell.max():.2f}")
print(f"mean of C_k {grid.trace(C_k) / grid.size:.4f}, ⟨u²⟩ {system.variance:.4f}")
assert (shell - 1).abs().max() < 0.1

# %% [markdown]
# A response is 1 at displacement 0 and lag 0, and moves along $+x$. The Gaussian score is $-C(0)^{-1}u$, per wavevector $-\hat u_k/C_k$, and is the analytic score of this field:

# %%
exact = gfdt.exact_response(system, lags=90.0)
assert exact.values[0, 0, 0] == exact.values[0].sum() == 1
pixels = system.advection * 60 / (grid.lengths[-1] / grid.shape[-1])
print(
    f"after 60 the kick is at displacement {int(exact.values[60, 0].argmax())}; A t is {pixels:.1f} pixels"
)
u = data.u[0, 0]
assert torch.allclose(system.score(u), grid.irfft(-grid.rfft(u) / C_k).float(), atol=1e-4)

# %% [markdown]
# `respond` computes $-\langle u_i(t)\,s_j(0)\rangle$, averaged over places as well; its normalised form is $R(t)\,R(0)^{-1}$, one division per wavevector; and the quoted errors are those of the table:

# %%
answer = gfdt.respond(data, system.score, lags=90.0)
s_k, u_k = grid.rfft(system.score(data.u)), grid.rfft(data.u - data.u.mean())
at_10 = grid.irfft(-(u_k[:, 2:] * s_k[:, :-2].conj()).mean((0, 1)) / grid.size).float()
assert torch.allclose(answer.values[2], at_10, atol=2e-3)
ratio = grid.irfft(grid.rfft(answer.values) / grid.rfft(answer.values[:1]))
assert torch.allclose(answer.normalise().values, ratio, atol=1e-4)
error = (answer.values - exact.values[::5])[1:].double()  # lag 0 left out
quoted = gfdt.compare(answer, exact).quoted
print(f"L2 {quoted['l2']:.4f}, L∞ {quoted['linf']:.4f}")
assert abs(quoted["l2"] - error.square().sum((1, 2)).mean().sqrt()) < 1e-6
assert abs(quoted["linf"] - error.abs().amax((1, 2)).mean()) < 1e-6

# %% [markdown]
# ## Glossary
#
# | word | what it means here | lesson |
# |---|---|---|
# | **analytic** | of a response: computed with the exact formula of the score, where there is one | 02 |
# | **antithetic pairs** | noise used twice, with both signs, so that terms odd in the noise cancel in the loss | 03 |
# | **band** | a pointwise confidence interval for the infinite-data limit of the response with *this score*, at the level `confidence` (90 %). It contains the sampling error and does not account for a wrong score | 00 |
# | **bootstrap** | resampling of blocks of the data with replacement, to find how much the response would differ from one recording to the next [14, 15] | 00, 06 |
# | **bound** | of a departure that is not seen: a limit made by a procedure which exceeds the true departure in 95 % of repetitions. It says how large a departure the test could have missed | 08 |
# | **combined** | of a response: $\langle\nabla\hat m_t\rangle - \langle[u(t) - \hat m_t]\,\hat s\rangle$, with a forecast $\hat m_t$ beside the score, by `forecast=`; the errors of the two multiply. One of four forms, beside *raw*, *normalised* and *controlled* [24, 25] | 15 |
# | **common cause, go-between** | a variable that drives two others; one that is driven by the first and drives the second. Both make correlations without a direct link | 13 |
# | **condition number** | of a covariance: its largest variance over its smallest, in any direction. The noise of a response to a kick in the weakest direction grows as its square root | 13 |
# | **confidence interval** | an interval made from data by a procedure which covers the true value in a stated fraction of *repetitions* (90 %), each with its own data. The truth is fixed and the interval varies: it is not a statement on how probable the truth is | 00, 01 |
# | **context** | what is given to a score beside $u$: hidden forcing, where it was recorded. Such a score is *conditioned* | 05 |
# | **control variate** | a noisy quantity of known mean whose noise resembles that of an estimate; its deviation from that mean corrects the estimate. Here it is $[1 - R(0)]\,G(t)$, whose mean is zero by Stein's identity if the score is right | 04, 12 |
# | **controlled** | of a response: $R(t) + [1 - R(0)]\,G(t)$, with the Gaussian response $G(t) = C(t)\,C(0)^{-1}$, by `form="controlled"`; $R(0) = 1$ then holds by construction, and there is less noise. One of four forms, beside *raw*, *normalised* and *combined* | 04 |
# | **cross-fitting** | what is learned from one half of the data is averaged over the other half only, and the other way round [25] | 15 |
# | **degrees of freedom** | of a standard error: number of independent groups of data behind it, less one (`dof`). Few of them widen the band | 00 |
# | **denoising score matching** | learning a score as a least-squares fit: predict the noise that was added to the data [10] | 03 |
# | **drift** | the part of an equation of motion that is not noise | 02 |
# | **dynamical** | of a response: measured with kicked twins. Also *the truth* | 00 |
# | **ensemble, member** | independent runs of the same system; one of them | 00 |
# | **even part** | the part of a response that an opposite kick or forcing does not reverse: half the sum of the two responses. Zero in the linear regime | 08 |
# | **false discovery rate** | the fraction of the links called present that are false, on average over repetitions | 13 |
# | **forecast** | $m_t(u) = E[u(t)\,\vert\,u(0) = u]$, the mean of the later field given the present one, by least squares; its mean Jacobian is a response | 15 |
# | **forcing** | a change of the drift that lasts, $f(t)\,p$, with a pattern and a time profile. Of the flow: the waves that stir it | 05, 08 |
# | **Gaussian** | of a score: $-C(0)^{-1}(u - \langle u\rangle)$; of a response: computed with it, $C(t)\,C(0)^{-1}$ | 00 |
# | **generalized fluctuation-dissipation theorem** | $R_{ij}(t) = -\langle u_i(t)\,s_j(u(0))\rangle$, and the same for any observable and any small change of the drift [2, 3] | 00, 02 |
# | **generative** | of a response: computed with a learned score | 00 |
# | **hidden forcing** | forcing with a memory which the recording does not show. Even the exact score of $u$ then gives a wrong response: for the mean of the flow $-\langle\bar u(t)\,\bar s\rangle = (1 + t)\,e^{-t}$ exactly, where $\bar s$ is the derivative of $\ln\rho(u)$ with respect to the mean, while the true response is $e^{-t}$ | 05 |
# | **hidden memory** | the future depends on more than the present value of what was recorded (the series is not Markov). The response then depends on what else a kick holds fixed; the test compares $R$ with $\tilde R$, for which the score is given an earlier sample | 07 |
# | **infinite-data limit** | the value to which an estimate converges as the series grows, with the same score | 06 |
# | **Itô calculus** | in $du = \ldots + \ldots dW$ the noise of a step is independent of the state before it; products of that state with the noise have mean zero | |
# | **kick** | a change of the field at one instant | 00 |
# | **kurtosis** | $\langle v^4\rangle/\langle v^2\rangle^2$, $v = u - \langle u\rangle$; 3 for a Gaussian, less for two phases, more for intermittent fields | 03 |
# | **lag; origin** | time from the kick to the response; the instant in the recording that plays the part of the kick | 00 |
# | **level** | of a band (`confidence`): the fraction of repetitions in which it covers the true value. Of noise: σ. A score that knows all noise levels can generate | 00, 03 |
# | **linear regime** | kicks so small that the mean response is proportional to them | 08 |
# | **link** | $j \to i$: the mean change of $u_i$ in one step depends on $u_j$. Not every response at a finite lag is one: it may go through a third variable | 13 |
# | **naive loss** | the textbook form of denoising score matching; noise of variance $1/\sigma^2$ | 03 |
# | **normalised** | of a response: $R(t)\,R(0)^{-1}$ per wavevector, the letter's form, by `form="normalised"`. It corrects wrong amplitudes, and hides that they were wrong. One of four forms, beside *raw*, *controlled* and *combined* | 02, 03 |
# | **Nyquist wavenumber** | that of the shortest wave on a grid, two pixels long; this wave has no direction to travel in | 00, 05 |
# | **observable** | any function of the field whose mean is of interest, such as $\langle u^2\rangle$ | 02 |
# | **p-value** | the chance of an estimate at least as far from zero, if the true value is zero | 13 |
# | **phase** | of the Allen-Cahn field: where $u$ is about $+1$, or $-1$. Of a forcing wave: φ | 04, 05 |
# | **power** | the chance that a link which exists is found. Few data have little | 13 |
# | **preset** | the size of an experiment: `tiny`, `quick`, `standard`, `paper` | 00 |
# | **principal components** | the amplitudes of the patterns that carry most of the variance (empirical orthogonal functions) | 13 |
# | **raw** | of a response: $-\langle u_i(t)\,s_j(0)\rangle$ as the average gives it, by `form="raw"`. One of four forms, beside *normalised*, *controlled* and *combined* | 02, 03 |
# | **projected** | of a response of observables: $B$ plus the combination of known functions $\varphi$ that makes every $\langle\varphi B\rangle = \langle f\cdot\nabla\varphi\rangle$ exact, by `form="projected"` | 13 |
# | **regression hypothesis** | after a small change, observables relax as their own fluctuations do (Onsager [19]). `form="shrunk"` departs from it only as far as the data show | 12 |
# | **ringing** | oscillations around zero near a jump that contains the shortest waves of the grid, once it has been carried by a fraction of a pixel | 00 |
# | **rung** | of the ladder of scores for unlike variables: Gaussian, polynomial, network. Held-out data choose it | 13 |
# | **score** | $\nabla\ln\rho$: the direction in which fields become likelier, and how fast | 00 |
# | **shell** | all wavevectors of about the same length | 02 |
# | **shipped, precomputed** | made once, with the command that a lesson prints, and kept in the package with its hash | 04 |
# | **snapshot** | the field of one member at one time | 00 |
# | **spectrum** | $C_k$ as a function of $k$: how much of the variance is at which scale | 02 |
# | **spin-up** | the time that a simulation runs before recording starts, until it is stationary | 04 |
# | **standard error** | standard deviation of an estimate over repetitions; of a response, from the bootstrap | 00 |
# | **stationary** | with statistics that do not change in time. The theorem requires it | 02 |
# | **Stein's identity** | $\langle u_i s_j\rangle = -\delta_{ij}$, for the score of any density that falls off [13]. Necessary, not sufficient: the Gaussian score always passes | 02 |
# | **time profile** | how a forcing depends on time, $f(t)$ | 08 |
# | **truth** | the best known response: a closed form, or many twins. Twins leave noise, and errors are *corrected* for it by means of their independent parts | 04, 06 |
# | **twins, pairs** | two runs with the same past and the same noise, of which one is kicked, or both in opposite directions | 00, 02 |
# | **unlike variables, components** | variables with units and memories of their own, such as climate indices or principal components; the axis `c` of a series | 13 |
# | **validation loss** | the loss on data that training does not see. Compare it with the training loss of the *same* weights, here those averaged over the last steps | 03 |
# | **W1 distance** | of two densities in one dimension: the mean distance between equal quantiles | 03 |
# | **whitened** | of a field: divided by $C_k^{1/2}$ per wavevector, so that all scales have the same variance. Of unlike variables: multiplied by $C^{-1/2}$, so that their covariance is the unit matrix | 05, 13 |

# %% [markdown]
# ## References
#
# [1] L. T. Giorgini, K. Deck, T. Bischoff, A. N. Souza, *Response theory via generative score modeling*, Phys. Rev. Lett. **133**, 267302 (2024), [doi:10.1103/PhysRevLett.133.267302](https://doi.org/10.1103/PhysRevLett.133.267302), [arXiv:2402.01029](https://arxiv.org/abs/2402.01029). "The letter".
#
# *Response theory*
#
# [2] R. Kubo, *The fluctuation-dissipation theorem*, Rep. Prog. Phys. **29**, 255 (1966), [doi:10.1088/0034-4885/29/1/306](https://doi.org/10.1088/0034-4885/29/1/306).
#
# [3] U. Marini Bettolo Marconi, A. Puglisi, L. Rondoni, A. Vulpiani, *Fluctuation-dissipation: response theory in statistical physics*, Phys. Rep. **461**, 111 (2008), [doi:10.1016/j.physrep.2008.02.002](https://doi.org/10.1016/j.physrep.2008.02.002), [arXiv:0803.0719](https://arxiv.org/abs/0803.0719).
#
# [4] F. C. Cooper, P. H. Haynes, *Climate sensitivity via a nonparametric fluctuation-dissipation theorem*, J. Atmos. Sci. **68**, 937 (2011), [doi:10.1175/2010JAS3633.1](https://doi.org/10.1175/2010JAS3633.1). The density is estimated by kernels, in a few dimensions.
#
# [5] D. Ruelle, *General linear response formula in statistical mechanics, and the fluctuation-dissipation theorem far from equilibrium*, Phys. Lett. A **245**, 220 (1998), [zbMATH 0940.82035](https://zbmath.org/?q=an%3A0940.82035). For densities that are not smooth.
#
# [6] L. T. Giorgini, F. Falasca, A. N. Souza, *Predicting forced responses of probability distributions via the fluctuation-dissipation theorem and generative modeling*, PNAS (2025), [doi:10.1073/pnas.2509578122](https://doi.org/10.1073/pnas.2509578122), [arXiv:2504.13333](https://arxiv.org/abs/2504.13333). Later work of the letter's authors.
#
# *The systems*
#
# [7] G. E. Uhlenbeck, L. S. Ornstein, *On the theory of the Brownian motion*, Phys. Rev. **36**, 823 (1930), [doi:10.1103/PhysRev.36.823](https://doi.org/10.1103/PhysRev.36.823).
#
# [8] S. M. Allen, J. W. Cahn, *A microscopic theory for antiphase boundary motion and its application to antiphase domain coarsening*, Acta Metall. **27**, 1085 (1979), [doi:10.1016/0001-6160(79)90196-2](https://doi.org/10.1016/0001-6160%2879%2990196-2).
#
# *Scores, learned and used*
#
# [9] A. Hyvärinen, *Estimation of non-normalized statistical models by score matching*, J. Mach. Learn. Res. **6**, 695 (2005), [jmlr.org](https://jmlr.org/papers/v6/hyvarinen05a.html).
#
# [10] P. Vincent, *A connection between score matching and denoising autoencoders*, Neural Comput. **23**, 1661 (2011), [doi:10.1162/NECO_a_00142](https://doi.org/10.1162/NECO_a_00142).
#
# [11] Y. Song, J. Sohl-Dickstein, D. P. Kingma, A. Kumar, S. Ermon, B. Poole, *Score-based generative modeling through stochastic differential equations*, ICLR 2021, [arXiv:2011.13456](https://arxiv.org/abs/2011.13456).
#
# [12] B. D. O. Anderson, *Reverse-time diffusion equation models*, Stoch. Process. Appl. **12**, 313 (1982), [doi:10.1016/0304-4149(82)90051-5](https://doi.org/10.1016/0304-4149%2882%2990051-5).
#
# *Statistics and numerics*
#
# [13] C. M. Stein, *Estimation of the mean of a multivariate normal distribution*, Ann. Statist. **9**, 1135 (1981), [doi:10.1214/aos/1176345632](https://doi.org/10.1214/aos/1176345632).
#
# [14] B. Efron, *Bootstrap methods: another look at the jackknife*, Ann. Statist. **7**, 1 (1979), [doi:10.1214/aos/1176344552](https://doi.org/10.1214/aos/1176344552).
#
# [15] H. R. Künsch, *The jackknife and the bootstrap for general stationary observations*, Ann. Statist. **17**, 1217 (1989), [doi:10.1214/aos/1176347265](https://doi.org/10.1214/aos/1176347265).
#
# [16] G. Strang, *On the construction and comparison of difference schemes*, SIAM J. Numer. Anal. **5**, 506 (1968), [doi:10.1137/0705041](https://doi.org/10.1137/0705041).
#
# [17] D. P. Kingma, J. Ba, *Adam: a method for stochastic optimization*, ICLR 2015, [arXiv:1412.6980](https://arxiv.org/abs/1412.6980).
#
# [18] L. T. Giorgini, T. Bischoff, A. N. Souza, *KGMM: a k-means clustering approach to Gaussian mixture modeling for score function estimation*, [arXiv:2503.18054](https://arxiv.org/abs/2503.18054) (2025). A score without a network, in a few
# dimensions.
#
# *Responses to parameters*
#
# [19] L. Onsager, *Reciprocal relations in irreversible processes. II*, Phys. Rev. **38**, 2265 (1931), [doi:10.1103/PhysRev.38.2265](https://doi.org/10.1103/PhysRev.38.2265). The regression hypothesis: a small perturbation relaxes as a fluctuation does.
#
# [20] L. T. Giorgini, T. Bischoff, A. N. Souza, *Statistical parameter calibration with the generalized fluctuation dissipation theorem and generative modeling*, [arXiv:2509.19660](https://arxiv.org/abs/2509.19660) (2025). Parameters calibrated with the slopes that the theorem gives.
#
# [21] W. James, C. Stein, *Estimation with quadratic loss*, Proc. Fourth Berkeley Symp. Math. Statist. Prob. **1**, 361 (1961). Why shrinkage reduces the error of noisy estimates.
#
# *Data of others*
#
# [22] E. N. Lorenz, *Predictability: a problem partly solved*, ECMWF Seminar on Predictability **1**, 1 (1996). The ring of lesson 07.
#
# [23] A. Majda, R. Abramov, M. Grote, *Information Theory and Stochastics for Multiscale Nonlinear Systems*, AMS (2005). The theorem on that ring, with Gaussian and other scores.
#
# *Averages of derivatives*
#
# [24] W. K. Newey, T. M. Stoker, *Efficiency of weighted average derivative estimators and index models*, Econometrica **61**, 1199 (1993). The mean derivative of a regression, which a response is.
#
# [25] V. Chernozhukov and others, *Double/debiased machine learning for treatment and structural parameters*, The Econometrics Journal **21**, C1 (2018). Cross-fitting, and estimates whose errors are products.
#
# [26] F. Falasca, P. Perezhogin, L. Zanna, *Data-driven dimensionality reduction and causal inference for spatiotemporal climate fields*, Phys. Rev. E **109**, 044202 (2024), [arXiv:2306.14433](https://arxiv.org/abs/2306.14433). Links from responses; the chain of lesson 13.
#
# [27] Y. Benjamini, Y. Hochberg, *Controlling the false discovery rate: a practical and powerful approach to multiple testing*, J. R. Stat. Soc. B **57**, 289 (1995). How many of the discoveries may be false.
#
# *When you are done, free the memory: Kernel → Shut Down Kernel. On Binder, with its 2 GB, do so before you open another lesson.*
