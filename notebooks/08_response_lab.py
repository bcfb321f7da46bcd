# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 08 · The response lab
#
# **You will** kick any of the three fields with a pattern of your own, force it with a time profile of your own, see at once what each method predicts, and have the prediction checked by an ensemble that is really kicked or forced; find out where
# linear theory ends, and what a response that was sampled once per time unit cannot know; change parameters; and watch a response improve while its score is learned. **Time** 55 minutes. **Runs in** about a minute on two cores, in 0.7 GB. **Needs** [lesson 02](02_ornstein_uhlenbeck.ipynb);
# [04](04_allen_cahn.ipynb) and [05](05_navier_stokes.ipynb) introduce the other two fields. **Symbols and words** [notation and glossary](notation_and_glossary.ipynb).

# %% [markdown]
# ## The question
#
# A response $R(\mathbf d, t)$ describes what a kick of one pixel does to its surroundings. What is it good for? It predicts the effect of every small perturbation. The mean response to any kick $p$ is a convolution over space, and the response to a forcing
# $f(t)\,p$ that lasts is in addition a convolution over time,
#
# $$ \langle\delta u(t)\rangle = R(t) * p, \qquad\qquad \langle\delta u(t)\rangle = \int_0^t f(t - s)\; R(s) * p \;\mathrm ds . $$
#
# No simulation is needed. A pad to draw on and a slider for the time are therefore enough for an experiment. But *how small is small?*
#
# ## Bet first
#
# > 1. Kick the Allen-Cahn field with a smooth random pattern of size 2; its phases are at ±1. Is the mean response larger than linear theory predicts, or smaller?
# > 2. Force the turbulent flow steadily, so strongly that it moves by as much as it fluctuates. Does linear theory still hold?

# %%
from dataclasses import dataclass

import plotly.graph_objects as go
import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial import figures
from gfdt_tutorial.core.memory import free_memory
from gfdt_tutorial.core.spectra import shell_average
from gfdt_tutorial.course import panels, widgets
from gfdt_tutorial.course.exercises import check
from gfdt_tutorial.course.views.kick_design import KickDesign, TimeProfile
from gfdt_tutorial.course.views.response_lab import Predictions
from gfdt_tutorial.figures import theme
from gfdt_tutorial.responses.forced_ensemble import ForcedEnsemble

# %% [markdown]
# ## Derive: a kick is a convolution
#
# A small kick $p$ is a sum of kicks of single pixels. Each has the response $R$, shifted to its place, and small responses add up: that is a convolution. The next lines contain everything that the lab does. The truth of the flow is shipped; it took half an hour of kicked twins.

# %%
truth = gfdt.load_shipped("navier-stokes-truth")
grid, times = truth.grid, truth.times
kick = torch.zeros(grid.shape)
kick[10:23, 10] = kick[10, 10:23] = 1.0  # a letter L
kick = kick.roll((-16, -16), (0, 1))  # the middle of the maps is pixel (0, 0)
answer = truth.to(kick)
figures.response_maps(truth, [0.0, 0.5, 1.0, 2.0], answer)

# %% [markdown]
# The same holds for a forcing that lasts. For a response that is known at every $h$, the integral becomes a sum, $h\sum_m w_m\, R(t_m) * p\; f(t_n - t_m)$, with weights ½ at both ends.

# %%
time_profile = torch.sin(2 * torch.pi * times / 1.5)
h = float(times[1])
n = 32  # t = 2
weights = torch.ones(n + 1)
weights[[0, -1]] = 0.5
by_hand = h * sum(weights[m] * time_profile[n - m] * answer[m] for m in range(n + 1))
forced = truth.to(kick, time_profile)
print(f"largest response at t = 2: {forced[n].max():.2f}")
assert torch.allclose(by_hand.float(), forced[n], atol=1e-5)

# %% [markdown]
# ## See it: one kick, every method
#
# First as a static figure. The upper row shows the mean response at $t = 1$ by each method, all on one scale; the last map is reserved for the measurement by an ensemble, below. The lower row shows how much of the response still has the shape of the kick, and
# the error of each method over the whole field, beside the size of the true response (grey).

# %%
view = Predictions("navier-stokes", KickDesign("bump", 1.0))
panels.predictions(view, time=1.0)

# %% [markdown]
# ## Check: a forcing that is really applied
#
# A prediction is worth as much as its test. Take 64 members, force each one upwards, force it downwards, and leave it unperturbed, all under the same noise. The mean of $(u_+ - u_-)/2$ is the measured response. Three numbers tell how far it is from
# linear, each with a standard error from the scatter of members:
#
# * **measured over linear response**: the projection of $\langle u_+ - u_0\rangle$ on the linear response, relative to the latter; it is 1 in the linear regime;
# * **departure**: the size of $\langle u_+ - u_0\rangle$ minus the linear response, relative to the size of the latter and corrected for the scatter of members (it can come out below zero, and is then within that scatter);
# * its **even part**, $\langle u_+ + u_- - 2u_0\rangle/2$, which the opposite forcing does not reverse. It vanishes for a field that is as likely as its negative, such as Allen-Cahn, however strong the forcing. For such a field, look at the
#   other two.
#
# A lasting forcing acts as a sequence of kicks, one every $h$: half of each kick acts before the sample is taken and half after it (Strang's splitting [16]). In a linear field this reproduces the sum above to rounding:

# %%
system = gfdt.OrnsteinUhlenbeck()
exact = gfdt.exact_response(system, lags=30.0)
bump, step = gfdt.kick_pattern(system.grid, "bump", 0.1), torch.ones(31)
linear = exact.to(bump, step)
found = gfdt.run(ForcedEnsemble(system, bump, linear, step, members=8))
print(f"largest difference {(found.responses - linear).abs().max():.1e}")
assert torch.allclose(found.responses, linear, atol=1e-4)

# %% [markdown]
# ## Where linearity ends
#
# Now the first bet: smooth random kicks of growing size, followed for 20 time units (15 s).


# %%
def measure(amplitude, lags=20, members=32):
    """The response of the Allen-Cahn field to a smooth random kick, measured over linear."""
    one = Predictions("allen-cahn", KickDesign("random", amplitude))
    linear = one.linear[: lags + 1]
    return gfdt.run(ForcedEnsemble(one.lab_system.system, one.pattern, linear, members=members))


sizes = (0.25, 0.5, 1.0, 2.0)
measured = {size: measure(size) for size in sizes}
for size, found in measured.items():
    print(
        f"size {size:4}: measured over linear {found.gain.value:.2f} ± {found.gain.error:.2f}; "
        f"departure {found.departure.value:.2f} ± {found.departure.error:.2f}; "
        f"even part {found.even_part.value:.2f} ± {found.even_part.error:.2f}"
    )
assert measured[2.0].gain.value - 3 * measured[2.0].gain.error > 1.3

# %%
figure = go.Figure(
    go.Scatter(
        x=sizes,
        y=[found.gain.value for found in measured.values()],
        error_y={"array": [found.gain.error for found in measured.values()]},
        mode="markers+lines",
    )
)
figure.add_hline(y=1, line_color=theme.GREY)
figure.update_layout(
    template="gfdt",
    title="measured over linear response, Allen-Cahn",
    xaxis_title="size of the kick",
)
figure.update_layout(xaxis_type="log", xaxis_tickvals=sizes, width=560, height=350)

# %% [markdown]
# The response is larger than the linear one, by a factor of about two. After a small kick the well pulls each pixel back; a large kick carries pixels over into the other phase, where they *stay*. No first-order response contains this, whether it comes from a Gaussian score, a
# formula, a network or a million twins.
#
# Now the second bet: a steady forcing of the flow, by a smooth bump, which moves it by more than its pixels fluctuate. A departure that is not seen is not zero. It is below some **bound**, and the bound tells how much the test is worth. Here it is a bound that
# exceeds the true departure in 95 % of repetitions (10 s).


# %%
def bound(departure):
    """Upper confidence bound, one-sided, 95 %: of the square, whose error is normal, and then the root."""
    square = departure.value * abs(departure.value)
    error = departure.error * max(2 * abs(departure.value), departure.error)
    return (max(square, 0.0) + 1.645 * error) ** 0.5


def force_flow(pattern, linear, members):
    profile, more = flow.forcing[: len(linear)], {"every": h, "members": members, "spinup": 20.0}
    return gfdt.run(ForcedEnsemble(flow.lab_system.system, pattern, linear, profile, **more))


flow = Predictions("navier-stokes", KickDesign("bump", 2.0), TimeProfile("step"))
found = force_flow(flow.pattern, flow.linear, members=64)
longest = grid.apply((grid.k_squared < 1.5).float(), flow.linear).square().sum()
print(f"largest response {found.responses.abs().max():.2f}, where pixels fluctuate by 0.43")
print(f"of its squares in waves with |k| ≤ 1: {longest / flow.linear.square().sum():.0%}")
print(f"measured over linear {found.gain.value:.3f} ± {found.gain.error:.3f}")
print(f"departure {found.departure.value:.2f}, at most {bound(found.departure):.2f}")
assert abs(found.gain.value - 1) < 0.05 and bound(found.departure) < 0.15

# %% [markdown]
# The response is linear, and the bound tells how accurately we know this. But most of the response is in the longest waves of the box, which change slowly, and nothing larger stirs them. Is the response as linear at the scales where the flow stirs? Force it with a random pattern of waves with 5 ≤ |k| ≤ 8, so strongly that
# *these scales* move by one, three and ten times their own fluctuations, up to $t = 2$, when the response has settled (15 s):

# %%
shells = ((grid.k_squared >= 25) & (grid.k_squared <= 64)).float()
unperturbed = gfdt.simulate(
    flow.lab_system.system, members=8, duration=10.0, every=1.0, spinup=20.0
)
fluctuation = grid.apply(shells, unperturbed.u).std()
rough = grid.apply(shells, torch.randn(grid.shape, generator=torch.Generator().manual_seed(0)))
rough = rough / truth.to(rough, flow.forcing).square().mean((1, 2)).sqrt().max()
forcings = {strength: strength * fluctuation * rough for strength in (1, 3, 10)}
by_strength = {
    strength: force_flow(pattern, truth.to(pattern, flow.forcing)[: n + 1], members=128)
    for strength, pattern in forcings.items()
}
for strength, found in by_strength.items():
    print(
        f"{strength:2} × the fluctuations: measured over linear {found.gain.value:.2f} ± {found.gain.error:.2f}; "
        f"departure {found.departure.value:5.2f}, at most {bound(found.departure):.2f}; "
        f"even part {found.even_part.value:.3f} ± {found.even_part.error:.3f}"
    )
assert max(bound(found.departure) for found in by_strength.values()) < 0.2
assert 5 < by_strength[10].even_part.value / by_strength[1].even_part.value < 20

# %% [markdown]
# Linear theory holds at these scales, too, to within the bound ("at most") of about a tenth, even for a forcing that moves them by ten times their fluctuations. The scatter of the members limits the bound, and the strength of the forcing hardly matters; four times as many members would halve it.
#
# The even part is known far better, because
# both forcings share their noise. It is not zero, and it grows in proportion to the forcing, as a second-order term divided by a first-order one should: the nonlinearity is visible, and it is small. Turbulence mixes the perturbation and tolerates forcings that are large compared with its fluctuations. Whether a
# response is linear depends on the dynamics, not on the size of the response.
#
# ## What a sampled response cannot know
#
# The responses of the Allen-Cahn field are known once per time unit. Look at its largest scales:

# %%

well = gfdt.load_shipped("allen-cahn-truth")
k, left = shell_average(grid, grid.rfft(well.values[1]).abs())
print(", ".join(f"k = {q:.0f}: {r:.2f}" for q, r in zip(k[:6], left)), "left after one time unit")

# %% [markdown]
# Within one time unit the well removes nearly all of a smooth kick, and the samples do not show when within that unit. A sum over whole time units therefore treats such a kick as if it lived for half a unit. For this reason, a lasting forcing in this lab *is* what the
# sum stands for, a sequence of kicks, one every $h$. For the Ornstein-Uhlenbeck field, and for the flow with $h = 1/16$, this is nearly the same as a continuous forcing; for smooth forcings of the Allen-Cahn field it is not. The next cell shows the first of these cases: when $h$ is halved, the difference from the
# closed form $(e^{Lt} - 1)/L$ falls by a factor of four.

# %%
rates = system.rates
closed = system.grid.irfft(torch.expm1(rates * 16.0) / rates * system.grid.rfft(bump.double()))
for every in (4.0, 2.0, 1.0):
    sampled = gfdt.exact_response(system, lags=16.0, every=every)
    error = (sampled.to(bump, torch.ones(len(sampled.times)))[-1] - closed).abs().max()
    print(f"h = {every:g}: error {float(error / closed.abs().max()):.1e} of the answer")

# %% [markdown]
# ## Explore: kick
#
# Draw on the pad, or choose a ready-made kick; move through time; ask for the code of what you see; have it checked. Without a pointer, use Tab to reach the pad, then the arrow keys and the space bar, or the fields for row, column and value.
#
# * Draw a small circle, and a large one. Which one decays sooner, in which field?
# * Choose Allen-Cahn, the ready-made kick "random", amplitude 2, and **check with an ensemble**: this is the first bet, live.
# * Choose the flow and "pixel". At which time is the error of the Gaussian response largest?

# %%
lab = widgets.KickLab("navier-stokes")
lab

# %% [markdown]
# ## Explore: forcing
#
# First the static figure: the flow under a forcing that oscillates with a period of 1.5 time units.

# %%
view = Predictions("navier-stokes", KickDesign("bump", 1.0), TimeProfile("periodic", 1.5))
panels.predictions(view, time=2.0)

# %% [markdown]
# Draw a time profile, or take a step, a ramp, or a wave.
#
# * The second bet again, for the flow with "bump", "step", amplitude 4: what does the check say now, and how much of the departure is even?
# * For the flow with "plane wave" and "periodic", find the period to which it responds most.
# * For Ornstein-Uhlenbeck, take any forcing of any strength. Why does the check always give 1.00?

# %%
force = widgets.ForceLab("navier-stokes")
force

# %% [markdown]
# ## Explore: parameters
#
# A change of a parameter acts on each field as a forcing with a pattern that depends on the field itself, $f(u) = \partial\,\text{drift}/\partial p$. The theorem still holds, for any observable $A$ (lesson 02 derives it for one):
#
# $$ \delta\langle A\rangle(t) = \sum_p \delta p \int_0^t \langle A(u(s))\, B_p(u(0))\rangle\,\mathrm ds, \qquad B_p = -\nabla\!\cdot\! f_p - f_p\!\cdot\! \mathbf s . $$
#
# The integrals are shipped, for the generative and for the Gaussian score, so a prediction is a sum with one term per changed parameter. To check it, each member runs twice under the same noise: with the original parameters, and with
# the changed ones from $t = 0$ on. The static figure first: a stronger double well.

# %%
from gfdt_tutorial.course.views.parameter_lab import ParameterChange

shift = ParameterChange("allen-cahn", (("alpha", 0.1),))
rerun = gfdt.run(shift.ensemble())
for name, found in [*shift.predicted.items(), ("measured", rerun.response())]:
    print(
        f"{name:10}: ⟨u²⟩ moves by {found.values[-1, 0]:+.4f} ± {found.standard_error[-1, 0]:.4f}"
    )
panels.parameters(shift, rerun)

# %% [markdown]
# **Measure** runs 32 members, then 32 more, and so on; the confidence band of the measurement narrows in proportion to one over the square root of their number. Every move of a slider starts the measurement anew.
#
# * Allen-Cahn: which parameter changes the spectrum, but hardly ⟨u²⟩? And could one change ⟨u²⟩ and leave the density as it is?
# * Change two parameters so that their effects on ⟨u²⟩ cancel. Do they cancel in the spectrum?
# * Ornstein-Uhlenbeck, λ −30 %: why is the measured change larger than the predicted one? And at −3 %?

# %%
moved = widgets.ParameterLab("allen-cahn")
moved

# %% [markdown]
# ## Explore: a score, and the response it gives
#
# The generative response is as good as its score, and the score is learned. Here you can watch both together. The score is learned from half of a small Allen-Cahn ensemble, as in [lesson 03](03_score_matching.ipynb). Every 20 steps of the
# training, the theorem is evaluated with the current score and averaged over the other half. The response is in its **controlled** form, $R(t) + [1 - R(0)]\,G(t)$ with the Gaussian response $G$, which has less noise than the raw one (lesson 04). Learning starts from the Gaussian score, and so from the Gaussian response. The static figure first (10 s):

# %%
from dataclasses import replace

from gfdt_tutorial.course.views import LearningResponse
from gfdt_tutorial.scores.budgets import budget
from gfdt_tutorial.scores.training import Training

field, well_truth = gfdt.AllenCahn(), gfdt.load_shipped("allen-cahn-truth")
data = gfdt.simulate(field, members=32, duration=160.0, seed=3)
fitted, kept = data.split(0.5)
training = Training(fitted, replace(budget("quick", kind="white"), steps=200))
learning = LearningResponse(training, kept, well_truth, field.score, symmetries=("reflect y",))
steps = list(learning)
print({step: round(error, 3) for step, error in learning.history[::3]})
assert learning.history[-1][1] < 0.5 * learning.errors["gaussian"]
panels.learning(learning)

# %% [markdown]
# Most of the error that remains at the end is the sampling error of so short a series: the analytic score (dash-dotted) does no better on it. Of the losses, compare the two dark ones, training and validation of the same averaged weights; the grey one is for the newest weights, which are ahead (lesson 03).
#
# Use **Start**, **pause**, **resume**; another noise level or another number of steps starts another training.
#
# * Does the loss of the averaged network fall before the response moves, or after?
# * Set σ = 1, noise as large as the field itself. Where does the response end, and why there?
# * What happens with σ = 0.3?

# %%
learner = widgets.ScoreLab(data, field, well_truth)
learner

# %% [markdown]
# ## Add your own system
#
# The labs take any system that keeps the contract of `gfdt.System`: a frozen dataclass with a name and a grid, a function that gives the initial states of the members, and a function that moves a state by one sampling interval. Everything else has a default. As an example, take the stochastic Swift-Hohenberg equation in one dimension,
#
# $$ \partial_t u = r\,u - (1 + \Delta)^2 u - u^3 + \epsilon\,\xi , $$
#
# just below the onset of its pattern ($r < 0$): the noise keeps exciting waves of wavenumber one, which decay slowly. The linear part is diagonal in Fourier space and is integrated exactly; the cube and the noise are added by the Euler-Maruyama scheme.


# %%
@dataclass(frozen=True)
class SwiftHohenberg(gfdt.System):
    r: float = -0.2
    grid: gfdt.PeriodicGrid = gfdt.PeriodicGrid((64,), (16 * torch.pi,))  # noqa: RUF009
    name, spinup, lags, every = "swift-hohenberg", 20.0, 10.0, 0.5

    def initial(self, members, seed, device):
        return torch.zeros(len(members), *self.grid.spectral_shape, dtype=torch.complex64)

    def stepper(self, every, device):
        h, grid, spread = 0.05, self.grid, 0.2 * 0.05**0.5 * self.grid.white
        decay = torch.exp(h * (self.r - (1 + grid.laplacian) ** 2))

        def step(spectra, noise):
            for _ in range(round(every / h)):
                cubed = grid.rfft(grid.irfft(spectra) ** 3)
                spectra = decay * (spectra - h * cubed + spread * noise())
            return spectra.to(torch.complex64)

        return step


# %% [markdown]
# That is all. Simulation, scores, responses, kicked twins and the labs now work for this system as they do for the three of the course. Its Gaussian response should be good, because below the onset the field is nearly linear. (10 s)

# %%
pattern_forming = SwiftHohenberg()
own = Predictions(pattern_forming, KickDesign("pixel", 0.2))
gaussian, twins = own.lab_system.responses["gaussian"], own.lab_system.responses["truth"]
print(f"L2 of the Gaussian response: {gfdt.compare(gaussian, twins).quoted['l2']:.3f}")
print(f"of no response at all: {float(twins.values[1:].square().sum(1).mean().sqrt()):.3f}")
panels.predictions(own, time=2.0)

# %% [markdown]
# A kick of one pixel spreads into a wave packet with the wavelength of the pattern. Kick it yourself, and check the linear prediction with an ensemble:
#
# * Draw a kick with a wavelength of eight pixels, and one of sixteen. Which of the two is still visible after ten time units?
# * Raise the amplitude. Where does the cubic term become visible?

# %%
own_lab = widgets.KickLab(pattern_forming)
own_lab

# %% [markdown]
# For systems of a few variables without space, `gfdt.SDE(drift, noise, parameters)` makes a system of two functions. The page `docs/your_own_system.md` has the whole contract, and says how to add a score, a response or the derivatives by parameters that are known in closed form.

# %% [markdown]
# ## Exercises
#
# **08.1** Under two opposite forcings, the mean responses at some pixel are $\langle u_+ - u_0\rangle = 0.5$ and $\langle u_- - u_0\rangle = -0.3$. What is the even part of the response there?

# %%
my_even = None
check("08.1", my_even)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: half the sum
check("08.1", (0.5 - 0.3) / 2)

# %% [markdown]
# **08.2** One pixel of the flow is kicked by +1, and its neighbour to the right by −1. What is the true mean response at the first pixel at $t = 1/2$?

# %%
my_answer = None
check("08.2", my_answer)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution
dipole = torch.zeros(grid.shape)
dipole[0, 0], dipole[0, 1] = 1.0, -1.0
check("08.2", truth.to(dipole)[8, 0, 0])

# %% [markdown]
# **08.3** The Ornstein-Uhlenbeck field is forced uniformly, $p = 1$ at every pixel, with a step that lasts for ever. To what value does its mean rise? (Its rate at $k = 0$ is $-\lambda$.)

# %%
my_mean = None
check("08.3", my_mean)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: ∫ exp(−λt) dt
check("08.3", 1 / system.lam)

# %% [markdown]
# **08.4** Now the same uniform forcing oscillates, $f(t) = \sin(2\pi t/100)$. Once the effect of the start has decayed, with which amplitude does the mean oscillate? Derive it, or convolve.

# %%
my_swing = None
check("08.4", my_swing)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: |∫ exp(−λs) exp(−iωs) ds| = 1/(λ² + ω²)^½
check("08.4", (system.lam**2 + (2 * torch.pi / 100) ** 2) ** -0.5)

# %%
lab.stop(), force.stop(), learner.stop(), moved.stop(), own_lab.stop()
free_memory()

# %% [markdown]
# ## What this lesson does not show
#
# It does not show what happens between the sampled lags, nor how accurate the predictions for each parameter of each system are: that is lesson 12. The Gaussian response
# of a field for which none is shipped comes from a run of seconds, with a correspondingly large sampling error.
#
# ## Summary
#
# 1. Once a response is known, the mean response to any small kick or forcing is a convolution: milliseconds, and no simulation.
# 2. Linearity is a property of the perturbation, not of the method. It is measured, not assumed: here, by forcing upwards, downwards, and not at all. Where no departure is seen, the result is a bound.
# 3. An even part is one sign of nonlinearity, but symmetric fields have none: compare with the linear response itself.
#
# **Next:** [12 · Parameters and calibration](12_parameters_and_calibration.ipynb), and at the end the [quiz](quiz.ipynb).
#
# Numbers in square brackets, here [1], [16]: [notation, glossary and references](notation_and_glossary.ipynb).
#
# *When you are done, free the memory: Kernel → Shut Down Kernel. On Binder, with its 2 GB, do so before you open another lesson.*
