/**
 * IP addresses as text, in one form each: what two hosts write of one address must be the same, or their views differ.
 *
 * @module
 */

/** An IP address. */
export interface Ip {
  /** 4 or 6. */
  readonly version: 4 | 6;
  /** Dotted decimals, or IPv6 as RFC 5952 has it (without brackets). */
  readonly text: string;
  /** An IPv4 address as a number of 32 bits; 0 for IPv6. */
  readonly bits: number;
}

const V4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** The IPv4 address of 32 bits. */
export function ipv4(bits: number): Ip {
  const text = [bits / 0x1000000, bits / 0x10000, bits / 0x100, bits].map((part) => Math.floor(part) % 256)
    .join(".");
  return { version: 4, text, bits };
}

function readV4(text: string): Ip | undefined {
  const parts = V4.exec(text)?.slice(1);
  if (!parts || parts.some((part) => Number(part) > 255 || String(Number(part)) !== part)) return undefined;
  return ipv4(parts.reduce((bits, part) => bits * 256 + Number(part), 0));
}

/** The 16-bit groups of one side of `::`; undefined where one is malformed. */
function readGroups(text: string): number[] | undefined {
  const groups: number[] = [];
  const parts = text === "" ? [] : text.split(":");
  for (const [i, part] of parts.entries()) {
    const tail = i === parts.length - 1 && part.includes(".") ? readV4(part) : undefined;
    if (tail) groups.push(Math.floor(tail.bits / 0x10000), tail.bits % 0x10000);
    else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) groups.push(parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

function readV6(text: string): number[] | undefined {
  const halves = text.split("::");
  const [head = "", tail] = halves;
  const left = readGroups(head);
  if (halves.length > 2 || !left) return undefined;
  if (tail === undefined) return left.length === 8 ? left : undefined;
  const right = readGroups(tail);
  if (!right || head.includes(".") || left.length + right.length > 7) return undefined;
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

/** RFC 5952: lower case, no leading zeros, `::` for the first longest run of two or more zero groups. */
function v6Text(groups: readonly number[]): string {
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === 0) length++;
    if (length > best.length) best = { at, length };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.at < 0) return hex.join(":");
  return `${hex.slice(0, best.at).join(":")}::${hex.slice(best.at + best.length).join(":")}`;
}

/** Reads an address without brackets, zone or port; an IPv4 address mapped into IPv6 is that IPv4 address. */
export function readIp(text: string): Ip | undefined {
  if (text.length > 45) return undefined;
  if (!text.includes(":")) return readV4(text);
  const groups = readV6(text);
  if (!groups) return undefined;
  const [high = 0, low = 0] = groups.slice(6);
  if (groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)) {
    return ipv4(high * 0x10000 + low);
  }
  return { version: 6, text: v6Text(groups), bits: 0 };
}

/** Whether an address reaches only the machine that uses it: `127.0.0.0/8` and `::1`. */
export function isLoopbackIp(ip: Ip): boolean {
  return ip.version === 4 ? Math.floor(ip.bits / 0x1000000) === 127 : ip.text === "::1";
}

/** Whether an address stands for "any": `0.0.0.0` and `::`. Nobody can be reached there. */
export function isWildcardIp(ip: Ip): boolean {
  return ip.version === 4 ? ip.bits === 0 : ip.text === "::";
}
