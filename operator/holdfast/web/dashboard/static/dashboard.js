"use strict";
// The pages work without this. It lets times run, tells of runs under the pointer, and keeps a page as the cluster is.

const REFRESH_PAUSE = 1000;
const SLOW_REFRESH = 15000;

// --- times that run ---

function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const parts = [
    [Math.floor(seconds / 86400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  if (first < 0) return "0s";
  return parts.slice(first, first + 2).filter(([value]) => value).map(([value, unit]) => value + unit).join("");
}

function tick() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[data-ago], time[data-until], time[data-since]")) {
    const away = now - Date.parse(time.dateTime);
    let text;
    if ("ago" in time.dataset) text = `${span(away)} ago`;
    else if ("since" in time.dataset) text = span(away);
    else text = away < 0 ? `in ${span(-away)}` : "now";
    if (time.textContent !== text) time.textContent = text;
  }
}

// --- the last runs: one stop for the Tab key, arrows within, and a line that tells ---

function prepareStrips() {
  for (const strip of document.querySelectorAll("[data-strip]")) {
    const links = [...strip.querySelectorAll("a")];
    const active = links.includes(document.activeElement) ? document.activeElement : links.at(-1);
    for (const link of links) {
      link.tabIndex = link === active ? 0 : -1;
      link.removeAttribute("title");
    }
  }
}

function tellOf(event) {
  const link = event.target.closest?.("[data-strip] a");
  if (!link) return;
  link.closest("[data-strip]").querySelector("[data-strip-details]").textContent = link.getAttribute("aria-label");
}

function tellOfNewest(event) {
  const strip = event.target.closest?.("[data-strip]");
  if (!strip || strip.contains(event.relatedTarget)) return;
  const shown = strip.contains(document.activeElement) ? document.activeElement : [...strip.querySelectorAll("a")].at(-1);
  if (shown) strip.querySelector("[data-strip-details]").textContent = shown.getAttribute("aria-label");
}

function walk(event) {
  const link = event.target.closest?.("[data-strip] a");
  if (!link) return;
  const links = [...link.closest("[data-strip]").querySelectorAll("a")];
  const place = links.indexOf(link);
  const to = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: links.length - 1 }[event.key];
  if (to === undefined || !links[to]) return;
  event.preventDefault();
  link.tabIndex = -1;
  links[to].tabIndex = 0;
  links[to].focus();
}

// --- a page as the cluster is ---

// Puts what is new into what is shown, node by node: what did not change stays, with its focus and its place.
function merge(shown, wanted) {
  if (shown.nodeType !== wanted.nodeType || shown.nodeName !== wanted.nodeName || shown.id !== wanted.id) {
    shown.replaceWith(document.importNode(wanted, true));
    return;
  }
  if (shown.nodeType !== Node.ELEMENT_NODE) {
    if (shown.nodeValue !== wanted.nodeValue) shown.nodeValue = wanted.nodeValue;
    return;
  }
  for (const { name } of [...shown.attributes])
    if (!wanted.hasAttribute(name) && name !== "tabindex" && name !== "open") shown.removeAttribute(name);
  for (const { name, value } of wanted.attributes)
    if (shown.getAttribute(name) !== value && name !== "title") shown.setAttribute(name, value);
  mergeChildren(shown, wanted);
}

function mergeChildren(shown, wanted) {
  const known = new Map([...shown.children].filter((child) => child.id).map((child) => [child.id, child]));
  let place = shown.firstChild;
  for (const child of wanted.childNodes) {
    const own = child.id && known.get(child.id);
    if (own && own !== place) shown.insertBefore(own, place);
    const present = own || place;
    if (!present) {
      shown.append(document.importNode(child, true));
      continue;
    }
    place = present.nextSibling;
    merge(present, child);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

let refreshing = false;
let again = false;

async function refresh() {
  if (refreshing) {
    again = true;
    return;
  }
  refreshing = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected && new URL(answer.url).pathname === "/sign-in") {
      location.assign(answer.url);
      return;
    }
    if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    else if (answer.status === 403 || answer.status === 404) location.reload();
    else if (answer.status >= 500) say(false);
  } catch {
    // The server is away; the stream says so, and comes back by itself.
  }
  setTimeout(() => {
    refreshing = false;
    if (again) {
      again = false;
      refresh();
    }
  }, REFRESH_PAUSE);
}

function show(wanted) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = wanted.getElementById(part.id);
    if (fresh) merge(part, fresh);
  }
  prepareStrips();
  tick();
}

function say(live) {
  const state = document.querySelector("[data-live-state]");
  state.hidden = false;
  state.classList.toggle("off", !live);
  const text = live ? "Live" : "Not live";
  if (state.textContent !== text) state.textContent = text;
}

function follow(path) {
  const about = document.body.dataset.about;
  const events = new EventSource(path);
  // Another process does not know what was told before: it begins by reload, in place of ready.
  for (const name of ["ready", "reload"])
    events.addEventListener(name, () => {
      say(true);
      refresh();
    });
  events.addEventListener("lost", () => say(false));
  events.addEventListener("change", (event) => {
    const change = JSON.parse(event.data);
    if (!about || change.policy === about || change.name === about) refresh();
  });
  events.addEventListener("error", () => {
    say(false);
    if (events.readyState !== EventSource.CLOSED) return;
    // Refused: the session may be over, or the viewer may look but not watch.
    refresh();
    setTimeout(() => follow(path), SLOW_REFRESH);
  });
}

// --- a second, picked on its line ---

function prepareMoments() {
  for (const field of document.querySelectorAll("[data-moments]")) {
    const input = field.querySelector("input");
    const slider = document.createElement("input");
    slider.type = "range";
    slider.className = "moment-slider";
    slider.min = field.dataset.first;
    slider.max = field.dataset.last;
    const known = Date.parse(input.value);
    slider.value = Number.isNaN(known) ? field.dataset.last : known / 1000;
    slider.setAttribute("aria-label", "Second on the line");
    const tell = () => slider.setAttribute("aria-valuetext", input.value || "none chosen");
    slider.addEventListener("input", () => {
      input.value = new Date(slider.value * 1000).toISOString().replace(".000Z", "Z");
      tell();
    });
    input.addEventListener("input", () => {
      const typed = Date.parse(input.value);
      if (!Number.isNaN(typed)) slider.value = typed / 1000;
      tell();
    });
    tell();
    field.querySelector(".moments").before(slider);
  }
}

document.addEventListener("mouseover", tellOf);
document.addEventListener("focusin", tellOf);
document.addEventListener("mouseout", tellOfNewest);
document.addEventListener("focusout", tellOfNewest);
document.addEventListener("keydown", walk);
prepareMoments();
prepareStrips();
tick();
setInterval(tick, 1000);
if (document.body.dataset.events) follow(document.body.dataset.events);
