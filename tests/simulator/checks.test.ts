/**
 * The checker is handed histories with exactly one fault each, which it must report in words, and others that only look
 * like it, which it must let pass.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { History } from "./broken/history.ts";
import type { World } from "./schedule.ts";

/** Two users in one room, at 0; what happens comes later. */
function two(world?: Partial<World>) {
  const history = new History(world);
  const ada = history.client("ada", "r0");
  const bob = history.client("bob", "r0");
  history.now = 100;
  return { history, ada, bob };
}

describe("a history without a fault passes:", () => {
  test("two users who hear each other", () => {
    const { history, ada, bob } = two({ kind: "planned" });
    for (let offset = 1; offset <= 3; offset++) {
      const message = ada.publish("r0", true);
      history.now += 10;
      for (const user of [ada, bob]) user.gets(message, { epoch: "e", offset });
      ada.answer(message);
      history.now += 10;
    }
    expect(history.faults()).toEqual([]);
  });
});

describe("order and numbers:", () => {
  test("a message that comes twice is reported", () => {
    const { history, ada, bob } = two();
    const message = ada.publish("r0", false);
    ada.gets(message);
    bob.gets(message).gets(message);
    expect(history.faults()).toEqual(["100 bob got ada/r0 in r0 1 twice"]);
  });

  test("two messages of one sender in the wrong order are reported", () => {
    const { history, ada, bob } = two();
    const [first, second] = [ada.publish("r0", false), ada.publish("r0", false)];
    ada.gets(first).gets(second);
    bob.gets(second).gets(first);
    expect(history.faults()).toEqual(["100 bob got ada/r0 in r0 1 after 2"]);
  });

  test("two messages of different senders may come to two users in different orders, where epochs differ", () => {
    const { history, ada, bob } = two();
    const [one, other] = [ada.publish("r0", false), bob.publish("r0", false)];
    ada.gets(one, { epoch: "e", offset: 1 }).gets(other, { epoch: "f", offset: 1 });
    bob.gets(other, { epoch: "f", offset: 1 }).gets(one, { epoch: "e", offset: 1 });
    expect(history.faults()).toEqual([]);
  });

  test("two orders within an epoch are reported", () => {
    const { history, ada, bob } = two();
    const [one, other] = [ada.publish("r0", false), bob.publish("r0", false)];
    ada.gets(one, { epoch: "e", offset: 1 }).gets(other, { epoch: "e", offset: 2 });
    bob.gets(other, { epoch: "e", offset: 2 }).gets(one, { epoch: "e", offset: 1 });
    expect(history.faults()).toEqual(["100 bob got r0 e  1 after 2"]);
  });

  test("two orders among users of a relay are reported, though no message says its number", () => {
    const { history, ada, bob } = two({ kind: "planned", program: "relay" });
    const [one, other] = [ada.publish("r0", false), bob.publish("r0", false)];
    ada.gets(one).gets(other);
    bob.gets(other).gets(one);
    expect(history.faults()).toEqual([expect.stringMatching(/^bob got \S+ 1 in r0 later than ada did$/)]);
  });

  test("one number of an epoch for two messages is reported", () => {
    const { history, ada, bob } = two();
    const [one, other] = [ada.publish("r0", false), ada.publish("r0", false)];
    ada.gets(one, { epoch: "e", offset: 1 }).gets(other, { epoch: "e", offset: 2 });
    bob.gets(one, { epoch: "e", offset: 1 }).gets(other, { epoch: "e", offset: 3 });
    const third = bob.publish("r0", false);
    for (const user of [ada, bob]) user.gets(third, { epoch: "e", offset: 3 + (user === ada ? 0 : 1) });
    expect(history.faults()).toEqual(["r0 e 3 is ada/r0 2 and bob/r0 1"]);
  });

  test("who joined between a message and a later one may get it behind that, when it is sent again", () => {
    const { history, ada } = two();
    const first = ada.publish("r0", true);
    history.now = 150;
    const eve = history.client("eve", "r0");
    history.now = 200;
    const second = ada.publish("r0", true);
    for (const message of [first, second]) {
      ada.gets(message);
      history.model.cluster.clients[1]?.arrivals.push({ at: 200, room: "r0", note: message.note });
      ada.answer(message);
    }
    eve.gets(second).gets(first);
    expect(history.faults()).toEqual([]);
  });

  test("an application that was given a message twice while no server died is reported", () => {
    const { history, ada, bob } = two({ kind: "cut" });
    const message = ada.publish("r0", false);
    for (const user of [ada, bob]) user.gets(message);
    history.model.application.given.set("ada/r0 1", 2);
    expect(history.faults()).toEqual(["an application got ada/r0 1 2 times"]);
  });
});

describe("what was acknowledged:", () => {
  test("a message that a member missed who was there throughout is reported", () => {
    const { history, ada } = two();
    const message = ada.publish("r0", true);
    ada.gets(message);
    history.now = 200;
    ada.answer(message);
    expect(history.faults()).toEqual(["bob missed ada/r0 1 of 100 in r0, acknowledged: true"]);
  });

  test("the death of a server does not excuse it, told or not", () => {
    const { history, ada, bob } = two();
    const message = ada.publish("r0", true);
    ada.gets(message);
    history.now = 200;
    ada.answer(message);
    bob.hears("r0", true);
    expect(history.faults()).toEqual(["bob missed ada/r0 1 of 100 in r0, acknowledged: true"]);
  });

  test("who was cut off must have been told", () => {
    for (const lost of [true, false]) {
      const { history, ada, bob } = two({ kind: "cut" });
      const message = ada.publish("r0", true);
      ada.gets(message);
      history.now = 200;
      ada.answer(message);
      bob.hears("r0", lost);
      const missed = "bob missed ada/r0 1 of 100 in r0, acknowledged: true";
      expect(history.faults()).toEqual(lost ? [] : [missed]);
    }
  });

  test("who was told of an earlier loss was not told of this one", () => {
    const { history, ada, bob } = two({ kind: "cut" });
    bob.hears("r0", true);
    history.now = 150;
    const message = ada.publish("r0", true);
    ada.gets(message);
    history.now = 200;
    ada.answer(message);
    expect(history.faults()).toEqual(["bob missed ada/r0 1 of 150 in r0, acknowledged: true"]);
  });

  test("who joined while it was under way, left before its answer, or lost its own connection, may miss it", () => {
    const { history, ada, bob } = two();
    const cid = history.client("cid", "r0");
    const message = ada.publish("r0", true);
    ada.gets(message);
    history.now = 150;
    history.client("eve", "r0");
    bob.leave("r0");
    cid.breaks();
    history.now = 200;
    ada.answer(message);
    expect(history.faults()).toEqual([]);
  });

  test("a message that is never answered is reported", () => {
    const { history, ada, bob } = two();
    const message = ada.publish("r0", true);
    for (const user of [ada, bob]) user.gets(message);
    expect(history.faults()).toEqual(["ada/r0 1 of 100 was never acknowledged"]);
  });

  test("an answer that comes too late is reported", () => {
    const { history, ada, bob } = two();
    const message = ada.publish("r0", true);
    for (const user of [ada, bob]) user.gets(message);
    history.now += history.model.answerMs + 1;
    ada.answer(message);
    expect(history.faults()).toEqual([`ada/r0 1 of 100 was acknowledged at ${history.now}`]);
  });

  test("a refusal is an answer, and nobody needs to get what was refused", () => {
    const { history, ada } = two();
    const message = ada.publish("r0", true);
    history.now = 10_100;
    ada.answer(message, "unavailable");
    expect(history.faults()).toEqual([]);
  });
});

describe("what was not acknowledged:", () => {
  test("a loss that neither its sender nor the member was told of is reported", () => {
    const { history, ada } = two();
    ada.gets(ada.publish("r0", false));
    expect(history.faults()).toEqual(["bob missed ada/r0 1 of 100 in r0, acknowledged: false"]);
  });

  test("a death may lose it where the member, or the sender, is told", () => {
    for (const name of ["ada", "bob"] as const) {
      const { history, ...users } = two();
      users.ada.publish("r0", false);
      history.now = 300;
      for (const user of Object.values(users)) user.hears("r0", true);
      expect(history.faults()).toEqual([]);
      const one = two();
      one.ada.gets(one.ada.publish("r0", false));
      one.history.now = 300;
      one[name].hears("r0", true);
      expect(one.history.faults()).toEqual([]);
    }
  });

  test("a move by plan may not lose it", () => {
    const { history, ada, bob } = two({ kind: "planned" });
    ada.gets(ada.publish("r0", false));
    bob.hears("r0", false);
    expect(history.faults()).toEqual(["bob missed ada/r0 1 of 100 in r0, acknowledged: false"]);
  });
});

describe("what users are told:", () => {
  test("a planned move that is said to have lost something is reported", () => {
    const { history, bob } = two({ kind: "planned" });
    bob.hears("r0", true);
    expect(history.faults()).toEqual(["100 bob was told that r0 may have lost something"]);
  });

  test("a planned move that lost nothing may be said", () => {
    const { history, ada, bob } = two({ kind: "planned" });
    for (const user of [ada, bob]) user.hears("r0", false);
    expect(history.faults()).toEqual([]);
  });

  test("a message that fails for a planned move is reported", () => {
    const { history, ada } = two({ kind: "planned" });
    ada.answer(ada.publish("r0", true), "unavailable");
    expect(history.faults()).toEqual(["ada/r0 1 failed: unavailable"]);
  });
});

describe("at rest:", () => {
  test("a room that is open at two servers is reported", () => {
    const { history } = two();
    history.open = { c1: { r0: ["ada", "bob"] }, c2: { r0: [] } };
    expect(history.faults()).toEqual(["r0 is open at c1, c2"]);
  });

  test("a user who is connected and missing from the room is reported", () => {
    const { history } = two();
    history.open = { c1: { r0: ["ada"] } };
    expect(history.faults()).toEqual(["r0 has ada, not ada,bob"]);
  });

  test("a user who is in the room and not connected is reported", () => {
    const { history, bob } = two();
    bob.breaks();
    history.open = { c1: { r0: ["ada", "bob"] } };
    expect(history.faults()).toEqual(["r0 has ada,bob, not ada"]);
  });

  test("a queue that is not empty is reported", () => {
    const { history } = two();
    history.pending = 2;
    expect(history.faults()).toEqual(["p1 has 2 messages under way"]);
  });

  test("a client that may not send any more is reported", () => {
    const { history, bob } = two();
    bob.paused = true;
    expect(history.faults()).toEqual(["bob may not send any more"]);
  });

  test("a client for which more was queued than may be is reported", () => {
    const { history } = two({ queue: { capacity: 256, maxQueuedBytes: 1000 } });
    const { witnesses } = history.proxy.sockets;
    witnesses.set("ada", { peak: 5000, largest: 900, endedAt: undefined });
    witnesses.set("bob", { peak: 5000, largest: 2000, endedAt: undefined });
    expect(history.faults()).toEqual(["5000 bytes were queued to ada, who may have 3048"]);
  });
});
