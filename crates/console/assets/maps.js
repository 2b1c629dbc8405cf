// Runs the rows on the message as it is typed, and marks those that ran. Without this script, the
// form's button does so.
const form = document.querySelector("form[data-trial]");
const place = document.getElementById(form?.dataset.trial);
let timer = 0;
let asked = 0;

function mark() {
  const lines = document.getElementById("trial-lines")?.dataset.lines ?? "";
  document.querySelectorAll(".maprows tr.ran").forEach((row) => row.classList.remove("ran"));
  for (const pair of lines.split(" ").filter(Boolean)) {
    document.getElementById(`L${pair.split(":")[0]}`)?.classList.add("ran");
  }
}

async function run() {
  const mine = ++asked;
  const answer = await fetch(form.action, {
    method: "POST",
    headers: { "x-part": "trial" },
    credentials: "same-origin",
    body: new URLSearchParams(new FormData(form)),
  });
  if (answer.status === 401) location.reload();
  // A newer text has superseded this one.
  if (!answer.ok || mine !== asked) return;
  place.innerHTML = await answer.text();
  mark();
}

form?.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(run, 250);
});
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
