/**
 * Schedules in which exactly one thing goes wrong, for safeguards that the usual ones need too rarely.
 *
 * @module
 */
import { generate } from "../generate.ts";
import { type Event, isChat, type Kind, type Schedule } from "../schedule.ts";

/** Names of schedules, each of which has many seeds. */
export type Schedules = keyof typeof SCHEDULES;

/** By name. */
export const SCHEDULES = { unheard, unanswered, untaken, unsent, behind, ahead, parted } as const;

/** The schedule of a seed: one of the usual ones where no other is named. */
export function scheduleOf(seed: number, schedules?: Schedules): Schedule {
  return schedules === undefined ? generate(seed) : SCHEDULES[schedules](seed);
}

/** Milliseconds for which a proxy hears nothing of a ChatServer that hears the proxy. */
const DEAF_MS = 1000;
/** Longer than a link waits to be resumed. */
const APART_MS = 3500;
const LONG_MS = 7000;
/** Less than servers wait for proxies. */
const BEHIND_MS = 300;

/** The users of a usual schedule, and troubles between a ChatServer (`a`) and others that begin at `at`. */
function troubled(
  seed: number,
  kind: Kind,
  troubles: (a: string, proxy: string, at: number, chat: string) => readonly Event[],
): Schedule {
  const usual = generate(seed, kind);
  const users = usual.events.filter((event) => "client" in event);
  const chats = usual.processes.filter(isChat);
  const proxies = usual.processes.filter((id) => !isChat(id));
  const a = chats[seed % chats.length] as string;
  const chat = chats[(seed + 1) % chats.length] as string;
  const proxy = proxies[seed % proxies.length] as string;
  const events = [...users, ...troubles(a, proxy, usual.end / 2, chat)].sort((one, other) =>
    one.at - other.at
  );
  return { ...usual, world: { ...usual.world, program: "listener", membership: "list" }, events };
}

/**
 * A ChatServer drains when a proxy has heard nothing of it for a while: it has accepted what the proxy sent, the
 * acknowledgements are lost with the link, and the proxy sends everything again to those who were handed the rooms.
 */
function unheard(seed: number): Schedule {
  return troubled(seed, "cut", (a, b, at) => [
    { at, do: "cut", a, b, ways: "there", broken: false, ms: DEAF_MS + 1 },
    { at: at + DEAF_MS, do: "cut", a, b, ways: "both", broken: true, ms: LONG_MS },
    { at: at + DEAF_MS + 1, do: "stop", id: a },
  ]);
}

/** The same without the drain: the proxy sends everything again to the same ChatServer, over another link. */
function unanswered(seed: number): Schedule {
  return troubled(seed, "cut", (a, b, at) => [
    { at, do: "cut", a, b, ways: "there", broken: false, ms: DEAF_MS + 1 },
    { at: at + DEAF_MS, do: "cut", a, b, ways: "both", broken: true, ms: APART_MS },
  ]);
}

/** A ChatServer dies when its last deliveries have not come to one of the proxies. */
function untaken(seed: number): Schedule {
  return troubled(seed, "kill", (a, b, at) => [
    { at, do: "cut", a, b, ways: "there", broken: false, ms: LONG_MS },
    { at: at + DEAF_MS, do: "kill", id: a },
  ]);
}

/** A ChatServer dies when what its listeners sent to the rooms of another one has not come there. */
function unsent(seed: number): Schedule {
  return troubled(seed, "kill", (a, _, at, b) => [
    { at, do: "cut", a, b, ways: "there", broken: false, ms: LONG_MS },
    { at: at + DEAF_MS, do: "kill", id: a },
  ]);
}

/** A ChatServer dies, and one of the proxies learns of it later than everybody else. */
function behind(seed: number): Schedule {
  const schedule = troubled(seed, "kill", (a, proxy, at) => [
    { at, do: "mute", id: proxy, ms: BEHIND_MS },
    { at: at + 1, do: "kill", id: a },
  ]);
  return { ...schedule, world: { ...schedule.world, skew: 0 } };
}

/** The network is cut in two. */
function parted(seed: number): Schedule {
  return generate(seed, "split");
}

/** Milliseconds between two messages of one who talks without a pause. */
const PACE_MS = 4;
/**
 * Proxies turn to a server that does not know yet that the room is its own, and somebody talks without a pause: some
 * of it arrives just before it knows, some just after.
 */
function ahead(seed: number): Schedule {
  const at = 1000;
  const end = at + 2 * BEHIND_MS;
  const world = {
    ...generate(seed, "lag").world,
    rooms: 3,
    latency: 40,
    skew: 0,
    membership: "list",
  } as const;
  const rooms = Array.from({ length: world.rooms }, (_, i) => `r${i}`);
  const clients = ["u1", "u2"];
  const events: Event[] = clients.flatMap((client, i): Event[] => [
    { at: 0, do: "connect", client, proxy: `p${i + 1}`, speaks: "model" },
    ...rooms.map((room): Event => ({ at: 100, do: "join", client, room })),
  ]);
  events.push({ at, do: "mute", id: "c2", ms: 100 + seed % (BEHIND_MS - 100) });
  events.push({ at: at + 1, do: "stop", id: "c1" });
  for (let time = at, i = 0; time < end; time += PACE_MS, i++) {
    const room = rooms[i % rooms.length] as string;
    events.push({ at: time, do: "publish", client: "u1", room, acknowledged: true });
  }
  return { seed, world, processes: ["c1", "c2", "p1", "p2"], events, end };
}
