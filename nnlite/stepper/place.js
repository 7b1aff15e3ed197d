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
  if (frame().geometry.kind === "same") state[place.k !== undefined && place.j === undefined ? "j" : "k"] =
    place.k !== undefined && place.j === undefined ? state.k : state.j;
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

/** j and k of a layer on the path of the strongest signal, from the top. */
function onPath(l, m) {
  let k = 0, j = 0;
  TRACES[clamp(m, TRACES.length)].frames.slice(0, l + 1).forEach((at, i) => {
    const above = at.array(at.above);
    k = i ? j : above.reduce((most, value, n) => (Math.abs(value) > Math.abs(above[most]) ? n : most), 0);
    j = strongest(at.strengths(), at.window(k));
  });
  return { j, k };
}

/** The other end of the strongest link. */
function strongest(values, links) {
  let best = links.length ? links[0] : 0;
  for (let i = 2; i < links.length; i += 2) if (Math.abs(values[links[i]]) > Math.abs(values[best])) best = links[i];
  return best;
}

/** To another layer: on the way down j becomes the next k, on the way up k becomes the next j. */
function toLayer(l, s = 0) {
  const from = state.l;
  if (l < 0 || l >= trace().frames.length) return;
  const next = trace().frames[l];
  if (l === from + 1) {
    const k = clamp(state.j, next.K);
    go({ l, s, k, j: strongest(next.strengths(), next.window(k)) });
  } else if (l === from - 1) {
    const j = clamp(state.k, next.J);
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

