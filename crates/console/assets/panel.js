// Opens a link's page as a part of this one: <a data-part="id"> loads the response into the element #id.
// Without this script, the link opens the whole page.
async function open(link, push) {
  const place = document.getElementById(link.dataset.part);
  if (!place) return false;
  const answer = await fetch(link.href, { headers: { "x-part": link.dataset.part }, credentials: "same-origin" });
  if (answer.status === 401) {
    location.reload();
    return true;
  }
  if (!answer.ok) return false;
  place.innerHTML = await answer.text();
  place.hidden = false;
  place.dispatchEvent(new CustomEvent("causeway:shown", { bubbles: true }));
  document.querySelectorAll(`tr.current:has([data-part="${CSS.escape(link.dataset.part)}"])`)
    .forEach((row) => row.classList.remove("current"));
  link.closest("tr")?.classList.add("current");
  place.closest(".split")?.classList.add("open");
  if (push && link.dataset.push !== undefined) history.pushState({}, "", link.href);
  const hash = new URL(link.href).hash;
  if (hash) document.getElementById(decodeURIComponent(hash.slice(1)))?.scrollIntoView({ block: "center" });
  if (link.dataset.focus !== undefined) place.querySelector("h2, h1")?.focus();
  return true;
}

document.addEventListener("click", async (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const closer = event.target.closest("[data-close]");
  if (closer) {
    const place = document.getElementById(closer.dataset.close);
    if (place && closer.dataset.leave === undefined) {
      event.preventDefault();
      place.hidden = true;
      place.replaceChildren();
    }
    return;
  }
  const link = event.target.closest("a[data-part]");
  if (!link) return;
  event.preventDefault();
  if (!(await open(link, true))) location.href = link.href;
});

// Marks the tab of the visible part.
function mark() {
  const tabs = [...document.querySelectorAll('.opened > .tabs a[href^="#"]')];
  let here = tabs[0];
  for (const tab of tabs) {
    const part = document.getElementById(tab.hash.slice(1));
    if (part && part.getBoundingClientRect().top < 160) here = tab;
  }
  for (const tab of tabs) tab === here ? tab.setAttribute("aria-current", "true") : tab.removeAttribute("aria-current");
}
document.addEventListener("scroll", mark, { passive: true });
document.addEventListener("causeway:shown", mark);
mark();

window.addEventListener("popstate", () => location.reload());

// Pointing at a field highlights the values that came from it, and vice versa.
function light(event) {
  const key = event.target.closest?.("[data-field]")?.dataset.field;
  document.querySelectorAll(".lit").forEach((lit) => lit.classList.remove("lit"));
  if (!key) return;
  document.querySelectorAll(`[data-field="${CSS.escape(key)}"]`).forEach((other) => other.classList.add("lit"));
  // The raw text scrolls along; the element under the pointer stays in place.
  const raw = document.querySelector(".rawside .raw");
  const lit = raw?.querySelector(".lit");
  if (!lit || raw.contains(event.target)) return;
  const at = lit.getBoundingClientRect().top - raw.getBoundingClientRect().top;
  if (at < 0 || raw.clientHeight - 20 < at) raw.scrollTop += at - raw.clientHeight / 2;
}
document.addEventListener("mouseover", light);
document.addEventListener("focusin", light);
