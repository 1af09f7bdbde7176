/**
 * Whether what was heard is what was said: each message once, in the order of its sender, and none missing that must not be.
 *
 * @module
 */

/** A numbered message that was sent. */
export interface Sent {
  readonly number: number;
  /** `"unasked"`: sent without asking for an acknowledgement. */
  state: "unasked" | "pending" | "acknowledged" | "failed";
}

/** What each sender sent to each room, by {@linkcode lineKey}. */
export type SentLines = ReadonlyMap<string, readonly Sent[]>;

/** What must have arrived: everything, what was acknowledged, or nothing in particular. */
export type Keeps = "everything" | "acknowledged" | "nothing";

/** Names one sender's messages in one room. */
export function lineKey(sender: string, room: string): string {
  return `${sender} in ${room}`;
}

/** The body of a numbered message. */
export function numbered(sender: string, number: number): string {
  return `${sender}:${number}`;
}

/** Sender and number of a numbered message; undefined where it is something else. */
export function readNumbered(body: string): { sender: string; number: number } | undefined {
  const [, sender = "", number] = body.match(/^([^:]+):(\d+)$/) ?? [];
  return number === undefined ? undefined : { sender, number: Number(number) };
}

/** Most problems of one kind that are listed for one receiver, sender and room. */
const MOST = 5;

/**
 * Compares what one receiver heard with what was sent to rooms in which it was throughout.
 *
 * @returns A sentence for each message that came twice, in the wrong order or never; empty where all is well. Bodies that
 * are not numbered are passed over.
 */
export function deliveryProblems(
  receiver: string,
  heard: readonly { readonly room: string; readonly body: string }[],
  sent: SentLines,
  keeps: Keeps,
): string[] {
  const lines = new Map<string, number[]>();
  for (const { room, body } of heard) {
    const read = readNumbered(body);
    if (!read) continue;
    const key = lineKey(read.sender, room);
    const line = lines.get(key);
    if (line) line.push(read.number);
    else lines.set(key, [read.number]);
  }
  const problems: string[] = [];
  for (const key of new Set([...sent.keys(), ...lines.keys()])) {
    const found = lineProblems(lines.get(key) ?? [], sent.get(key) ?? [], keeps);
    problems.push(...found.map((problem) => `${receiver}: ${key}: ${problem}`));
  }
  return problems;
}

function lineProblems(heard: readonly number[], sent: readonly Sent[], keeps: Keeps): string[] {
  const seen = new Set<number>();
  const twice: number[] = [];
  const disordered: string[] = [];
  let last = 0;
  for (const number of heard) {
    if (seen.has(number)) twice.push(number);
    else if (number < last) disordered.push(`${number} after ${last}`);
    seen.add(number);
    last = Math.max(last, number);
  }
  const known = new Set(sent.map(({ number }) => number));
  const due = sent.filter(({ state }) =>
    keeps === "everything" || (keeps === "acknowledged" && state === "acknowledged")
  );
  return [
    ...some("came twice", twice),
    ...some("came out of order", disordered),
    ...some("came and was never sent", [...seen].filter((number) => !known.has(number))),
    ...some("never came", due.map(({ number }) => number).filter((number) => !seen.has(number))),
  ];
}

function some(what: string, which: readonly (number | string)[]): string[] {
  if (which.length === 0) return [];
  const more = which.length > MOST ? ` and ${which.length - MOST} more` : "";
  return [`${which.slice(0, MOST).join(", ")}${more} ${what}`];
}

/**
 * Whether receivers heard one room's numbered messages in one order.
 *
 * @returns A sentence for each receiver that heard something else than the first.
 */
export function orderProblems(
  room: string,
  receivers: readonly { readonly name: string; bodies(room: string): string[] }[],
): string[] {
  const [first, ...others] = receivers.map(({ name, bodies }, index) => {
    const all = bodies.call(receivers[index], room);
    return { name, bodies: all.filter((body) => readNumbered(body) !== undefined) };
  });
  if (!first) return [];
  return others.flatMap(({ name, bodies }) => {
    const at = bodies.findIndex((body, index) => body !== first.bodies[index]);
    if (at < 0 && bodies.length === first.bodies.length) return [];
    const place = at < 0 ? bodies.length : at;
    return [`${name} heard ${bodies[place]} in ${room} where ${first.name} heard ${first.bodies[place]}`];
  });
}
