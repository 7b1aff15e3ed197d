/* A tree as the formula it is, with its symbols or with the numbers of a place: as printing.py, in HTML. */

const SIGNS = { pos: "⁺", neg: "⁻", square: "²" };
const RELATIONS = { gt: ">", ge: "≥", lt: "<" };
const PRODUCT = 2, ATOM = 3; // how tightly a piece holds together; a sum is 1

const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
const indexed = (name, index) =>
  `<i>${name.replace(/[⁺⁻↑↓′²]+/g, "</i><b>$&</b><i>").replace("<i></i>", "")}</i>${index ? `<sub>${index}</sub>` : ""}`;

/** A symbol that lights up with all others of its name. */
const symbolHtml = (name, index, sign = "") =>
  `<span class="sym" data-s="${index ? name + "_" + index : name}">${indexed(name + sign, index)}</span>`;

/** [HTML, how tightly it holds together]; with a frame the numbers, without one the symbols. */
function printed(tree, frame, at) {
  const kind = tree[0];
  const within = (part, least) => {
    const [text, tightness] = printed(part, frame, at);
    return tightness >= least ? text : `(${text})`;
  };
  const named = (text, symbol) => `<span class="sym num" data-s="${arrayName(symbol)}">${text}</span>`;
  const value = () => {
    const text = number(evaluate(tree, frame, at));
    const symbol = kind === "sym" ? tree : kind in SIGNS && tree[1][0] === "sym" ? tree[1] : null;
    return [symbol ? named(text, symbol) : text, text.startsWith("−") ? PRODUCT : ATOM];
  };
  switch (kind) {
    case "num":
      return [tree[2] && !frame ? `<i>${tree[2]}</i>` : number(tree[1]), ATOM];
    case "sym":
      return frame ? value() : [symbolHtml(tree[1], tree[2]), ATOM];
    case "pos": case "neg":
      if (frame) return value();
    case "square": // eslint-disable-line no-fallthrough
      if (tree[1][0] === "sym" && !frame) return [symbolHtml(tree[1][1], tree[1][2], SIGNS[kind]), ATOM];
      return [within(tree[1], ATOM) + SIGNS[kind], ATOM];
    case "sum": case "total": {
      if (!frame) return [`<span class="big">Σ<sub>${tree[1]}</sub></span> ${within(tree[2], PRODUCT)}`, 1];
      return [`[${inlineBill(tree, frame, at)}]`, ATOM];
    }
    case "when": {
      const indicator = tree[3][0] === "num" && tree[3][1] === 0;
      if (frame && !(indicator && tree[1][0] !== "wins"))
        return printed(holds(tree[1], frame, at) ? tree[2] : tree[3], frame, at);
      const condition = conditionHtml(tree[1], frame, at);
      if (indicator) return [`[${condition}]${frame ? " · " : " "}${within(tree[2], PRODUCT)}`, PRODUCT];
      const rows = [[tree[2], `where ${condition}`], [tree[3], "else"]];
      return [`<span class="cases">${rows.map(([part, text]) =>
        `<span>${printed(part)[0]}</span><span class="where">${text}</span>`).join("")}</span>`, ATOM];
    }
    case "stab": {
      const z = within(tree[1], ATOM), e = printed(tree[2], frame, at)[0];
      if (!frame) return [`${z} + ${e} sgn ${z}`, 1];
      return [`${z} ${evaluate(tree[1], frame, at) >= 0 ? "+" : "−"} ${e}`, 1];
    }
    case "abs": return [`|${printed(tree[1], frame, at)[0]}|`, ATOM];
    case "root": return [`<span class="root"><span>√</span><span>${printed(tree[1], frame, at)[0]}</span></span>`, ATOM];
    case "add": return [tree.slice(1).map((part) => printed(part, frame, at)[0]).join(" + "), 1];
    case "sub": return [`${printed(tree[1], frame, at)[0]} − ${within(tree[2], ATOM)}`, 1];
    case "mul":
      return [tree.slice(1).map((part) => within(part, PRODUCT)).join(frame ? " · " : "&#8239;"), PRODUCT];
  }
  const [over, under] = [printed(tree[1], frame, at)[0], printed(tree[2], frame, at)[0]]; // div, share
  return [`<span class="frac"><span>${over}</span><span>${under}</span></span>`, ATOM];
}

function conditionHtml(condition, frame, at) {
  if (condition[0] === "wins") {
    const whose = condition[1] === "a" ? "" : ` in ${symbolHtml(condition[1], "j")}`;
    return `<span class="sym" data-s="${condition[1]}_j"><i>j</i> wins <i>k</i></span>${whose}`;
  }
  return `${printed(condition[1], frame, at)[0]} ${RELATIONS[condition[0]]} ${printed(condition[2], frame, at)[0]}`;
}

function inlineBill(tree, frame, at) {
  const { terms, others, more, rest } = bill(tree, frame, at, 3);
  const rows = [...terms, ...others].map((row) => printed(row.tree, frame, row.at)[0]);
  if (rest !== null) rows.push(`(${more ? `${more} more` : "rounding"}: ${rest})`);
  return rows.length ? rows.join(" + ") : "0";
}

/** The formula of a step: its name, and its tree with symbols. */
const formulaHtml = (step) => `${symbolHtml(step.symbol, step.index)} = ${printed(step.tree)[0]}`;

/** The symbols of a tree, each once. */
function symbolsOf(tree) {
  const found = new Map();
  const walk = (part) => {
    if (part[0] === "sym") found.set(arrayName(part), part);
    else if (part[0] === "wins") found.set(part[1] + "_j", ["sym", part[1], "j"]);
    else part.slice(1).forEach((inner) => Array.isArray(inner) && walk(inner));
  };
  walk(tree);
  return [...found.values()];
}

/** The vector form, in which each name lights up with its symbol. */
function vectorHtml(step) {
  const [left, right] = step.vector.split(" ← ");
  const known = new Map(symbolsOf(step.tree).map((symbol) => [symbol[2] === "jk" ? "W" : symbol[1], symbol]));
  const names = [...known.keys()].sort((p, q) => q.length - p.length).map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const token = new RegExp(`(?<![A-Za-z])(${names.join("|") || "$^"})([⁺⁻²ᵀ]*)(_[jk])?(?![A-Za-z′↑↓])`, "gu");
  const marked = escaped(right.replace(/ - /g, " − ")).replace(token, (_, name, sign, index) =>
    `<span class="sym" data-s="${arrayName(known.get(name))}">${indexed(name + sign.replace("ᵀ", ""), index ? index[1] : "")}` +
    `${sign.includes("ᵀ") ? "<sup>T</sup>" : ""}</span>`);
  const own = `<span class="sym" data-s="${step.name}">${indexed(left.split("_")[0], left.includes("_") ? step.index : "")}</span>`;
  return `${own} ← ${marked}`;
}

/** A line of code, in which the names of a step's arrays light up with their symbols. */
function codeHtml(step, line) {
  const known = new Map(symbolsOf(step.tree).map((symbol) => [symbol[2] === "jk" ? "W" : symbol[1][0], arrayName(symbol)]));
  if (!known.has(step.symbol[0])) known.set(step.symbol[0], step.name);
  const names = [...known.keys()].filter((name) => /^[A-Za-z]$/.test(name)).join("|") || "$^";
  const token = new RegExp(`(?<![\\w.])((?:t\\.|self\\.)?)(${names})(_[jk])?(?![\\w])`, "g");
  return escaped(line.split("#")[0]).replace(token, (whole, owner, name, index) => {
    const array = index && (step.name === name + index || symbolsOf(step.tree).some((s) => arrayName(s) === name + index))
      ? name + index : known.get(name);
    return `${owner}<span class="sym" data-s="${array}">${name}${index || ""}</span>`;
  }) + escaped(line.includes("#") ? "#" + line.split("#").slice(1).join("#") : "");
}
