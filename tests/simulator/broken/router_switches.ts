/**
 * Switches that break the routers' side: the queue of a room, its announcement, its one source, its numbers, and what
 * waits for a client.
 *
 * @module
 */
import type { Edit, Switch } from "./switches.ts";

function route(find: string, replace: string): Edit {
  return { file: "src/link/route.ts", find, replace };
}

function router(find: string, replace: string): Edit {
  return { file: "src/link/router.ts", find, replace };
}

function proxyRooms(find: string, replace: string): Edit {
  return { file: "src/proxy/proxy_rooms.ts", find, replace };
}

const AT_ONCE = route(
  "    if (this.source) return this.#yield();\n    const link",
  "    if (this.source) {\n      this.#yield();\n      this.#detach(this.source, true);\n    }\n    const link",
);

/** See the module. */
export const ROUTER_SWITCHES: readonly Switch[] = [
  {
    name: "ordered-queue",
    breaks: "a message goes out at once, also while earlier ones of its room wait to be sent again",
    schedules: "ahead",
    edits: [
      route(
        "    if (this.source === undefined) this.settle();\n    this.pump();",
        "    if (this.source === undefined) this.settle();\n" +
          "    if (this.source && !this.source.ended) this.#transmit(entry, this.source);\n    this.pump();",
      ),
    ],
  },
  {
    name: "earlier-owner-settled",
    breaks: "messages go to the next owner before the last one has dealt with what it was sent",
    edits: [
      route(
        "if (this.#stale > 0 || this.#owed.size > 0 || link.full) return;",
        "if (link.full) return;",
      ),
    ],
  },
  {
    name: "announcement",
    breaks: "a new owner learns of a router's members only behind the first messages",
    edits: [
      route(
        `      type: "announce",\n      room: this.room,\n      members,`,
        `      type: "announce",\n      room: this.room,\n      members: [],`,
      ),
      route(
        "    this.#router.host.attached?.(this);\n",
        `    const attach = this.#attach;
    this.#router.host.clock.after(1, () => {
      if (this.source !== link || this.#attach !== attach) return;
      this.#announced = link.send({
        type: "announce",
        room: this.room,
        members: this.#router.host.members(this.room),
        attach,
      });
    });
    this.#router.host.attached?.(this);\n`,
      ),
    ],
  },
  {
    name: "announced-round",
    breaks: "a router says that its announcements for a view have ended before it makes them",
    schedules: "behind",
    edits: [
      router(
        `    for (const link of open) link.send({ type: "digest", digest });
    for (const route of [...this.#routes.values()]) route.viewChanged();
    this.#endRound(open);`,
        `    for (const link of open) link.send({ type: "digest", digest });
    for (const link of open) link.send({ type: "announced", digest });
    for (const route of [...this.#routes.values()]) route.viewChanged();`,
      ),
      router(
        `    for (const route of this.#routes.values()) route.settle();
    this.#endRound([link]);`,
        `    link.send({ type: "announced", digest });
    for (const route of this.#routes.values()) route.settle();`,
      ),
    ],
  },
  {
    name: "released",
    breaks: "a router turns to the next owner at once, without waiting for the last one to release the room",
    edits: [AT_ONCE],
  },
  {
    name: "numbers-at-proxies",
    breaks: "a proxy delivers again what comes again under the same cause and number",
    edits: [
      proxyRooms(
        "if (cause && !room.delivered.raise(cause[0], cause[1])) {",
        "if (cause && !room.delivered.raise(cause[0], cause[1]) && frame.offset < 0) {",
      ),
    ],
  },
  {
    name: "one-source",
    breaks: "a proxy turns to the next owner at once, and takes the last one's deliveries all the same",
    edits: [
      AT_ONCE,
      proxyRooms(
        "if (room?.route.source === link) return room;",
        "if (room && !link.ended) return room;",
      ),
    ],
  },
  {
    name: "moved-lost",
    breaks: "users are always told that a move lost nothing",
    edits: [
      proxyRooms(
        `const lost = !(frame.reason === "hand-off" && route.clean && route.epoch === frame.epoch && next);`,
        "const lost = false;",
      ),
    ],
  },
  {
    name: "moved",
    breaks: "users are not told that a room has moved",
    edits: [proxyRooms("if (moved) member.session.moved(frame.room, lost);", "")],
  },
  {
    name: "sent-again",
    breaks: "what a dead owner had not acknowledged is taken for acknowledged, and not sent again",
    edits: [route("      if (!entry.done) {\n        this", "      if (entry) {\n        this")],
  },
  {
    name: "at-most-once",
    breaks: "unacknowledged messages that a dead owner may have taken are sent again as well",
    edits: [route("      if (!entry.done) {\n        this", "      if (!entry) {\n        this")],
  },
  {
    name: "cap",
    breaks: "what waits for a client that does not read has no end",
    edits: [{
      file: "src/proxy/outgoing.ts",
      find:
        "if (this.#connection.bufferedAmount + this.#bytes + bytes > this.#most && !this.#letsBy(bytes, 0)) {",
      replace: "if (this.#most < 0 && !this.#letsBy(bytes, 0)) {",
    }],
  },
];
