/**
 * Switches that break the owners' side: what a ChatServer accepts, when it opens a room, how it hands one over.
 *
 * @module
 */
import type { Edit, Switch } from "./switches.ts";

function acceptance(find: string, replace: string): Edit {
  return { file: "src/chat/acceptance.ts", find, replace };
}

function rooms(find: string, replace: string): Edit {
  return { file: "src/chat/rooms.ts", find, replace };
}

function releases(find: string, replace: string): Edit {
  return { file: "src/chat/releases.ts", find, replace };
}

function merging(find: string, replace: string): Edit {
  return { file: "src/chat/merging.ts", find, replace };
}

function settlement(find: string, replace: string): Edit {
  return { file: "src/chat/settlement.ts", find, replace };
}

/** See the module. */
export const OWNER_SWITCHES: readonly Switch[] = [
  {
    name: "owner-check",
    breaks: "a ChatServer opens and accepts rooms that its own view does not give to it",
    edits: [
      rooms(
        `(room.phase === "open" || (room.phase === "waiting" && this.#owns(room.name))),`,
        `(room.phase === "open" || room.phase === "waiting"),`,
      ),
      rooms(
        "if (!this.#owns(room.name) || !this.#host.held()) return;",
        "if (!this.#host.held()) return;",
      ),
    ],
  },
  {
    name: "refused-until-it-returns",
    breaks: "a ChatServer that has refused a message accepts later ones of its sender",
    schedules: "ahead",
    edits: [acceptance("      refusing.set(frame.session, frame.seq);\n      return", "      return")],
  },
  {
    name: "wait-for-proxies",
    breaks: "a room opens afresh at once, though not every proxy has announced its members",
    schedules: "behind",
    edits: [settlement(`if (role === "proxy" && waited <`, `if (role === "proxy" && waited < 0 * `)],
  },
  {
    name: "wait-for-proxies-of-a-hand-off",
    breaks: "a room opens with its hand-off before the proxies that had members have announced them",
    edits: [
      rooms(
        "if (waits && this.#host.clock.now() < incoming.until) return;",
        "if (waits && this.#host.clock.now() < 0) return;",
      ),
    ],
  },
  {
    name: "wait-for-servers",
    breaks: "a room opens afresh at once, though not every ChatServer has said what it hands over",
    edits: [settlement(`if (role === "chat" && waited <`, `if (role === "chat" && waited < 0 * `)],
  },
  {
    name: "expected-hand-off",
    breaks: "a room opens afresh although a ChatServer has said that it will hand it over",
    edits: [
      rooms(
        "if (!this.settlement.settled || this.settlement.expects(room.name)) return;",
        "if (!this.settlement.settled) return;",
      ),
    ],
  },
  {
    name: "numbers-at-owners",
    breaks: "a ChatServer accepts again what a sender repeats under the same number",
    schedules: "unanswered",
    edits: [acceptance("    if (!frame.ack) return false;\n", "    if (frame.seq > 0) return false;\n")],
  },
  {
    name: "numbers-in-hand-offs",
    breaks: "a hand-off does not carry what was accepted of each sender",
    schedules: "unheard",
    edits: [releases("const senders = room.senders.entries();", "const senders: [string, number][] = [];")],
  },
  {
    name: "offset-in-hand-offs",
    breaks: "a room that was handed over counts its messages from the start again",
    edits: [{
      file: "src/chat/opening.ts",
      find: "room.offset = handoff?.offset ?? 0;",
      replace: "room.offset = 0;",
    }],
  },
  {
    name: "wait-for-taking",
    breaks: "a message is acknowledged before the proxies have taken what it led to",
    schedules: "untaken",
    edits: [
      acceptance(
        "      this.#host.confirms.all(cause.frames, () => this.#ack(room, inbound, cause.failure));",
        "      this.#ack(room, inbound, cause.failure);",
      ),
    ],
  },
  {
    name: "wait-for-routed",
    breaks: "a message is acknowledged before those are that its listener sent to other rooms",
    schedules: "unsent",
    edits: [acceptance("if (cause.routed === 0) taken();", "if (cause.routed >= 0) taken();")],
  },
  {
    name: "one-at-a-time",
    breaks: "the listeners of one room run side by side",
    edits: [{
      file: "src/chat/room.ts",
      find: `while (this.phase === "open" && !this.#busy) {`,
      replace: `while (this.phase === "open") {`,
    }],
  },
  {
    name: "seal",
    breaks: "a room is released while its listener still runs",
    edits: [
      releases(
        "    room.whenIdle(() => {",
        "    const now = (run: () => void): void => run();\n    now(() => {",
      ),
    ],
  },
  {
    name: "same-view",
    breaks: "a room is handed to a ChatServer whose view may not be the sender's",
    edits: [{
      file: "src/chat/handoffs.ts",
      find: "if (!link || link.ended || !this.#host.agrees(link)) return;",
      replace: "if (!link || link.ended) return;",
    }],
  },
  {
    name: "told-of-merging",
    breaks: "users are not told that their room had another life, which ended",
    schedules: "parted",
    edits: [merging("if (offset > 0) {", "if (offset < 0) {")],
  },
  {
    name: "merge-event",
    breaks: "the application is not told that its room had another life",
    schedules: "parted",
    edits: [
      merging("for (const ended of waiting) this.#tell(room, ended);", ""),
      merging(
        "      return this.#tell(room, { frame, from });",
        "      return;",
      ),
    ],
  },
  {
    name: "closed-as-merged",
    breaks: "a ChatServer does not hear that the life of its room ends, and closes it as handed off",
    schedules: "parted",
    edits: [{
      file: "src/chat/handoffs.ts",
      find: "const merged = epoch !== undefined && epoch !== frame.epoch;",
      replace: "const merged = epoch !== undefined && epoch === frame.room;",
    }],
  },
  {
    name: "lease",
    breaks: "a ChatServer goes on accepting without its lease",
    edits: [{
      file: "src/chat/chat_server.ts",
      find: "held: () => this.#lease?.held() ?? false,",
      replace: "held: () => this.#lease !== undefined,",
    }],
  },
  {
    name: "resume",
    breaks: "a link that goes on over a new connection does not send again what the last one lost",
    edits: [{
      file: "src/link/link_end.ts",
      find: "    this.#written = received;\n",
      replace: "    this.#written = Math.max(received, this.#unconfirmed.last);\n",
    }],
  },
];
