// One route: its figures in words and numbers. The bars are in bars.js.

import { Bars } from "./bars.js";

const STOPS = {
  kill: "a worker past its limit is killed and replaced",
  cancel: "a task past its limit is cancelled",
  abandon: "a thread past its limit holds its slot until it ends",
};
const REACH = {
  "waiting time": ["waiting", ""],
  "service time": ["", "running"],
  "sojourn time": ["waiting", "running"],
  "time to first item": ["waiting", "first"],
  "gap between items": ["", "gaps"],
};
const CELLS = 64;
const whole = new Intl.NumberFormat("en");

export class Route {
  constructor(path, span) {
    this.element = document.getElementById("route").content.firstElementChild.cloneNode(true);
    this.element.dataset.path = path;
    this.texts = new Map();
    for (const node of this.element.querySelectorAll("[data-text]")) this.texts.set(node.dataset.text, node);
    this.write("path", path);
    this.rows = new Map();
    this.limits = "";
    this.bars = new Bars(this.element.querySelector("canvas"), span, (text) => this.write("readout", text));
  }

  tell(news, now) {
    this.write("handler", news.handler);
    this.write("stop", `· ${STOPS[news.stop_mode]}`);
    this.tellRates(news.rates);
    this.tellQueue(news.books, news.capacity);
    this.tellSlots(news.books);
    this.tellOutcomes(news);
    this.tellLimits(news.limits);
    this.tellLateness(news.lateness);
    this.bars.tell(news.jobs, now, news.rates.arrived ?? 0);
  }

  halt() {
    this.bars.halt();
  }

  write(name, text) {
    const node = this.texts.get(name);
    if (node.textContent !== text) node.textContent = text;
  }

  tellRates(rates) {
    const { arrived, completed = 0, ...others } = rates;
    if (arrived === undefined) return;
    this.write("arriving", rate(arrived));
    this.write("completing", rate(completed));
    this.write("others", rate(Object.values(others).reduce((sum, one) => sum + one, 0)));
  }

  tellQueue({ waiting }, capacity) {
    this.write("waiting", whole.format(waiting));
    this.write("capacity", capacity === null ? "waiting, no bound" : `of ${whole.format(capacity)} places`);
    const share = capacity ? Math.min(1, waiting / capacity) : 0;
    this.element.querySelector(".meter span").style.setProperty("--share", `${share * 100}%`);
  }

  tellSlots({ running, abandoned, slots }) {
    const held = abandoned ? `, ${whole.format(abandoned)} still held` : "";
    this.write("running", whole.format(running));
    this.write("slots", slots === null ? `running, no bound${held}` : `of ${whole.format(slots)} running${held}`);
    const cells = this.element.querySelector(".cells");
    const shown = slots === null ? 0 : Math.min(slots, CELLS);
    while (cells.childElementCount < shown) cells.append(document.createElement("span"));
    while (cells.childElementCount > shown) cells.lastElementChild.remove();
    const scale = slots ? shown / slots : 1;
    [...cells.children].forEach((cell, index) => {
      const at = (index + 0.5) / scale;
      cell.className = at < running ? "running" : at < running + abandoned ? "held" : "";
    });
  }

  tellOutcomes({ books, kinds, rates, killed }) {
    for (const [name, count] of Object.entries(books.outcomes)) {
      const row = this.rows.get(name) ?? this.addRow(name);
      row.name.dataset.kind = kinds[name] ?? "failed";
      row.count.textContent = whole.format(count);
      row.rate.textContent = rate(rates[name] ?? 0);
    }
    this.write("arrived", whole.format(books.arrived));
    this.write("rate", rate(rates.arrived ?? 0));
    this.write("killed", killed ? `${whole.format(killed)} killed: their workers are proven dead.` : "");
  }

  addRow(name) {
    const line = this.element.querySelector("tbody").insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    const label = document.createElement("span");
    label.className = "outcome";
    label.textContent = name.replaceAll("_", " ");
    head.append(label);
    line.append(head);
    line.dataset.outcome = name;
    const row = { name: label, count: line.insertCell(), rate: line.insertCell() };
    this.rows.set(name, row);
    return row;
  }

  tellLimits(limits) {
    const seen = JSON.stringify(limits);
    if (seen === this.limits) return;
    this.limits = seen;
    this.element.querySelector(".limits").replaceChildren(...limits.map(limitItem));
  }

  tellLateness({ bounds, counts }) {
    const list = this.element.querySelector(".histogram");
    if (!list.childElementCount) list.append(...counts.map((_, index) => bucketItem(bounds, index)));
    const most = Math.max(1, ...counts);
    counts.forEach((count, index) => {
      const item = list.children[index];
      item.className = count ? "" : "none";
      item.firstElementChild.textContent = count ? brief(count) : "";
      item.children[1].style.setProperty("--share", String(count / most));
      item.setAttribute("aria-label", `${bucketName(bounds, index)}: ${count}`);
    });
    this.write("lateness", lateness(bounds, counts));
  }
}

function rate(number) {
  return number >= 100 ? whole.format(Math.round(number)) : number.toFixed(1);
}

function brief(count) {
  return count < 1000 ? String(count) : `${(count / 1000).toFixed(count < 10000 ? 1 : 0)}k`;
}

function limitItem({ rule, interval, bounds }) {
  const item = document.createElement("li");
  const name = document.createElement("code");
  name.textContent = rule;
  const reach = document.createElement("div");
  reach.className = "reach";
  reach.setAttribute("aria-hidden", "true");
  for (const part of REACH[interval] ?? ["", ""]) {
    const span = document.createElement("span");
    span.className = part;
    reach.append(span);
  }
  const words = document.createElement("small");
  words.textContent = `${interval}: ${bounds}`;
  item.append(name, reach, words);
  return item;
}

function bucketItem(bounds, index) {
  const item = document.createElement("li");
  const label = document.createElement("small");
  label.textContent = index < bounds.length ? short(bounds[index]) : "more";
  item.append(document.createElement("b"), document.createElement("i"), label);
  return item;
}

function bucketName(bounds, index) {
  return index < bounds.length ? `at most ${duration(bounds[index])}` : `more than ${duration(bounds.at(-1))}`;
}

function short(seconds) {
  return seconds < 1 ? String(Math.round(seconds * 1000)) : `${seconds} s`;
}

// What the histogram says, in words.
function lateness(bounds, counts) {
  const total = counts.reduce((sum, one) => sum + one, 0);
  if (!total) return "Nothing has expired. The scale is in milliseconds.";
  const within = (share) => {
    let seen = 0;
    const index = counts.findIndex((count) => (seen += count) >= total * share);
    return bucketName(bounds, index);
  };
  return `${whole.format(total)} expired. Half were told ${within(0.5)} late, 99 % ${within(0.99)}. The scale is in milliseconds.`;
}

export function duration(seconds) {
  const ms = seconds * 1000;
  if (ms < 10) return `${Number(ms.toFixed(1))} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Number(seconds.toFixed(2))} s`;
}
