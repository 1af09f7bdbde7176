/**
 * Hostile WebSocket frames (RFC 6455), as bytes behind a good upgrade request or with it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Random } from "../support/virtual_clock.ts";
import { chop, concat, randomBytes, spoil } from "./bytes.ts";
import type { Input } from "./input.ts";
import { hostileName } from "./text.ts";

const TEXT = 1;
const CLOSE = 8;
const OPCODES = [0, 0, 0, TEXT, TEXT, TEXT, 2, 3, 7, CLOSE, 9, 10, 11, 15] as const;

/** How one frame is written. */
interface FrameForm {
  readonly opcode: number;
  readonly payload: Uint8Array;
  readonly fin?: boolean;
  /** RSV1 to RSV3, as bits 0x40, 0x20, 0x10. */
  readonly reserved?: number;
  readonly masked?: boolean;
  /** Says another length than the payload's. */
  readonly claims?: number;
}

function lengthBytes(length: number, masked: boolean): Uint8Array {
  const mask = masked ? 0x80 : 0;
  if (length < 126) return Uint8Array.of(mask | length);
  if (length < 65_536) return Uint8Array.of(mask | 126, length >> 8, length & 255);
  const bytes = new Uint8Array(9);
  bytes[0] = mask | 127;
  new DataView(bytes.buffer).setBigUint64(1, BigInt(length));
  return bytes;
}

/** Writes a frame, masked as a client's must be unless it says otherwise. */
export function frame(form: FrameForm): Uint8Array {
  const { opcode, payload, fin = true, reserved = 0, masked = true, claims = payload.length } = form;
  const head = concat([Uint8Array.of((fin ? 0x80 : 0) | reserved | opcode), lengthBytes(claims, masked)]);
  if (!masked) return concat([head, payload]);
  const mask = Uint8Array.of(0x11, 0x22, 0x33, 0x44);
  return concat([head, mask, payload.map((byte, i) => byte ^ (mask[i % 4] as number))]);
}

/** A text message in one frame. */
export function textFrame(text: string): Uint8Array {
  return frame({ opcode: TEXT, payload: Buffer.from(text) });
}

/** The close frame that ends a conversation well. */
export function closeFrame(): Uint8Array {
  return frame({ opcode: CLOSE, payload: Uint8Array.of(3, 232) });
}

function good(random: Random): Uint8Array {
  const room = hostileName(random).slice(0, 200);
  const type = random.pick(["join", "message", "ping", "leave"]);
  return textFrame(JSON.stringify({ type, room, body: "b", id: 1 }));
}

function flood(random: Random): Uint8Array {
  const size = random.pick([0, 1]);
  const first = frame({ opcode: TEXT, payload: randomBytes(random, size), fin: false });
  const next = frame({ opcode: 0, payload: randomBytes(random, size), fin: false });
  return concat([first, ...Array.from({ length: random.pick([3, 50, 5000]) }, () => next)]);
}

function strange(random: Random): Uint8Array {
  const way = random.below(8);
  const payload = randomBytes(random, random.pick([0, 1, 2, 20, 125, 126, 200]));
  if (way === 0) {
    return frame({ opcode: random.pick([8, 9, 10]), payload: randomBytes(random, 126 + random.below(200)) });
  }
  if (way === 1) return frame({ opcode: random.pick([8, 9, 10]), payload, fin: false });
  if (way === 2) return frame({ opcode: TEXT, payload, reserved: random.pick([0x40, 0x20, 0x10, 0x70]) });
  if (way === 3) return frame({ opcode: TEXT, payload, masked: false });
  if (way === 4) {
    return frame({ opcode: TEXT, payload, claims: random.pick([1000, 2 ** 31, 2 ** 40, 2 ** 53, 0]) });
  }
  if (way === 5) return flood(random);
  if (way === 6) return frame({ opcode: CLOSE, payload: randomBytes(random, random.below(5)) });
  return frame({ opcode: random.pick(OPCODES), payload, fin: random.chance(0.5) });
}

/** One client: good frames and strange ones, whole or spoilt, cut anywhere. */
export function framesInput(random: Random): Input {
  const parts = Array.from(
    { length: 1 + random.below(5) },
    () => random.chance(0.4) ? good(random) : strange(random),
  );
  const bytes = concat(parts);
  const chunks = chop(random, random.chance(0.3) ? spoil(random, bytes) : bytes).slice(0, 400);
  return { variant: random.pick(["plain", "deflate", "mqtt"]), chunks };
}
