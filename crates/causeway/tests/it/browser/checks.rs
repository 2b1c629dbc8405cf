//! Accessibility checks of the open page: the Web Content Accessibility Guidelines 2.2, to the extent
//! that a script can check them.

use super::Browser;

/// WCAG 1.1.1, 1.3.1, 2.4.1, 2.4.2, 2.4.6, 3.1.1, 3.3.2, 4.1.2: names, labels, landmarks, headings.
const NAMES: &str = r#"
const faults = [];
const shown = (element) => element.checkVisibility();
const name = (element) => (element.getAttribute("aria-label")
  || (element.getAttribute("aria-labelledby") || "").split(" ").filter(Boolean)
       .map((id) => document.getElementById(id)?.textContent).join(" ")
  || element.innerText || element.getAttribute("title") || "").trim();
if (!document.documentElement.lang) faults.push("html has no lang");
if (!document.title) faults.push("no title");
if (document.querySelectorAll("main").length !== 1) faults.push("not one main");
if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1: " + document.querySelectorAll("h1").length);
for (const control of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
  if (shown(control) && !control.labels?.length && !control.getAttribute("aria-label"))
    faults.push("no label: " + control.outerHTML.slice(0, 80));
}
for (const element of document.querySelectorAll("button, a[href], summary")) {
  if (shown(element) && !name(element)) faults.push("no name: " + element.outerHTML.slice(0, 80));
}
for (const image of document.querySelectorAll("img")) {
  if (!image.hasAttribute("alt")) faults.push("no alt: " + image.outerHTML.slice(0, 80));
}
for (const image of document.querySelectorAll("svg")) {
  if (!image.closest("[aria-hidden=true]") && !image.getAttribute("aria-label"))
    faults.push("svg without a name: " + image.outerHTML.slice(0, 80));
}
for (const part of document.querySelectorAll("section, nav, aside")) {
  if (shown(part) && !part.getAttribute("aria-label") && !document.getElementById(part.getAttribute("aria-labelledby")))
    faults.push("a landmark without a name: " + part.outerHTML.slice(0, 80));
}
const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) faults.push("twice: #" + id);
for (const cell of document.querySelectorAll("th")) {
  if (!cell.getAttribute("scope")) faults.push("a header cell without a scope: " + cell.textContent);
}
if (document.querySelector("[style], style, script:not([src])")) faults.push("something inline");
const wide = document.documentElement.scrollWidth - window.innerWidth;
if (wide > 0) faults.push("scrolls sideways by " + wide);
return faults;
"#;

/// WCAG 1.4.3: the contrast of each text with its background.
const CONTRAST: &str = r#"
const linear = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const rgba = (text) => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const ground = rgba(getComputedStyle(at).backgroundColor);
    if (ground[3] > 0.99) return ground;
  }
  return [255, 255, 255, 1];
};
const faint = new Set();
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const element = walk.currentNode.parentElement;
  if (!walk.currentNode.data.trim() || !element.checkVisibility() || element.closest(".hidden, .skip, svg")) continue;
  const [one, other] = [light(rgba(getComputedStyle(element).color)), light(behind(element))];
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (ratio < 4.5) faint.add(`${ratio.toFixed(2)} ${element.className} ${element.tagName}: ${walk.currentNode.data.trim().slice(0, 30)}`);
}
return [...faint].slice(0, 10);
"#;

/// Returns the faults of the open page.
pub fn faults_of_page(browser: &Browser) -> Vec<String> {
    texts(browser, NAMES)
}

/// Returns the texts of the open page with less contrast than 4.5:1.
pub fn too_faint(browser: &Browser) -> Vec<String> {
    texts(browser, CONTRAST)
}

fn texts(browser: &Browser, script: &str) -> Vec<String> {
    let found = browser.script(script);
    let found = found.as_array().cloned().unwrap_or_default();
    found
        .iter()
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}
