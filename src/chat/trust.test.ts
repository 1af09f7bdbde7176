import { expect, test } from "bun:test";
import type { AnnouncedMember, Frame } from "../link/frames.ts";
import type { LinkIdentity } from "../link/link.ts";
import { overreach } from "./trust.ts";

const PROXY: LinkIdentity = { role: "proxy", id: "p1", incarnation: "i" };
const CHAT: LinkIdentity = { role: "chat", id: "c2", incarnation: "i" };
const OWN: AnnouncedMember = ["p1.b.1", "ada"];

function message(more: Partial<Extract<Frame, { type: "message" }>>): Frame {
  return { type: "message", room: "r", session: "p1.b.1", seq: 1, body: 1, ...more };
}

const announce = (...members: AnnouncedMember[]): Frame => ({
  type: "announce",
  room: "r",
  members,
  attach: 1,
});
const handoff: Frame = {
  type: "handoff",
  room: "r",
  epoch: "e",
  offset: 0,
  term: 1,
  senders: [],
  proxies: [],
};

test("a proxy speaks for its own sessions, by name, and for no application", () => {
  const good: Frame[] = [
    message({ user: "ada" }),
    announce(OWN),
    { type: "join", room: "r", member: OWN },
    { type: "leave", room: "r", session: "p1.b.1", reason: "left" },
    { type: "gone", session: "p1.b.1", reason: "gone" },
    { type: "yield", room: "r" },
    { type: "announced", digest: "d" },
    { type: "digest", digest: "d" },
  ];
  for (const frame of good) expect([frame.type, overreach(PROXY, frame)]).toEqual([frame.type, undefined]);
  for (const session of ["p2.b.1", "p11.b.1", "p1", "c1.i"]) {
    const foreign: Frame[] = [
      announce(OWN, [session, "ada"]),
      { type: "join", room: "r", member: [session, "ada"] },
      { type: "leave", room: "r", session, reason: "left" },
      { type: "gone", session, reason: "gone" },
    ];
    for (const frame of foreign) {
      const message = `p1 may not speak for session ${session}`;
      expect(overreach(PROXY, frame)).toEqual({ code: "foreign_session", message });
    }
  }
  const forbidden: Frame[] = [
    message({}),
    message({ user: "ada", cause: ["p2.b.1", 5] }),
    { type: "handing", digest: "d", rooms: ["r"] },
    handoff,
  ];
  for (const frame of forbidden) expect(overreach(PROXY, frame)).toMatchObject({ code: "unexpected_frame" });
});

test("a ChatServer speaks for its application, hands rooms over, and has no users", () => {
  const good: Frame[] = [
    message({ session: "c2.i", cause: ["p2.b.1", 5] }),
    announce(),
    { type: "handing", digest: "d", rooms: ["r"] },
    handoff,
    { type: "yield", room: "r" },
  ];
  for (const frame of good) expect([frame.type, overreach(CHAT, frame)]).toEqual([frame.type, undefined]);
  const forbidden: Frame[] = [
    message({ session: "c2.i", user: "ada" }),
    announce(["c2.i.1", "ada"]),
    { type: "join", room: "r", member: ["c2.i.1", "ada"] },
    { type: "leave", room: "r", session: "c2.i", reason: "left" },
    { type: "gone", session: "c2.i", reason: "gone" },
  ];
  for (const frame of forbidden) expect(overreach(CHAT, frame)).toMatchObject({ code: "unexpected_frame" });
});
