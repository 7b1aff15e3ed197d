/* Arrays as coloured cells: red is positive, blue negative, white zero, each array on its own symmetric scale. */

const STOPS = DATA.colours.map((c) => [1, 3, 5].map((i) => parseInt(c.slice(i, i + 2), 16)));

/** The colour of a value between −limit and limit. */
function colour(value, limit) {
  const at = ((Math.max(-1, Math.min(1, value / limit)) + 1) / 2) * (STOPS.length - 1);
  const i = Math.min(Math.floor(at), STOPS.length - 2), t = at - i;
  return STOPS[i].map((c, n) => Math.round(c + (STOPS[i + 1][n] - c) * t));
}

/** How an array of this shape lies on the page: maps of height × width, some beside each other. */
function arrangement(shape, room) {
  if (shape.length === 3) {
    const [maps, h, w] = shape;
    const columns = maps <= 4 ? maps : maps <= 16 ? 4 : 8;
    const gap = columns > 1 || maps > 1 ? 5 : 0;
    const cell = Math.max(1.5, Math.min(26, (room - gap * (columns - 1)) / (columns * w)));
    return { maps, h, w, columns, gap, cw: cell, ch: cell, numbers: cell >= 26 };
  }
  const n = product(shape), few = n <= 32, most = few ? Math.min(8, Math.max(4, Math.floor(room / 44))) : 16;
  const even = Array.from({ length: most }, (_, i) => most - i).find((w) => w >= 4 && n % w === 0);
  const w = n <= most ? n : even || most; // rows of the same length where that can be
  const cell = few ? Math.min(52, room / w) : Math.min(22, room / w);
  return { maps: 1, h: Math.ceil(n / w), w, columns: 1, gap: 0, cw: cell, ch: few ? 26 : cell, numbers: few };
}

/** Where cell n lies: x, y. */
function corner(a, n) {
  const map = Math.floor(n / (a.h * a.w)), row = Math.floor((n % (a.h * a.w)) / a.w), column = n % a.w;
  const x = (map % a.columns) * (a.w * a.cw + a.gap) + column * a.cw;
  const y = Math.floor(map / a.columns) * (a.h * a.ch + a.gap) + row * a.ch;
  return [x, y];
}

/** The cell at a point, or −1. */
function cellAt(a, x, y, count) {
  const width = a.w * a.cw + a.gap, height = a.h * a.ch + a.gap;
  const mx = Math.floor(x / width), my = Math.floor(y / height);
  const column = Math.floor((x - mx * width) / a.cw), row = Math.floor((y - my * height) / a.ch);
  if (mx >= a.columns || column >= a.w || row >= a.h || column < 0 || row < 0) return -1;
  const n = ((my * a.columns + mx) * a.h + row) * a.w + column;
  return n < count ? n : -1;
}

/** Draw an array on a canvas, on the scale ±limit: `region` is the cells that feed or are fed, `chosen` the chosen one, `winner` the winner's; `rgb(n)` a colour of the cell's own. */
function drawCells(canvas, values, shape, { room, region = null, chosen = -1, winner = -1, grey = false, rgb: own = null, limit = 0 }) {
  const a = arrangement(shape, room), rows = Math.ceil(a.maps / a.columns);
  const width = a.columns * (a.w * a.cw + a.gap) - a.gap, height = rows * (a.h * a.ch + a.gap) - a.gap;
  const scale = Math.min(3, window.devicePixelRatio || 1), edge = 2;
  canvas.width = Math.ceil((width + 2 * edge) * scale);
  canvas.height = Math.ceil((height + 2 * edge) * scale);
  canvas.style.width = width + 2 * edge + "px";
  canvas.style.height = height + 2 * edge + "px";
  const g = canvas.getContext("2d");
  g.scale(scale, scale);
  g.translate(edge, edge);
  limit ||= values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  const line = Math.min(a.cw, a.ch) >= 7 ? 1 : 0;
  for (let map = 0; map < a.maps && values.length % a.w === 0; map++) { // what shows between the cells and around a map
    const [x, y] = corner(a, map * a.h * a.w), [right, below] = [a.w * a.cw - line, a.h * a.ch - line];
    g.fillStyle = "#9aa0a8";
    g.fillRect(x - 1, y - 1, right + 2, below + 2);
    g.fillStyle = "#d5d9de";
    g.fillRect(x, y, right, below);
  }
  for (let n = 0; n < values.length; n++) {
    const [x, y] = corner(a, n), shade = Math.round(255 * (1 - values[n] / limit));
    const rgb = own ? own(n) : grey ? [shade, shade, shade] : colour(values[n], limit);
    if (values.length % a.w) {
      g.fillStyle = "#9aa0a8";
      g.fillRect(x - 1, y - 1, a.cw + 2 - line, a.ch + 2 - line);
    }
    g.fillStyle = `rgb(${rgb})`;
    g.fillRect(x, y, a.cw - line + (line ? 0 : 0.3), a.ch - line + (line ? 0 : 0.3));
    if (a.numbers) {
      g.fillStyle = rgb[0] * 0.3 + rgb[1] * 0.59 + rgb[2] * 0.11 > 140 ? "#111" : "#fff";
      g.font = `${a.cw > 40 ? 12 : 9}px system-ui, sans-serif`;
      g.textAlign = "center";
      g.textBaseline = "middle";
      g.fillText(short(values[n], a.cw > 40 ? 3 : 2), x + (a.cw - line) / 2, y + a.ch / 2, a.cw - 3);
    }
  }
  const bold = a.cw < 7 ? 2 : 3;
  if (region) outline(g, a, new Set(region), "#f5a300", 1.5);
  if (winner >= 0) outline(g, a, new Set([winner]), "#0a8f3c", bold);
  if (chosen >= 0 && chosen !== winner) outline(g, a, new Set([chosen]), "#000", bold, "#ffd500");
  return { arrangement: a, limit, edge };
}

/** A line around a set of cells. */
function outline(g, a, cells, colour, width, inner = null) {
  for (const [stroke, thickness] of inner ? [[colour, width + 1], [inner, width - 1]] : [[colour, width]]) {
    g.strokeStyle = stroke;
    g.lineWidth = thickness;
    g.lineCap = "square";
    g.beginPath();
    for (const n of cells) {
      const [x, y] = corner(a, n), column = n % a.w, row = Math.floor(n / a.w) % a.h;
      const right = x + a.cw, below = y + a.ch;
      if (column === 0 || !cells.has(n - 1)) { g.moveTo(x, y); g.lineTo(x, below); }
      if (column === a.w - 1 || !cells.has(n + 1)) { g.moveTo(right, y); g.lineTo(right, below); }
      if (row === 0 || !cells.has(n - a.w)) { g.moveTo(x, y); g.lineTo(right, y); }
      if (row === a.h - 1 || !cells.has(n + a.w)) { g.moveTo(x, below); g.lineTo(right, below); }
    }
    g.stroke();
  }
}

/** A number in a cell. */
const short = (value, digits) =>
  value === 0 ? "0" : String(Number(value.toPrecision(digits))).replace("-", "−").replace("0.", ".");
