"use strict";
/* The page's own arithmetic: the trees of expressions.py and the geometry of geometry.py, in float64. */

const DATA = JSON.parse(document.getElementById("data").textContent);
const MOST = Number.MAX_VALUE * 2 ** -20;
const decoded = new Map();

/** The array with this number in the pool: base64, little-endian, float64 (or float32 where that is the same). */
function pooled(id) {
  if (!decoded.has(id)) {
    const [kind, text] = DATA.pool[id];
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    decoded.set(id, Float64Array.from(kind === "f8" ? new Float64Array(bytes.buffer) : new Float32Array(bytes.buffer)));
  }
  return decoded.get(id);
}

const product = (shape) => shape.reduce((n, m) => n * m, 1);

const unravel = (n, shape) => shape.map((size, d) => Math.floor(n / product(shape.slice(d + 1))) % size);
const ravel = (place, shape) => place.reduce((n, i, d) => n * shape[d] + i, 0);

/** One layer: its arrays by name, and who feeds whom. Places are counted in row-major order. */
class Frame {
  constructor(described) {
    Object.assign(this, described);
    this.J = product(this.geometry.below);
    this.K = product(this.geometry.above);
    this.first = this.geometry.branches.reduce((ends, shape) => [...ends, ends[ends.length - 1] + product(shape)], [0]);
    this.winners = new Map();
    this.elements = new Map(); // the arrays of the symbols, found once
  }
  array(name) { return pooled(this.arrays[name]); }
  /** How much each input matters: |R_j| where the score is divided, |a_j R_j| where a signal is passed back. */
  strengths() {
    const signal = this.array(this.below);
    return this.books || this.arrays.a_j === undefined ? signal : signal.map((value, j) => value * this.array("a_j")[j]);
  }
  count(index) { return index === "j" ? this.J : index === "k" ? this.K : 1; }
  place(index, n) {
    if (this.geometry.kind === "same") return { j: n, k: n, jk: n };
    if (index !== "j") return { j: -1, k: n, jk: -1 };
    const [k, jk] = this.geometry.kind === "join" ? this.metBy(n) : [-1, -1];
    return { j: n, k, jk };
  }
  /** At a join: the branch that j lies in. */
  branch(j) { return this.first.slice(1, -1).filter((first) => j >= first).length; }
  /** Where a path through output k goes on: what is read, its strongest element there, and how strong that is. */
  pathBelow(k) {
    const links = this.window(k).filter((_, i) => i % 2 === 0), strength = this.strengths(), joins = this.geometry.branches.length;
    return this.reads.map((name, b) => {
      const feeding = links.filter((j) => !joins || this.branch(j) === b);
      const j = feeding.reduce((best, n) => (Math.abs(strength[n]) > Math.abs(strength[best]) ? n : best), feeding[0]);
      return { name, n: joins ? j - this.first[b] : j, strength: Math.abs(strength[j]) };
    }).filter(({ n }) => Number.isInteger(n));
  }

  /** [j, place of w_jk, ...] of the inputs that feed k. */
  window(k) { return this.links(k, true); }
  /** [k, place of w_jk, ...] of the outputs that j feeds. */
  fed(j) { return this.links(j, false); }
  links(n, down) {
    const g = this.geometry, found = [];
    if (g.kind === "same") return [n, n];
    if (g.kind === "dense") {
      if (down) for (let j = 0; j < this.J; j++) found.push(j, j * this.K + n);
      else for (let k = 0; k < this.K; k++) found.push(k, n * this.K + k);
      return found;
    }
    if (g.kind === "join") return down ? this.ofBranches(n) : this.metBy(n);
    return down === g.transposed ? this.windowsOver(n) : this.pixelsIn(n);
  }
  /** Where each branch of a Concat begins along its axis; 0 at other joins. */
  starts() {
    const { branches, axis } = this.geometry;
    return branches.map((_, b) => branches.slice(0, b).reduce((sum, shape) => sum + (axis === null ? 0 : shape[axis]), 0));
  }
  ofBranches(k) {
    const { above, branches, axis } = this.geometry, at = unravel(k, above), starts = this.starts(), found = [];
    branches.forEach((shape, b) => {
      const place = at.map((i, d) => (d === axis ? i - starts[b] : shape[d] > 1 ? i : 0));
      if (place.every((i, d) => i >= 0 && i < shape[d])) found.push(this.first[b] + ravel(place, shape), b * this.K + k);
    });
    return found;
  }
  metBy(j) {
    const { above, branches, axis } = this.geometry, b = this.branch(j), shape = branches[b], start = this.starts()[b];
    const at = unravel(j - this.first[b], shape);
    let found = [0]; // k, one axis after the other
    at.forEach((i, d) => {
      const reach = d === axis ? [i + start] : shape[d] === 1 ? [...Array(above[d]).keys()] : [i];
      found = found.flatMap((k) => reach.map((n) => k * above[d] + n));
    });
    return found.flatMap((k) => [k, b * this.K + k]);
  }
  pixelsIn(window) {
    const g = this.geometry, found = [];
    const [, h, w] = g.transposed ? g.above : g.below, [, oh, ow] = g.transposed ? g.below : g.above;
    const filter = Math.floor(window / (oh * ow)), y = Math.floor((window % (oh * ow)) / ow), x = window % ow;
    const group = Math.floor(filter / g.filters);
    for (let c = 0; c < g.channels; c++)
      for (let i = 0; i < g.size[0]; i++) {
        const row = y * g.stride[0] - g.padding[0] + i * g.dilation[0];
        if (row < 0 || row >= h) continue;
        for (let m = 0; m < g.size[1]; m++) {
          const column = x * g.stride[1] - g.padding[1] + m * g.dilation[1];
          if (column >= 0 && column < w)
            found.push(((group * g.channels + c) * h + row) * w + column, this.weight(filter, c, i, m));
        }
      }
    return found;
  }
  windowsOver(pixel) {
    const g = this.geometry, found = [];
    const [, h, w] = g.transposed ? g.above : g.below, [, oh, ow] = g.transposed ? g.below : g.above;
    const channel = Math.floor(pixel / (h * w)), row = Math.floor((pixel % (h * w)) / w), column = pixel % w;
    const group = Math.floor(channel / g.channels), c = channel % g.channels;
    for (let f = 0; f < g.filters; f++)
      for (let i = g.size[0] - 1; i >= 0; i--) {
        const y = (row + g.padding[0] - i * g.dilation[0]) / g.stride[0];
        if (!Number.isInteger(y) || y < 0 || y >= oh) continue;
        for (let m = g.size[1] - 1; m >= 0; m--) {
          const x = (column + g.padding[1] - m * g.dilation[1]) / g.stride[1];
          const filter = group * g.filters + f;
          if (Number.isInteger(x) && x >= 0 && x < ow)
            found.push((filter * oh + y) * ow + x, this.weight(filter, c, i, m));
        }
      }
    return found;
  }
  weight(filter, c, i, m) {
    const g = this.geometry;
    return ((filter * g.channels + c) * g.size[0] + i) * g.size[1] + m;
  }
  /** The first input of window k, in row-major order, that holds its largest element. */
  winner(name, k) {
    const key = name + k;
    if (!this.winners.has(key)) {
      const values = this.array(name + "_j"), links = this.window(k);
      let best = links[0];
      for (let i = 2; i < links.length; i += 2) if (values[links[i]] > values[best]) best = links[i];
      this.winners.set(key, best);
    }
    return this.winners.get(key);
  }
}

const arrayName = (symbol) => (symbol[2] ? symbol[1] + "_" + symbol[2] : symbol[1]);

/** The element that a "sym" names; an array with one number a channel, or a single one, serves all their places. */
function element(symbol, frame, at) {
  const index = symbol[2];
  let values = frame.elements.get(symbol);
  if (values === undefined) frame.elements.set(symbol, (values = frame.array(arrayName(symbol))));
  if (!index) return values[0];
  if (index === "jk") return values[at.jk];
  const n = frame.count(index);
  return values[values.length === n ? at[index] : Math.floor((at[index] * values.length) / n)];
}

/** [place, ...]: where the terms of a "sum" or a "total" lie. */
function places(tree, frame, at) {
  const index = tree[1], found = [];
  if (tree[0] === "total") {
    for (let k = 0; k < frame.K; k++) found.push({ j: at.j, k, jk: at.jk });
    return found;
  }
  const links = index === "j" ? frame.window(at.k) : frame.fed(at.j);
  for (let i = 0; i < links.length; i += 2)
    found.push(index === "j" ? { j: links[i], k: at.k, jk: links[i + 1] } : { j: at.j, k: links[i], jk: links[i + 1] });
  return found;
}

function holds(condition, frame, at) {
  if (condition[0] === "wins") return frame.winner(condition[1], at.k) === at.j;
  const x = evaluate(condition[1], frame, at), y = evaluate(condition[2], frame, at);
  return condition[0] === "gt" ? x > y : condition[0] === "ge" ? x >= y : x < y;
}

/** Σ |terms| of the tree that was evaluated last: what its rounding is measured against. */
let sizeOfLast = 0;

/** The value of a tree at a place. */
function evaluate(tree, frame, at) {
  const kind = tree[0];
  let value = 0, size = 0;
  if (kind === "sum" || kind === "total") {
    for (const place of places(tree, frame, at)) {
      value += evaluate(tree[2], frame, place);
      size += sizeOfLast;
    }
  } else if (kind === "when") {
    return evaluate(holds(tree[1], frame, at) ? tree[2] : tree[3], frame, at);
  } else if (kind === "add") {
    for (let i = 1; i < tree.length; i++) {
      value += evaluate(tree[i], frame, at);
      size += sizeOfLast;
    }
  } else if (kind === "sub") {
    value = evaluate(tree[1], frame, at);
    size = sizeOfLast;
    value -= evaluate(tree[2], frame, at);
    size += sizeOfLast;
  } else if (kind === "div") {
    value = evaluate(tree[1], frame, at);
    size = sizeOfLast;
    const below = evaluate(tree[2], frame, at);
    value /= below;
    size /= Math.abs(below);
  } else {
    value = simple(tree, frame, at);
    size = Math.abs(value);
  }
  sizeOfLast = size;
  return value;
}

function simple(tree, frame, at) {
  const [kind, x, y] = tree;
  switch (kind) {
    case "num": return x;
    case "sym": return element(tree, frame, at);
    case "mul": {
      let value = 1;
      for (let i = 1; i < tree.length; i++) value *= evaluate(tree[i], frame, at);
      return value;
    }
    case "share": {
      const quotient = evaluate(x, frame, at) / evaluate(y, frame, at);
      return Math.abs(quotient) < MOST ? quotient : 0;
    }
    case "stab": {
      const z = evaluate(x, frame, at), e = evaluate(y, frame, at);
      return z >= 0 ? z + e : z - e;
    }
    case "pos": return Math.max(evaluate(x, frame, at), 0);
    case "neg": return Math.min(evaluate(x, frame, at), 0);
    case "square": return evaluate(x, frame, at) ** 2;
    case "root": return Math.sqrt(evaluate(x, frame, at));
    case "abs": return Math.abs(evaluate(x, frame, at));
  }
  throw new Error("unknown operation " + kind);
}

/** How far the recorded element n of a step lies from its formula, as a part of Σ |terms|. */
function difference(step, frame, n) {
  const recorded = frame.array(step.name)[n];
  const value = evaluate(step.tree, frame, frame.place(step.index, n));
  return value === recorded ? 0 : sizeOfLast ? Math.abs(value - recorded) / sizeOfLast : Infinity;
}

/** Recompute the elements of every step: all of them, or where a step has more than `limit` terms, every n-th. */
function report(limit = 4e6) {
  let worst = 0, where = "", elements = 0, of = 0;
  for (const trace of TRACES)
    for (const frame of trace.frames)
      for (const step of frame.steps) {
        const n = frame.array(step.name).length;
        const summed = step.tree[0] === "sum" && n ? (step.index === "k" ? frame.window(0) : frame.fed(0)).length / 2 : 1;
        const stride = Math.max(1, Math.ceil((n * summed) / limit));
        for (let i = 0; i < n; i += stride, elements++) {
          const off = difference(step, frame, i);
          if (!(off <= worst)) { worst = off; where = `${trace.method} ${frame.layer} ${step.name} ${i}`; }
        }
        of += n;
      }
  return { worst, where, elements, of };
}

const TRACES = DATA.traces.map((trace) => ({ ...trace, frames: trace.frames.map((frame) => new Frame(frame)) }));

/* ------------------------------------------------------------------------------------- numbers that add up */

/** A number to five significant digits. */
const number = (value) => String(Number((value + 0).toPrecision(5))).replace("-", "−");

/** The values, the rest and the total as text that adds up exactly: see adding_up in printing.py. */
function addingUp(values, total, rest) {
  const largest = Math.max(0, Math.abs(total), ...values.map(Math.abs));
  const power = largest > 0 ? Math.max(Math.floor(Math.log10(largest)), -290) : 0;
  const exponent = power < -6 || power > 6 ? power : 0;
  const first = Math.max(5 - (power - exponent), 0);
  let digits = first, counts, whole;
  const count = () => {
    const unit = 10 ** (digits - exponent);
    counts = values.map((value) => Math.round(value * unit));
    whole = Math.round(total * unit);
    return rest || counts.reduce((a, b) => a + b, 0) === whole;
  };
  while (!count() && digits < first + 4) digits++;
  if (!count()) { digits = first; count(); }
  const left = whole - counts.reduce((a, b) => a + b, 0);
  const text = (n) => ((n / 10 ** digits).toFixed(digits) + (exponent ? "e" + exponent : "")).replace("-", "−");
  return { amounts: counts.map(text), rest: rest || left ? text(left) : null, total: text(whole) };
}

/** The terms of the sums and differences at the top of a tree, with their signs. */
function partsOf(tree, sign = 1) {
  if (tree[0] === "add") return tree.slice(1).flatMap((part) => partsOf(part, sign));
  if (tree[0] === "sub") return [...partsOf(tree[1], sign), ...partsOf(tree[2], -sign)];
  return [[sign, tree]];
}

/** What adds up to the value of a tree: the largest terms of each Σ, how many more there are, and what they come to. */
function bill(tree, frame, at, top) {
  const terms = [], others = [];
  let more = 0;
  for (const [sign, part] of partsOf(tree)) {
    if (part[0] !== "sum" && part[0] !== "total") {
      others.push({ tree: part, sign, at, value: sign * evaluate(part, frame, at) });
      continue;
    }
    const all = places(part, frame, at).map((place) => ({
      tree: part[2], sign, at: place, index: part[1], n: place[part[1]], value: sign * evaluate(part[2], frame, place),
    }));
    const nonzero = all.length > 1 ? all.filter((term) => term.value !== 0) : all;
    nonzero.sort((p, q) => Math.abs(q.value) - Math.abs(p.value));
    const shown = nonzero.length <= top + 1 ? nonzero : nonzero.slice(0, top);
    terms.push(...shown);
    more += all.length - shown.length;
  }
  const rows = [...terms, ...others];
  const shown = addingUp(rows.map((row) => row.value), evaluate(tree, frame, at), more > 0);
  rows.forEach((row, i) => { row.amount = shown.amounts[i]; });
  return { terms, others, more, rest: shown.rest, total: shown.total };
}
