"""The labs in a real Jupyter kernel: time per change, size of the messages to the browser, memory and threads left after long use."""

import json

from gfdt_tutorial.bench.lessons import printed
from gfdt_tutorial.bench.rows import Row

CODE = """
import json, random, threading, time
import ipywidgets, numpy as np, psutil
from gfdt_tutorial.course import widgets
from gfdt_tutorial.course.widgets.runner import stop_current

panels = [widgets.KickLab("navier-stokes"), widgets.ForceLab("navier-stokes")]
sent, send = [], ipywidgets.Widget._send

def counted(widget, message, buffers=None):
    sent[-1] += len(json.dumps(message, default=str)) + sum(memoryview(b).nbytes for b in buffers or ())
    return send(widget, message, buffers)

draw = random.Random(0)

def move(panel):
    last = ["time_profile", "scale"] if "time_profile" in panel.controls else ["sign"]
    name = draw.choice(["time", "amplitude", "kick", "drawing", *last])
    if name == "drawing":
        panel.add(draw.randrange(32), draw.randrange(32), draw.choice([1.0, -1.0]))
        return
    control = panel.controls[name]
    numbers = getattr(control, "options", None)
    if numbers is None:
        low, high = (-3, 1) if name == "amplitude" else (control.min, control.max)
        where = low + (high - low) * draw.random()
        control.value = 10**where if name == "amplitude" else where
    else:
        control.value = draw.choice(list(numbers.values() if isinstance(numbers, dict) else numbers))

def timed(panel):
    sent.append(0)
    start = time.perf_counter()
    move(panel)
    return 1e3 * (time.perf_counter() - start)

for panel in panels:
    timed(panel)
milliseconds = [timed(panels[number % 2]) for number in range(200)]

def shifted(parameters):
    slider = draw.choice(list(parameters.controls.values())[1:])
    start = time.perf_counter()
    slider.value = draw.choice([value for value in range(slider.min, slider.max + 1) if value != slider.value])
    return 1e3 * (time.perf_counter() - start)

parameters = widgets.ParameterLab("allen-cahn")
predicted = [shifted(parameters) for number in range(200)]
parameters.close()
ipywidgets.Widget._send = counted
for number in range(200):
    timed(panels[number % 2])
largest = max(sent)
ipywidgets.Widget._send = send
rss = lambda: psutil.Process().memory_info().rss / 2**20
before, threads, start, moves = rss(), threading.active_count(), time.monotonic(), 0
while time.monotonic() - start < SECONDS:
    timed(draw.choice(panels))
    sent.clear()
    moves += 1
    if moves % 100 == 0:
        draw.choice(panels).go.click()
stop_current()
for panel in panels:
    panel.close()
slow = [float(np.percentile(times, 95)) for times in (milliseconds, predicted)]
print(json.dumps([*slow, largest / 1024, rss() - before, threading.active_count() - threads, moves]))
"""


def response_lab(seconds: float = 600.0) -> list[Row]:
    """The response lab: kernel time and messages per change, and growth of memory over ten minutes of random use.

    Args:
        seconds: of random use, in which ensembles are started too.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"SECONDS = {seconds}\n" + CODE)])
    NotebookClient(notebook, timeout=round(seconds) + 300, kernel_name="python3").execute()
    time, predicted, size, memory, threads, moves = json.loads(printed(notebook.cells[0]))
    return [
        Row("response lab: kernel time per change, p95 of 200", time, 50, "ms"),
        Row("parameter lab: kernel time from the move of a slider to the figure with the prediction, p95 of 200", predicted, 100, "ms"),
        Row("response lab: messages to the browser per change, largest of 200", size, 64, "KiB"),
        Row(f"response lab: memory growth over {seconds:g} s, {moves} random moves", memory, 50, "MB"),
        Row("response lab: threads left", threads, 0),
    ]
