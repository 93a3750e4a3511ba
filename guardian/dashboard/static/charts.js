// The lines of the last half hour, drawn by uPlot. Their newest figures stand above them as text.
"use strict";

const charts = (() => {
  const factors = { requests: 1, error_ratio: 100, p95: 1000 };
  const drawn = {};
  let known = null;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const clock = (moment) =>
    new Date(moment * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });

  function options(place) {
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    return {
      width: Math.max(200, place.clientWidth),
      height: 130,
      legend: { show: false },
      cursor: { show: false },
      scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      axes: [{ ...axis, space: 70, size: 26, values: (_, moments) => moments.map(clock) }, { ...axis, size: 46, space: 30 }],
      series: [{}, { stroke: colour("--accent"), width: 2, fill: colour("--accent") + "22", points: { show: false } }],
    };
  }

  function draw(history) {
    known = history;
    for (const [name, factor] of Object.entries(factors)) {
      const place = document.getElementById(`chart-${name}`);
      const values = (history[name] || []).map((value) => (value === null ? null : value * factor));
      const data = [history.at || [], values];
      if (drawn[name]) {
        drawn[name].setData(data);
      } else if (values.some((value) => value !== null)) {
        place.textContent = "";
        drawn[name] = new uPlot(options(place), data, place);
      } else {
        place.textContent = "no figures yet";
      }
    }
  }

  function again() {
    for (const name of Object.keys(drawn)) {
      drawn[name].destroy();
      delete drawn[name];
    }
    if (known) draw(known);
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  let resized = 0;
  addEventListener("resize", () => {
    clearTimeout(resized);
    resized = setTimeout(again, 200);
  });
  return { draw };
})();
