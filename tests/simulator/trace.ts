/**
 * A run in words: what happened, for people, and its fingerprint, for comparing runs.
 *
 * @module
 */
import type { Client } from "./client.ts";
import type { Model } from "./model.ts";

/** Everything that was noted, with the arrivals of all clients where they belong. */
export function trace(model: Model): string {
  const noted = model.cluster.log.filter((text) => !text.includes(" link_open "));
  const lines = noted.map((text, i) => ({ at: Number.parseFloat(text), order: i, text }));
  for (const client of model.cluster.clients) {
    for (const line of life(client)) lines.push({ ...line, order: lines.length });
  }
  return lines.sort((a, b) => a.at - b.at || a.order - b.order).map(({ text }) => text).join("\n");
}

interface Line {
  readonly at: number;
  readonly text: string;
}

function life(client: Client): Line[] {
  const lines: Line[] = [];
  const say = (at: number | undefined, text: string): void => {
    if (at !== undefined) lines.push({ at, text: `${at.toFixed(0).padStart(6)}     ${client.user} ${text}` });
  };
  for (const arrival of client.arrivals) {
    const { room } = arrival;
    if ("note" in arrival) say(arrival.at, `got ${arrival.note.stream} ${arrival.note.k} in ${room}`);
    else say(arrival.at, `was told that ${room} moved${arrival.lost ? ", lost" : ""}`);
  }
  for (const { room, from, to, refusal } of client.stays) {
    say(from, `is in ${room}`);
    say(to, refusal ? `was refused ${room}: ${refusal}` : `is out of ${room}`);
  }
  for (const { note, doneAt, failure } of client.published) {
    say(doneAt, `${note.stream} ${note.k} ${failure ? `failed: ${failure}` : "was acknowledged"}`);
  }
  say(client.endedAt, "has ended");
  return lines;
}

/** 53 bits of everything that was noted and recorded: equal for equal runs, on every runtime. */
export function fingerprint(model: Model): string {
  const records = model.cluster.clients.map(({ user, arrivals, stays, published, endedAt }) =>
    JSON.stringify({ user, arrivals, stays, published, endedAt })
  );
  return cyrb53([...model.cluster.log, ...records].join("\n"));
}

/** The hash cyrb53 of bryc, in 14 hexadecimal digits. */
function cyrb53(text: string): string {
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(16).padStart(14, "0");
}
