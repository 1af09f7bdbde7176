import { expect, test } from "bun:test";
import { FakeLink } from "../../tests/support/fake_link.ts";
import { Metrics } from "../lib/metrics.ts";
import { Room } from "./room.ts";
import { StoppedRooms } from "./stopped_rooms.ts";

test("what waits for a link goes on when it is released, and waits for the next one that is full", () => {
  const metrics = new Metrics();
  const stopped = new StoppedRooms(metrics);
  const room = new Room("r", 0, (one, link) => stopped.add(one, link));
  room.phase = "open";
  const links = [new FakeLink("p1"), new FakeLink("p2")] as const;
  for (const link of links) {
    const session = `${link.peer.id}.i1.1`;
    const attachment = room.attach(link, new Set([session]), 1, undefined);
    room.add(attachment, { userId: "ada", sessionId: session, proxyId: link.peer.id }, true);
    link.full = true;
  }
  let done = 0;
  for (let seq = 1; seq <= 3; seq++) {
    const frame = { type: "message" as const, room: "r", session: "p1.i1.1", seq, body: seq };
    const message = { frame, n: seq, link: links[0], since: 0, held: true };
    room.enqueue({ message, run: () => void done++ });
  }
  const waits: number[] = [];
  for (const link of links) {
    link.full = false;
    stopped.release(link);
    waits.push(done);
  }
  expect(waits).toEqual([0, 3]);
  stopped.release(links[0]);
  expect([done, metrics.get("toychat_rooms_pushed_back_total")]).toEqual([3, 2]);
});
