// Shows times in the viewer's time zone, updates ages, and counts down to the logoff.
const full = new Intl.DateTimeFormat("sv-SE", {
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
});

function age(ms) {
  const secs = Math.floor(ms / 1000);
  if (secs < 2) return "now";
  if (secs < 60) return `${secs} s`;
  if (secs < 3600) return `${Math.floor(secs / 60)} min`;
  if (secs < 172800) return `${Math.floor(secs / 3600)} h`;
  return `${Math.floor(secs / 86400)} d`;
}

function left(ms) {
  if (ms <= 0) return "now";
  return ms < 60000 ? `${Math.ceil(ms / 1000)} s` : `${Math.floor(ms / 60000)} min`;
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function show(element) {
  const at = new Date(element.dateTime);
  if (Number.isNaN(at.getTime())) return;
  switch (element.dataset.as) {
    case "full":
      put(element, full.format(at));
      element.title ||= `${element.dateTime} (UTC)`;
      break;
    case "short":
      put(element, full.format(at).slice(5));
      element.title = full.format(at);
      break;
    case "slice":
      // Part of a date and time, as on an axis.
      put(element, full.format(at).slice(Number(element.dataset.from), Number(element.dataset.until)));
      element.title = full.format(at);
      break;
    case "age":
      put(element, age(Date.now() - at));
      element.title = full.format(at);
      break;
    case "ago": {
      const words = age(Date.now() - at);
      put(element, words === "now" ? "just now" : `${words} ago`);
      element.title = full.format(at);
      break;
    }
    case "left": {
      const rest = at - Date.now();
      put(element, left(rest));
      element.classList.toggle("soon", rest < 120000);
      // The server has ended the session; clear the screen too.
      if (rest < -2000) location.reload();
      break;
    }
  }
}

function all(root = document) {
  root.querySelectorAll("time[data-as]").forEach(show);
}

// Forms that ask for a time send its time zone.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
document.querySelectorAll("[data-zone]").forEach((field) => { field.value = zone; });
document.querySelectorAll("[data-zone-name]").forEach((label) => put(label, zone));

// One time zone for every time on the page, with its name.
const clock = document.querySelector("[data-clock]");
const short = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
function tick() {
  if (!clock) return;
  const now = new Date();
  put(clock, `${short.format(now)}`);
  clock.parentElement.title = `${zone}: every time on this page is in this zone`;
}
tick();
setInterval(tick, 1000);

all();
setInterval(() => document.querySelectorAll('time[data-as="age"], time[data-as="ago"], time[data-as="left"]').forEach(show), 1000);
document.addEventListener("causeway:shown", (event) => all(event.target));
