/**
 * Numbers as a fixed count of base64url digits, six bits each, the most significant first: what tags and events of a
 * Serf agent carry, which must be short and are text.
 *
 * @module
 */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const VALUES: ReadonlyMap<number, number> = new Map(
  [...ALPHABET].map((digit, value) => [digit.charCodeAt(0), value]),
);

/** A whole number from 0 to 2^53 - 1 as `count` digits; what does not fit into them is cut off at the top. */
export function toDigits(value: number, count: number): string {
  let text = "";
  for (let rest = value, i = 0; i < count; i++) {
    text = ALPHABET[rest % 64] + text;
    rest = Math.floor(rest / 64);
  }
  return text;
}

/** The number of `count` digits of `text` from `at` on, at most 8; undefined where one of them is none. */
export function fromDigits(text: string, at: number, count: number): number | undefined {
  let value = 0;
  for (let i = at; i < at + count; i++) {
    const digit = VALUES.get(text.charCodeAt(i));
    if (digit === undefined) return undefined;
    value = value * 64 + digit;
  }
  return value;
}
