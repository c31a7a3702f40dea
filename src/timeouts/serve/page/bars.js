// Jobs as bars on a canvas that time moves to the left. One job is one bar: its wait, its run, and what
// still held its slot after its caller was answered.

const LANE = 14;
const THICK = 9;
const THIN = 3; // a wait is a thin line, a run a thick one
const LEAST = 4; // pixels: a job of a millisecond is seen, too
const AXIS = 24;
const DELAY = 0.3; // seconds behind the server, so that a bar is there before its place comes into view
const MOST = 4000; // bars in memory
const COLOURS = ["waiting", "running", "completed", "expired", "killed", "refused", "withdrawn", "failed", "grid", "quiet", "card"];

const dark = matchMedia("(prefers-color-scheme: dark)");
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Bars {
  constructor(canvas, span, say) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.span = span;
    this.say = say;
    this.jobs = new Map(); // by number, oldest first
    this.lanes = [];
    this.turn = 0;
    this.offset = null; // the server's clock less this page's
    this.halted = 0; // the instant on this page's clock at which time stands still
    this.ratio = 1;
    this.pointer = null;
    new ResizeObserver(() => this.fit()).observe(canvas);
    dark.addEventListener("change", () => this.dip());
    canvas.addEventListener("pointermove", (event) => (this.pointer = [event.offsetX, event.offsetY]));
    canvas.addEventListener("pointerleave", () => (this.pointer = null));
    this.dip();
    requestAnimationFrame(() => this.move());
  }

  tell(jobs, now, arriving) {
    const offset = now - performance.now() / 1000;
    const jumped = this.halted !== null || Math.abs(offset - this.offset) > 1;
    this.offset = jumped ? offset : this.offset * 0.9 + offset * 0.1;
    this.halted = null;
    this.arriving = arriving;
    this.now = now;
    const open = new Set(jobs.map((job) => job.number));
    for (const [number, bar] of this.jobs) if (bar.job.ended === null && !open.has(number)) this.jobs.delete(number);
    for (const job of jobs) this.place(job);
    this.prune();
    this.describe();
    if (calm.matches) this.draw();
  }

  place(job) {
    const known = this.jobs.get(job.number);
    if (known) {
      known.job = job;
      return;
    }
    const lane = this.freeLane(job);
    if (lane === null) return; // no room: it is a sample anyway
    const bar = { job, lane };
    this.jobs.set(job.number, bar);
    this.lanes[lane] = bar;
  }

  // Lanes are taken in turn, so that the eye can follow who came after whom.
  freeLane(job) {
    const gap = (LEAST + 3) / this.perSecond;
    for (let tried = 0; tried < this.lanes.length; tried += 1) {
      const lane = (this.turn + tried) % this.lanes.length;
      const last = this.lanes[lane];
      if (last && this.jobs.has(last.job.number)) {
        const { arrived, ended } = last.job;
        if (ended === null || Math.max(ended, arrived + gap) + gap / 3 > job.arrived) continue;
      }
      this.turn = lane + 1;
      return lane;
    }
    return null;
  }

  prune() {
    const gone = this.now - 130;
    for (const [number, { job }] of this.jobs) {
      if ((job.ended !== null && job.ended < gone) || this.jobs.size > MOST) this.jobs.delete(number);
    }
  }

  move() {
    if (!this.canvas.isConnected) return;
    if (!calm.matches) this.draw();
    requestAnimationFrame(() => this.move());
  }

  // Time stands still until the next news; what is there can be looked at.
  halt() {
    this.halted ??= performance.now() / 1000;
  }

  fit() {
    const { clientWidth, clientHeight } = this.canvas;
    this.ratio = devicePixelRatio || 1;
    this.canvas.width = clientWidth * this.ratio;
    this.canvas.height = clientHeight * this.ratio;
    this.width = clientWidth;
    this.height = clientHeight;
    this.lanes.length = Math.max(1, Math.floor((clientHeight - AXIS) / LANE));
    for (const [number, { lane }] of this.jobs) if (lane >= this.lanes.length) this.jobs.delete(number);
    this.draw();
  }

  dip() {
    const style = getComputedStyle(document.documentElement);
    this.colours = Object.fromEntries(COLOURS.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    this.hatch = {};
    for (const kind of ["expired", "withdrawn", "failed"]) this.hatch[kind] = hatched(this.colours[kind], this.pen);
    this.draw();
  }

  get perSecond() {
    return (this.width || 1000) / this.span;
  }

  draw() {
    if (this.offset === null || !this.width) return;
    const { pen, width } = this;
    const right = (this.halted ?? performance.now() / 1000) + this.offset - DELAY;
    this.x = (instant) => width - (right - instant) * this.perSecond;
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, width, this.height);
    this.drawAxis(right);
    let drawn = 0;
    let under = null;
    const kinds = new Set();
    for (const bar of this.jobs.values()) {
      const box = this.drawBar(bar, right);
      if (!box) continue;
      drawn += 1;
      kinds.add(kindOf(bar.job));
      if (this.pointer && this.isUnder(box)) under = bar.job;
    }
    this.canvas.dataset.bars = String(drawn);
    this.canvas.dataset.kinds = [...kinds].sort().join(" ");
    this.say(under ? told(under) : this.sample());
  }

  drawAxis(right) {
    const { pen, width, height, colours, span } = this;
    const step = span / 10 < 2 ? 1 : span / 10 < 5 ? 5 : 15;
    const floor = height - AXIS + 2;
    pen.lineWidth = 1;
    pen.strokeStyle = colours.grid;
    pen.beginPath();
    for (let second = Math.floor(right / step) * step; second > right - span; second -= step) {
      const x = Math.round(this.x(second)) + 0.5;
      pen.moveTo(x, 0);
      pen.lineTo(x, floor);
    }
    pen.moveTo(0, floor + 0.5);
    pen.lineTo(width, floor + 0.5);
    pen.stroke();
    pen.fillStyle = colours.quiet;
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "bottom";
    for (const [share, align] of [[0, "left"], [0.25, "center"], [0.5, "center"], [0.75, "center"], [1, "right"]]) {
      pen.textAlign = align;
      const ago = span * (1 - share);
      pen.fillText(ago ? `${ago} s ago` : "now", share * width, height);
    }
  }

  drawBar({ job, lane }, right) {
    const { pen, colours } = this;
    const end = job.ended ?? right;
    const from = this.x(job.arrived);
    const to = Math.max(this.x(Math.min(end, right)), from + LEAST);
    if (to < 0 || from > this.width) return null;
    const y = lane * LANE + (LANE - THICK) / 2;
    const kind = kindOf(job);
    const taken = job.started === null ? to : this.x(job.started);
    const told = job.answered === null ? to : Math.max(this.x(job.answered), from + LEAST);
    if (taken > from) block(pen, colours.waiting, from, y + (THICK - THIN) / 2, taken - from, THIN);
    if (job.started !== null) {
      const least = Math.max(told - taken, LEAST);
      if (to > told) block(pen, this.hatch[kind] ?? colours[kind], told - 3, y, to - told + 3);
      block(pen, job.answered === null ? colours.running : colours[kind], taken, y, least);
    } else if (job.answered !== null) {
      block(pen, colours[kind], Math.max(from, told - LEAST), y, LEAST);
    }
    if (job.killed) cross(pen, colours.killed, colours.card, to, y + THICK / 2);
    return [from, to, lane * LANE];
  }

  isUnder([from, to, top]) {
    const [x, y] = this.pointer;
    return x >= from - 2 && x <= to + 2 && y >= top && y < top + LANE;
  }

  sample() {
    let recent = 0;
    for (const { job } of this.jobs.values()) if (job.arrived > this.now - 2.5 && job.arrived <= this.now - 0.5) recent += 1;
    const share = (2 * this.arriving) / Math.max(1, recent);
    return share > 1.5 ? `a sample: about 1 job in ${Math.round(share)} is shown` : "";
  }

  // For who cannot see the bars: what is there, in words, now and then.
  describe() {
    if (this.now < (this.described ?? 0) + 2 && this.now > this.described) return;
    this.described = this.now;
    const counts = {};
    for (const { job } of this.jobs.values()) {
      if (job.ended === null || job.ended > this.now - this.span) counts[kindOf(job)] = (counts[kindOf(job)] ?? 0) + 1;
    }
    const words = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`);
    this.canvas.setAttribute("aria-label", `Jobs as bars over the last ${this.span} s: ${words.join(", ") || "none"}`);
  }
}

function kindOf(job) {
  if (job.killed) return job.kind === "withdrawn" ? "withdrawn" : "expired";
  if (job.answered !== null) return job.kind;
  return job.started === null ? "waiting" : "running";
}

function block(pen, style, x, y, width, height = THICK) {
  pen.fillStyle = style;
  pen.beginPath();
  pen.roundRect(x, y, width, height, Math.min(2.5, width / 2));
  pen.fill();
}

function cross(pen, colour, edge, x, y) {
  for (const [style, width] of [[edge, 5], [colour, 2.2]]) {
    pen.strokeStyle = style;
    pen.lineWidth = width;
    pen.lineCap = "round";
    pen.beginPath();
    pen.moveTo(x - 3.2, y - 3.2);
    pen.lineTo(x + 3.2, y + 3.2);
    pen.moveTo(x - 3.2, y + 3.2);
    pen.lineTo(x + 3.2, y - 3.2);
    pen.stroke();
  }
}

function hatched(colour, pen) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 6;
  const ink = tile.getContext("2d");
  ink.globalAlpha = 0.25;
  ink.fillStyle = colour;
  ink.fillRect(0, 0, 6, 6);
  ink.globalAlpha = 1;
  ink.strokeStyle = colour;
  ink.lineWidth = 2;
  for (const shift of [-6, 0, 6]) {
    ink.moveTo(shift, 6);
    ink.lineTo(shift + 6, 0);
  }
  ink.stroke();
  return pen.createPattern(tile, "repeat");
}

function told(job) {
  const parts = [];
  const waited = (job.started ?? job.answered) - job.arrived;
  parts.push(job.started === null && job.answered === null ? "waiting" : `waited ${seconds(waited)}`);
  if (job.started !== null) parts.push(job.answered === null ? "running" : `ran ${seconds(job.answered - job.started)}`);
  if (job.answered !== null) parts.push(job.outcome.replaceAll("_", " "));
  if (job.lateness !== null) parts.push(`told ${seconds(job.lateness)} late`);
  if (job.killed) parts.push(`killed ${seconds(job.ended - job.answered)} after that`);
  else if (job.answered !== null && job.ended === null) parts.push("its slot is still held");
  return parts.join(" · ");
}

function seconds(value) {
  return value < 1 ? `${Number((value * 1000).toFixed(1))} ms` : `${Number(value.toFixed(2))} s`;
}
