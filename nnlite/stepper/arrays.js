/* The arrays of a step: what is drawn of them, what is outlined, and what a click chooses. */

/** Whether an array is many maps that would be too small to point at in half the width. */
const isLarge = (shape) => shape.length === 3 && shape[0] > 1 && shape[2] >= 10;

function shapeOf(f, index, size) {
  if (index === "j" || f.geometry.kind === "same") return product(f.layout) === size ? f.layout : [size];
  return product(f.geometry.above) === size ? f.geometry.above : [size];
}

/** The weights that a step reads: those of the chosen k where it sums over j, those of the chosen j over k. */
function weightsOf(f, one) {
  const over = one.index === "k" ? "j" : "k", g = f.geometry;
  const links = over === "j" ? f.window(state.k) : f.fed(state.j), W = f.array("w_jk"), others = new Map();
  for (let i = 0; i < links.length; i += 2) others.set(links[i + 1], links[i]);
  let shape, places;
  if (g.kind !== "windows") {
    shape = shapeOf(f, over, links.length / 2);
    places = [...others.keys()];
  } else {
    const area = g.size[0] * g.size[1], first = links.length ? links[1] : 0;
    const filter = Math.floor(first / (area * g.channels)), c = Math.floor(first / area) % g.channels;
    const whole = (over === "j") !== g.transposed; // all channels of one filter, or one channel of all filters
    shape = [whole ? g.channels : g.filters, ...g.size];
    const group = Math.floor(filter / g.filters) * g.filters;
    places = Array.from({ length: product(shape) }, (_, n) => {
      const map = Math.floor(n / area), at = n % area;
      return (whole ? filter * g.channels + map : (group + map) * g.channels + c) * area + at;
    });
  }
  const values = Float64Array.from(places, (place) => W[place]);
  return { values, shape, over, chosen: places.findIndex((place) => others.get(place) === state[over]),
    pick: (n) => others.get(places[n]) };
}

/** A canvas that can be clicked, with what lies under the pointer in its caption. */
function interactive(canvas, values, shape, name, options, choose, caption, chosen) {
  const drawn = drawCells(canvas, values, shape, options), text = canvas.parentElement.querySelector("figcaption");
  const under = (event) => {
    const box = canvas.getBoundingClientRect();
    return cellAt(drawn.arrangement, event.clientX - box.left - drawn.edge, event.clientY - box.top - drawn.edge, values.length);
  };
  const show = (n) => { text.innerHTML = caption(n); light(lit); };
  canvas.onclick = (event) => { const n = under(event); if (n >= 0) choose(n); };
  canvas.onmousemove = (event) => { const n = under(event); if (n >= 0) show(n); };
  canvas.onmouseleave = () => show(chosen);
  canvas.setAttribute("aria-label", `${name}: ${values.length} numbers from ${number(Math.min(...values))} to ` +
    `${number(Math.max(...values))}; chosen: number ${chosen}, ${number(values[chosen] ?? 0)}`);
  show(chosen);
}

const MEANINGS = { b: "biases", s: "relevance for each unit of z", c: "what the inputs collect", l: "lower bounds",
  h: "upper bounds", x: "the input", "x′": "the reference", "ε": "the stabilizer", w: "weights", v: "the constant",
  p: "the part of each branch" };
const SIGNALS = { R: "relevance", g: "slopes", m: "multipliers" };

/** What an array is, in a word or two. */
function meaningOf(f, [, letter, index]) {
  const side = index === "j" ? "below" : "above";
  if (letter === "R" && f.layer === "input") return "the result";
  if (letter in SIGNALS) return `${f.books || letter !== "R" ? SIGNALS[letter] : "signal"} ${side}`;
  if (letter === "a" || (letter === "z" && !f.books)) return `activations ${side}`;
  if (letter[1] === "′" && letter !== "x′") return `the reference's activations ${side}`;
  return letter === "Δ" ? `differences ${side}` : letter[0] === "z" ? "what the inputs bring" : MEANINGS[letter] || MEANINGS[letter[0]] || "";
}

/** What is drawn of an array: all of it; where branches meet, of one with an element for each j a part for each. */
function partsOfArray(f, symbol) {
  const [, letter, index] = symbol, size = f.array(arrayName(symbol)).length;
  if (index !== "j" || !f.geometry.branches.length)
    return [{ symbol, first: 0, end: size, shape: index === "jk" ? [size] : shapeOf(f, index, size), of: "" }];
  return f.geometry.branches.map((shape, b) =>
    ({ symbol, first: f.first[b], end: f.first[b + 1], shape, of: `, from ${escaped(f.reads[b])}` }));
}

function drawArrays(f, one) {
  const own = ["sym", one.symbol, one.index];
  const symbols = [...symbolsOf(one.tree).filter((symbol) => arrayName(symbol) !== one.name), own];
  const shown = symbols.flatMap((symbol) => partsOfArray(f, symbol));
  const place = $("arrays");
  place.innerHTML = shown.map(({ symbol }, i) => {
    const name = arrayName(symbol), result = symbol === own;
    return `<figure class="array${result ? " result" : ""}" data-s="${name}"><canvas id="cells-${i}" role="img"></canvas><figcaption></figcaption></figure>`;
  }).join("");
  const half = place.clientWidth > 540 ? place.clientWidth / 2 - 20 : place.clientWidth - 8;
  const sums = JSON.stringify(one.tree);
  shown.forEach(({ symbol, first, end, shape, of }, i) => {
    const [, letter, index] = symbol, canvas = $("cells-" + i), name = arrayName(symbol);
    const large = isLarge(shape);
    const room = large ? Math.min(440, place.clientWidth - 8) : Math.min(280, half);
    const meaning = meaningOf(f, symbol) + of;
    const says = (n, at, value) => `${symbolHtml(letter, index)} ${meaning} <span class="at">${indexed(letter, at)} = ${number(value)}</span>`;
    if (index === "jk" && f.geometry.kind !== "same") {
      const w = weightsOf(f, one), fixed = w.over === "j" ? "k" : "j";
      interactive(canvas, w.values, w.shape, "w, weights of " + fixed + " " + state[fixed], { room, chosen: w.chosen },
        (n) => { if (w.pick(n) !== undefined) go({ [w.over]: w.pick(n) }); },
        (n) => `${symbolHtml(letter, index)} weights <span class="at">for <i>${fixed}</i> = ${state[fixed]}` +
          (w.values[n] === undefined ? "" : `: ${number(w.values[n])}`) + "</span>", w.chosen);
      return;
    }
    const values = f.array(name).subarray(first, end), count = of ? end - first : index ? f.count(index) : 1;
    const spread = index && values.length < count; // one number a channel
    const inside = state[index] >= first && state[index] < end;
    const chosen = spread ? Math.floor((state[index] * values.length) / count) : index && (!of || inside) ? state[index] - first : -1;
    let region = null, winner = -1;
    if (["windows", "join"].includes(f.geometry.kind) && !spread && index) {
      const links = index === "j" ? f.window(state.k) : sums.includes('["sum","k"') ? f.fed(state.j) : [];
      region = links.filter((j, n) => n % 2 === 0 && (!of || (j >= first && j < end))).map((j) => j - first);
      if (index === "j" && sums.includes('"wins"')) winner = f.winner("a", state.k);
    }
    const pick = (n) => index && go({ [index]: spread ? Math.ceil((n * count) / values.length) : n + first });
    const here = (n) => (index && n < 0 ? `${symbolHtml(letter, index)} ${meaning}` : says(n, index ? String(n + first) : "", values[index ? n : 0]));
    interactive(canvas, values, shape, name, { room, region, chosen, winner }, pick, here, chosen);
  });
}

