// Keeps the page up to date, and says so when it is not.
"use strict";

(() => {
  // A document comes every two seconds.
  const LOST_SECONDS = 6;
  const HISTORY_SECONDS = 15;
  const LOG_SECONDS = 5;
  const at = (id) => document.getElementById(id);
  const clock = (moment) => new Date(moment * 1000).toLocaleTimeString();
  let latest = null;
  let heardAt = performance.now();
  let source = null;
  let spoken = "";

  function say(word, reason) {
    at("verdict").dataset.word = word;
    at("word").textContent = word;
    at("reason").textContent = reason;
    // A screen reader speaks of each change of this: not of a figure that goes up and down.
    const told = `${word}: ${reason.replace(/\d[\d.]*/g, "#")}`;
    if (told !== spoken) at("spoken").textContent = `${word}. ${reason}`;
    spoken = told;
    document.title = latest ? `${word} · ${latest.stack}` : word;
  }

  function mark(text, kind) {
    at("stale").hidden = !text;
    at("stale").className = kind;
    if (at("stale").textContent !== text) at("stale").textContent = text;
    document.body.classList.toggle("lost", kind === "connection");
    document.body.classList.toggle("old", kind === "engine");
  }

  function show() {
    if ((performance.now() - heardAt) / 1000 > LOST_SECONDS) {
      const since = latest ? ` What is shown is of ${clock(latest.now)}.` : "";
      say("unknown", "The connection to the guardian is lost.");
      mark(`Connection lost.${since} Trying again.`, "connection");
      return;
    }
    if (!latest) return;
    say(latest.verdict.word, latest.verdict.reason);
    if (latest.stale.engine) mark(latest.stale.engine, "engine");
    else mark(latest.stale.figures, "figures");
  }

  function take(event) {
    latest = JSON.parse(event.data);
    heardAt = performance.now();
    at("stack").textContent = latest.stack;
    at("moment").textContent = `Seen ${clock(latest.seen_at)}, figures of ${latest.figures_at ? clock(latest.figures_at) : "no time yet"}`;
    components(latest.containers);
    tables.show(latest);
    show();
  }

  function components(containers) {
    const names = [...new Set(["backend", ...containers.map((item) => item.component)])].sort();
    const select = at("component");
    if ([...select.options].map((option) => option.value).join() === names.join()) return;
    const chosen = select.value;
    select.replaceChildren(...names.map((name) => tables.element("option", { value: name }, name)));
    select.value = names.includes(chosen) ? chosen : "backend";
  }

  async function fetched(path) {
    const answer = await fetch(path, { headers: { Accept: "application/json" } });
    if (answer.status === 401) location.replace("/login");
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
    return answer.json();
  }

  function listen() {
    source = new EventSource("/stream");
    source.addEventListener("state", take);
    source.addEventListener("ended", () => location.replace("/login"));
    source.addEventListener("error", () => {
      // A browser connects again by itself, but not after an answer that is none: a login that is over.
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(listen, 2000);
      fetched("/state").catch(() => {});
    });
  }

  async function history() {
    try {
      charts.draw(await fetched("/history"));
    } catch {
      // The mark of a lost connection says it.
    }
  }

  async function log() {
    if (document.hidden) return;
    try {
      const { lines } = await fetched(`/log?component=${encodeURIComponent(at("component").value)}`);
      const shown = (name) => tables.short(name, latest ? latest.stack : name);
      const place = at("log");
      const end = place.scrollHeight - place.scrollTop - place.clientHeight < 30;
      const text = lines.map((line) => `${line.at.slice(11)} ${shown(line.container)} ${line.text}`).join("\n");
      if (place.textContent !== text) place.textContent = text || "Nothing has been logged.";
      if (end) place.scrollTop = place.scrollHeight;
    } catch {
      // As above.
    }
  }

  at("component").addEventListener("change", log);
  addEventListener("pagehide", () => source && source.close());
  addEventListener("pageshow", (event) => event.persisted && listen());
  listen();
  history();
  log();
  setInterval(show, 1000);
  setInterval(history, HISTORY_SECONDS * 1000);
  setInterval(log, LOG_SECONDS * 1000);
})();
