/**
 * Hostile names, strings and JSON texts.
 *
 * @module
 */
import type { Random } from "../support/virtual_clock.ts";

/** A room in which well-behaved users talk too, and everyone else may. */
export const SHARED_ROOM = "lobby";

const NAMES = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "$SYS/broker/version",
  "$toychat/moved",
  "$share/group/lobby",
  "+",
  "#",
  "lobby/+/x",
  "a//b",
  "/",
  "//",
  " ",
  "..",
  "../../etc/passwd",
  "lobby\u0000",
  "a\nlevel=error event=forged",
  "a\r\nx: y",
  "\u001b[31mred",
  "\u009b31m",
  "\u202eevil",
  "\ud800",
  "a\udc00b",
  "\ufeffbom",
  "\ufffd",
  "%00",
  '"};x',
  "é".repeat(300),
  "🙂".repeat(200),
] as const;

/** The name of a room as nobody should choose it, at times as anyone does. */
export function hostileName(random: Random): string {
  switch (random.below(8)) {
    case 0:
      return SHARED_ROOM;
    case 1:
      return `room-${random.below(20)}`;
    case 2:
      return random.chance(0.02) ? "x".repeat(65_536) : "y".repeat(500 + random.below(30));
    case 3:
      return Array.from(
        { length: 1 + random.below(8) },
        () => String.fromCharCode(random.below(0x10000)),
      ).join("");
    case 4:
      return random.pick(NAMES) + random.pick(NAMES);
    default:
      return random.pick(NAMES);
  }
}

const NUMBERS = [
  "0",
  "-0",
  "1",
  "-1",
  "1.5",
  "1e999",
  "-1e999",
  "1e-400",
  "9007199254740991",
  "9007199254740993",
  "123456789012345678901234567890",
  "01",
  "+1",
  "NaN",
  "0x10",
];

const KEYS = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "type",
  "room",
  "body",
  "id",
  "",
  "n",
  "\\u0000",
];

/** How deep the deepest nesting goes: beyond what a recursive reader or writer of JSON survives. */
const DEEPEST = 50_000;

/** A JSON string literal. */
export function stringText(random: Random): string {
  return JSON.stringify(random.chance(0.9) ? hostileName(random) : "z".repeat(random.below(3000)));
}

function deepText(random: Random): string {
  const depth = random.chance(0.02) ? DEEPEST : 2 + random.below(400);
  const [open, close] = random.chance(0.5) ? ["[", "]"] : ['{"a":', "}"];
  return open.repeat(depth) + "1" + close.repeat(random.chance(0.9) ? depth : random.below(depth));
}

/** Text of a JSON value, now and then of none. */
export function valueText(random: Random, depth = 0): string {
  const way = random.below(depth > 3 ? 4 : 8);
  if (way === 0) return random.pick(["null", "true", "false", "undefined", "", "[]", "{}"]);
  if (way === 1) return random.pick(NUMBERS);
  if (way < 4) return stringText(random);
  if (way === 4) return deepText(random);
  const items = Array.from({ length: random.below(4) }, () => valueText(random, depth + 1));
  if (way === 5) return `[${items.join(",")}]`;
  return `{${items.map((item) => `"${random.pick(KEYS)}":${item}`).join(",")}}`;
}

/** A field of an object: its name, and the text of a good value. */
export type FieldText = readonly [name: string, good: string];

/** Text of an object with these fields, as it should be or with fields missing, twice, of a wrong type, or strange. */
export function objectText(random: Random, fields: readonly FieldText[], spoilt = 0.25): string {
  const parts: string[] = [];
  for (const [name, good] of fields) {
    if (random.chance(spoilt * 0.2)) continue;
    parts.push(`"${name}":${random.chance(spoilt) ? valueText(random) : good}`);
    if (random.chance(spoilt * 0.2)) parts.push(`"${name}":${valueText(random)}`);
  }
  if (random.chance(spoilt * 0.4)) parts.push(`"__proto__":${valueText(random)}`);
  if (random.chance(spoilt * 0.2)) parts.push(`"${random.pick(KEYS)}":${valueText(random)}`);
  if (random.chance(spoilt * 0.2)) parts.reverse();
  return `{${parts.join(",")}}`;
}

/** Spoils a text in a place or two. */
export function spoilText(random: Random, text: string): string {
  let spoilt = text;
  for (let left = 1 + random.below(2); left > 0; left--) {
    const at = random.below(spoilt.length + 1);
    const way = random.below(4);
    if (way === 0) spoilt = spoilt.slice(0, at);
    else if (way === 1) spoilt = spoilt.slice(0, at) + spoilt.slice(at + 1 + random.below(8));
    else if (way === 2) {
      spoilt = spoilt.slice(0, at) + random.pick(['"', "{", "]", "\\", "\u0000", "\n", ","]) +
        spoilt.slice(at);
    } else spoilt = spoilt.slice(0, at) + valueText(random) + spoilt.slice(at);
  }
  return spoilt.toWellFormed();
}
