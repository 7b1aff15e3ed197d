/* The page: everything that changes is drawn again from `state`. */

function draw() {
  const focused = document.activeElement && document.activeElement.id;
  drawHeader();
  drawLayers();
  drawLedger();
  drawCompare();
  drawControls();
  drawSteps();
  light(lit);
  if (focused && $(focused) && document.activeElement !== $(focused)) $(focused).focus({ preventScroll: true });
}

function drawHeader() {
  $("title").textContent = trace().method + ", step by step";
  const predicted = DATA.predicted === null ? "" : `, predicted ${DATA.predicted}`;
  $("about").innerHTML = `${escaped(DATA.title)}${predicted}. Explained: ${escaped(DATA.explained)}, <b>${number(DATA.score)}</b>.<br>` +
    `<span class="formula-line">${typeset(trace().formula)}</span><br>From the score down to the pixels, each layer ` +
    `${frame().books ? "divides the relevance" : "passes the signal"} of its outputs <i>k</i> ` +
    `${frame().books ? "among" : "back to"} its inputs <i>j</i>.`;
  const f = frame(), atTheInput = f.reads.length === 1 && f.reads[0] === "input";
  const chosen = atTheInput && f.J === product(DATA.x.shape) ? state.j : -1;
  paint($("input"), pooled(DATA.x.id), DATA.x.shape, "the input", { room: 92, chosen, grey: true });
  paint($("result"), pooled(trace().R.id), trace().R.shape, "the result", { room: 92, chosen });
  const sum = pooled(trace().R.id).reduce((a, b) => a + b, 0);
  $("result-caption").innerHTML = `the result, Σ = ${number(sum)}`;
  $("methods").hidden = TRACES.length < 2;
  $("help-m").hidden = TRACES.length < 2;
  $("methods").innerHTML = TRACES.map((one, m) =>
    `<button id="method-${m}" aria-pressed="${m === state.m}">${escaped(one.method)}</button>`).join("");
  TRACES.forEach((_, m) => { $("method-" + m).onclick = () => toMethod(m); });
}

/** w_jk with its indices below, z^B with its letter above. */
const typeset = (text) => escaped(text).replace(/_([a-z]+)/g, "<sub>$1</sub>").replace(/\^(\w)/g, "<sup>$1</sup>");

/** In the header: of three channels a picture is in colour, and a map is their sum. */
function paint(canvas, values, shape, name, options) {
  const size = shape.length === 3 && shape[0] === 3 ? shape[1] * shape[2] : 0;
  if (size) {
    const sum = Array.from({ length: size }, (_, n) => values[n] + values[n + size] + values[n + 2 * size]);
    const rgb = options.grey ? (n) => [0, 1, 2].map((c) => Math.round(255 * values[n + c * size])) : null;
    const chosen = options.chosen < 0 ? -1 : options.chosen % size;
    drawCells(canvas, sum, [1, shape[1], shape[2]], { ...options, chosen, rgb });
  } else drawCells(canvas, values, shape, options);
  canvas.setAttribute("aria-label", `${name}: ${values.length} cells`);
}

function drawLayers() {
  $("layers").innerHTML = trace().frames.map((f, l) =>
    `<li><button id="layer-${l}" ${l === state.l ? 'aria-current="true"' : ""}>${escaped(f.layer)}</button></li>`).join("");
  trace().frames.forEach((_, l) => { $("layer-" + l).onclick = () => toLayer(l); });
  const current = $("layer-" + state.l), list = $("layers");
  list.scrollLeft = current.offsetLeft - list.clientWidth / 2 + current.clientWidth / 2;
}

const PARTS = [["inputs", "to the inputs"], ["bias", "to the bias"], ["stabilizer", "to ε"], ["dropped", "dropped"]];

function drawLedger() {
  const f = frame();
  $("ledger").innerHTML = `<h2>${escaped(f.layer)} <small>${escaped(f.kind)}${f.rule ? " · " + escaped(f.rule) : ""}</small></h2>` +
    (f.books ? ledgerHtml(f.books) : sumsHtml(f)) + f.branches.map((branch, b) => branchHtml(f, branch, b)).join("");
}

/** What a branch that meets here was given; under LRP also how far it exceeds the sum of all. */
function branchHtml(f, { layer, signal, largest }, b) {
  const share = f.books && f.books.above ? `, ${number((100 * signal) / f.books.above)} %` : "";
  const most = largest === null ? "" : `; |${symbolHtml("a", "j")} / ${symbolHtml("z", "k")}| up to ${number(largest)}`;
  return `<p class="sum"><span><small>from ${escaped(layer)} (j = ${f.first[b]} to ${f.first[b + 1] - 1})</small> ` +
    `Σ ${symbolHtml(...f.below.split("_"))} = ${number(signal)}${share}${most}</span></p>`;
}

function ledgerHtml(books) {
  const values = PARTS.map(([name]) => books[name]), shown = addingUp(values, books.above, false);
  const all = values.reduce((sum, value) => sum + Math.abs(value), 0) || 1;
  const segments = PARTS.map(([name], i) => values[i]
    ? `<span class="part ${name}${values[i] < 0 ? " negative" : ""}" style="flex:${Math.max(Math.abs(values[i]) / all, 0.004)}"></span>` : "");
  const text = PARTS.map(([name, words], i) => {
    const amount = values[i] ? shown.amounts[i] : "0", sign = amount.startsWith("−") ? "−" : i ? "+" : "";
    return `<span class="${values[i] ? "" : "nothing"}">${sign} <i class="dot ${name}"></i>${amount.replace("−", "")} <small>${words}</small></span>`;
  });
  if (shown.rest) text.push(`<span>+ ${shown.rest} <small>rounding</small></span>`);
  return `<div class="bar" aria-hidden="true">${segments.join("")}</div>` +
    `<p class="sum"><span>Σ ${symbolHtml("R", "k")} = ${shown.total}</span> <span>=</span> ${text.join(" ")}</p>`;
}

function sumsHtml(f) {
  const sum = (name) => number(f.array(name).reduce((a, b) => a + b, 0));
  const named = (name) => symbolHtml(...name.split("_"));
  return `<p class="sum"><span>Σ ${named(f.above)} = ${sum(f.above)} <small>above</small></span>
    <span>Σ ${named(f.below)} = ${sum(f.below)} <small>below</small></span>
    <small>${f.above[0] === "m" ? "Multipliers need not add up; times the differences Δ they do."
      : "This method does not divide the score: the two need not agree."}</small></p>`;
}

function drawCompare() {
  $("compare").hidden = TRACES.length < 2;
  if (TRACES.length < 2) return;
  const found = TRACES.map((one) => one.frames.find((f) => f.layer === frame().layer));
  if (found.includes(undefined)) {
    $("compare").innerHTML = `<p>Only ${escaped(trace().method)} has this step.</p>`;
    return;
  }
  if (!frame().J) {
    $("compare").innerHTML = "<p>This layer reads nothing: no signal goes on below it.</p>";
    return;
  }
  const values = found.map((f) => f.array(f.below)), shape = shapeOf(frame(), "j", values[0].length);
  const room = Math.min(250, (document.body.clientWidth - 100) / 3);
  const limit = Math.max(...values.map((array) => array.reduce((most, value) => Math.max(most, Math.abs(value)), 0)));
  const panels = [
    [TRACES[0].method, values[0]], [TRACES[1].method, values[1]],
    ["difference", values[0].map((value, n) => value - values[1][n])],
  ];
  $("compare").innerHTML = `<h2>What changes in this layer <small>the signal below, ${escaped(found[0].rule)} against ${escaped(found[1].rule)};
    the two on one scale</small></h2>
    <div class="arrays">${panels.map(([name], i) => `<figure><canvas id="panel-${i}" role="img"></canvas><figcaption></figcaption></figure>`).join("")}</div>`;
  panels.forEach(([name, array], i) => {
    const caption = (n) => `${escaped(name)}: ${symbolHtml(found[0].below.split("_")[0], String(n))} = ${number(array[n])}`;
    interactive($("panel-" + i), array, shape, name, { room, chosen: state.j, limit: i < 2 ? limit : 0 },
      (n) => go({ j: n }), caption, state.j);
  });
}

function drawControls() {
  const f = frame();
  for (const index of ["j", "k"]) {
    $(index).max = f.count(index) - 1;
    $(index).value = state[index];
    const { name, n, shape } = index === "j" ? whereBelow(f, state.j) : { name: "", n: state.k, shape: f.geometry.above };
    $("where-" + index).textContent = name + (shape.length === 3 ? placeWords(shape, n) : `of ${f.count(index)}`);
  }
  $("count").textContent = `step ${state.s + 1} of ${f.steps.length}`;
  $("back").disabled = state.l === 0 && state.s === 0;
  $("on").disabled = state.l === trace().frames.length - 1 && state.s === f.steps.length - 1;
}

/** The branch that j lies in, its place there, and the shape of the branch. */
function whereBelow(f, j) {
  if (!f.geometry.branches.length) return { name: "", n: j, shape: f.geometry.below };
  const b = f.branch(j);
  return { name: `${f.reads[b]}, `, n: j - f.first[b], shape: f.geometry.branches[b] };
}

function placeWords([, h, w], n) {
  return `channel ${Math.floor(n / (h * w))}, row ${Math.floor((n % (h * w)) / w)}, column ${n % w}`;
}

function drawSteps() {
  const f = frame();
  $("steps").innerHTML = f.steps.map((one, s) => {
    const current = s === state.s, n = one.index ? state[one.index] : 0;
    return `<section class="step${current ? " current" : ""}" aria-labelledby="step-${s}">
      <button id="step-${s}" class="head" aria-expanded="${current}" ${current ? 'aria-current="step"' : ""}>
        <span class="nr">${s + 1}</span><span class="math">${formulaHtml(one)}</span>
        <span class="value">${current ? `<span class="math vector">${vectorHtml(one)}</span>` : resultHtml(f, one, n)}</span></button>
      ${current ? `<p class="words">${escaped(one.words)}</p><div class="two"><div class="numbers">${numbersHtml(f, one, n)}</div><div class="arrays" id="arrays"></div></div>
      ${sourcesHtml(one)}` : ""}</section>`;
  }).join("");
  f.steps.forEach((_, s) => { $("step-" + s).onclick = () => go({ s }); });
  for (const button of document.querySelectorAll("[data-go]"))
    button.onclick = () => go({ [button.dataset.go]: Number(button.dataset.n) });
  for (const source of document.querySelectorAll(".source")) {
    const text = source.querySelector("pre"), marked = source.querySelector(".marked");
    source.ontoggle = () => { text.scrollTop = marked.offsetTop - text.clientHeight / 2; }; // comes at the beginning too
  }
  drawArrays(f, step());
  const n = step().index ? state[step().index] : 0;
  $("live").textContent = `Layer ${f.layer}, step ${state.s + 1} of ${f.steps.length}: ${step().symbol} ${step().index} ` +
    `${n} = ${number(f.array(step().name)[n])}.`;
}

const nameHtml = (one, n) => `<span class="sym" data-s="${one.name}">${indexed(one.symbol, one.index ? String(n) : "")}</span>`;

function tick(f, one, n) {
  const off = difference(one, f, n);
  return off <= 1e-12
    ? `<span class="ok" title="computed again in this page: differs by ${off.toExponential(1)} of Σ |terms|">✓</span>`
    : `<span class="wrong" title="computed again in this page: differs by ${off.toExponential(1)} of Σ |terms|">✗</span>`;
}

const resultHtml = (f, one, n) =>
  `<span class="math">${nameHtml(one, n)} = ${number(evaluate(one.tree, f, f.place(one.index, n)))}</span> ${tick(f, one, n)}`;

/** The formula with the numbers put in: a sum as a bill that adds up, anything else on one line. */
function numbersHtml(f, one, n) {
  const at = f.place(one.index, n);
  if (!["sum", "total", "add", "sub"].includes(one.tree[0])) {
    const value = number(evaluate(one.tree, f, at));
    const text = printed(one.tree, f, at)[0];
    const lost = one.tree[0] === "share" && evaluate(one.tree, f, at) === 0 && evaluate(one.tree[1], f, at) !== 0
      ? "<p class=note>The denominator is zero: nothing is distributed.</p>" : "";
    const same = text.replace(/<[^>]*>/g, "") === value;
    return `<p class="math line">${nameHtml(one, n)} = ${text}${same ? "" : ` = <b>${value}</b>`} ${tick(f, one, n)}</p>${lost}`;
  }
  const { terms, others, more, rest, total } = bill(one.tree, f, at, 6);
  const row = (label, text, amount, kind = "") =>
    `<tr class="${kind}"><th scope="row">${label}</th><td class="math">${text}</td><td>${amount}</td></tr>`;
  const rows = terms.map((term) => row(
    `<button data-go="${term.index}" data-n="${term.n}" title="choose ${term.index} = ${term.n}"><i>${term.index}</i> = ${term.n}</button>`,
    printed(term.tree, f, term.at)[0], term.amount));
  if (rest !== null && more) rows.push(row(`${more} more`, "", rest, "more"));
  for (const term of others) {
    const minus = term.sign < 0 ? "−" : "";
    rows.push(row(minus + `<span class="math">${printed(term.tree)[0]}</span>`,
      term.tree[0] === "sym" ? "" : minus + printed(term.tree, f, at)[0], term.amount));
  }
  if (rest !== null && !more) rows.push(row("rounding", "", rest, "more"));
  rows.push(row(`<span class="math">${nameHtml(one, n)}</span>`, "", `${total} ${tick(f, one, n)}`, "total"));
  return `<table class="bill"><caption class="hidden">${one.symbol} ${n}: the terms and their total</caption>${rows.join("")}</table>` +
    winnerHtml(f, one);
}

/** Who won in the window of k. */
function winnerHtml(f, one) {
  if (!JSON.stringify(one.tree).includes('"wins"')) return "";
  const best = f.winner("a", state.k), links = f.window(state.k), rows = [];
  for (let i = 0; i < links.length; i += 2) {
    const j = links[i];
    rows.push(`<tr class="${j === best ? "wins" : ""}"><th scope="row"><button data-go="j" data-n="${j}"><i>j</i> = ${j}</button></th>
      <td class="math">${number(f.array("a_j")[j])}</td><td>${j === best ? "wins" : ""}</td></tr>`);
  }
  return `<p class="note">The window of <i>k</i> = ${state.k} holds these ${symbolHtml("a", "j")}:</p><table class="bill">${rows.join("")}</table>`;
}

function sourcesHtml(one) {
  return one.sources.map((id, i) => {
    const source = DATA.sources[id], lines = source.code.map((text, n) => {
      const marked = source.first + n === source.line;
      return `<span class="line${marked ? " marked" : ""}"><span class="nr">${source.first + n}</span>${(marked ? codeHtml(one, text) : escaped(text)) || " "}</span>`;
    });
    return `<details class="source" ${i === 0 ? "open" : ""}><summary>${escaped(source.file)}:${source.line}</summary>
      <pre tabindex="0" aria-label="source code">${lines.join("")}</pre></details>`;
  }).join("");
}

/* ------------------------------------------------------------------------------------------- hands and keys */

/** Light up every place where a symbol occurs. */
function light(name) {
  lit = name;
  for (const place of document.querySelectorAll("[data-s]")) place.classList.toggle("lit", name !== "" && place.dataset.s === name);
}

document.addEventListener("mouseover", (event) => {
  const symbol = event.target.closest(".sym, .array");
  if ((symbol ? symbol.dataset.s : "") !== lit) light(symbol ? symbol.dataset.s : "");
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "INPUT") return;
  const f = frame(), by = event.shiftKey ? -1 : 1, key = event.key;
  const next = (index) => go({ [index]: (state[index] + by + f.count(index)) % f.count(index) });
  if (key === "ArrowRight") toStep(1);
  else if (key === "ArrowLeft") toStep(-1);
  else if (key === "ArrowDown") toLayer(state.l + 1);
  else if (key === "ArrowUp") toLayer(state.l - 1);
  else if (key.toLowerCase() === "j") next("j");
  else if (key.toLowerCase() === "k") next("k");
  else if (key === "m" && TRACES.length > 1) toMethod(1 - state.m);
  else return;
  event.preventDefault();
});

$("back").onclick = () => toStep(-1);
$("on").onclick = () => toStep(1);
for (const index of ["j", "k"]) $(index).onchange = () => go({ [index]: Number($(index).value) });
$("check").onclick = () => {
  const { worst, where, elements, of } = report();
  const result = worst <= 1e-12 ? "✓" : `✗ ${where}:`;
  const words = elements === of ? `all ${of.toLocaleString("en")} numbers` : `${elements.toLocaleString("en")} of ${of.toLocaleString("en")} numbers`;
  $("checked").textContent = `${result} ${words} computed again; the largest difference is ${worst.toExponential(1)} of Σ |terms|.`;
};
window.addEventListener("hashchange", () => go(addressed()));
let width = window.innerWidth;
window.addEventListener("resize", () => { if (window.innerWidth !== width) { width = window.innerWidth; draw(); } });

drawCells($("legend"), Float64Array.from({ length: 61 }, (_, n) => n / 30 - 1), [1, 1, 61], { room: 180 });
$("legend").style.height = "12px";
window.stepper = { check: () => report().worst, report, go, state };
go(addressed());
