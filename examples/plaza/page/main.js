/**
 * The page: a visitor's avatar on the square, with everybody else's.
 *
 * @module
 */
import { byId, el } from "./dom.js";
import { dressUp, readMe, showMe } from "./me.js";
import { colorOf, Panel, runtimeOf, showConnection } from "./panel.js";
import { People } from "./people.js";
import { areaAt, Scene, standable } from "./scene.js";
import { Timeline } from "./timeline.js";
import { Visit } from "./visit.js";

/** @typedef {import("../state.ts").FeedMessage} Feed */

const WORDS_KEPT = 80;
const STEP_MS = 130;
const KEYS = /** @type {Record<string, [number, number]>} */ ({
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
});

const scene = new Scene();
const people = new People(scene);
const panel = new Panel();
const timeline = new Timeline();
const me = readMe();
/** @type {{ x: number, y: number }} */
let place = standable(650, 800);
/** Whether my avatar has come in; it does when I know who is there already. */
let arrived = false;
/** @type {Feed | undefined} */
let feed;
/** @type {Visit | undefined} */
let visit;
/** Rooms that are joined now. @type {Set<string>} */
const joined = new Set();
const areas = new Map([
  ["plaza/cafe", { id: "cafe", title: "Café" }],
  ["plaza/fountain", { id: "fountain", title: "Fountain" }],
  ["plaza/stage", { id: "stage", title: "Stage" }],
  ["plaza/garden", { id: "garden", title: "Garden" }],
]);

const roomOf = (/** @type {string} */ area) => `plaza/${area}`;
const myArea = () => areaAt(place.x);

// What I do

function announce() {
  if (!arrived) return;
  people.here(people.me, myArea(), { ...me, ...place });
  if (joined.has(roomOf(myArea()))) visit?.say(roomOf(myArea()), { kind: "here", ...me, ...rounded(place) });
}

/** Comes in somewhere around the fountain where there is room. */
function arrive() {
  const places = Array.from(
    { length: 14 },
    () => standable(452 + Math.random() * 400, 600 + Math.random() * 240),
  );
  place = people.freest(places) ?? place;
  arrived = true;
  announce();
}

/** @param {{ x: number, y: number }} place */
function rounded({ x, y }) {
  return { x: Math.round(x), y: Math.round(y) };
}

/** @param {number} x @param {number} y */
function walkTo(x, y) {
  if (!arrived) return;
  byId("how").hidden = true;
  const before = myArea();
  place = standable(x, y);
  people.walk(people.me, place.x, place.y);
  const area = myArea();
  if (area === before) visit?.say(roomOf(area), { kind: "walk", ...rounded(place) });
  else {
    visit?.say(roomOf(before), { kind: "away" });
    announce();
    showPlace();
  }
}

function showPlace() {
  const title = areas.get(roomOf(myArea()))?.title ?? "square";
  byId("say-label").textContent = `Say something at the ${title}`;
}

function walking() {
  const box = byId("scene");
  if (matchMedia("(hover: none)").matches) byId("how").textContent = "Tap to walk";
  box.addEventListener("click", (event) => {
    const { x, y } = scene.place(event);
    walkTo(x, y);
    const ring = el("span", "ring");
    scene.pin(ring);
    scene.put(ring, place.x, place.y);
    setTimeout(() => ring.remove(), 600);
  });
  /** @type {Set<string>} */
  const held = new Set();
  let striding = false;
  box.addEventListener("keydown", (event) => {
    if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    held.add(event.key);
    if (!striding) stride();
  });
  box.addEventListener("keyup", ({ key }) => held.delete(key));
  box.addEventListener("blur", () => held.clear());
  const stride = () => {
    const [dx, dy] = [...held].reduce(
      ([x, y], key) => [x + (KEYS[key]?.[0] ?? 0), y + (KEYS[key]?.[1] ?? 0)],
      [0, 0],
    );
    striding = held.size > 0;
    if (!striding) return;
    const from = people.get(people.me) ?? place;
    if (dx || dy) walkTo(from.x + dx * 62, from.y + dy * 40);
    setTimeout(stride, STEP_MS);
  };
}

function talking() {
  const input = /** @type {HTMLInputElement} */ (byId("say-text"));
  byId("say").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (text === "") return;
    input.value = "";
    const area = myArea();
    people.say(people.me, area, me.name, text, true);
    visit?.say(roomOf(area), text, (reason) => hear(area, "Not said", `${text} (${reason})`));
  });
}

/** @param {string} area @param {string} name @param {string} text */
function hear(area, name, text) {
  const title = areas.get(roomOf(area))?.title ?? area;
  const list = byId("talk");
  const end = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  byId("talk-empty").hidden = true;
  list.append(el("li", "", el("b", "", name), el("span", "where", title), el("q", "", text)));
  while (list.children.length > WORDS_KEPT) list.firstChild?.remove();
  if (end) list.scrollTop = list.scrollHeight;
}

// What I am told

/**
 * @param {string} room
 * @param {string | undefined} from
 * @param {unknown} body
 */
function take(room, from, body) {
  const area = areas.get(room)?.id;
  if (!area) return;
  if (typeof body === "string") {
    // Until this page has said hello to an area's new server it gets what everybody gets.
    people.say(from ?? "somebody", area, from ?? "somebody", body);
    return hear(area, from ?? "somebody", body);
  }
  const said = /** @type {Record<string, any>} */ (body ?? {});
  const who = String(said["who"]);
  switch (said["kind"]) {
    case "say":
      people.say(who, area, said["name"], said["text"]);
      return hear(area, said["name"], said["text"]);
    case "here":
      return people.here(who, area, /** @type {any} */ (said));
    case "walk":
      return who === people.me ? undefined : people.walk(who, said["x"], said["y"]);
    case "away":
      return people.away(who, area);
    case "gone":
      return people.away(who, area, 300);
    case "bird":
      return people.bird(who, area, said["name"]);
    case "flown":
      return people.flown(who, area);
    case "people":
      people.snapshot(area, said["people"]);
      for (const bird of said["birds"]) people.bird(bird.who, area, bird.name);
      if (!arrived && area === myArea()) arrive();
  }
}

/** Says hello to the server that owns an area now. @param {string} room */
function hello(room) {
  visit?.say(room, { kind: "hello" });
  if (room === roomOf(myArea())) announce();
}

/** @param {string} room @param {boolean} lost */
function moved(room, lost) {
  const area = areas.get(room);
  if (!area) return;
  const before = people.inArea(area.id);
  people.doubt(area.id);
  timeline.moved(area, lost, visit?.reconnects ?? 0);
  timeline.recount(lost, before.length, () => before.filter((who) => people.certain(who)).length);
  hello(room);
}

// The servers

function ownProxy() {
  return feed?.proxy ?? "a proxy";
}

/** @param {Feed} told */
function takeFeed(told) {
  feed = told;
  panel.show(told, told.proxy);
  timeline.show(told);
  for (const area of told.areas) {
    const owner = told.processes.find(({ id }) => id === told.owners[area.id]);
    const living = owner?.state === "alive";
    const shown = owner && { id: owner.id, color: colorOf(told, owner.id), runtime: runtimeOf(owner) };
    scene.sign(area, shown, !living);
  }
  if (visit) showConnection(visit, ownProxy());
}

/** Follows the servers by way of the same proxy as the visit. */
function followFeed() {
  const socket = new WebSocket(`${visit?.base}/plaza/feed`);
  socket.onmessage = ({ data }) => takeFeed(JSON.parse(data));
  socket.onclose = () => setTimeout(followFeed, 1000);
}

/** Asks which proxies there are: visitors are spread over them. */
async function chooseProxies() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const own = `${scheme}//${location.host}`;
  try {
    const { ports, first } = await (await fetch("/plaza/visit")).json();
    const all = ports.map((/** @type {number} */ port) => `${scheme}//${location.hostname}:${port}`);
    return [...new Set([...all.slice(first), ...all.slice(0, first), own])];
  } catch {
    return [own];
  }
}

async function start() {
  showMe(me);
  dressUp(me, announce);
  walking();
  talking();
  showPlace();
  document.body.dataset.time = timeOfDay();
  await scene.load();
  const user = `${me.name.slice(0, 24)}-${Math.random().toString(36).slice(2, 6)}`;
  visit = new Visit(user, [...areas.keys()], await chooseProxies(), {
    welcome: (session) => {
      people.clear();
      joined.clear();
      people.me = session;
      announce();
    },
    joined: (room) => {
      joined.add(room);
      hello(room);
    },
    message: take,
    moved,
    changed: () => visit && showConnection(visit, ownProxy()),
  });
  followFeed();
  setInterval(() => visit && showConnection(visit, ownProxy()), 500);
  setInterval(showCrowd, 700);
  requestAnimationFrame(frame);
}

/** @param {number} now */
function frame(now) {
  people.step(now);
  const mine = people.get(people.me) ?? place;
  scene.look(mine.x, mine.y);
  scene.draw();
  requestAnimationFrame(frame);
}

function showCrowd() {
  const { people: walkers, birds } = people.count;
  const person = walkers === 1 ? "1 person" : `${walkers} people`;
  const bird = birds === 0 ? "" : birds === 1 ? ", 1 bird" : `, ${birds} birds`;
  byId("crowd").textContent = `${person}${bird} on the square`;
}

function timeOfDay() {
  const asked = new URLSearchParams(location.search).get("time");
  if (asked) return asked;
  const hour = new Date().getHours();
  return hour < 6 || hour >= 21 ? "night" : hour >= 18 ? "evening" : "day";
}

start();
