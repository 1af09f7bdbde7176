/**
 * Schedules that once failed, cut down to what is needed. Each is named after what went wrong.
 *
 * @module
 */
import type { Schedule } from "./schedule.ts";

/** By name. */
export const FOUND: Readonly<Record<string, Schedule>> = {
  "a proxy that dials a joining ChatServer too early links to it too late for its rooms": {
    seed: 233,
    world: {
      kind: "kill",
      program: "relay",
      rooms: 5,
      latency: 10,
      skew: 0,
      detection: 5,
      membership: "gossip",
    },
    processes: ["c1", "c2", "c3", "p1", "p2"],
    end: 5448,
    events: [
      {
        at: 0,
        do: "connect",
        client: "u6",
        login: "u3",
        proxy: "p2",
        speaks: "mqtt5-ws",
        acknowledged: true,
      },
      { at: 1259, do: "join", client: "u6", room: "r1" },
      { at: 3612, do: "connect", client: "u12", proxy: "p1", speaks: "model" },
      { at: 4389, do: "kill", id: "c2" },
      { at: 4493, do: "kill", id: "c3" },
      { at: 4633, do: "start", id: "c2" },
      { at: 4779, do: "start", id: "c4" },
      { at: 4801, do: "kill", id: "c1" },
      { at: 4824, do: "kill", id: "c4" },
      { at: 5448, do: "publish", client: "u12", room: "r1", acknowledged: true },
    ],
  },
  "a ChatServer that drains gives up its rooms although another is about to join": {
    seed: 66,
    world: {
      kind: "slow",
      program: "relay",
      rooms: 5,
      latency: 40,
      skew: 50,
      detection: 5,
      membership: "gossip",
      queue: { capacity: 256, maxQueuedBytes: 2048 },
    },
    processes: ["c3", "p2"],
    end: 4723,
    events: [
      { at: 0, do: "connect", client: "u2", proxy: "p2", speaks: "mqtt4" },
      { at: 3508, do: "join", client: "u2", room: "r4" },
      { at: 4653, do: "start", id: "c5" },
      { at: 4723, do: "stop", id: "c3" },
    ],
  },
  "users are not told that their room had another life where views differed": {
    seed: 1,
    world: {
      kind: "mixed",
      program: "listener",
      rooms: 5,
      latency: 0,
      skew: 50,
      detection: 50,
      membership: "list",
    },
    processes: ["c1", "c2", "c3", "p1", "p2"],
    end: 2611,
    events: [
      { at: 0, do: "connect", client: "u2", proxy: "p2", speaks: "model" },
      { at: 179, do: "relapse", id: "c1", back: 2, ms: 4000 },
      { at: 1661, do: "join", client: "u2", room: "r1" },
      { at: 1714, do: "connect", client: "u9", login: "u8", proxy: "p2", speaks: "mqtt5" },
      { at: 2611, do: "publish", client: "u9", room: "r2", acknowledged: true, forward: "r1" },
    ],
  },
  "a ChatServer accepts what it held after it has lost its lease": {
    seed: 30,
    world: {
      kind: "expel",
      program: "async",
      rooms: 5,
      latency: 10,
      skew: 50,
      detection: 5,
      idleMs: 100,
      membership: "list",
    },
    processes: ["c1", "c2", "c3", "p1", "p2"],
    end: 667,
    events: [
      {
        at: 171,
        do: "connect",
        client: "u7",
        proxy: "p2",
        speaks: "mqtt5",
        acknowledged: true,
        receiveMaximum: 2,
      },
      { at: 620, do: "publish", client: "u7", room: "r4", acknowledged: true },
      { at: 620, do: "publish", client: "u7", room: "r4", acknowledged: true },
      { at: 620, do: "publish", client: "u7", room: "r4" },
      { at: 667, do: "expel", id: "c3", strike: 1000, back: 100 },
    ],
  },
};
