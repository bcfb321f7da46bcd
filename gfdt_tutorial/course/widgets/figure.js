// Stands in for plotly's module until that is loaded. anywidget drops every message, for good, to a widget whose module takes more than
// two seconds, and the 5 MB of plotly do on a busy machine. What Python says meanwhile is kept, and told once the figure is drawn.

const SAID = "_py2js_update";

function load(model) {
  globalThis.gfdtPlotly ??= import(URL.createObjectURL(new Blob([model.get("_bundle")], { type: "text/javascript" })));
  return globalThis.gfdtPlotly;
}

export default () => {
  const missed = [];
  let plotly, loaded;
  return {
    initialize({ model }) {
      const keep = () => model.get(SAID) && missed.push(model.get(SAID));
      model.on(`change:${SAID}`, keep);
      loaded = load(model).then((module) => {
        plotly = module.default();
        plotly.initialize({ model });
        return () => model.off(`change:${SAID}`, keep);
      });
    },
    async render({ model, el }) {
      const forget = await loaded;
      const remove = plotly.render({ model, el });
      // A message of its own: plotly's is a state, and while the kernel is busy the next hover takes its place before it is sent.
      el.on("plotly_click", ({ points: [{ curveNumber, x, y }] }) => model.send({ clicked: curveNumber, x, y }));
      forget();
      for (const message of missed.splice(0)) {
        model.set(SAID, message);
        model.set(SAID, null);
      }
      return remove;
    },
  };
};
