/**
 * Hostile frames of links, before and after the handshake.
 *
 * @module
 */
import type { Random } from "../support/virtual_clock.ts";
import { chop, randomBytes, spoil } from "./bytes.ts";
import type { Input } from "./input.ts";
import { type FieldText, hostileName, objectText, SHARED_ROOM, spoilText, valueText } from "./text.ts";

const encoder = new TextEncoder();

/** Sessions that a hostile peer names: its own, and those of others. */
const SESSIONS = ["evil.aaaa.1", "evil.aaaa.2", "p1.bbbb.1", "c1.cccc", "__proto__", "evil.aaaa"] as const;

function room(random: Random): string {
  return JSON.stringify(hostileName(random));
}

function session(random: Random): string {
  return JSON.stringify(random.pick(SESSIONS));
}

function count(random: Random): string {
  return random.pick(["0", "1", "2", "3", "1000", "9007199254740991"]);
}

type Maker = (random: Random) => FieldText[];

const members: Maker = (random) => [
  ["room", room(random)],
  ["members", `[[${session(random)},"eve"]]`],
  ["attach", count(random)],
];

/** The frames that a router sends, and those of an owner, which a router must not. */
const FRAMES: Readonly<Record<string, Maker>> = {
  digest: () => [["digest", '"abc"']],
  announce: members,
  announced: () => [["digest", '"abc"']],
  yield: (random) => [["room", room(random)]],
  join: (random) => [["room", room(random)], ["member", `[${session(random)},"eve"]`]],
  leave: (random) => [["room", room(random)], ["session", session(random)], ["reason", '"left"']],
  gone: (random) => [["session", session(random)], ["reason", '"\\u001b[2J"']],
  message: (random) => [
    ["room", room(random)],
    ["session", session(random)],
    ["seq", count(random)],
    ["user", '"eve"'],
    ["body", valueText(random)],
    ...(random.chance(0.5) ? [["ack", "true"] as const] : []),
    ...(random.chance(0.2) ? [["head", "true"] as const] : []),
  ],
  deliver: (
    random,
  ) => [["room", room(random)], ["offset", count(random)], ["body", valueText(random)], ["from", '"eve"']],
  direct: (random) => [["user", '"ann"'], ["body", valueText(random)]],
  opened: (random) => [["room", room(random)], ["epoch", '"e"'], ["offset", "0"], ["reason", '"open"']],
  joined: (random) => [["room", room(random)], ["session", session(random)]],
  kicked: (random) => [["room", room(random)], ["session", session(random)], ["reason", '"r"']],
  refused: (random) => [
    ["room", room(random)],
    ["session", session(random)],
    ["seq", count(random)],
    ["frame", count(random)],
    ["digest", '"abc"'],
  ],
  accepted: (random) => [["room", room(random)], ["session", session(random)], ["seq", count(random)]],
  ack: (random) => [["room", room(random)], ["session", session(random)], ["seq", count(random)]],
  released: (random) => [["room", room(random)], ["attach", count(random)]],
  handing: (random) => [["digest", '"abc"'], ["rooms", `[${room(random)}]`]],
  handoff: (random) => [
    ["room", room(random)],
    ["epoch", '"e"'],
    ["term", count(random)],
    ["offset", count(random)],
    ["senders", `[[${session(random)},${count(random)}]]`],
    ["proxies", '[["p1","bbbb"]]'],
  ],
  taken: (random) => [["room", room(random)], ["epoch", '"e"'], ["term", count(random)]],
};

const CONTROLS: readonly ((random: Random) => string)[] = [
  () => '{"type":"ping"}',
  (random) => `{"type":"confirm","n":${count(random)}}`,
  (random) => `{"type":"goodbye","code":"bye","message":${JSON.stringify(hostileName(random))}}`,
  () => '{"type":"welcome","link":"x","received":0}',
  helloText,
];

function helloText(random: Random): string {
  return objectText(random, [
    ["type", '"hello"'],
    ["version", "1"],
    ["role", '"proxy"'],
    ["id", '"evil"'],
    ["incarnation", '"aaaa"'],
    ["cluster", '"toychat"'],
    ["nonce", '"0123456789abcdefABCDEF"'],
    ...(random.chance(0.5) ? [["mac", `"${"A".repeat(43)}"`] as const] : []),
    ...(random.chance(0.3) ? [["resume", '{"link":"x","received":1}'] as const] : []),
  ], 0.1);
}

const TYPES = Object.keys(FRAMES);
/** What a proxy may say. */
const OF_ROUTERS = TYPES.slice(0, TYPES.indexOf("deliver"));

function frameText(random: Random, n: number, types: readonly string[]): string {
  const type = random.pick(types);
  const fields: FieldText[] = [
    ["n", random.chance(0.97) ? String(n) : count(random)],
    ["type", `"${type}"`],
    ...(FRAMES[type] as Maker)(random),
  ];
  return objectText(random, fields, random.pick([0, 0, 0.05]));
}

/** ChatServers are trusted with rooms: what one hands over is not the room in which witnesses talk. */
function awayFromUsers(line: string): string {
  return /"type":"hand(?:off|ing)"/.test(line) ? line.replaceAll(`"${SHARED_ROOM}"`, '"room-0"') : line;
}

/** What an owner may say. */
const OF_OWNERS = [...TYPES.slice(TYPES.indexOf("deliver")), "digest"];

/** Lines as a peer sends them that has shaken hands. */
function insideLines(random: Random, own: readonly string[]): string[] {
  const types = random.chance(0.8) ? own : TYPES;
  const lines: string[] = [];
  let n = 0;
  for (let left = 1 + random.below(8); left > 0; left--) {
    const line = random.chance(0.9) ? frameText(random, ++n, types) : random.pick(CONTROLS)(random);
    lines.push(random.chance(0.03) ? spoilText(random, line) : line);
  }
  return lines;
}

function lineBytes(random: Random, lines: readonly string[]): Uint8Array {
  const bytes = encoder.encode(lines.map((line) => line.toWellFormed() + "\n").join(""));
  return random.chance(0.1) ? spoil(random, bytes) : bytes;
}

/** One peer: `raw` says what it likes from the first byte, `proxy` and `chat` shake hands first as that role. */
export function linkInput(random: Random): Input {
  const way = random.below(10);
  if (way === 0) return { variant: "raw", chunks: chop(random, randomBytes(random, random.below(200))) };
  if (way === 1) {
    return { variant: "raw", chunks: chop(random, lineBytes(random, insideLines(random, OF_ROUTERS))) };
  }
  if (way === 2) {
    const flood = encoder.encode(
      random.chance(0.1) ? "{".repeat(6000) : helloText(random).toWellFormed() + "\n",
    );
    return { variant: "raw", chunks: chop(random, random.chance(0.5) ? spoil(random, flood) : flood) };
  }
  const variant = random.chance(0.8) ? "proxy" : "chat";
  const lines = insideLines(random, OF_ROUTERS);
  const said = variant === "proxy" ? lines : lines.map(awayFromUsers);
  return { variant, chunks: chop(random, lineBytes(random, said)) };
}

/** What a ChatServer says that a proxy has dialled: `raw` from the first byte, `chat` after it has shaken hands. */
export function ownerInput(random: Random): Input {
  const raw = random.chance(0.2);
  const lines = raw && random.chance(0.7) ? [helloText(random)] : insideLines(random, OF_OWNERS);
  return { variant: raw ? "raw" : "chat", chunks: chop(random, lineBytes(random, lines)) };
}
