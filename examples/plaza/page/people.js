/**
 * Everybody on the square: where they are, how they walk, what they say.
 *
 * @module
 */
import { drawBird, drawPerson } from "./avatar.js";
import { calm, el, svg } from "./dom.js";
import { sizeAt, standable } from "./scene.js";
import { stride } from "./walk.js";

/** Somebody of whom an area's new server has not heard yet stays so long, in milliseconds. */
const BELIEVED_MS = 6000;
/** Birds are drawn only when they stay: a page, too, looks like one until it says hello. */
const BIRD_MS = 700;
const SHORTEST_MS = 4200;
const PER_CHARACTER_MS = 55;
/** Where birds sit in an area. */
const PERCHES = /** @type {Record<string, [number, number][]>} */ ({
  cafe: [[92, 700], [330, 668], [150, 812], [286, 822], [60, 600], [372, 742]],
  fountain: [[520, 774], [790, 770], [596, 806], [716, 802], [470, 690], [840, 690]],
  stage: [[950, 720], [1180, 712], [1040, 762], [1120, 770], [930, 640], [1212, 640]],
  garden: [[1320, 690], [1520, 712], [1400, 700], [1300, 770], [1460, 780], [1540, 770]],
});

/**
 * @typedef {object} Somebody
 * @property {string} who
 * @property {string} area
 * @property {string} name
 * @property {readonly number[]} look
 * @property {boolean} bird
 * @property {number} x
 * @property {number} y
 * @property {{ x: number, y: number }} target
 * @property {SVGGElement} figure
 * @property {HTMLElement} label
 * @property {HTMLElement | undefined} bubble
 * @property {ReturnType<typeof setTimeout> | undefined} hush
 * @property {ReturnType<typeof setTimeout> | undefined} leave
 */

/** @typedef {{ name: string, look: readonly number[], x: number, y: number }} Avatar */

/** The people and the birds. */
export class People {
  #scene;
  /** @type {Map<string, Somebody>} */
  #all = new Map();
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #coming = new Map();
  #last = 0;
  /** Session of this page's own visitor. */
  me = "";

  /** @param {import("./scene.js").Scene} scene */
  constructor(scene) {
    this.#scene = scene;
  }

  /** People, and birds that stay. */
  get count() {
    const all = [...this.#all.values()];
    const birds = all.filter(({ bird }) => bird).length;
    return { people: all.length - birds, birds };
  }

  /** @param {string} who */
  get(who) {
    return this.#all.get(who);
  }

  /** Whether an area's server knows of somebody. @param {string} who */
  certain(who) {
    const one = this.#all.get(who);
    return one !== undefined && !one.label.classList.contains("unsure");
  }

  /** Who has an avatar in an area. @param {string} area @returns {string[]} */
  inArea(area) {
    return [...this.#all.values()].filter((one) => !one.bird && one.area === area).map(({ who }) => who);
  }

  /**
   * A free place among several, far from everybody.
   *
   * @param {readonly { x: number, y: number }[]} places
   */
  freest(places) {
    const room = (/** @type {{ x: number, y: number }} */ { x, y }) =>
      Math.min(...[...this.#all.values()].map((one) => Math.hypot(one.x - x, (one.y - y) * 1.6)), 9999);
    return [...places].sort((a, b) => room(b) - room(a))[0];
  }

  /** Forgets all: the connection is a new one. */
  clear() {
    for (const key of [...this.#all.keys()]) this.#remove(key);
    for (const timer of this.#coming.values()) clearTimeout(timer);
    this.#coming.clear();
  }

  /**
   * Somebody's avatar is in an area.
   *
   * @param {string} who
   * @param {string} area
   * @param {Avatar} avatar
   */
  here(who, area, avatar) {
    const there = this.#all.get(who);
    if (there && !there.bird) {
      there.area = area;
      clearTimeout(there.leave);
      there.leave = undefined;
      there.label.classList.remove("unsure");
      if (there.name !== avatar.name) {
        there.name = avatar.name;
        there.label.textContent = avatar.name;
      }
      if (String(there.look) !== String(avatar.look)) this.#dress(there, avatar.look);
      if (who !== this.me) this.walk(who, avatar.x, avatar.y);
      return;
    }
    this.#add(who, who, area, avatar, false);
  }

  /** @param {string} who @param {number} x @param {number} y */
  walk(who, x, y) {
    const one = this.#all.get(who);
    if (one && !one.bird) one.target = standable(x, y);
  }

  /** Somebody has left an area, perhaps for another one. @param {string} who @param {string} area @param {number} ms */
  away(who, area, ms = 2500) {
    this.flown(who, area);
    const one = this.#all.get(who);
    if (!one || one.bird || one.area !== area || who === this.me) return;
    clearTimeout(one.leave);
    one.leave = setTimeout(() => this.#remove(who), ms);
  }

  /**
   * What an area's server knows. Who is not in it has left while this page was not told.
   *
   * @param {string} area
   * @param {readonly (Avatar & { who: string })[]} people
   */
  snapshot(area, people) {
    const known = new Set(people.map(({ who }) => who));
    for (const { who, ...avatar } of people) this.here(who, area, avatar);
    for (const one of this.#all.values()) {
      if (!one.bird && !known.has(one.who)) this.away(one.who, area, BELIEVED_MS);
    }
  }

  /** A member that is no page. @param {string} who @param {string} area @param {string} name */
  bird(who, area, name) {
    const key = `${who}@${area}`;
    if (who === this.me || this.#all.has(key) || this.#coming.has(key)) return;
    this.#coming.set(
      key,
      setTimeout(() => {
        this.#coming.delete(key);
        if (!this.#all.get(who)) this.#addBird(key, who, area, name);
      }, BIRD_MS),
    );
  }

  /** @param {string} who @param {string} area */
  flown(who, area) {
    const key = `${who}@${area}`;
    clearTimeout(this.#coming.get(key));
    this.#coming.delete(key);
    this.#remove(key);
  }

  /**
   * Somebody says something; who is not to be seen comes as a bird for as long as it is heard.
   *
   * @param {string} who
   * @param {string} area
   * @param {string} name
   * @param {string} text
   * @param {boolean} [pending] whether it is on its way still
   */
  say(who, area, name, text, pending = false) {
    const key = `${who}@${area}`;
    const person = this.#all.get(who);
    const one = person ?? this.#all.get(key) ?? this.#addBird(key, who, area, name, true);
    const ms = SHORTEST_MS + PER_CHARACTER_MS * text.length;
    if (one.bubble?.classList.contains("pending") && one.bubble.textContent === text) {
      one.bubble.classList.toggle("pending", pending);
    } else this.#bubble(one, text, pending);
    clearTimeout(one.hush);
    if (!pending) one.hush = setTimeout(() => this.#hush(one), ms);
  }

  /** @param {Somebody} one @param {string} text @param {boolean} pending */
  #bubble(one, text, pending) {
    one.bubble?.remove();
    const bubble = el("p", pending ? "bubble pending" : "bubble", text);
    // The log says it to those who do not see.
    bubble.setAttribute("aria-hidden", "true");
    bubble.dataset.name = one.name;
    one.bubble = bubble;
    this.#scene.pin(bubble);
    this.#placeBubbles();
  }

  /** @param {Somebody} one */
  #hush(one) {
    one.bubble?.remove();
    one.bubble = undefined;
    if (one.bird && one.figure.classList.contains("passing")) this.#remove(`${one.who}@${one.area}`);
  }

  /**
   * @param {string} key
   * @param {string} who
   * @param {string} area
   * @param {string} name
   * @param {boolean} [passing]
   */
  #addBird(key, who, area, name, passing = false) {
    const perches = PERCHES[area] ?? [[800, 800]];
    const taken = [...this.#all.values()].filter((one) => one.bird && one.area === area).length;
    const [x = 800, y = 800] = perches[taken % perches.length] ?? [];
    const lap = Math.floor(taken / perches.length);
    const bird = this.#add(key, who, area, { name, look: [], x: x + lap * 26, y: y + lap * 9 }, true);
    bird.figure.classList.add("arrives");
    if (passing) bird.figure.classList.add("passing");
    return bird;
  }

  /**
   * @param {string} key
   * @param {string} who
   * @param {string} area
   * @param {Avatar} avatar
   * @param {boolean} bird
   * @returns {Somebody}
   */
  #add(key, who, area, avatar, bird) {
    const figure = svg("g", { class: bird ? "somebody flyer" : "somebody" });
    const label = el("span", bird ? "name bird-name" : "name", avatar.name);
    if (who === this.me) label.classList.add("mine");
    const place = bird ? { x: avatar.x, y: avatar.y } : standable(avatar.x, avatar.y);
    /** @type {Somebody} */
    const one = {
      who,
      area,
      name: avatar.name,
      look: avatar.look,
      bird,
      ...place,
      target: { ...place },
      figure,
      label,
      bubble: undefined,
      hush: undefined,
      leave: undefined,
    };
    this.#dress(one, avatar.look);
    this.#all.set(key, one);
    this.#scene.pin(label);
    this.#scene.add(one);
    this.#place(one);
    return one;
  }

  /** @param {Somebody} one @param {readonly number[]} look */
  #dress(one, look) {
    one.look = look;
    one.figure.replaceChildren(
      svg("ellipse", { class: "shade", rx: one.bird ? 20 : 22, ry: one.bird ? 5 : 7 }),
      one.bird ? drawBird() : drawPerson(look),
    );
  }

  /** @param {string} key */
  #remove(key) {
    const one = this.#all.get(key);
    if (!one) return;
    this.#all.delete(key);
    clearTimeout(one.hush);
    clearTimeout(one.leave);
    one.bubble?.remove();
    one.label.remove();
    one.figure.classList.add("leaves");
    setTimeout(() => this.#scene.remove(one), calm() ? 0 : 450);
  }

  /** An area has a new server, which has to hear of everybody again. @param {string} area */
  doubt(area) {
    for (const one of this.#all.values()) {
      if (one.bird || one.area !== area) continue;
      one.label.classList.add("unsure");
      this.away(one.who, area, BELIEVED_MS);
    }
  }

  /** Lets time pass. @param {number} now milliseconds */
  step(now) {
    const seconds = Math.min((now - this.#last) / 1000, 0.25);
    this.#last = now;
    for (const one of this.#all.values()) {
      if (!one.bird) stride(one, seconds);
      this.#place(one);
    }
    this.#placeBubbles();
  }

  #placeBubbles() {
    const bubbles = [...this.#all.values()].flatMap((one) => {
      if (!one.bubble) return [];
      const y = one.y - (one.bird ? 54 : 112) * sizeAt(one.y);
      return [{ element: one.bubble, x: one.x, y }];
    });
    this.#scene.putBubbles(bubbles);
  }

  /** @param {Somebody} one */
  #place(one) {
    const size = sizeAt(one.y) * (one.bird ? 0.9 : 1);
    one.figure.setAttribute(
      "transform",
      `translate(${one.x.toFixed(1)} ${one.y.toFixed(1)}) scale(${size.toFixed(3)})`,
    );
    this.#scene.put(one.label, one.x, one.y + 7);
  }
}
