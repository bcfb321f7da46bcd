// Replaces plotly's module until that is loaded. anywidget drops all messages to a widget whose module takes more than two seconds to
// load, as the 5 MB of plotly do on a busy machine. Messages from Python are kept meanwhile, and delivered once the figure is drawn.

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
      // A separate message: that of plotly is a state, which the next hover would replace before a busy kernel gets it.
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
