/**
 * What has happened to the servers, and what this very browser saw of it.
 *
 * @module
 */
import { byId, el, keepList } from "./dom.js";

/** @typedef {import("../state.ts").FeedMessage} Feed */
/** @typedef {import("../state.ts").NumberedEvent} Event */
/** @typedef {{ key: string, at: number, tone: string, text: string, detail: string }} Line */

const KEPT = 60;
const SOON_MS = 2600;

/** The list of events, and the summary of the last failover. */
export class Timeline {
  /** @type {Line[]} */
  #own = [];
  /** @type {Line[]} */
  #told = [];
  #count = 0;
  /** Numbers of `killed` events that happened while this page was open. */
  #from = 0;
  /** @type {{ n: number, id: string, areas: Set<string>, left: Set<string>, ms: number, people: string, since: number } | undefined} */
  #last;
  #reconnects = 0;
  /** When an area has moved by a failover. @type {Map<string, number>} */
  #moved = new Map();
  /** @type {{ before: number, now: () => number }[]} */
  #counts = [];
  /** @type {Map<string, string>} */
  #titles = new Map();

  /** Shows the plaza's events. @param {Feed} feed */
  show(feed) {
    this.#titles = new Map(feed.areas.map(({ id, title }) => [id, title]));
    const title = (/** @type {string} */ area) => this.#title(area);
    if (this.#from === 0) this.#from = (feed.events.at(-1)?.n ?? 0) + 1;
    this.#told = feed.events.map((event) => ({ key: `${event.n}`, at: event.at, ...describe(event, title) }));
    for (const event of feed.events) this.#follow(event);
    this.#draw();
    this.#summarize();
  }

  /** @param {string} area */
  #title(area) {
    return this.#titles.get(area) ?? area;
  }

  /** @param {Event} event */
  #follow(event) {
    if (event.kind === "killed" && event.n >= this.#from && event.n > (this.#last?.n ?? 0)) {
      const areas = new Set(event.areas);
      // What the server told by the connection itself may come a moment before the news of the kill.
      const since = Date.now() - 1000;
      this.#last = { n: event.n, id: event.id, areas, left: new Set(areas), ms: 0, people: "", since };
    }
    const last = this.#last;
    if (
      last && event.kind === "opened" && event.n > last.n && event.ms !== undefined &&
      last.left.delete(event.area)
    ) {
      last.ms = Math.max(last.ms, event.ms);
    }
  }

  /**
   * This browser was told that an area has moved.
   *
   * @param {{ id: string, title: string }} area
   * @param {boolean} lost
   * @param {number} reconnects
   */
  moved(area, lost, reconnects) {
    this.#reconnects = reconnects;
    const detail = lost ? "a failover: something may be lost" : "a planned hand-off: nothing lost";
    this.#add(
      lost ? "told" : "good",
      `moved: ${area.title}, lost: ${lost}`,
      `Your browser was told of ${detail}.`,
    );
    if (lost) this.#moved.set(area.id, Date.now());
    this.#draw();
    this.#summarize();
  }

  /**
   * Counts who is still there a moment after areas have moved.
   *
   * @param {boolean} lost
   * @param {number} before
   * @param {() => number} now
   */
  recount(lost, before, now) {
    if (this.#counts.push({ before, now }) > 1) return;
    setTimeout(() => {
      const counts = this.#counts.splice(0);
      const all = counts.reduce((sum, { before }) => sum + before, 0);
      const there = counts.reduce((sum, { now }) => sum + now(), 0);
      if (all === 0) return;
      const text = `${there} of ${all} ${all === 1 ? "avatar is" : "avatars are"} still there`;
      this.#add(there >= all ? "good" : "told", text, "Their pages have announced them again.");
      if (this.#last && lost) this.#last.people = text;
      this.#draw();
      this.#summarize();
    }, SOON_MS);
  }

  /** @param {string} tone @param {string} text @param {string} detail */
  #add(tone, text, detail) {
    this.#own = [...this.#own, { key: `own ${++this.#count}`, at: Date.now(), tone, text, detail }].slice(
      -KEPT,
    );
  }

  #draw() {
    const lines = [...this.#told, ...this.#own].sort((a, b) => b.at - a.at).slice(0, KEPT);
    keepList(byId("timeline"), lines, ({ key }) => key, (line) => {
      const time = el("time", "numbers", clock(line.at));
      time.dateTime = new Date(line.at).toISOString();
      const item = el(
        "li",
        `event ${line.tone}`,
        time,
        el("p", "", el("b", "", line.text), " ", line.detail),
      );
      return item;
    });
  }

  #summarize() {
    const last = this.#last;
    byId("last").hidden = !last;
    if (!last) return;
    const areas = [...last.areas];
    const names = areas.map((area) => this.#title(area)).join(" and ");
    const done = last.left.size === 0;
    byId("last-ms").textContent = areas.length === 0 ? "" : done ? `${last.ms} ms` : "…";
    byId("last-text").textContent = areas.length === 0
      ? `${last.id} owned no area when it was killed.`
      : done
      ? `until ${names} had ${areas.length > 1 ? "owners" : "an owner"} again`
      : `${names} ${areas.length > 1 ? "look" : "looks"} for a new owner`;
    const told = areas.filter((area) => (this.#moved.get(area) ?? 0) > last.since).map((area) =>
      this.#title(area)
    );
    const checks = [
      ...(told.length > 0 ? [`Your browser was told: moved ${told.join(", ")}, lost: true`] : []),
      ...(last.people ? [last.people] : []),
      `Your connection stayed: ${this.#reconnects === 1 ? "1 reconnect" : `${this.#reconnects} reconnects`}`,
    ];
    keepList(byId("last-checks"), checks, (text) => text, (text) => el("li", "", text));
  }
}

/** @param {number} at */
function clock(at) {
  return new Date(at).toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hour12: false,
  });
}

/**
 * An event in words.
 *
 * @param {Event} event
 * @param {(area: string) => string} title
 * @returns {{ tone: string, text: string, detail: string }}
 */
function describe(event, title) {
  switch (event.kind) {
    case "ready":
      return {
        tone: "plain",
        text: `${event.id} is ready`,
        detail: `pid ${event.pid}, ${event.ms} ms after its start`,
      };
    case "killed": {
      const areas = event.areas.map(title).join(" and ") || "no area";
      return {
        tone: "bad",
        text: `${event.id} was killed`,
        detail: `SIGKILL to pid ${event.pid}. It owned ${areas}.`,
      };
    }
    case "died":
      return { tone: "bad", text: `${event.id} has ended`, detail: `pid ${event.pid}; it is started again` };
    case "noticed":
      return { tone: "plain", text: `Its death is known`, detail: `to all, ${event.ms} ms after the kill` };
    case "opened":
      return { tone: "good", ...opened(event, title(event.area)) };
  }
}

/** @param {Extract<Event, { kind: "opened" }>} event @param {string} area */
function opened({ id, reason, from, ms }, area) {
  if (reason === "hand-off") {
    return {
      text: `${area} went to ${id}`,
      detail: `handed over by ${from ?? "its former owner"}, as planned`,
    };
  }
  if (ms !== undefined) return { text: `${area} lives on ${id}`, detail: `${ms} ms after the kill` };
  return {
    text: `${area} opened on ${id}`,
    detail: reason === "failover" ? "after a failover" : "for its first visitor",
  };
}
