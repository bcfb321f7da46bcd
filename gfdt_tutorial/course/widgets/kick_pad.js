// A pad to draw on: a periodic map of pixels with the origin in the middle and rows upwards, as in the figures, or a time profile, that is
// values against time. Python owns the drawing, `cells`, and the map below it, `base`. Strokes are shown at once and sent as changes, one
// message at a time: the next one waits until `heard` acknowledges the last, so that no queue builds up and no change by Python is lost.

const floats = (view) => new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

function colour(value) {
  const strength = clamp(Math.abs(value), 0, 1);
  const end = value > 0 ? [178, 24, 43] : [33, 102, 172];
  return `rgb(${end.map((channel) => Math.round(255 + (channel - 255) * strength)).join(",")})`;
}

function render({ model, el }) {
  const profile = model.get("kind") === "profile";
  const canvas = document.createElement("canvas");
  canvas.className = "gfdt-canvas";
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", model.get("label"));
  canvas.title = model.get("label");
  canvas.style.cssText = "border:1px solid #888;touch-action:none;cursor:crosshair;display:block";
  el.dataset.lmSuppressShortcuts = "true"; // so that JupyterLab does not take the keys
  el.appendChild(canvas);
  const pen = canvas.getContext("2d");
  let cells, cursor = [0, 0], last = null, focused = false;
  let waiting = new Map(), flying = new Map(); // index → value: not yet sent, not yet heard

  const size = () => [model.get("rows"), model.get("columns")];
  const halves = () => size().map((n) => Math.floor(n / 2));

  function read() {
    const [rows, columns] = size();
    cells = floats(model.get("cells"));
    for (const changes of [flying, waiting]) for (const [index, value] of changes) if (index < cells.length) cells[index] = value;
    canvas.width = profile ? 340 : columns * Math.max(1, Math.floor(224 / columns));
    canvas.height = profile ? 120 : rows * Math.max(1, Math.floor(224 / rows));
    draw();
  }

  function draw() {
    const [rows, columns] = size();
    const [width, height] = [canvas.width / columns, canvas.height / rows];
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    if (profile) return drawProfile(width);
    const [down, right] = halves();
    const base = floats(model.get("base"));
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < columns; x++) {
        const index = ((y - down + rows) % rows) * columns + ((x - right + columns) % columns);
        pen.fillStyle = colour(model.get("sign") * (cells[index] + (base[index] || 0)));
        pen.fillRect(x * width, (rows - 1 - y) * height, width, height);
      }
    if (focused) {
      const [row, column] = cursor;
      pen.strokeStyle = "#000";
      pen.strokeRect(((column + right) % columns) * width + 0.5, (rows - 1 - ((row + down) % rows)) * height + 0.5, width - 1, height - 1);
    }
  }

  function drawProfile(width) {
    const middle = canvas.height / 2;
    pen.strokeStyle = "#bbb";
    pen.strokeRect(0, middle, canvas.width, 0);
    pen.strokeStyle = "#0072B2";
    pen.lineWidth = 2;
    pen.beginPath();
    cells.forEach((value, column) => pen.lineTo((column + 0.5) * width, middle * (1 - 0.95 * value)));
    pen.stroke();
    pen.lineWidth = 1;
    if (focused) pen.strokeRect(cursor[1] * width, 0, width, canvas.height);
  }

  function send() {
    if (!flying.size && waiting.size) {
      [flying, waiting] = [waiting, new Map()];
      model.send({ strokes: [...flying] });
    }
    canvas.dataset.unheard = flying.size + waiting.size;
  }

  function heard() {
    flying = new Map();
    send();
  }

  function change(index, value) {
    cells[index] = value;
    waiting.set(index, value);
  }

  function shown() {
    draw();
    send();
  }

  function paint(row, column, value) {
    const [rows, columns] = size();
    const reach = model.get("brush") - 1;
    for (let y = -reach; y <= reach; y++)
      for (let x = -reach; x <= reach; x++)
        if (x * x + y * y <= reach * reach + 0.1) change(((row + y + rows) % rows) * columns + ((column + x + columns) % columns), value);
  }

  function place(event) {
    const box = canvas.getBoundingClientRect();
    const [rows, columns] = size();
    const x = clamp(Math.floor(((event.clientX - box.left) / box.width) * columns), 0, columns - 1);
    const up = clamp((event.clientY - box.top) / box.height, 0, 1);
    if (profile) return [Math.round(1000 * clamp((1 - 2 * up) / 0.95, -1, 1)) / 1000, x];
    const [down, right] = halves();
    const y = clamp(Math.floor((1 - up) * rows), 0, rows - 1);
    return [y - down, x - right];
  }

  function stroke(from, to) {
    const steps = Math.max(1, profile ? Math.abs(to[1] - from[1]) : Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1])));
    for (let step = 0; step <= steps; step++) {
      const [a, b] = [0, 1].map((i) => from[i] + ((to[i] - from[i]) * step) / steps);
      if (profile) change(Math.round(b), Math.round(1000 * a) / 1000);
      else paint(Math.round(a), Math.round(b), model.get("value"));
    }
    shown();
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    stroke(last, last);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (last === null) return;
    const now = place(event);
    stroke(last, now);
    last = now;
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { last = null; });
  canvas.addEventListener("focus", () => { focused = true; draw(); });
  canvas.addEventListener("blur", () => { focused = false; draw(); });
  canvas.addEventListener("keydown", (event) => {
    const [rows, columns] = size();
    const moves = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const move = moves[event.key];
    if (move && profile && move[0]) {
      change(cursor[1], clamp(Math.round(10 * cells[cursor[1]] + move[0]) / 10, -1, 1));
      shown();
    } else if (move) {
      cursor = [(cursor[0] + move[0] + rows) % rows, (cursor[1] + move[1] + columns) % columns];
      draw();
    } else if (event.key === " " && !profile) {
      paint(...cursor, model.get("value"));
      shown();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });

  const reactions = { "change:cells": read, "change:heard": heard, "change:base": draw, "change:sign": draw };
  for (const [name, react] of Object.entries(reactions)) model.on(name, react);
  read();
  send();
  return () => { for (const [name, react] of Object.entries(reactions)) model.off(name, react); };
}

export default { render };
