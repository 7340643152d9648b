/** The round trip as a small drawing: a line where answers came, bands where none did. */
import { SVG } from "./dom.js";

/** How many samples fit. */
export const SAMPLES = 80;

/**
 * Draws samples into an SVG element, the newest at the right. A sample is a number of milliseconds,
 * `"waiting"` for an answer that has not come, or `"off"` without a connection.
 */
export function draw(svg, samples) {
  const top = scale(samples);
  svg.setAttribute("viewBox", `0 0 ${SAMPLES - 1} ${HEIGHT}`);
  const start = SAMPLES - samples.length;
  svg.replaceChildren(
    ...bands(samples, start),
    ...lines(samples, start, top).flatMap((points) => [area(points), line(points)]),
  );
}

/** The next of 2, 5, 10, 20, 50… above every sample, so that the line does not jump with each. */
function scale(samples) {
  const most = Math.max(1, ...samples.filter(Number.isFinite)) * 1.1;
  let top = 2;
  for (let step = 0; top < most; step++) top *= step % 3 === 0 ? 2.5 : 2;
  return top;
}

function bands(samples, start) {
  return runs(samples, (sample) => (typeof sample === "string" ? sample : undefined)).map((run) => {
    const x = start + run.from - 0.5;
    return shape("rect", `band ${run.kind}`, { x, y: 0, width: run.to - run.from, height: HEIGHT });
  });
}

function lines(samples, start, top) {
  const runsOfAnswers = runs(samples, (sample) => (Number.isFinite(sample) ? "answer" : undefined));
  return runsOfAnswers.map((run) =>
    samples.slice(run.from, run.to).map((ms, index) => [
      start + run.from + index,
      HEIGHT - 2 - (ms / top) * (HEIGHT - 5),
    ]),
  );
}

/** Neighbours of the same kind, as `{ kind, from, to }`. */
function runs(samples, kindOf) {
  const found = [];
  samples.forEach((sample, index) => {
    const kind = kindOf(sample);
    const last = found.at(-1);
    if (kind === undefined) return;
    if (last?.kind === kind && last.to === index) last.to++;
    else found.push({ kind, from: index, to: index + 1 });
  });
  return found;
}

const path = (points) => points.map(([x, y]) => `${x} ${y.toFixed(2)}`).join("L");

function line(points) {
  // A single point would draw nothing.
  const drawn = points.length === 1 ? [...points, [points[0][0] + 0.5, points[0][1]]] : points;
  return shape("path", "line", { d: `M${path(drawn)}` });
}

function area(points) {
  const [first, last] = [points[0][0], points.at(-1)[0]];
  return shape("path", "area", { d: `M${first} ${HEIGHT}L${path(points)}L${last} ${HEIGHT}Z` });
}

function shape(name, className, attributes) {
  const element = document.createElementNS(SVG, name);
  element.setAttribute("class", className);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

const HEIGHT = 28;
