# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 13 · Many variables
#
# **You will** push variables that are unlike one another: two temperatures and a wind; read a matrix of responses; see why a record of one variable out of three answers a different question from a record of all three; meet a Gaussian score that is exact for means and wrong for variances; climb the ladder from the Gaussian score to
# a network, and let held-out data choose the rung; and treat the strength of noise as a parameter. In the second half you find out who drives whom, see what correlation says instead, and follow a push through a sheared channel. **Time** 80 minutes. **Runs in** about two minutes on two cores, in 1.2 GB.
# **Needs** lessons [01](01_score_and_response.ipynb), [03](03_score_matching.ipynb) and, for observables, the first half of [12](12_parameters_and_calibration.ipynb). **Symbols and words** [notation and glossary](notation_and_glossary.ipynb).

# %% [markdown]
# ## The question
#
# So far a state was one number, or one field whose points are all alike. Most data are not like that. A climate index, the wind and a sea-level height have different units, different memories and different noise. How does each of them answer a push of each of the others?
#
# ## Bet first
#
# Our system has two variables $u_1$, $u_2$ that oscillate, such as the temperatures of the eastern and the western Pacific, and a wind $\tau$ that drives $u_1$. Its equations are linear. Only the *noise* of the wind is not: it is stronger the higher $u_1$ is.
#
# > 1. The density of the three variables is far from Gaussian. Which responses does the Gaussian score get right?
# > 2. Somebody has recorded $u_1$ alone, for as long as you like. Can they find how $u_1$ answers a push of $u_1$?

# %%
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

import gfdt_tutorial as gfdt
from gfdt_tutorial import figures
from gfdt_tutorial.core.memory import free_memory
from gfdt_tutorial.course import panels, views, widgets
from gfdt_tutorial.course.exercises import check

# %% [markdown]
# ## Derive
#
# Let the state be a vector $u = (u_1, \dots, u_C)$ of unlike variables. The score is a vector, too, $s_j = \partial \ln\rho/\partial u_j$, in units of one over those of $u_j$. The theorem of lesson 01 becomes a matrix,
#
# $$ R_{ij}(t) = -\langle u_i(t)\,s_j(0)\rangle , \qquad \text{in units of } u_i \text{ per unit of } u_j . $$
#
# Its column $j$ is the answer of every variable, per unit of a small increase in $u_j$ alone, *while all others are left where they are*. With the Gaussian score $s = -C^{-1}(u - \langle u\rangle)$ it is
#
# $$ R(t) = C(t)\,C(0)^{-1}, \qquad C(t) = \langle u(t)\,u(0)^\top\rangle \;\text{ (means removed)}, $$
#
# a product of matrices. Matrices do not commute, so their order matters, also in the control variate of lesson 04: $R = G(t) + \hat R(t) - G(t)\,\hat R(0)$ has $G(t) = C(t)\,C(0)^{-1}$ on the *left* of $\hat R(0)$.
#
# ## A triad
#
# The equations are those of a reduced model of El Niño [20]:
#
# $$ \dot u_1 = -d_u u_1 - \omega u_2 + \tau + \sigma_1\xi_1, \qquad \dot u_2 = -d_u u_2 + \omega u_1 + \sigma_2\xi_2, \qquad \dot\tau = -d_\tau\tau + \sigma_3\,(\tanh u_1 + 1)\,\xi_3 . $$

# %%
triad = gfdt.enso_triad()
data = gfdt.simulate(triad, members=192, duration=100.0, every=0.1, seed=0)
print(data.components, tuple(data.u.shape), "member, time, component")
print({name: round(value, 3) for name, value in triad.parameters.items()})
figure = make_subplots(
    1, 2, column_widths=[0.65, 0.35], subplot_titles=("one member", "all members")
)
for name, row, dash in zip(data.components, data.u[0].T, ("solid", "dash", "dot"), strict=True):
    figure.add_scatter(x=data.times, y=row, name=name, line_dash=dash, row=1, col=1)
some = data.u[::4, ::50].flatten(0, 1)
cloud = go.Scatter(x=some[:, 0], y=some[:, 2], mode="markers", marker_size=3, showlegend=False)
figure.add_trace(cloud, row=1, col=2)
figure.update_xaxes(title_text="time t", row=1, col=1).update_xaxes(title_text="u1", row=1, col=2)
figure.update_yaxes(title_text="tau", row=1, col=2)
figure.update_layout(template="gfdt", width=920, height=360, margin_t=90, legend_y=1.12)

# %% [markdown]
# The wind bursts when $u_1$ is strongly positive, and hardly blows when it is very negative: the cloud on the right is a fan, not an ellipse.
#
# ## Check: kick each variable
#
# A series of unlike variables has an axis of its own for them (`axes="mtc"`), and `respond` returns a matrix, with values (lag, to, from).

# %%
gaussian = gfdt.GaussianScore.fit(data)
answer = gfdt.respond(data, gaussian, lags=10.0)
p = triad.parameters
rows = [[-p["d_u"], -p["omega"], 1.0], [p["omega"], -p["d_u"], 0.0], [0.0, 0.0, -p["d_tau"]]]
drift = torch.tensor(rows, dtype=torch.float64)
curves = torch.stack([torch.linalg.matrix_exp(drift * t) for t in answer.times])
exact = gfdt.Response(answer.times, curves, "exact", components=data.components)
off = float((answer.values - curves).norm() / curves.norm())
print(f"relative error of the whole matrix: {off:.3f}")
assert off < 0.05
wind = answer.between("u2", "tau")
print(f"u2 at lag {float(wind.times[20]):.0f}, per unit of the wind: {float(wind.values[20]):.3f}")
figures.response_matrix({"exact": exact, "gaussian": answer})

# %% [markdown]
# The Gaussian score knows nothing of the fan, and all nine curves are right. The reason is in the equations: the drift is linear, so that $E[u(t)\,|\,u(0)] = e^{At}u(0)$ whatever the noise does. Hence $-\langle u(t)\,s^\top\rangle = -e^{At}\langle u\,s^\top\rangle = e^{At}$ for *every* score that obeys $\langle u\,s^\top\rangle = -1$, and the
# Gaussian one does. No score has less bias here. A system with a linear drift is a bad place to show off a good score, if one looks at means alone. That answers the first bet for means; variances come below.
#
# ## A record of one variable answers a different question
#
# Now forget $u_2$ and $\tau$, and take the recorded $u_1$ by itself.

# %%
alone = gfdt.TimeSeries(data.u[..., 0], data.times, "mt")
lone = gfdt.respond(alone, gfdt.GaussianScore.fit(alone), lags=10.0)
both = {
    "exact": exact.between("u1", "u1"),
    "all three recorded": answer.between("u1", "u1"),
    "u1 alone": lone,
}
figures.observable_curves(both, "u1 after a kick of u1", "response")

# %% [markdown]
# The two curves differ, and more data will not bring them together. They answer different questions. The matrix says what happens if $u_1$ is raised and $u_2$ and $\tau$ *are not*. The score of $u_1$ alone is that of its marginal density, and it says what happens if the whole ensemble is shifted so that $u_1$ is raised and the hidden variables are where
# they *usually are* at that value of $u_1$. (Up to the Gaussian approximation: it takes these usual values to be linear in $u_1$.) A warm $u_1$ usually comes with a stronger wind and a higher $u_2$. A push from outside does not bring them along.
#
# So the answer to the second bet is no: from a record of $u_1$ alone the response to a push of $u_1$ cannot be found without further knowledge, such as the equations, because different hidden dynamics can give the same record. The test for hidden memory in [lesson 07](07_your_own_data.ipynb) warns of it.
#
# ## Exact for means, wrong for variances
#
# If $u_1$ is kicked upwards, the wind becomes stormier: $\langle\tau^2\rangle$ rises. This is the response of an observable (lesson 12). A kick is an impulse (`integrate=False`) along a constant change of the drift $f = e_1$, given as the pair $(f, \nabla\!\cdot f)$; its divergence is zero. We compare with *twins*: copies of a run under the same noise,
# half of them kicked up and half kicked down.


# %%
def storminess(u):
    return u[..., 2].square()


def kick_u1(u):
    return torch.tensor([1.0, 0.0, 0.0]).expand_as(u)


kick = {"kick": (kick_u1, lambda u: torch.zeros(u.shape[:2]))}
options = {"lags": 10.0, "integrate": False}
raw = gfdt.sensitivities(data, gaussian, storminess, kick, form="raw", **options)["kick"]
twins = gfdt.observable_twins(
    triad, {"kick": gfdt.Change("u1", 0.3)}, storminess, lags=10.0, every=0.1, members=1024
)
shown = {"gaussian": raw, "dynamical": twins["kick"]}
figures.observable_panels({"δ⟨τ²⟩ after a kick of u1": shown}, "response")

# %% [markdown]
# The Gaussian score is wrong about the storms. Its curve does not start at zero, although a kick of $u_1$ cannot change the wind at once. Later the two curves come together: $\tau^2$ has then forgotten its own start, and its expected value is nearly linear in $u$, for which the Gaussian score is good enough.
#
# ## The ladder
#
# We need a better score. There are three rungs:
#
# * the *Gaussian* score, linear in $u$: mean and covariance, no training;
# * a *polynomial* score: the projection of the true score on products of the variables, by least squares, since $\langle\varphi\,s_j\rangle = -\langle\partial\varphi/\partial u_j\rangle$ is known for every product $\varphi$; it takes a second;
# * a *network*, by denoising score matching (lesson 03), in coordinates in which the covariance is the unit matrix.
#
# The network needs a noise level, which must be smaller than the thickness of the cloud where it is thinnest. By default `fit_score` starts at a tenth of a standard deviation and halves it until, on held-out data, the identity $\langle u\,s^\top\rangle = -1$ holds to within 0.1 *before* the score is calibrated to it, and half as much noise no longer lowers the loss $J$ below; it warns if the identity fails. Here we prescribe the size of
# the training and a noise level of 0.05, so that it takes seconds. Then `fit_score` compares the rungs on data to which none of them was fitted (although the network was stopped where it did best on them), by
#
# $$ J(s) = \tfrac12\langle|s|^2\rangle + \langle\nabla\!\cdot s\rangle = \tfrac12\langle|s - s_{\rm true}|^2\rangle + \text{const}, $$
#
# in coordinates whose covariance is the unit matrix. The integration by parts makes the unknown true score drop out.

# %%
small = gfdt.Budget(
    steps=1500,
    pairs=1024,
    width=64,
    kernels=(1, 1, 1),
    level=0.05,
    rate=1e-2,
    average=0.995,
    check_every=250,
)
learned = gfdt.fit_score(data, budget=small, seed=0)
print("rung              J   behind the best")
for name, rung in learned.rungs.items():
    print(f"{name:10} {rung.loss:8.2f}   {rung.behind[0]:6.2f} ± {rung.behind[1]:.2f}")
print("recommended:", learned.recommended)
assert learned.recommended == "network"

# %% [markdown]
# The simplest rung is recommended that the best one does not beat by more than three standard errors. Note what is *not* used: after calibration $R(0)$ is the unit matrix for every score, right or wrong, so that it certifies nothing.
#
# ## Exact averages for any score
#
# There is one more step that costs no training. For any function $\varphi$ and any change $f$ of the drift, an integration by parts gives
#
# $$ \langle\varphi\,B\rangle = \langle f\cdot\nabla\varphi\rangle, \qquad B = -\nabla\!\cdot f - f\cdot s, $$
#
# from the data alone. A score that is not exact misses these averages, so we *project*: we add to $B$ the combination of the $\varphi$ that makes all of them exact (`form="projected"`). With all products of up to two variables, the response of every variance and covariance starts exactly at its sample average $\langle f\cdot\nabla A\rangle$, for any score. How much of the mending is due
# to the projection, and how much to the network? We project both scores.

# %%
projected = {
    name: gfdt.sensitivities(data, score, storminess, kick, form="projected", **options)["kick"]
    for name, score in (("Gaussian, projected", gaussian), ("network, projected", learned))
}
truth = twins["kick"]
for name, response in {"Gaussian": raw, **projected}.items():
    off = float((response.values - truth.values).norm() / truth.values.norm())
    print(f"{name:20} relative error {off:.2f}")
noise = float(truth.standard_error.norm() / truth.values.norm())
print(f"{'the twins themselves':20} relative error {noise:.2f}")
figures.observable_panels({"δ⟨τ²⟩ after a kick of u1": shown | projected}, "response")

# %% [markdown]
# For this kick either score will do, once it is projected: when the averages with all quadratic functions are exact, little is left for the score to add. That is no rule, as we see next.
#
# ## The strength of noise is a parameter
#
# What if storms become stronger, that is, if $\sigma_3$ grows? The drift is unchanged. But a change $\delta D(u)$ of the covariance of the noise (in the sense of Itô) enters the equation of the density as $\tfrac12\partial_i\partial_j(\delta D_{ij}\,\rho)$, and this is again a $B$,
#
# $$ B = \tfrac12\,\big[\partial_i\partial_j\delta D_{ij} + 2\,(\partial_j\delta D_{ij})\,s_i + \delta D_{ij}\,(\partial_i s_j + s_i s_j)\big] , \qquad \langle\varphi B\rangle = \tfrac12\langle\delta D_{ij}\,\partial_i\partial_j\varphi\rangle , $$
#
# with the derivatives of the score by automatic differentiation (`gfdt.diffusion_change`). It contains squares of the score, which have wild tails where the wind hardly blows. We compare the network as it is, the network projected, and the Gaussian score projected.

# %%
change = gfdt.diffusion_change(learned, triad.diffusion_derivative("sigma_3"))
louder = {"": gfdt.Change("sigma_3", 0.15)}  # a tenth of its value
twins = gfdt.observable_twins(triad, louder, storminess, lags=10.0, every=0.1, members=512)
found = {"dynamical": twins[""]}
simple = gfdt.diffusion_change(gaussian, triad.diffusion_derivative("sigma_3"))
for name, score, it, form in (
    ("network, raw", learned, change, "raw"),
    ("network, projected", learned, change, "projected"),
    ("Gaussian, projected", gaussian, simple, "projected"),
):
    found[name] = gfdt.sensitivities(data, score, storminess, {"": it}, lags=10.0, form=form)[""]
figures.observable_panels({"∂⟨τ²⟩/∂σ<sub>3</sub>, since the change": found}, "response")

# %% [markdown]
# The network as it is errs by almost a half, because no training resolves those tails. Projected, both scores agree with the twins, and the better score has the narrower band.
#
# ## All kicks and all parameters
#
# The same can be done for everything at once: a kick of each variable, a lasting change of each parameter, and all means and second moments as observables. Both scores are projected here. The figure shows one change; the widget below shows all.

# %%
lab = views.ComponentLab.of(
    triad, data, {"gaussian": gaussian, "generative": learned}, lags=10.0, thin=8
)
panels.component_changes(views.ComponentChange(lab, "sigma_3", 20.0))

# %% [markdown]
# ## Explore
#
# Choose a variable to kick, or a parameter to change, and move the slider. *Measure* runs twins with that very change, 256 members a round.

# %%
widgets.ComponentResponses(lab)

# %% [markdown]
# ## Who drives whom
#
# *This is a good place for a break. The second half needs nothing of the first but the matrix $R_{ij}(t)$.*
#
# Often one does not ask *how much* but *whether*: does variable $j$ act on variable $i$ at all? We say that there is a *link* $j \to i$ if the *mean* change of $u_i$ in one step depends on $u_j$. In discrete time, $R_{ij}$ at the first lag shows the links: it is the mean change of $u_i$ one step after $u_j$ alone was raised by one.
#
# In data no entry of $R(1)$ is exactly zero. For each of them we have a standard error, so each can be tested. But with many tests some will look significant by chance. We therefore bound the *false discovery rate*, the fraction of the links found that are false on average [27]. `gfdt.causal_map` does both, here at a rate of 1 %.
#
# Beside it we draw what *lagged correlation* says of the same data. It is a response, too: the one that follows from the score of *independent* variables, $s_j = -u_j/\langle u_j^2\rangle$. So it can be computed, and tested, in the same way. With the Gaussian score, $R(1) = C(1)\,C(0)^{-1}$ is the regression of every variable on *all* variables one step earlier, which econometrics tests as Granger causality; lagged correlation regresses on one of them alone. A better score matters where the dynamics are nonlinear.
#
# Here is a system whose links we know, a Markov chain of three [26], $x(t+1) = A\,x(t) + \xi(t)$. A row of $A$ says by whom a variable is driven, a column whom it drives. The map measures in standard deviations of the variables, so that the entry $0.04$ appears as about $0.05$, and it leaves out how each variable acts on itself.

# %%
chain = gfdt.MarkovChain()
print(torch.tensor(chain.matrix))
steps = gfdt.simulate(chain, members=16, duration=4000.0, seed=0)
kicks = gfdt.respond(steps, gfdt.GaussianScore.fit(steps), lags=8.0)
correlations = gfdt.lagged_correlations(steps, lags=8.0)
maps = {"response": gfdt.causal_map(kicks), "lagged correlation": gfdt.causal_map(correlations)}
figures.causal_matrices(maps)

# %%
for name, found_map in maps.items():
    false, missed = found_map.wrong(chain.matrix)
    print(f"{name:20} false links: {false}, missed links: {missed}")
assert maps["response"].wrong(chain.matrix) == (0, 0)
figures.causal_graphs(maps, true=chain.matrix)

# %% [markdown]
# ## A common cause
#
# Why does correlation see links that do not exist? In the next chain $x_3$ drives both $x_1$ and $x_2$, which do not act on each other. Before you run the cell, bet: how many arrows will each graph have?


# %%
def two_graphs(matrix):
    """The links by response and by lagged correlation."""
    data = gfdt.simulate(gfdt.MarkovChain(matrix=matrix), members=16, duration=4000.0, seed=1)
    answers = {
        "response": gfdt.respond(data, gfdt.GaussianScore.fit(data), lags=8.0),
        "lagged correlation": gfdt.lagged_correlations(data, lags=8.0),
    }
    found = {name: gfdt.causal_map(one) for name, one in answers.items()}
    return answers, figures.causal_graphs(found, true=matrix)


common_cause = ((0.5, 0.0, 0.4), (0.0, 0.5, 0.4), (0.0, 0.0, 0.5))
_, graphs = two_graphs(common_cause)
graphs

# %% [markdown]
# $x_1$ today tells something about $x_3$ today, and so about $x_2$ tomorrow. Correlation takes this for a link. It also sees links backwards: $x_3$ drove $x_1$ yesterday and remembers itself, so $x_1$ today tells something about $x_3$ tomorrow. The score knows better. Given $x_2$ *and* $x_3$ today, the value of $x_1$ tells nothing more about $x_2$ tomorrow; and $s_1$ is, up to a
# factor, what is left of $x_1$ when its regression on all the others is taken away.
#
# This works only because $x_3$ was *recorded*. If it is not, the response of what is left shows false links, too, for the reason that we met with $u_1$ alone, though weaker ones than correlation does. Without further assumptions the two series $x_1$ and $x_2$ cannot tell a hidden common cause from a link; the test for hidden memory (lesson 07) can warn.
#
# ## A go-between
#
# In the third chain $x_1$ drives $x_2$, and $x_2$ drives $x_3$. Does $x_1$ act on $x_3$? Not directly. But if $x_1$ is raised, $x_3$ will rise in the end. The two questions have two maps: the response at the *first lag* shows direct links, and the response summed over *all lags* shows the net effect in the end.

# %%
go_between = ((0.5, 0.0, 0.0), (0.4, 0.5, 0.0), (0.0, 0.4, 0.5))
answers, _ = two_graphs(go_between)
both_maps = {
    over: gfdt.causal_map(answers["response"], over=over) for over in ("first lag", "all lags")
}
figures.causal_graphs(both_maps)

# %% [markdown]
# Both maps are right; they answer different questions. In *continuous* time the first lag is not quite enough: within one sampling interval $h$, $x_1$ reaches $x_3$ through $x_2$, an effect of order $h^2$ that a long record shows. There, take `over="rate"`, which extrapolates the first few lags to $dR/dt$ at $t = 0$, the mean Jacobian of the drift.
#
# ## The price of few data
#
# The weakest link of the first chain, $x_2 \to x_1$, has a strength of $0.04$. How many samples does it take to see it? And how often is a false link found?

# %%
print(" samples   weak link found   maps with a false link")
for samples in (800, 2000, 8000, 32000):
    seen, false = 0, 0
    for seed in range(10):
        few = gfdt.simulate(chain, members=8, duration=samples / 8 - 1, seed=100 + seed)
        response = gfdt.respond(few, gfdt.GaussianScore.fit(few), lags=1.0, resamples=100)
        found_map = gfdt.causal_map(response)
        seen += bool(found_map.present[0, 1])
        false += found_map.wrong(chain.matrix)[0] > 0
    print(f"{samples:8}   {seen:6} of 10   {false:12} of 10")

# %% [markdown]
# The false discovery rate stays bounded whatever the number of samples, as far as the standard errors are right. What few data cost is *power*: with eight members a weak link needs a standard error of a quarter of its strength or less (with many members, a third), and the error falls as one over the square root of the number of samples. "No link found" is not "no link".
#
# ## A channel
#
# The rows of a channel between two walls are unlike variables, too: a push near a wall does something else than a push in the middle. Along the channel all places are alike, so there is one matrix for each wavenumber, and the series has axes "mtcx": member, time, latitude, place. Our channel carries a tracer in a jet that is strongest in the middle. We push a blob, and compare
# with the closed form.

# %%
channel = gfdt.ShearedChannel(latitudes=20, places=24)
flow = gfdt.simulate(channel, members=32, duration=400.0, seed=0)
score = gfdt.GaussianScore.fit(flow)
sheared = gfdt.respond(flow, score, lags=5.0, resamples=10)
truth = gfdt.exact_response(channel, lags=5.0)
blob = gfdt.localised_kick(20, channel.grid, 9, width=2.0).roll(4, -1)  # at latitude 9, place 4
print(tuple(sheared.values.shape), "lag, to, from, displacement")
figure = make_subplots(2, 3, subplot_titles=[f"t = {t}" for t in (0, 2, 5)] * 2)
for row, moved in enumerate((truth.to(blob.double()), sheared.to(blob)), start=1):
    for column, lag in enumerate((0, 2, 5), start=1):
        map_ = go.Heatmap(z=moved[lag], zmin=-1, zmax=1, colorscale="RdBu_r", showscale=False)
        figure.add_trace(map_, row=row, col=column)
figure.update_yaxes(title_text="latitude (exact)", row=1, col=1)
figure.update_yaxes(title_text="latitude (data)", row=2, col=1)
figure.update_xaxes(title_text="place along the channel", row=2)
figure.update_layout(template="gfdt", width=920, height=560)

# %% [markdown]
# The jet carries the blob along and shears it, and the data know.
#
# What if we push one single point instead? Neighbouring latitudes nearly always move together. The data hardly ever show one of them alone, and $C^{-1}$, which must answer for that case, makes the weight $B$ noisier, by up to the square root of the condition number. So push *shapes* that the data contain. *Principal components* are the shapes that they contain most
# of. Within the strongest of them the noise is small. Two things are lost: the part of the push that lies outside them, which the package tells, and whatever part of the answer leaves them later, which it does not.

# %%
point = (blob == blob.max()).float()
few = gfdt.principal_components(flow, 8)
within = gfdt.respond(few.series, gfdt.GaussianScore.fit(few.series), lags=5.0, resamples=10)


def error_of(found, kick):
    exact_answer = truth.to(kick.double())
    return float((found[1] - exact_answer[1]).norm() / exact_answer[1].norm())


print(f"condition of the covariance: {float(score.condition.max()):.1e}")
for name, kick in {"blob": blob, "point": point}.items():
    print(f"{name:6} error at lag 1: {error_of(sheared.to(kick), kick):.3f}", end=", ")
    print(f"outside the eight components: {float(few.outside(kick)):.1%}")
inside = few.maps(within.to(few.amplitudes(blob)))
print(f"blob   error at lag 1, within the eight components: {error_of(inside, blob):.3f}")

# %% [markdown]
# The answer to the point is noise, and most of the point lies outside the eight components. The blob is answered to two per cent, with or without them. When you reduce your own data in this way, take more components, and see whether the answer changes.

# %% [markdown]
# ## Exercises
#
# **13.1** In the triad, how much does $u_1$ rise, one time unit after the wind was raised, per unit of the wind? (The equations are linear: use `torch.linalg.matrix_exp`.)

# %%
my_rise = None
check("13.1", my_rise)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: the entry (u1, tau) of exp(A t) at t = 1
check("13.1", torch.linalg.matrix_exp(drift)[0, 2])

# %% [markdown]
# **13.2** Two variables have unit variance and the correlation $0.6$. Both have been recorded, and the covariances at lag one are $\langle x_1(1)\,x_1(0)\rangle = 0.5$, $\langle x_1(1)\,x_2(0)\rangle = 0.3$. What is the response $R_{12}$ of $x_1$ to a kick of $x_2$ at lag one, by the Gaussian score? Compare it with the lagged
# correlation $0.3$.

# %%
my_response = None
check("13.2", my_response)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: the first row of C(1) C(0)⁻¹; correlation is not response
covariance = torch.tensor([[1.0, 0.6], [0.6, 1.0]], dtype=torch.float64)
check("13.2", (torch.tensor([0.5, 0.3], dtype=torch.float64) @ torch.linalg.inv(covariance))[1])

# %% [markdown]
# **13.3** In the sense of Itô, $\dot x = -x + \sqrt{D}\,\xi$ with $D = 1$ has the variance ½. Now the noise comes to depend on the state, $D = 1 + \varepsilon x^2$. What is $d\langle x^2\rangle/d\varepsilon$ at $\varepsilon = 0$? (Multiply the equation for the density by $x^2$ and integrate.)

# %%
my_slope = None
check("13.3", my_slope)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: 0 = −2⟨x²⟩ + ⟨D⟩ = −2⟨x²⟩ + 1 + ε⟨x²⟩, so ⟨x²⟩ = 1/(2 − ε)
check("13.3", 1 / 4)

# %% [markdown]
# **13.4** In the first chain, $x_2$ does not act on $x_3$ directly. By how much does $x_3$ rise *two* steps after $x_2$ was raised by one?

# %%
my_second = None
check("13.4", my_second)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: x2 → x1 → x3, an entry of A²: 0.5 · 0.04
check("13.4", (torch.tensor(chain.matrix) @ torch.tensor(chain.matrix))[2, 1])

# %% [markdown]
# **13.5** Six links have been tested, with p-values of 0.001, 0.012, 0.014, 0.020, 0.045 and 0.6. How many of them are called present at a false discovery rate of 5 %? (Sort the p-values. Find the largest $k$ for which the $k$-th is at most $0.05\,k/6$; the first $k$ links are present.)

# %%
my_links = None
check("13.5", my_links)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: 0.020 ≤ 0.05 · 4/6, but 0.045 > 0.05 · 5/6; five links have p < 0.05
p_values = torch.tensor([0.001, 0.012, 0.014, 0.020, 0.045, 0.6])
below = p_values <= 0.05 * torch.arange(1, 7) / 6
check("13.5", int(below.nonzero().max()) + 1)

# %% [markdown]
# **13.6** Two neighbouring latitudes have unit variance and the correlation 0.99. The weight of a kick $p$ is $B = p^\top C^{-1}u$. By which factor is its standard deviation larger for a kick of one latitude, $p = (1, 0)$, than for one of both, $p = (1, 1)/\sqrt2$, which is of the same length?

# %%
my_factor = None
check("13.6", my_factor)

# %% jupyter={"source_hidden": true} tags=["solution"]
# Solution: ⟨B²⟩ = pᵀC⁻¹p, which is 1/(1 − r²) for one and 1/(1 + r) for both
nearly = torch.linalg.inv(torch.tensor([[1.0, 0.99], [0.99, 1.0]], dtype=torch.float64))
together = torch.full((2,), 0.5**0.5, dtype=torch.float64)
check("13.6", (nearly[0, 0] / (together @ nearly @ together)).sqrt())

# %%
del data, lab, learned, found, flow, few
free_memory()

# %% [markdown]
# ## What this lesson does not show
#
# * **Causes that nobody recorded.** A map of links is right for the variables that it contains. A hidden common cause makes false links in it, as it does in every other method.
# * **Links that cancel in the mean.** A map tests the *mean* Jacobian. A link that is positive in one state and negative in another can be invisible, and so is a link through the noise, such as $u_1 \to \tau$ in the triad: for that, take the response of a variance.
# * **Many variables.** A covariance of $C$ variables needs many more than $C$ independent samples, and a network more than that.
# * **Thin clouds.** A system that is nearly deterministic, such as `gfdt.lorenz_63(eta=0.3)`, lives on a set that is thinner than any noise level with which we can train. A learned score is then that of a blurred cloud.
# * **Far tails.** Where the noise vanishes, the squares of a score have tails that no sample resolves. The projection makes averages with second moments exact at lag zero, but not with higher ones.
#
# ## Summary
#
# 1. The response of unlike variables is a matrix, $R_{ij} = -\langle u_i(t)\,s_j\rangle$, in units of the one per unit of the other. All variables that matter must be recorded: the score of some of them answers for a push that moves the hidden ones along.
# 2. With a linear drift, the Gaussian score is exact for means, whatever the density. It can be wrong for variances. Let held-out data choose the rung of the ladder, and use projection to make the known averages exact.
# 3. Who drives whom is read off the response at the first lag (in continuous time, off its slope at lag zero), with a standard error and a false discovery rate. Correlation also sees common causes, go-betweens and links backwards. Push shapes that the data contain: a wide blob in a channel, and not one latitude.
#
# **Next:** [lesson 15](15_errors_that_multiply.ipynb), or [the quiz](quiz.ipynb).
#
# Numbers in square brackets: [notation, glossary and references](notation_and_glossary.ipynb).
#
# *When you are done, free the memory: Kernel → Shut Down Kernel. On Binder, with its 2 GB, do so before you open another lesson.*
