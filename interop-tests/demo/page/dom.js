/** Short ways to build and find elements. */

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/**
 * An element with properties (`class` and `aria-…`, `data-…`, `role` as attributes) and children.
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name === "class" ? "class" : name, value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

/** One of the drawings at the end of the page. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** Has a screen reader say something. */
export function announce(text) {
  byId("announcer").textContent = text;
}

/** The time of day of a moment in milliseconds since 1970. */
export function clock(at, seconds = false) {
  return new Date(at).toLocaleTimeString([], {
    hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined, hour12: false,
  });
}

/** A number and its noun: `1 packet`, `2 packets`. */
export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

/** A colour that belongs to an id, as the hue of `--hue`. */
export function hue(id) {
  let mixed = 0x811c9dc5;
  for (const character of id) mixed = Math.imul(mixed ^ character.codePointAt(0), 0x01000193) >>> 0;
  return mixed % 360;
}

export const SVG = "http://www.w3.org/2000/svg";
