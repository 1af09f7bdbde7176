import { expect, test } from "bun:test";
import { FakeLink } from "../../tests/support/fake_link.ts";
import type { HandoffFrame } from "../link/frames.ts";
import type { Acceptance } from "./acceptance.ts";
import { Confirms } from "./confirms.ts";
import type { AnyTypes } from "./events.ts";
import type { Handoffs } from "./handoffs.ts";
import { Releases } from "./releases.ts";
import { Room } from "./room.ts";
import { Sessions } from "./sessions.ts";

/** An open room with a member on each of two proxies, and a ChatServer's application as a third router. */
function setup() {
  const sent: HandoffFrame[] = [];
  const closed: string[] = [];
  const confirms = new Confirms();
  const refused: number[] = [];
  const acceptance = {
    refuse: (_link: unknown, frame: { seq: number }) => void refused.push(frame.seq),
    refuseHeld: (room: Room) => void refused.push(...room.clear().map(({ frame }) => frame.seq)),
  } as unknown as Acceptance<AnyTypes>;
  const handoffs = { send: (frame: HandoffFrame) => void sent.push(frame) } as unknown as Handoffs;
  const releases = new Releases<AnyTypes>({
    sessions: new Sessions({ connected() {}, disconnected() {} }),
    acceptance,
    confirms,
    handoffs,
    released: (room) => void closed.push(room.name),
  });
  const room = new Room("r");
  Object.assign(room, { phase: "open", epoch: "e1", offset: 7, term: 2 });
  room.senders.set("p1.b.1", 3);
  const links = [new FakeLink("p1", "proxy"), new FakeLink("p2", "proxy"), new FakeLink("c2", "chat")];
  for (const [i, link] of links.entries()) {
    const attachment = room.attach(link, new Set(), i + 1, undefined);
    const sessionId = `${link.peer.id}.b.1`;
    if (i < 2) room.add(attachment, { userId: "u", sessionId, proxyId: link.peer.id }, true);
  }
  return { releases, room, links, confirms, sent, closed, refused };
}

function hold(room: Room, link: FakeLink, seq: number): void {
  const frame = { type: "message" as const, room: "r", session: "p1.b.1", seq, body: 1 };
  room.enqueue({ message: { frame, n: seq, link, since: 0, held: true }, run() {} });
}

test("a room is released to every router, and handed off when all have confirmed that", () => {
  const { releases, room, links, confirms, sent, closed } = setup();
  releases.release(room);
  expect(links.map((link) => link.take("released").map((frame) => frame.attach))).toEqual([[1], [2], [3]]);
  expect([closed, [...releases.leaving.keys()], sent, room.attachments.size]).toEqual([["r"], ["r"], [], 0]);
  for (const link of links) confirms.confirmed(link, 1);
  expect(sent).toEqual([{
    type: "handoff",
    room: "r",
    epoch: "e1",
    offset: 7,
    term: 2,
    senders: [["p1.b.1", 3]],
    proxies: [["p1", "i1"], ["p2", "i1"]],
  }]);
  expect(releases.leaving.size).toBe(0);
});

test("the listener under way comes to its end first, and what waits is refused", async () => {
  const { releases, room, links, closed, refused } = setup();
  let end = (): void => {};
  room.enqueue({ message: undefined, run: () => new Promise<void>((resolve) => end = resolve) });
  hold(room, links[0]!, 4);
  releases.release(room);
  hold(room, links[0]!, 5);
  expect([refused, closed, links[0]!.frames]).toEqual([[4], [], []]);
  end();
  for (let i = 0; i < 5; i++) await undefined;
  expect([refused, closed, links[0]!.types]).toEqual([[4, 5], ["r"], ["released"]]);
});

test("nothing of a release outlives the life of its server, wherever it stands", async () => {
  const before = setup();
  let end = (): void => {};
  before.room.enqueue({ message: undefined, run: () => new Promise<void>((resolve) => end = resolve) });
  before.releases.release(before.room);
  before.releases.clear();
  end();
  for (let i = 0; i < 5; i++) await undefined;
  expect([before.closed, before.releases.leaving.size]).toEqual([[], 0]);

  const after = setup();
  after.releases.release(after.room);
  after.releases.clear();
  for (const link of after.links) after.confirms.reset(link);
  expect(after.sent).toEqual([]);
});

test("a router that yields gets what it sent refused before it is released", () => {
  const { releases, room, links, refused } = setup();
  room.phase = "waiting";
  hold(room, links[0]!, 4);
  hold(room, links[1]!, 9);
  releases.yield(room, room.attachments.get(links[0]!)!);
  expect([refused, links[0]!.types, room.members.size, room.busy]).toEqual([[4], ["released"], 1, true]);
});

test("a router with members cannot leave an open room by itself", () => {
  const { releases, room, links } = setup();
  releases.yield(room, room.attachments.get(links[0]!)!);
  releases.yield(room, room.attachments.get(links[2]!)!);
  expect(links.map((link) => link.types)).toEqual([[], [], ["released"]]);
});

test("who waits for a room that does not open here is let go", () => {
  const { releases, room, links } = setup();
  room.phase = "waiting";
  links[1]!.ended = true;
  releases.dismiss(room);
  expect(links.map((link) => link.types)).toEqual([["released"], [], ["released"]]);
});
