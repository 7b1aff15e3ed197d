/* Where we are: the layer l, the step s, the input j, the output k and the method m; and the way from place to place. */

const $ = (id) => document.getElementById(id);
const state = { ...DATA.start };
let lit = "";

const trace = () => TRACES[state.m];
const frame = () => trace().frames[state.l];
const step = () => frame().steps[state.s];
const clamp = (n, count) => Math.max(0, Math.min(count - 1, Number.isNaN(n) ? 0 : Math.floor(n)));

/** Go to a place: whatever is given, brought into range. */
function go(place) {
  Object.assign(state, place);
  state.m = clamp(state.m, TRACES.length);
  state.l = clamp(state.l, trace().frames.length);
  state.s = clamp(state.s, frame().steps.length);
  state.j = clamp(state.j, frame().J);
  state.k = clamp(state.k, frame().K);
  const f = frame(), byK = place.k !== undefined && place.j === undefined; // else j leads
  if (f.geometry.kind === "same") state[byK ? "j" : "k"] = byK ? state.k : state.j;
  if (f.geometry.kind === "join" && f.J) { // j and k stay together, in the branch that was chosen
    const fed = f.fed(state.j), feeding = f.window(state.k).filter((_, i) => i % 2 === 0);
    if (byK) state.j = feeding.find((j) => f.branch(j) === f.branch(state.j)) ?? feeding[0];
    else if (!fed.some((k, i) => i % 2 === 0 && k === state.k)) state.k = fed[0];
  }
  const { l, s, j, k, m } = state;
  const address = `#l=${l}&s=${s}&j=${j}&k=${k}` + (TRACES.length > 1 ? `&m=${m}` : "");
  if (location.hash !== address) history.replaceState(null, "", address);
  draw();
}

/** What the address says, such as #l=1&s=2&j=3&k=0. */
function addressed() {
  const place = {};
  for (const part of location.hash.slice(1).split("&")) {
    const [name, value] = part.split("=");
    if (name in state && /^\d+$/.test(value)) place[name] = Number(value);
  }
  return place.l === undefined || "j" in place || "k" in place ? place : { ...place, ...onPath(place.l, place.m || 0) };
}

/** j and k of a layer on the path of the strongest signal, from the top: see choices in terminal.py. */
function onPath(l, m) {
  const path = new Map();
  let k = 0, j = 0;
  TRACES[clamp(m, TRACES.length)].frames.slice(0, l + 1).forEach((at) => {
    const above = at.array(at.above), most = (best, value, n) => (Math.abs(value) > Math.abs(above[best]) ? n : best);
    k = path.has(at.layer) ? path.get(at.layer).n : above.reduce(most, 0);
    j = strongest(at.strengths(), at.window(k));
    for (const below of at.pathBelow(k))
      if (!path.has(below.name) || below.strength > path.get(below.name).strength) path.set(below.name, below);
  });
  return { j, k };
}

/** The element of its branch that j is, by the name of the layer that the branch comes from. */
function elementBelow(f, j) {
  const joins = f.geometry.branches.length, b = joins ? f.branch(j) : 0;
  return { name: f.reads[b], n: joins ? j - f.first[b] : j };
}

/** The other end of the strongest link. */
function strongest(values, links) {
  let best = links.length ? links[0] : 0;
  for (let i = 2; i < links.length; i += 2) if (Math.abs(values[links[i]]) > Math.abs(values[best])) best = links[i];
  return best;
}

/** To another layer: on the way down j becomes the next k, on the way up k becomes the next j, where they are one. */
function toLayer(l, s = 0) {
  const from = state.l;
  if (l < 0 || l >= trace().frames.length) return;
  const next = trace().frames[l], below = elementBelow(frame(), state.j), branch = next.reads.indexOf(frame().layer);
  if (l === from + 1 && below.name === next.layer) {
    const k = clamp(below.n, next.K);
    go({ l, s, k, j: strongest(next.strengths(), next.window(k)) });
  } else if (l === from - 1 && branch >= 0) {
    const j = clamp(state.k + (next.first[branch] || 0), next.J);
    go({ l, s, j, k: strongest(next.array(next.above), next.fed(j)) });
  } else {
    go({ l, s, ...onPath(l, state.m) });
  }
}

function toStep(by) {
  const s = state.s + by;
  if (s < 0 && state.l > 0) toLayer(state.l - 1, Infinity);
  else if (s >= frame().steps.length && state.l < trace().frames.length - 1) toLayer(state.l + 1, 0);
  else if (s >= 0 && s < frame().steps.length) go({ s });
}

function toMethod(m) {
  const layer = frame().layer, l = TRACES[m].frames.findIndex((other) => other.layer === layer);
  const s = l < 0 ? 0 : Math.max(0, TRACES[m].frames[l].steps.findIndex((other) => other.name === step().name));
  go({ m, l: Math.max(0, l), s });
}

