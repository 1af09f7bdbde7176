/**
 * Schedules in which exactly one thing goes wrong, for safeguards that the usual ones need too rarely.
 *
 * @module
 */
import { generate } from "../generate.ts";
import { type Event, isChat, type Schedule } from "../schedule.ts";

/** Names of schedules, each of which has many seeds. */
export type Schedules = keyof typeof SCHEDULES;

/** By name. */
export const SCHEDULES = { unheard } as const;

/** The schedule of a seed: one of the usual ones where no other is named. */
export function scheduleOf(seed: number, schedules?: Schedules): Schedule {
  return schedules === undefined ? generate(seed) : SCHEDULES[schedules](seed);
}

/** Long enough for a link to end. */
const LONG_MS = 7000;

/**
 * A ChatServer drains while a proxy hears nothing of it: it accepts what the proxy sends, the acknowledgements are lost
 * with the link, and the proxy sends everything again to those who were handed the rooms.
 */
function unheard(seed: number): Schedule {
  const usual = generate(seed, "cut");
  const users = usual.events.filter((event) => "client" in event);
  const chats = usual.processes.filter(isChat);
  const proxies = usual.processes.filter((id) => !isChat(id));
  const a = chats[seed % chats.length] as string;
  const b = proxies[seed % proxies.length] as string;
  const at = usual.end / 2;
  const troubles: Event[] = [
    { at, do: "cut", a, b, ways: "there", broken: false, ms: LONG_MS },
    { at: at + 100, do: "stop", id: a },
  ];
  const events = [...users, ...troubles].sort((one, other) => one.at - other.at);
  return { ...usual, world: { ...usual.world, program: "listener", membership: "list" }, events };
}
