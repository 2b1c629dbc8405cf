// Live figures: each server-sent event names texts, classes and attributes by their keys.
const note = document.getElementById("live-note");
let digest = document.getElementById("attention")?.dataset.digest;

function put(change) {
  for (const [key, text] of Object.entries(change.texts)) {
    const element = document.querySelector(`[data-live="${CSS.escape(key)}"]`);
    if (element && element.textContent !== text) element.textContent = text;
  }
  for (const [key, value] of Object.entries(change.times)) {
    const element = document.querySelector(`[data-live="${CSS.escape(key)}"] time, time[data-live="${CSS.escape(key)}"]`);
    if (element) element.dateTime = value;
  }
  for (const [key, value] of Object.entries(change.paths)) {
    document.querySelector(`[data-path="${CSS.escape(key)}"]`)?.setAttribute("d", value);
  }
  for (const [key, [width, state]] of Object.entries(change.wires)) {
    const wire = document.querySelector(`[data-wire="${CSS.escape(key)}"]`);
    wire?.setAttribute("stroke-width", width);
    wire?.setAttribute("class", state);
  }
  for (const [key, shown] of Object.entries(change.shown)) {
    const element = document.querySelector(`[data-shown="${CSS.escape(key)}"]`);
    if (element) element.hidden = !shown;
  }
  for (const [key, state] of Object.entries(change.states)) {
    const element = document.querySelector(`[data-state="${CSS.escape(key)}"]`);
    if (element) element.className = `state ${state}`;
  }
  if (change.attention !== digest) refresh(change.attention);
}

async function refresh(next) {
  const place = document.getElementById("attention");
  // Do not replace the part while one of its controls has focus.
  if (!place || place.contains(document.activeElement)) return;
  const answer = await fetch("/console/attention", { headers: { "x-part": "attention", "x-live": "1" }, credentials: "same-origin" });
  if (!answer.ok) return;
  digest = next;
  place.innerHTML = await answer.text();
  place.dispatchEvent(new CustomEvent("causeway:shown", { bubbles: true }));
}

const stream = new EventSource(`/console/live${location.search}`);
stream.addEventListener("message", (event) => {
  put(JSON.parse(event.data));
  note.textContent = "live";
});
stream.addEventListener("error", () => { note.textContent = "not live: the connection is lost, trying again"; });
window.addEventListener("pagehide", () => stream.close());
