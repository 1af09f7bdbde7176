/**
 * The square as it is drawn: the picture, what stands on it in order of depth, and the camera.
 *
 * Positions are in the square's own units, 1600 by 900, whatever the size of the screen.
 *
 * @module
 */
import { byId, calm, el } from "./dom.js";

const WIDTH = 1600;
const HEIGHT = 900;
/** Where feet may go. */
const FLOOR = { left: 36, right: 1564, top: 574, bottom: 852 };
/** Nobody wades through the fountain. */
const BASIN = { x: 650, y: 694, rx: 176, ry: 66 };
/** Right edges of the areas, from left to right. */
const EDGES = [["cafe", 415], ["fountain", 885], ["stage", 1240], ["garden", WIDTH]];
/** Where each area's sign hangs. */
const SIGNS = /** @type {Record<string, [number, number]>} */ ({
  cafe: [206, 196],
  fountain: [662, 206],
  stage: [1066, 172],
  garden: [1428, 206],
});

/**
 * @typedef {object} Standing something with feet, drawn on the square
 * @property {SVGGElement} figure
 * @property {number} x
 * @property {number} y
 */

/** Which area a place is in. @param {number} x @returns {string} */
export function areaAt(x) {
  return String(EDGES.find(([, edge]) => x < Number(edge))?.[0] ?? "garden");
}

/** How large somebody is who stands so far down. @param {number} y */
export function sizeAt(y) {
  return 0.76 + ((y - FLOOR.top) / (FLOOR.bottom - FLOOR.top)) * 0.44;
}

/**
 * The nearest place where one can stand.
 *
 * @param {number} x
 * @param {number} y
 * @returns {{ x: number, y: number }}
 */
export function standable(x, y) {
  const inside = {
    x: Math.min(Math.max(x, FLOOR.left), FLOOR.right),
    y: Math.min(Math.max(y, FLOOR.top), FLOOR.bottom),
  };
  const dx = (inside.x - BASIN.x) / BASIN.rx;
  const dy = (inside.y - BASIN.y) / BASIN.ry;
  const distance = Math.hypot(dx, dy);
  if (distance >= 1) return inside;
  // Away from the middle; from the very middle, to the front.
  const [ux, uy] = distance < 0.01 ? [0, 1] : [dx / distance, dy / distance];
  return { x: BASIN.x + ux * BASIN.rx * 1.02, y: BASIN.y + uy * BASIN.ry * 1.02 };
}

/** The scene, its camera and its signs. */
export class Scene {
  #scene = byId("scene");
  #world = byId("world");
  #overlay = byId("overlay");
  #scale = 1;
  #left = 0;
  #top = 0;
  #width = 0;
  #height = 0;
  #focus = { x: WIDTH / 2, y: HEIGHT / 2 };
  /** @type {Standing[]} */
  #standing = [];
  /** @type {SVGGElement | undefined} */
  #ground;
  /** @type {Map<string, { sign: HTMLElement, owner: HTMLElement, flags: Element | null }>} */
  #signs = new Map();

  /** Loads the picture; resolves when it is there. */
  async load() {
    const text = await (await fetch("/plaza/scene.svg")).text();
    const picture = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    picture.setAttribute("aria-hidden", "true");
    picture.removeAttribute("role");
    this.#world.replaceChildren(document.importNode(picture, true));
    const people = this.#world.querySelector("#people");
    this.#ground = /** @type {SVGGElement} */ (people);
    for (const prop of this.#world.querySelectorAll(".prop")) {
      const figure = /** @type {SVGGElement} */ (prop);
      this.#standing.push({ figure, x: 0, y: Number(figure.dataset.y) });
    }
    this.#sort();
    for (const { figure } of this.#standing) this.#ground.append(figure);
    new ResizeObserver(() => this.#measure()).observe(this.#scene);
    this.#measure();
  }

  #measure() {
    this.#width = this.#scene.clientWidth;
    this.#height = this.#scene.clientHeight;
    this.#scale = Math.max(this.#width / WIDTH, this.#height / HEIGHT);
    this.#aim(1);
  }

  /** Whose place the camera keeps in view. @param {number} x @param {number} y */
  look(x, y) {
    this.#focus = { x, y };
  }

  /** Moves the camera a part of the way. @param {number} part 0 to 1 */
  #aim(part) {
    const room = (/** @type {number} */ want, /** @type {number} */ view, /** @type {number} */ all) =>
      Math.min(0, Math.max(view - all, view / 2 - want));
    const left = room(this.#focus.x * this.#scale, this.#width, WIDTH * this.#scale);
    // Where the screen is flatter than the picture, the sky is what to lose.
    const top = room(Math.max(this.#focus.y, 560) * this.#scale, this.#height, HEIGHT * this.#scale);
    this.#left += (left - this.#left) * part;
    this.#top += (top - this.#top) * part;
    this.#world.style.width = `${WIDTH * this.#scale}px`;
    this.#world.style.transform = `translate(${this.#left.toFixed(1)}px, ${this.#top.toFixed(1)}px)`;
    for (const [area, { sign }] of this.#signs) {
      const [x, y] = SIGNS[area] ?? [0, 0];
      this.put(sign, x, Math.max(y, (46 - this.#top) / this.#scale));
    }
  }

  /** Screen pixels for one unit. */
  get scale() {
    return this.#scale;
  }

  /**
   * From a pointer's place on the screen to the square.
   *
   * @param {MouseEvent} event
   */
  place(event) {
    const box = this.#scene.getBoundingClientRect();
    return {
      x: (event.clientX - box.left - this.#left) / this.#scale,
      y: (event.clientY - box.top - this.#top) / this.#scale,
    };
  }

  /** Lets somebody stand on the square. @param {Standing} standing */
  add(standing) {
    this.#standing.push(standing);
    this.#ground?.append(standing.figure);
  }

  /** @param {Standing} standing */
  remove(standing) {
    this.#standing = this.#standing.filter((one) => one !== standing);
    standing.figure.remove();
  }

  #sort() {
    let sorted = true;
    for (let i = 1; i < this.#standing.length && sorted; i++) {
      sorted = (this.#standing[i - 1]?.y ?? 0) <= (this.#standing[i]?.y ?? 0);
    }
    if (!sorted) this.#standing.sort((a, b) => a.y - b.y);
    return !sorted;
  }

  /** One picture. */
  draw() {
    if (this.#sort()) {
      let before = null;
      for (let i = this.#standing.length - 1; i >= 0; i--) {
        const figure = this.#standing[i]?.figure;
        if (!figure) continue;
        if (figure.nextSibling !== before) this.#ground?.insertBefore(figure, before);
        before = figure;
      }
    }
    this.#aim(calm() ? 1 : 0.12);
  }

  /** Adds an element that keeps its size, whatever the camera does. @param {HTMLElement} element */
  pin(element) {
    this.#overlay.append(element);
  }

  /**
   * Puts a pinned element's middle over a place.
   *
   * @param {HTMLElement} element
   * @param {number} x
   * @param {number} y
   */
  put(element, x, y) {
    const px = x * this.#scale + this.#left;
    const py = y * this.#scale + this.#top;
    element.style.transform = `translate(${px.toFixed(1)}px, ${py.toFixed(1)}px) translate(-50%, 0)`;
  }

  /**
   * Puts bubbles above their speakers' heads: all on the screen, none over another.
   *
   * One that had to go up, away from its speaker, shows the name.
   *
   * @param {{ element: HTMLElement, x: number, y: number }[]} bubbles
   */
  putBubbles(bubbles) {
    /** @type {{ left: number, right: number, top: number, bottom: number }[]} */
    const taken = [];
    for (const { element, x, y } of bubbles.sort((a, b) => b.y - a.y)) {
      const { offsetWidth: width, offsetHeight: height } = element;
      const px = x * this.#scale + this.#left;
      const middle = Math.min(Math.max(px, width / 2 + 6), this.#width - width / 2 - 6);
      const [left, right] = [middle - width / 2 - 3, middle + width / 2 + 3];
      const wanted = Math.min(y * this.#scale + this.#top - 8, this.#height - 8);
      let bottom = wanted;
      for (const other of taken) {
        const beside = right < other.left || left > other.right;
        if (!beside && bottom > other.top && bottom - height < other.bottom) bottom = other.top - 5;
      }
      bottom = Math.max(bottom, height + 4);
      taken.push({ left, right, top: bottom - height, bottom });
      taken.sort((a, b) => b.bottom - a.bottom);
      element.classList.toggle("aloft", wanted - bottom > 20);
      const tail = Math.min(Math.max(px - middle, 18 - width / 2), width / 2 - 18);
      element.style.transform = `translate(${(middle - width / 2).toFixed(1)}px, ${
        (bottom - height).toFixed(1)
      }px)`;
      element.style.setProperty("--tail", `${tail.toFixed(1)}px`);
    }
  }

  /**
   * Shows who owns an area.
   *
   * @param {{ id: string, title: string }} area
   * @param {{ id: string, color: string, runtime: string } | undefined} owner
   * @param {boolean} moving whether it has no living owner
   */
  sign(area, owner, moving) {
    let there = this.#signs.get(area.id);
    if (!there) {
      const name = el("b", "", area.title);
      const label = el("span", "owner");
      const sign = el("p", "sign-post", name, label);
      sign.dataset.area = area.id;
      there = { sign, owner: label, flags: this.#world.querySelector(`.bunting[data-area="${area.id}"]`) };
      this.#signs.set(area.id, there);
      this.pin(sign);
    }
    const color = moving ? "#7a7065" : owner?.color ?? "#7a7065";
    const text = moving ? "looking for a server …" : owner ? owner.id : "no server";
    if (there.owner.textContent !== text) {
      there.owner.textContent = text;
      there.sign.classList.remove("changed");
      void there.sign.offsetWidth;
      there.sign.classList.add("changed");
    }
    there.sign.classList.toggle("moving", moving);
    there.sign.style.setProperty("--owner", color);
    if (there.flags) /** @type {SVGGElement} */ (there.flags).style.setProperty("--owner", color);
  }
}
