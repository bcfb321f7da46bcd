"""What a learner sees: JupyterLab in a real browser opens a lesson, runs it, and a slider moves the figure to the closed form."""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from gfdt_tutorial import DoubleWell, OrnsteinUhlenbeck, exact_response, kick_pattern
from gfdt_tutorial.course.views.parameter_lab import ParameterChange
from gfdt_tutorial.figures import DISPLACEMENTS

CHROMIUM = os.environ.get("CHROME_BIN") or shutil.which("chromium") or shutil.which("chromium-browser")
try:
    from playwright import sync_api
except ImportError:
    sync_api = None

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(sync_api is None, reason="playwright is not installed: pip install playwright"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine: install it, or set CHROME_BIN"),
]

ROOT = Path(__file__).parent.parent
SCREENSHOTS = Path(os.environ.get("GFDT_SCREENSHOTS", ROOT / "screenshots"))
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # else cells off screen are not rendered
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
WELL = """
from gfdt_tutorial.course import widgets
widgets.DoubleWellExplorer()
"""
TRAINING = """
import gfdt_tutorial as gfdt
from gfdt_tutorial.course import widgets
system = gfdt.OrnsteinUhlenbeck()
widgets.ScoreTraining(gfdt.simulate(system, members=16, duration=255.0, seed=5), system)
"""
LIVE = """
from gfdt_tutorial.course import widgets
widgets.AllenCahnLab()
"""
FLOW = """
import gfdt_tutorial as gfdt
from gfdt_tutorial.course import widgets
widgets.FlowLab(gfdt.load_shipped("navier-stokes-truth"))
"""
KICK = """
from gfdt_tutorial.course import widgets
widgets.KickLab("navier-stokes")
"""
FORCE = """
from gfdt_tutorial.course import widgets
widgets.ForceLab("ornstein-uhlenbeck", amplitude=0.1)
"""
SCORE = """
import gfdt_tutorial as gfdt
from gfdt_tutorial.course import widgets
system = gfdt.AllenCahn()
data = gfdt.simulate(system, members=16, duration=100.0, seed=3)
widgets.ScoreLab(data, system, gfdt.load_shipped("allen-cahn-truth"))
"""
PARAMETERS = """
from gfdt_tutorial.course import widgets
widgets.ParameterLab("allen-cahn")
"""
SPOILED = """
from gfdt_tutorial.course import widgets
widgets.ErrorsMultiply()
"""
COMPONENTS = """
import gfdt_tutorial as gfdt
from gfdt_tutorial.course import views, widgets
triad = gfdt.enso_triad()
data = gfdt.simulate(triad, members=32, duration=40.0, every=0.4)
lab = views.ComponentLab.of(triad, data, {"gaussian": gfdt.GaussianScore.fit(data)}, lags=4.0)
widgets.ComponentResponses(lab)
"""
IDLE = "() => window.jupyterapp?.shell?.currentWidget?.context?.sessionContext?.session?.kernel?.status === 'idle'"
WORDS = "document.querySelector('.jp-OutputArea-output:has(.gfdt-readout) .gfdt-readout').innerText"
SINCE = f"Number(/([0-9.]+) since the kick/.exec({WORDS})[1])"
LAST_KICK = f"Number(/t = ([0-9.]+)/.exec({WORDS})[1]) - {SINCE}"
EXPLORER = ".jp-OutputArea-output:has(.gfdt-readout)"
PATIENCE = 240.0  # seconds for anything to appear, on a machine however busy


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab of its own on a copy of the lessons; yields (address, token)."""
    sync_api.expect.set_options(timeout=1000 * PATIENCE)
    home = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", home / "root", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    alone = {
        "well": WELL,
        "training": TRAINING,
        "live": LIVE,
        "flow": FLOW,
        "kick": KICK,
        "force": FORCE,
        "score": SCORE,
        "parameters": PARAMETERS,
        "spoiled": SPOILED,
        "components": COMPONENTS,
    }
    for name, code in alone.items():
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)], metadata={"kernelspec": KERNEL})
        nbformat.write(notebook, home / "root" / f"{name}.ipynb")
    for name, value in SETTINGS.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(value), encoding="utf-8")
    token, port = secrets.token_hex(16), free_port()
    folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "runtime", "JUPYTERLAB_SETTINGS_DIR": "settings"}
    folders |= {"JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython"}
    options = ["--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    options += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={home / 'root'}", "--LabApp.expose_app_in_browser=True"]
    with open(home / "log", "w", encoding="utf-8") as log:
        environment = os.environ | {name: str(home / folder) for name, folder in folders.items()}
        server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for_server(server, f"http://127.0.0.1:{port}/api/status?token={token}", home / "log")
        yield f"http://127.0.0.1:{port}", token
    finally:
        server.terminate()
        server.wait(PATIENCE)


@pytest.fixture
def open_lesson(lab):
    """open_lesson(name) → a page on which the lesson was run from a fresh kernel."""
    address, token = lab
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, headless=True)

        def run(name):
            page = browser.new_page(viewport={"width": 1400, "height": 1100})
            page.set_default_timeout(1000 * PATIENCE)
            page.goto(f"{address}/lab/workspaces/{name}/tree/{name}.ipynb?token={token}&reset", wait_until="domcontentloaded")
            page.wait_for_function(IDLE)
            assert page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
            page.wait_for_selector(f"{EXPLORER} .js-plotly-plot .main-svg", state="attached")
            assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']").count() == 0
            return page

        try:
            yield run
        finally:
            browser.close()


def test_lesson_02_follows_its_sliders_to_the_closed_form(open_lesson):
    page = open_lesson("02_ornstein_uhlenbeck")
    before = drawn_curves(page)
    page.locator(f"{EXPLORER} .noUi-handle").nth(2).focus()  # λ, κ, then A
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"() => JSON.parse(document.querySelector('{EXPLORER} .gfdt-readout').dataset.values).advection > 0.02")
    values = json.loads(page.locator(f"{EXPLORER} .gfdt-readout").get_attribute("data-values"))
    system = OrnsteinUhlenbeck(**{name: values[name] for name in ("lam", "kappa", "advection", "epsilon")})
    response = exact_response(system, lags=90.0).to(kick_pattern(system.grid, values["kick"], values["amplitude"]))
    expected = [response[:, 0, d].numpy() for d in DISPLACEMENTS]
    eventually(lambda: np.testing.assert_allclose(drawn_curves(page), expected, atol=1e-5))
    keep_screenshots(page, "02_ornstein_uhlenbeck")
    assert values["advection"] == pytest.approx(0.025)
    assert np.abs(np.subtract(expected, before)).max() > 0.01
    assert page.locator(".gfdt-error").count() == 0


def test_the_double_well_of_lesson_01_follows_its_kick_to_the_exact_answer(open_lesson):
    page = open_lesson("well")  # the widget alone: test_lessons.py runs the lesson
    page.locator(f"{EXPLORER} .noUi-handle").nth(3).focus()  # h, a, ε, then δ
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"() => JSON.parse(document.querySelector('{EXPLORER} .gfdt-readout').dataset.values).kick > 0.44")
    well, times = DoubleWell(), 0.05 * torch.arange(61, dtype=torch.float64)
    expected = well.kicked(times, 0.45) - well.average(torch.clone)
    eventually(lambda: np.testing.assert_allclose(page.evaluate(f"() => Array.from({CURVE.format(2)})"), expected, atol=1e-5))
    keep_screenshots(page, "01_well")
    assert page.locator(".gfdt-error").count() == 0


def test_lesson_00_proves_the_installation(open_lesson):
    page = open_lesson("00_start_here")
    page.locator(f"{EXPLORER} .noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")  # a cell of the lesson has moved it to 30
    sync_api.expect(page.locator(f"{EXPLORER} .gfdt-readout")).to_contain_text("t = 31")
    keep_screenshots(page, "00_start_here")
    drawn = f"() => document.querySelector('{EXPLORER} .js-plotly-plot')._fullData[0].z.map(row => Array.from(row))"
    exact = np.roll(exact_response(OrnsteinUhlenbeck()).values[31].numpy(), (16, 16), (0, 1))
    eventually(lambda: np.testing.assert_allclose(page.evaluate(drawn), exact, atol=1e-5))


def test_the_training_of_lesson_03_starts_and_stops_by_its_button(open_lesson):
    page = open_lesson("training")  # the widget alone: the lesson takes minutes, and test_lessons.py runs it
    readout, button = page.locator(f"{EXPLORER} .gfdt-readout"), page.locator(f"{EXPLORER} button").first
    sync_api.expect(readout).to_contain_text("step 0 of 300")
    button.click()
    page.wait_for_function(f"() => document.querySelector('{EXPLORER} .js-plotly-plot')._fullData[0].y?.length >= 5")
    button.click()
    sync_api.expect(button).to_have_text("resume")

    def curve_and_words_agree():
        losses = page.evaluate("() => Array.from(" + CURVE.format(0) + ")")
        assert len(losses) == int(re.search(r"step (\d+) of", readout.inner_text())[1])
        assert losses[-1] < losses[0]

    eventually(curve_and_words_agree)
    keep_screenshots(page, "03_training")
    assert page.locator(".gfdt-error").count() == 0


def test_the_live_lab_of_lesson_04_runs_and_is_kicked_by_a_click_on_its_map(open_lesson):
    page = open_lesson("live")
    readout, button = page.locator(f"{EXPLORER} .gfdt-readout"), page.locator(f"{EXPLORER} button").first
    button.click()
    page.wait_for_function(f"() => document.querySelector('{EXPLORER} .js-plotly-plot')._fullData[5].x?.length > 0")  # the first estimate
    sync_api.expect(button).to_have_text("pause")
    kick_by_clicks(page)
    button.click()
    sync_api.expect(button).to_have_text("resume")
    keep_screenshots(page, "04_live")
    assert int(re.search(r"t = (\d+):", readout.inner_text())[1]) >= 81
    assert page.locator(".gfdt-error").count() == 0


def test_the_flow_of_lesson_05_runs_and_is_kicked_by_a_click_on_its_map(open_lesson):
    page = open_lesson("flow")
    readout, button = page.locator(f"{EXPLORER} .gfdt-readout"), page.locator(f"{EXPLORER} button").first
    button.click()
    sync_api.expect(button).to_have_text("pause")
    kick_by_clicks(page)
    button.click()
    sync_api.expect(button).to_have_text("resume")

    def curve_and_words_agree():
        drawn = page.evaluate("() => Array.from(" + CURVE.format(5) + ")")
        assert len(drawn) == round(float(re.search(r"; ([0-9.]+) since", readout.inner_text())[1]) * 16) + 1
        assert drawn[0] == pytest.approx(1.0, abs=1e-3)

    eventually(curve_and_words_agree)
    keep_screenshots(page, "05_flow")
    assert page.locator(".gfdt-error").count() == 0


def test_a_kick_is_painted_and_the_code_on_screen_gives_the_maps_on_screen(open_lesson):
    page = open_lesson("kick")
    lab = page.locator(EXPLORER)
    drag(page, lab.locator(".gfdt-canvas"), [(0.3, 0.3), (0.3, 0.7), (0.6, 0.7)])
    for field, value in (("row", "-5"), ("column", "3"), ("× ampl.", "-2")):
        lab.get_by_label(field, exact=True).fill(value)
    lab.get_by_role("button", name="add this pixel").press("Enter")
    lab.get_by_role("button", name="show the code").press("Enter")
    sync_api.expect(lab.locator(".gfdt-code")).to_contain_text("kick[27, 3] += -2")
    slider = lab.locator(".noUi-handle").last
    slider.focus()
    slider.press("ArrowRight")
    sync_api.expect(lab.locator(".gfdt-readout")).to_contain_text("t = 0.6875")
    eventually(lambda: assert_code_gives_maps(page))
    assert len(lab.locator(".gfdt-code").inner_text().splitlines()) < 60
    keep_screenshots(page, "08_kick")
    assert page.locator(".gfdt-error").count() == 0


def test_a_forcing_with_a_drawn_time_profile_is_checked_by_an_ensemble_while_one_watches(open_lesson):
    page = open_lesson("force")
    lab = page.locator(EXPLORER)
    drag(page, lab.locator(".gfdt-canvas").nth(1), [(0.02, 0.5), (0.2, 0.1), (0.4, 0.1), (0.6, 0.8)])
    sync_api.expect(lab.get_by_label("time profile", exact=True)).to_have_value("drawn")
    lab.get_by_role("button", name="show the code").press("Enter")
    lab.get_by_role("button", name="check with an ensemble").press("Enter")
    sync_api.expect(lab.locator(".gfdt-readout")).to_contain_text("members at t = 90")
    sync_api.expect(lab.locator(".gfdt-readout")).to_contain_text("measured over linear response 1.00 ± 0.00")
    eventually(lambda: assert_code_gives_maps(page))
    keep_screenshots(page, "08_force")
    page.set_viewport_size({"width": 800, "height": 1100})  # half a screen: controls stand below each other, none is out of sight
    edges = (
        f"() => Array.from(document.querySelectorAll('{EXPLORER} :is(.widget-gridbox, .widget-hbox)'), e => e.scrollWidth - e.clientWidth)"
    )
    eventually(lambda: np.testing.assert_array_less(page.evaluate(edges), 1))
    assert page.locator(".gfdt-error").count() == 0


def test_a_response_gets_better_while_its_score_is_learned_and_another_noise_begins_anew(open_lesson):
    page = open_lesson("score")
    lab = page.locator(EXPLORER)
    readout, button = lab.locator(".gfdt-readout"), lab.locator("button").first
    traces = f"Array.from(document.querySelector('{EXPLORER} .js-plotly-plot')._fullData)"
    errors = f"() => Array.from({traces}.filter(t => t.name === 'generative' && t.xaxis === 'x4')[0].y)"

    def curve_and_words_agree():
        assert f"generative {page.evaluate(errors)[-1]:.3f}" in readout.inner_text()

    button.click()
    page.wait_for_function(f"() => ({errors})().length >= 6")
    button.click()
    sync_api.expect(button).to_have_text("resume")
    eventually(curve_and_words_agree)
    drawn = page.evaluate(errors)
    keep_screenshots(page, "08_score")
    assert drawn[-1] < drawn[0]
    lab.locator(".noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    sync_api.expect(readout).to_contain_text("noise level σ is now 0.0126: another training, from the start; step 0 of 300")
    eventually(lambda: np.testing.assert_allclose(page.evaluate(errors), drawn[:1], atol=1e-5))
    assert page.locator(".gfdt-error").count() == 0


def test_the_variables_of_lesson_13_are_kicked_and_measured(open_lesson):
    page = open_lesson("components")
    lab = page.locator(EXPLORER)
    sync_api.expect(lab.locator(".gfdt-readout")).to_contain_text("+0.20 standard deviations of u1")
    lab.locator("select").select_option("change omega")
    lab.locator(".noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    sync_api.expect(lab.locator(".gfdt-readout")).to_contain_text("+25 % of the value of omega")
    sync_api.expect(lab.locator(".gfdt-warning")).to_contain_text("extrapolates its first order")
    lab.locator("button").first.click()
    sync_api.expect(lab.locator(".gfdt-readout")).to_contain_text("of 8 rounds measured")
    traces = f"Array.from(document.querySelector('{EXPLORER} .js-plotly-plot')._fullData)"
    drawn = f"name => Array.from({traces}.filter(t => t.name === name).at(-1).y)"
    eventually(lambda: np.testing.assert_equal(len(page.evaluate(drawn, "measured here")), 11))
    lab.locator("button").first.click()
    assert len(page.evaluate(drawn, "Gaussian")) == 11 and np.abs(page.evaluate(drawn, "Gaussian")).max() > 0
    keep_screenshots(page, "13_components")
    assert page.locator(".gfdt-error").count() == 0


def test_the_sliders_of_lesson_15_bring_the_combined_curve_onto_the_exact_one(open_lesson):
    page = open_lesson("spoiled")
    lab = page.locator(EXPLORER)
    sync_api.expect(lab.locator(".gfdt-readout")).to_contain_text("by both 0.0")
    lab.locator(".noUi-handle").nth(1).focus()  # δ, then δ′
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    sync_api.expect(lab.locator(".gfdt-readout")).to_contain_text("by the forecast 0.000, by both 0.000")
    traces = f"Array.from(document.querySelector('{EXPLORER} .js-plotly-plot')._fullData)"
    drawn = f"name => Array.from({traces}.filter(t => t.name === name).at(-1).y)"
    well, times = DoubleWell(), 0.05 * torch.arange(61, dtype=torch.float64)
    eventually(lambda: np.testing.assert_allclose(page.evaluate(drawn, "by both"), well.response(times), atol=1e-4))
    assert np.abs(np.subtract(page.evaluate(drawn, "by the score"), well.response(times).numpy())).max() > 0.05
    keep_screenshots(page, "15_spoiled")
    assert page.locator(".gfdt-error").count() == 0


def test_parameters_move_the_prediction_at_once_and_an_ensemble_measures_beside_it(open_lesson):
    page = open_lesson("parameters")
    lab = page.locator(EXPLORER)
    readout, button = lab.locator(".gfdt-readout"), lab.locator("button").first
    lab.locator(".noUi-handle").first.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(f"() => JSON.parse(document.querySelector('{EXPLORER} .gfdt-readout').dataset.values).alpha === 10")
    expected = ParameterChange("allen-cahn", (("alpha", 0.1),)).predicted["generative"].values[:, 0].numpy()
    traces = f"document.querySelector('{EXPLORER} .js-plotly-plot')._fullData"
    drawn = f"name => Array.from({traces}.filter(t => t.name === name && t.xaxis === 'x3')[0].y)"
    eventually(lambda: np.testing.assert_allclose(page.evaluate(drawn, "generative"), expected, atol=1e-6))
    button.click()
    sync_api.expect(readout).to_contain_text("64 members")
    button.click()
    sync_api.expect(button).to_have_text("resume")

    def curve_and_words_agree():
        measured = page.evaluate(drawn, "measured here")
        assert len(measured) == len(expected) and measured[0] == 0 and max(map(abs, measured)) > 0
        assert f"measured here {measured[-1]:+.4f}" in readout.inner_text()

    eventually(curve_and_words_agree)
    keep_screenshots(page, "08_parameters")
    lab.locator(".noUi-handle").first.press("ArrowRight")
    sync_api.expect(lab.locator(".gfdt-warning")).to_contain_text("α +11 %: outside what the score was learned at")
    assert page.locator(".gfdt-error").count() == 0


def test_the_lab_opens_and_moves_in_notebook_7_too(lab):
    pytest.importorskip("notebook", reason="Notebook 7 is not installed: pip install notebook")
    address, token = lab
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, headless=True)
        page = browser.new_page(viewport={"width": 1400, "height": 1100})
        page.set_default_timeout(1000 * PATIENCE)
        page.goto(f"{address}/notebooks/kick.ipynb?token={token}", wait_until="domcontentloaded")
        page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']", state="attached")
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_selector(f"{EXPLORER} .js-plotly-plot .main-svg", state="attached")
        before = drawn_maps(page)
        box = page.locator(f"{EXPLORER} .noUi-handle").last.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + 60, box["y"] + box["height"] / 2, steps=8)
        page.mouse.up()
        sync_api.expect(page.locator(".gfdt-readout")).not_to_contain_text("t = 0.625")
        page.wait_for_function(f"before => JSON.stringify({MAPS}) !== JSON.stringify(before)", arg=before)
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / "08_notebook7.png")
        assert page.locator(".gfdt-error").count() == 0
        browser.close()


MAPS = (
    f"Array.from(document.querySelector('{EXPLORER} .js-plotly-plot')._fullData).slice(0, 5).filter(t => t.visible === true).map(t => t.z)"
)


def drawn_maps(page) -> list:
    """The maps of the response lab, as the browser holds them."""
    return page.evaluate(f"() => {MAPS}")


def kick_by_clicks(page, count: int = 5) -> None:
    """Click on the map of a running field, again and again: each click is a kick."""
    there = page.locator(f"{EXPLORER} .js-plotly-plot .xy .plot, {EXPLORER} .js-plotly-plot .nsewdrag[data-subplot=xy]").first
    for number in range(count):
        page.wait_for_function(f"() => {SINCE} >= 2")
        last = page.evaluate(f"() => {LAST_KICK}")
        there.click(position={"x": 40 + 20 * number, "y": 60})
        page.wait_for_function(f"last => {LAST_KICK} > last + 1", arg=last)


def eventually(check, seconds: float = PATIENCE) -> None:
    """Run `check` until it holds: a figure and the words beside it are two messages, and come in either order."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def drag(page, canvas, path) -> None:
    """A stroke along points given as parts of the canvas, from its left and top."""
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in path]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=8)
    page.mouse.up()
    sync_api.expect(canvas).to_have_attribute("data-unheard", "0")


def assert_code_gives_maps(page) -> None:
    """Run what "show the code" shows, and compare with what is drawn: predictions, and what was measured."""
    found = {}
    exec(page.locator(f"{EXPLORER} .gfdt-code").inner_text(), found)
    expected = [*found["maps"].values(), found.get("measured", torch.zeros(32, 32))]
    expected = [np.roll(field.numpy(), (16, 16), (0, 1)) for field in expected]
    np.testing.assert_allclose(drawn_maps(page), expected, atol=1e-5)
    assert np.abs(expected[0]).max() > 0.01


CURVE = f"document.querySelector('{EXPLORER} .js-plotly-plot')._fullData[{{}}].y"


def drawn_curves(page) -> list:
    """What the four curves of the explorer show, as the browser holds it: traces 4 to 7."""
    return [page.evaluate(f"() => Array.from({CURVE.format(trace)})") for trace in range(4, 8)]


def keep_screenshots(page, name: str) -> None:
    """The explorer, and the whole lesson from top to bottom, for a person to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.locator(EXPLORER).scroll_into_view_if_needed()
    page.locator(EXPLORER).screenshot(path=SCREENSHOTS / f"{name}_widget.png")
    height = page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer').scrollHeight")
    page.set_viewport_size({"width": 1400, "height": min(height + 150, 16_000)})
    page.evaluate("() => { document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0; }")
    page.wait_for_timeout(1000)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_server(server: subprocess.Popen, status: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(status, timeout=2).close()
            return
        except OSError:
            assert server.poll() is None and time.monotonic() < deadline, log.read_text(encoding="utf-8")[-3000:]
            time.sleep(0.3)
