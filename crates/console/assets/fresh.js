// Live lists. A list of messages shows how many new ones match and loads them on request; the states of
// its rows change in place. A page of figures (data-live-page) is fetched again. Neither keeps a session
// alive, scrolls the page, or changes a part that somebody is working in.
const EVERY = 4000;

async function ask(address) {
  const answer = await fetch(address, { headers: { "x-live": "1" }, credentials: "same-origin" });
  return answer.ok && !answer.redirected ? answer : null;
}

const busy = (place) => place.contains(document.activeElement) || place.querySelector("details.chip[open]");

async function page(place) {
  if (busy(place)) return;
  const answer = await ask(location.href);
  if (!answer) return;
  const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(place.id);
  if (!next || busy(place) || next.innerHTML === place.dataset.shown) return;
  place.dataset.shown = next.innerHTML;
  place.innerHTML = next.innerHTML;
  place.dispatchEvent(new CustomEvent("causeway:shown", { bubbles: true }));
}

function states(found) {
  for (const [sequence, [state, word]] of Object.entries(found)) {
    const cell = document.querySelector(`tr[data-sequence="${CSS.escape(sequence)}"] .state`);
    if (!cell || cell.textContent === word) continue;
    cell.className = `state ${state}`;
    cell.textContent = word;
  }
}

async function list(place) {
  const note = document.getElementById("fresh");
  const rows = [...place.querySelectorAll("tr[data-sequence]")].map((row) => row.dataset.sequence);
  const address = new URL(place.dataset.fresh, location.href);
  address.searchParams.set("rows", rows.join(","));
  const answer = await ask(address);
  if (!answer) return;
  const found = await answer.json();
  states(found.states);
  if (!note || note.dataset.n === String(found.n)) return;
  note.dataset.n = found.n;
  note.hidden = found.n === 0;
  const words = `${found.n.toLocaleString("en")}${found.more ? "+" : ""} new message${found.n === 1 ? "" : "s"}`;
  note.querySelector("b").textContent = words;
}

// Inserts the newest messages at the top; the open message and the rest of the page stay.
async function show(place) {
  const answer = await fetch(location.href, { credentials: "same-origin" });
  if (!answer.ok || answer.redirected) return location.reload();
  const next = new DOMParser().parseFromString(await answer.text(), "text/html");
  const rows = next.getElementById(place.id);
  if (!rows) return location.reload();
  const seen = new Set([...place.querySelectorAll("tr[data-sequence]")].map((row) => row.dataset.sequence));
  const current = place.querySelector("tr.current")?.dataset.sequence;
  place.replaceWith(rows);
  rows.querySelectorAll("tr[data-sequence]").forEach((row) => {
    if (!seen.has(row.dataset.sequence)) row.classList.add("new");
    row.classList.toggle("current", row.dataset.sequence === current);
  });
  const count = next.getElementById("how-many");
  if (count) document.getElementById("how-many").innerHTML = count.innerHTML;
  const note = document.getElementById("fresh");
  note.hidden = true;
  note.dataset.n = "0";
  rows.dispatchEvent(new CustomEvent("causeway:shown", { bubbles: true }));
}

async function turn() {
  if (!document.hidden) {
    try {
      const messages = document.querySelector("[data-fresh]");
      if (messages) await list(messages);
      const numbers = document.querySelector("[data-live-page]");
      if (numbers) await page(numbers);
    } catch {
      // The server is briefly unreachable; the next poll tries again.
    }
  }
  setTimeout(turn, EVERY);
}

document.addEventListener("click", (event) => {
  if (!event.target.closest("#fresh button")) return;
  event.preventDefault();
  show(document.querySelector("[data-fresh]"));
});
setTimeout(turn, EVERY);
