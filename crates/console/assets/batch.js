// Follows a bulk action: fetches the page's own part again every second until the action ends. Without
// this script the page reloads.
async function follow() {
  const place = document.querySelector("[data-follow]");
  if (!place) return;
  const answer = await fetch(location.href, { credentials: "same-origin" });
  if (!answer.ok || answer.redirected) {
    location.reload();
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = page.getElementById(place.id);
  if (!next) return;
  // Do not replace the part while one of its controls has focus.
  const isHere = place.contains(document.activeElement);
  if (!isHere || next.dataset.follow === undefined) {
    place.replaceWith(next);
    next.dispatchEvent(new CustomEvent("causeway:shown", { bubbles: true }));
    document.title = page.title;
  }
  setTimeout(follow, 1000);
}
setTimeout(follow, 1000);
