/**
 * Making elements. Whatever comes from people is set as text, never as markup.
 *
 * @module
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element that must be there.
 *
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return /** @type {T} */ (found);
}

/**
 * Makes an HTML element.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} className
 * @param {...(Node | string)} content strings become text
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, className = "", ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

/**
 * Makes an SVG element.
 *
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number>} attributes
 * @param {...Node} content
 * @returns {SVGElementTagNameMap[K]}
 */
export function svg(tag, attributes = {}, ...content) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...content);
  return made;
}

/** Whether the visitor asked for less motion. */
export function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/**
 * Keeps a list's elements in step with its data, each in place: what has the focus keeps it.
 *
 * @template T
 * @param {HTMLElement} list
 * @param {readonly T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => HTMLElement} make
 * @param {(element: HTMLElement, item: T) => void} [update]
 */
export function keepList(list, items, keyOf, make, update) {
  const there = new Map(
    [...list.children].map((child) => [/** @type {HTMLElement} */ (child).dataset.key, child]),
  );
  items.forEach((item, at) => {
    const key = keyOf(item);
    let element = /** @type {HTMLElement | undefined} */ (there.get(key));
    there.delete(key);
    if (!element) {
      element = make(item);
      element.dataset.key = key;
    }
    update?.(element, item);
    if (list.children[at] !== element) list.insertBefore(element, list.children[at] ?? null);
  });
  for (const child of there.values()) child.remove();
}
