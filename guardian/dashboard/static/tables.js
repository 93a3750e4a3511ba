// From the document to the page's tables and cards. Whatever comes from the stack is put in as text.
"use strict";

const tables = (() => {
  const at = (id) => document.getElementById(id);

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  const number = (value, digits = 0) => (value === null ? "–" : value.toFixed(digits));
  const percent = (share) => (share === null ? "–" : `${(share * 100).toFixed(share > 0 && share < 0.1 ? 2 : 0)} %`);
  const megabytes = (size) => (size === null ? "–" : `${(size / 1e6).toFixed(0)} MB`);

  function duration(seconds) {
    if (seconds === null) return "–";
    return seconds < 1 ? `${(seconds * 1000).toFixed(0)} ms` : `${seconds.toFixed(1)} s`;
  }

  function ago(moment, now) {
    const seconds = Math.max(0, now - moment);
    if (!moment) return "–";
    if (seconds < 90) return `${seconds.toFixed(0)} s ago`;
    if (seconds < 5400) return `${(seconds / 60).toFixed(0)} min ago`;
    return seconds < 129600 ? `${(seconds / 3600).toFixed(0)} h ago` : `${(seconds / 86400).toFixed(0)} days ago`;
  }

  // Without what all names of a stack begin with.
  function short(name, stack) {
    const found = name.indexOf(`${stack}-`);
    return found < 0 ? name : name.slice(found + stack.length + 1);
  }

  function rows(id, found, columns, none) {
    const made = found.map((item) => element("tr", {}, ...columns(item)));
    const width = at(id).closest("table").querySelectorAll("thead th").length;
    at(id).replaceChildren(
      ...(made.length ? made : [element("tr", {}, element("td", { colSpan: width, className: "quiet" }, none))]),
    );
  }

  const head = (...content) => element("th", { scope: "row" }, ...content);
  const cell = (content, className = "") => element("td", { className }, content);

  function cards(id, pairs) {
    at(id).replaceChildren(
      ...pairs.map(([name, value, tone = ""]) =>
        element("div", {}, element("dt", {}, name), element("dd", { className: tone }, value)),
      ),
    );
  }

  function use(used, limit, show, className = "use") {
    if (used === null) return cell("–", className);
    // The unit once: 54 of 537 MB.
    const text = limit ? `${show(used).replace(/ \D+$/, "")} of ${show(limit)}` : show(used);
    if (!limit) return cell(text, className);
    const share = Math.min(1, used / limit);
    const filled = element("i", {});
    filled.style.width = `${(share * 100).toFixed(1)}%`;
    const tone = share >= 0.9 ? "full" : share >= 0.75 ? "high" : "";
    const bar = element("span", { className: `bar ${tone}`, ariaHidden: "true" }, filled);
    return element("td", { className }, text, bar);
  }

  function traffic(document_) {
    const { requests, error_ratio, p50, p95, p99 } = document_.traffic;
    cards("traffic", [
      ["Requests a second", number(requests, 1)],
      ["Fail, last 5 min", percent(error_ratio), error_ratio > 0.05 ? "bad" : error_ratio > 0.01 ? "warn" : ""],
      ["Median", duration(p50)],
      ["p95", duration(p95)],
      ["p99", duration(p99)],
    ]);
    rows("routes", document_.routes, (route) => [
      head(route.route),
      cell(number(route.requests, 2), "number"),
      cell(percent(route.error_ratio), route.error_ratio > 0.01 ? "number bad" : "number"),
      cell(duration(route.p95), "number"),
    ], "No request has been measured.");
  }

  function containers(document_) {
    const cores = (value) => `${value.toFixed(2)}`;
    rows("containers", document_.containers, (item) => {
      const state = item.state === "running" && item.health !== "none" ? item.health : item.state;
      return [
        head(short(item.container, document_.stack)),
        cell(state, item.well ? "good" : "bad"),
        use(item.memory, item.memory_limit, megabytes),
        use(item.cores, item.cores_limit, cores),
        use(item.processes, item.processes_limit, String, "use wide"),
        cell(ago(item.since, document_.now), "wide short"),
        cell(String(item.restarts), item.restarts ? "wide number warn" : "wide number"),
      ];
    }, "No container has been seen.");
  }

  function resources(document_) {
    const found = document_.resources;
    cards("resources", [
      ["Database pool, active / idle", `${number(found.database_active)} / ${number(found.database_idle)}`],
      ["Waiting for a connection", number(found.database_waiting), found.database_waiting > 0 ? "warn" : ""],
      ["Connections at Postgres", number(found.postgres_connections)],
      ["Tasks queued", number(found.queued)],
      ["Oldest task waits", duration(found.queue_age)],
      ["Workers healthy of wanted", `${number(found.workers_healthy)} of ${number(found.workers_wanted)}`],
      ["Workers busy", number(found.workers_busy)],
      ["Workers failed, last hour", number(found.workers_failed_hour), found.workers_failed_hour >= 1 ? "warn" : ""],
      ["Cache", found.cache_up === null ? "–" : found.cache_up ? "up" : "down", found.cache_up === 0 ? "bad" : ""],
      ["Cache hits", percent(found.cache_hit_ratio)],
      ["Redis memory", `${megabytes(found.redis_memory)} of ${megabytes(found.redis_memory_limit)}`],
    ]);
  }

  function alerts(document_) {
    rows("alerts", document_.alerts, (alert) => [
      head(alert.name, element("br", {}), element("span", { className: "quiet" }, short(alert.container, document_.stack) || alert.component)),
      cell(`${alert.state}, ${alert.severity}`, alert.state !== "firing" ? "warn" : "bad"),
      cell(alert.runbook ? `${alert.summary} → ${alert.runbook}` : alert.summary),
      cell(ago(alert.since, document_.now), "short"),
    ], "No alert fires or is about to.");
  }

  function healing(document_) {
    const given = document_.healing.given_up;
    at("given-up").hidden = !given.length;
    at("given-up").textContent = `Not healed any more, until it has been well for a while: ${given.join(", ")}`;
    rows("healing", document_.healing.entries, (entry) => [
      cell(ago(entry.at, document_.now), "short"),
      head(entry.kind === "decision" ? entry.outcome : `${entry.what} ${entry.outcome}`),
      cell(short(entry.container, document_.stack) || entry.component),
      element(
        "td",
        { className: "why" },
        entry.why,
        element("span", { className: "wide quiet" }, entry.evidence ? ` (${entry.evidence})` : ""),
      ),
    ], document_.watched ? "Nothing had to be done." : "No guardian: monitoring is off.");
  }

  function releases(document_) {
    rows("releases", document_.releases, (release) => [
      head(release.release || "unknown"),
      cell(ago(release.since, document_.now), "short"),
      cell(release.containers.map((name) => short(name, document_.stack)).join(", ")),
    ], "No backend has been seen.");
    const found = document_.drift.map((text) => element("li", { className: "warn" }, text));
    const none = element("li", { className: "quiet" }, "No drift that can be seen from inside the stack.");
    at("drift").replaceChildren(...(found.length ? found : [none]));
  }

  function show(document_) {
    for (const part of [traffic, alerts, containers, resources, healing, releases]) part(document_);
  }

  return { show, element, short };
})();
