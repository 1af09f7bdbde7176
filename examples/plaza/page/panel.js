/**
 * The processes as little machines, the visitor's connection, and what to try from a terminal.
 *
 * @module
 */
import { byId, el, keepList, svg } from "./dom.js";

/** @typedef {import("../state.ts").FeedMessage} Feed */
/** @typedef {import("../state.ts").ProcessInfo} Process */

const COLORS = ["#c2452d", "#17756f", "#74489b", "#2e5f93", "#8a6412"];
const RUNTIMES = /** @type {Record<string, string>} */ ({ bun: "Bun", deno: "Deno", node: "Node" });

/** The colour of a ChatServer. @param {Feed} feed @param {string} id */
export function colorOf(feed, id) {
  const chats = feed.processes.filter(({ role }) => role === "chat");
  return COLORS[chats.findIndex((chat) => chat.id === id) % COLORS.length] ?? "#7a7065";
}

/** "Bun 1.4.5". @param {Process} process */
export function runtimeOf({ runtime, version }) {
  return `${RUNTIMES[runtime] ?? runtime} ${version}`;
}

/** A machine with a face: awake, asleep, or gone. */
function machine() {
  return svg(
    "svg",
    { class: "machine", viewBox: "0 0 76 76", "aria-hidden": "true" },
    svg("path", { class: "antenna", d: "M38 16V7" }),
    svg("circle", { class: "led", cx: 38, cy: 6, r: 4 }),
    svg("rect", { class: "case", x: 8, y: 16, width: 60, height: 46, rx: 12 }),
    svg("rect", { class: "screen", x: 15, y: 23, width: 46, height: 26, rx: 7 }),
    svg(
      "g",
      { class: "awake" },
      svg("circle", { cx: 29, cy: 34, r: 3.4 }),
      svg("circle", { cx: 47, cy: 34, r: 3.4 }),
      svg("path", { d: "M33 41q5 4 10 0" }),
    ),
    svg("g", { class: "asleep" }, svg("path", { d: "M25 36q4 3 8 0M43 36q4 3 8 0M35 43h6" })),
    svg(
      "g",
      { class: "dead" },
      svg("path", { d: "M25 31l7 7M32 31l-7 7M44 31l7 7M51 31l-7 7M33 45q5-4 10 0" }),
    ),
    svg("path", { class: "vents", d: "M20 55h12M36 55h6M46 55h10" }),
    svg("path", { class: "feet", d: "M20 62v6M56 62v6" }),
    svg(
      "g",
      { class: "smoke" },
      svg("circle", { cx: 30, cy: 14, r: 5 }),
      svg("circle", { cx: 40, cy: 8, r: 6.5 }),
      svg("circle", { cx: 48, cy: 13, r: 4.5 }),
    ),
  );
}

/** The side panel's machines. */
export class Panel {
  /** Shown once; filled in again with every word from the proxy. */
  #servers = byId("servers");
  #helpers = byId("helpers");
  #commands = "";

  /**
   * Shows the processes.
   *
   * @param {Feed} feed
   * @param {string} proxy the visitor's own proxy
   */
  show(feed, proxy) {
    const chats = feed.processes.filter(({ role }) => role === "chat");
    const alive = chats.filter(({ state }) => state === "alive").length;
    keepList(
      this.#servers,
      chats,
      ({ id }) => id,
      (chat) => this.#makeServer(chat.id),
      (card, chat) => this.#fillServer(card, chat, feed, alive),
    );
    keepList(
      this.#helpers,
      feed.processes.filter(({ role }) => role !== "chat"),
      ({ id }) => id,
      () => el("li", "helper", el("b"), el("span")),
      (item, process) => {
        const [name, about] = item.children;
        if (name) name.textContent = process.id === proxy ? `${process.id} (yours)` : process.id;
        if (about) about.textContent = `${runtimeOf(process)}, pid ${process.pid ?? "…"}`;
        item.classList.toggle("yours", process.id === proxy);
      },
    );
    this.#showCommands(feed);
  }

  /** @param {string} id */
  #makeServer(id) {
    const kill = el("button", "kill", "Kill");
    kill.type = "button";
    kill.setAttribute("aria-label", `Kill ${id}`);
    kill.addEventListener("click", () => this.#kill(id));
    const chips = el("ul", "chips");
    chips.setAttribute("aria-label", `Areas of ${id}`);
    return el(
      "li",
      "server",
      machine(),
      el("div", "about", el("h3", "", id), el("p", "what"), chips),
      kill,
    );
  }

  /** @param {HTMLElement} card @param {Process} chat @param {Feed} feed @param {number} alive */
  #fillServer(card, chat, feed, alive) {
    card.dataset.state = chat.state;
    card.style.setProperty("--owner", colorOf(feed, chat.id));
    const what = card.querySelector(".what");
    const pid = chat.pid === undefined ? "" : `, pid ${chat.pid}`;
    const words = { alive: pid, killed: ": killed, comes back", starting: `${pid}: starting` };
    if (what) what.textContent = runtimeOf(chat) + words[chat.state];
    const kill = /** @type {HTMLButtonElement | null} */ (card.querySelector(".kill"));
    if (kill) {
      kill.disabled = chat.state !== "alive" || alive < 2;
      kill.title = alive < 2 ? "The last one that lives is spared" : `End process ${chat.pid} by SIGKILL`;
    }
    const mine = feed.areas.filter(({ id }) => feed.owners[id] === chat.id && chat.state === "alive");
    const chips = [
      ...mine.map(({ title }) => ({ text: title, area: true })),
      ...chat.rooms.map((room) => ({ text: room, area: false })),
      ...(chat.more > 0 ? [{ text: `and ${chat.more} more`, area: false }] : []),
    ];
    keepList(
      /** @type {HTMLElement} */ (card.querySelector(".chips")),
      chips,
      ({ text, area }) => `${area} ${text}`,
      ({ text, area }) => el("li", area ? "chip" : "chip room", text),
    );
  }

  /** @param {string} id */
  async #kill(id) {
    const headers = { "content-type": "application/json" };
    await fetch("/plaza/kill", { method: "POST", headers, body: JSON.stringify({ id }) });
  }

  /** @param {Feed} feed */
  #showCommands(feed) {
    const proxies = feed.processes.filter(({ role }) => role === "proxy");
    const [first, second = first] = proxies;
    const host = location.hostname;
    const lines = [
      `mosquitto_sub -h ${host} -p ${first?.mqtt} -t plaza/fountain -v`,
      `mosquitto_pub -h ${host} -p ${second?.mqtt} -i ada -t plaza/fountain -m "hello"`,
      `npx --yes wscat -c "ws://${host}:${first?.http}/ws?user=ada"`,
    ];
    if (this.#commands === lines.join()) return;
    this.#commands = lines.join();
    byId("commands").replaceChildren(...lines.map((line) => {
      const copy = el("button", "copy", "Copy");
      copy.type = "button";
      copy.setAttribute("aria-label", `Copy: ${line}`);
      copy.addEventListener("click", () => {
        navigator.clipboard?.writeText(line).then(() => {
          copy.textContent = "Copied";
          setTimeout(() => copy.textContent = "Copy", 1500);
        }, () => {});
      });
      return el("p", "command", el("code", "", line), copy);
    }));
  }
}

/**
 * Shows the visitor's connection.
 *
 * @param {{ since: number | undefined, reconnects: number }} visit
 * @param {string} proxy
 */
export function showConnection({ since, reconnects }, proxy) {
  const box = byId("connection");
  box.dataset.state = since === undefined ? "connecting" : "open";
  byId("connection-text").textContent = since === undefined ? "connecting …" : `connected to ${proxy}`;
  byId("connection-age").textContent = since === undefined ? "" : age(Date.now() - since);
  const times = Math.max(0, reconnects);
  byId("connection-reconnects").textContent = times === 1 ? "1 reconnect" : `${times} reconnects`;
}

/** @param {number} ms */
function age(ms) {
  const seconds = Math.floor(ms / 1000);
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}
