/**
 * Which names a room may have. Every protocol asks here, so that a room that one can join, all can.
 *
 * @module
 */
import { printable } from "../lib/errors.ts";

const PLUS = 0x2b;
const HASH = 0x23;
const DOLLAR = 0x24;

/**
 * Says what is wrong with a room's name, for the client that gave it; `undefined` where the name is good.
 *
 * A name is not empty, has no NUL, no `+` or `#` (MQTT's wildcards) and no lone surrogate, does not begin with `$`, and
 * takes at most `maxBytes` bytes of UTF-8. Anything else is allowed: `/`, spaces, any script.
 */
export function roomNameProblem(name: string, maxBytes: number): string | undefined {
  if (name.length === 0) return "the room's name is empty: give it at least one character";
  if (name.charCodeAt(0) === DOLLAR) {
    return `room ${quote(name)} begins with "$": choose another first character`;
  }
  let bytes = 0;
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    if (unit === PLUS || unit === HASH) {
      return `room ${quote(name)} has a "+" or "#", which are wildcards: name one room, without them`;
    }
    if (unit === 0) return `room ${quote(name)} has a NUL character: leave it out`;
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit < 0xd800 || unit > 0xdfff) bytes += 3;
    else {
      if (!isPair(unit, name.charCodeAt(i + 1))) {
        return `room ${quote(name)} has half of a surrogate pair: send well-formed Unicode`;
      }
      bytes += 4;
      i++;
    }
  }
  if (bytes > maxBytes) return `the room's name takes ${bytes} bytes of UTF-8: use at most ${maxBytes}`;
  return undefined;
}

/** Whether a room may have this name; {@linkcode roomNameProblem} says why not. */
export function isRoomName(name: string, maxBytes: number): boolean {
  return roomNameProblem(name, maxBytes) === undefined;
}

function isPair(high: number, low: number): boolean {
  return high < 0xdc00 && low >= 0xdc00 && low <= 0xdfff;
}

function quote(name: string): string {
  return `"${printable(name, 60)}"`;
}
