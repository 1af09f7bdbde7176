import { describe, expect, test } from "bun:test";
import { FakeLink } from "../../tests/support/fake_link.ts";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import { noLog } from "../lib/log.ts";
import { Metrics } from "../lib/metrics.ts";
import type { DeliverFrame, OpenedFrame } from "../link/frames.ts";
import { Router } from "../link/router.ts";
import type { Chunk, Encoding } from "../protocols/protocol.ts";
import { PROXY_LIMITS } from "./options.ts";
import { ProxyRooms } from "./proxy_rooms.ts";
import type { Session } from "./session.ts";

const encoding: Encoding = { stream: false, encode: ({ body }) => String(body) };

/** The part of a session that rooms use. */
class FakeSession {
  readonly id: string;
  readonly user: string;
  readonly rooms = new Set<string>();
  readonly encoding = encoding;
  readonly sender = { seenBy: new Set() };
  /** What the user was sent and told, in order. */
  readonly heard: string[] = [];

  constructor(id: string) {
    this.id = id;
    this.user = `user of ${id}`;
  }

  deliver(chunks: readonly Chunk[]): void {
    this.heard.push(...chunks.map(String));
  }

  moved(_room: string, lost: boolean): void {
    this.heard.push(`moved ${lost}`);
  }

  left(_room: string, reason: string): void {
    this.heard.push(`left ${reason}`);
  }
}

/** Rooms that two servers own one after the other. */
class Setup {
  readonly clock = new ManualClock();
  readonly metrics = new Metrics();
  readonly links = new Map([["c1", new FakeLink("c1")], ["c2", new FakeLink("c2")]]);
  readonly rooms: ProxyRooms;
  readonly router: Router;
  owner = "c1";
  digest = "v1";

  constructor() {
    this.router = new Router({
      clock: this.clock,
      metrics: this.metrics,
      placement: () => this.#placement(),
      link: (id) => this.links.get(id),
      members: (room) => this.rooms.announced(room),
      occupied: (room) => this.rooms.occupied(room),
      attached: (route) => this.rooms.attached(route),
    });
    this.rooms = new ProxyRooms({
      clock: this.clock,
      metrics: this.metrics,
      log: noLog,
      limits: PROXY_LIMITS,
      router: this.router,
      flush() {},
      joined() {},
      left() {},
    });
  }

  #placement() {
    const members = [...this.links.keys()].map((id, slot) => {
      return { id, role: "chat" as const, incarnation: "i1", address: "h:1", slot, state: "alive" as const };
    });
    const owner = members.find((member) => member.id === this.owner);
    return { view: { members, slots: 2, revision: 1, digest: this.digest }, owner: () => owner };
  }

  link(id: string): FakeLink {
    return this.links.get(id) as FakeLink;
  }

  join(id: string): { session: FakeSession; answers: unknown[] } {
    const session = new FakeSession(id);
    const answers: unknown[] = [];
    this.rooms.join(session as unknown as Session, "r", {}, (refusal) => answers.push(refusal ?? "in"));
    return { session, answers };
  }

  opened(id: string, reason: OpenedFrame["reason"], epoch: string): void {
    this.rooms.frame(this.link(id), { type: "opened", room: "r", epoch, offset: 0, reason });
  }

  deliver(id: string, body: string, cause?: DeliverFrame["cause"]): void {
    const frame: DeliverFrame = { type: "deliver", room: "r", offset: 1, body };
    this.rooms.frame(this.link(id), cause ? { ...frame, cause } : frame);
  }

  /** The room moves to the other server: the first one lets go in order, or is lost. */
  move(clean: boolean): void {
    const from = this.link(this.owner);
    this.owner = this.owner === "c1" ? "c2" : "c1";
    this.digest += "+";
    if (clean) {
      this.router.viewChanged(this.links.values());
      const attach = from.take("announce").at(-1)?.attach as number;
      this.router.frame(from, { type: "released", room: "r", attach });
      return;
    }
    from.ended = true;
    this.links.delete(from.peer.id);
    this.router.viewChanged(this.links.values());
    this.router.linkReset(from);
  }

  leave(session: FakeSession): void {
    this.rooms.leave(session as unknown as Session, "r", "left");
  }
}

describe("joining", () => {
  test("is done when the owner has opened the room, for all who were announced to it together", () => {
    const setup = new Setup();
    const { answers } = setup.join("p1.b.1");
    const late = setup.join("p1.b.2");
    expect([answers, late.answers]).toEqual([[], []]);
    setup.opened("c1", "first-join", "e1");
    expect([answers, late.answers]).toEqual([["in"], []]);
    setup.rooms.frame(setup.link("c1"), { type: "joined", room: "r", session: "p1.b.2" });
    expect(late.answers).toEqual(["in"]);
  });

  test("brings nothing that was said before", () => {
    const setup = new Setup();
    const first = setup.join("p1.b.1");
    setup.opened("c1", "first-join", "e1");
    const second = setup.join("p1.b.2");
    setup.deliver("c1", "before");
    setup.rooms.frame(setup.link("c1"), { type: "joined", room: "r", session: "p1.b.2" });
    setup.deliver("c1", "after");
    setup.rooms.flush();
    expect([first.session.heard, second.session.heard]).toEqual([["before", "after"], ["after"]]);
  });

  test("fails when nobody answers, or when the user leaves before", () => {
    const setup = new Setup();
    const [slow, gone] = [setup.join("p1.b.1"), setup.join("p1.b.2")];
    setup.leave(gone.session);
    expect(gone.answers).toEqual(["gone"]);
    setup.rooms.sweep(setup.clock.now() + PROXY_LIMITS.joinMs + 1);
    expect([slow.answers, slow.session.rooms.size]).toEqual([["unavailable"], 0]);
    setup.opened("c1", "first-join", "e1");
    expect([slow.answers, gone.answers]).toEqual([["unavailable"], ["gone"]]);
  });
});

describe("what a server sends", () => {
  test("is taken from the one alone that the members were announced to last", () => {
    const setup = new Setup();
    const { session } = setup.join("p1.b.1");
    setup.opened("c1", "first-join", "e1");
    setup.deliver("c2", "from another");
    setup.move(true);
    setup.deliver("c1", "from the last one");
    setup.rooms.frame(setup.link("c1"), { type: "kicked", room: "r", session: "p1.b.1", reason: "late" });
    setup.deliver("c2", "from this one");
    setup.rooms.flush();
    expect(session.heard).toEqual(["from this one"]);
    expect(setup.metrics.get("toychat_stale_frames_total")).toBe(3);
  });

  test("is given once where it is numbered, also to who left and came back", () => {
    const setup = new Setup();
    const first = setup.join("p1.b.1");
    setup.opened("c1", "first-join", "e1");
    setup.deliver("c1", "1", ["s", 10]);
    setup.deliver("c1", "1 again", ["s", 10]);
    setup.deliver("c1", "of another", ["t", 3]);
    setup.rooms.flush();
    setup.leave(first.session);
    const second = setup.join("p1.b.1");
    setup.rooms.frame(setup.link("c1"), { type: "joined", room: "r", session: "p1.b.1" });
    setup.deliver("c1", "1 again", ["s", 10]);
    setup.deliver("c1", "2", ["s", 11]);
    setup.rooms.flush();
    expect([first.session.heard, second.session.heard]).toEqual([["1", "of another"], ["2"]]);
  });

  test("is given before a user is put out, with the reason", () => {
    const setup = new Setup();
    const { session } = setup.join("p1.b.1");
    setup.opened("c1", "first-join", "e1");
    setup.deliver("c1", "1");
    setup.rooms.frame(setup.link("c1"), { type: "kicked", room: "r", session: "p1.b.1", reason: "rude" });
    expect([session.heard, session.rooms.size]).toEqual([["1", "left rude"], 0]);
  });
});

describe("users are told that a room has moved", () => {
  const cases: [string, boolean, OpenedFrame["reason"], string, string[]][] = [
    ["by a complete hand-off, and that nothing is lost", true, "hand-off", "e1", ["moved false"]],
    ["by a hand-off after the last server was lost, and that something may be", false, "hand-off", "e1", [
      "moved true",
    ]],
    ["by a hand-off of another life of the room", true, "hand-off", "e2", ["moved true"]],
    ["by a failover", false, "failover", "e2", ["moved true"]],
    ["to a server that opened it without them", true, "open", "e1", ["moved true"]],
  ];
  for (const [how, clean, reason, epoch, heard] of cases) {
    test(how, () => {
      const setup = new Setup();
      const { session } = setup.join("p1.b.1");
      setup.opened("c1", "first-join", "e1");
      setup.move(clean);
      const late = setup.join("p1.b.2");
      setup.opened("c2", reason, epoch);
      expect(session.heard).toEqual(heard);
      expect(late.session.heard).toEqual([]);
    });
  }

  test("only after what came before", () => {
    const setup = new Setup();
    const { session } = setup.join("p1.b.1");
    setup.opened("c1", "first-join", "e1");
    setup.deliver("c1", "last words");
    setup.move(true);
    setup.opened("c2", "hand-off", "e1");
    expect(session.heard).toEqual(["last words", "moved false"]);
  });

  test("also where it came back to its server in another life before they were away", () => {
    const setup = new Setup();
    const { session } = setup.join("p1.b.1");
    setup.opened("c1", "first-join", "e1");
    setup.opened("c1", "failover", "e2");
    setup.opened("c1", "open", "e2");
    expect(session.heard).toEqual(["moved true"]);
  });

  test("and the operator, how long it had no owner", () => {
    const setup = new Setup();
    setup.join("s1");
    setup.opened("c1", "first-join", "e1");
    setup.move(false);
    setup.clock.advance(400);
    setup.opened("c2", "failover", "e2");
    const time = setup.metrics.histogram("toychat_room_move_seconds", { lost: "true" });
    expect([time.count, time.sum]).toEqual([1, 0.4]);
    expect(setup.metrics.get("toychat_rooms_moved_total", { lost: "true" })).toBe(1);
  });
});
