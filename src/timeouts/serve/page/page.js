// The connection: frames come in, each route is told its part of them.

import { Route } from "./route.js";

const RETRY = 1000; // milliseconds
const SAID = {
  connecting: "connecting",
  live: "live",
  draining: "draining: takes no new work",
  lost: "connection lost, retrying",
  paused: "paused",
};

const routes = new Map();
const state = document.getElementById("state");
const pause = document.getElementById("pause");
const span = document.getElementById("span");

let source = null;
let paused = false;
let since = null;

function say(word) {
  if (state.dataset.state === word) return;
  state.dataset.state = document.body.dataset.state = word;
  state.textContent = SAID[word];
}

function connect() {
  source?.close();
  source = new EventSource("events");
  source.onmessage = (message) => receive(JSON.parse(message.data));
  source.onerror = () => {
    leave();
    say("lost");
    for (const route of routes.values()) route.halt();
    setTimeout(look, RETRY);
  };
}

function leave() {
  source?.close();
  source = null;
}

// Nobody looks at a tab that is hidden.
function look() {
  if (document.hidden || paused) leave();
  else if (!source) connect();
}

function receive(frame) {
  say(frame.draining ? "draining" : "live");
  if (frame.since !== since) forget(); // another process: its books and jobs begin anew
  since = frame.since;
  for (const [path, news] of Object.entries(frame.routes)) {
    if (!routes.has(path)) routes.set(path, add(path));
    routes.get(path).tell(news, frame.now);
  }
}

function forget() {
  for (const route of routes.values()) route.element.remove();
  routes.clear();
}

function add(path) {
  const route = new Route(path, Number(span.value));
  document.getElementById("routes").append(route.element);
  return route;
}

pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Go on" : "Pause";
  if (paused) {
    say("paused");
    for (const route of routes.values()) route.halt();
  }
  look();
});
span.addEventListener("change", () => {
  for (const route of routes.values()) route.bars.span = Number(span.value);
});
document.addEventListener("visibilitychange", look);

look();
