// Keyboard shortcuts: / ? j k Esc, and g with a letter. Enter is handled by the link itself.
const dialog = document.getElementById("keys");
let goes = false;

function typing(target) {
  return target.closest("input, textarea, select, [contenteditable]") !== null;
}

function rows() {
  return [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);
}

function move(step) {
  const all = rows();
  if (all.length === 0) return;
  const here = all.findIndex((row) => row === document.activeElement || row.closest("tr, li")?.contains(document.activeElement));
  const current = here < 0 ? all.findIndex((row) => row.closest(".current")) : here;
  const next = current < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, current + step));
  all[next].focus();
  all[next].scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    const open = document.querySelector("details[open].me, details.chip[open]");
    if (dialog.open) return;
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    } else if (typing(event.target)) {
      event.target.blur();
    } else {
      document.querySelector("[data-back]")?.click();
    }
    return;
  }
  if (typing(event.target) || dialog.open) return;
  if (goes) {
    goes = false;
    document.querySelector(`[data-go="${CSS.escape(event.key)}"]`)?.click();
    return;
  }
  switch (event.key) {
    case "/":
      event.preventDefault();
      document.getElementById("find").focus();
      break;
    case "?":
      dialog.showModal();
      break;
    case "j":
      move(1);
      break;
    case "k":
      move(-1);
      break;
    case "g":
      goes = true;
      setTimeout(() => { goes = false; }, 1200);
      break;
  }
});

// Scrolls the open tab into view when not all tabs fit.
for (const tabs of document.querySelectorAll(".tabs")) {
  const here = tabs.querySelector("[aria-current]");
  if (here && tabs.clientWidth < tabs.scrollWidth) tabs.scrollLeft = here.offsetLeft - tabs.offsetLeft - 40;
}

document.querySelector("[data-keys]")?.addEventListener("click", () => dialog.showModal());

// Closes a menu when the focus or a click goes elsewhere.
for (const kind of ["click", "focusin"]) {
  document.addEventListener(kind, (event) => {
    document.querySelectorAll("details[open].me, details.chip[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });
}
