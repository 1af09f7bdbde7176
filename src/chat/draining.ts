/**
 * The end of a ChatServer's life in a cluster: in good order, when every room has gone to its next owner, or not.
 *
 * @module
 */
import { type Clock, delay } from "../lib/clock.ts";
import type { Lease, Membership } from "../membership/membership.ts";
import type { View } from "../membership/view.ts";

/** What draining needs of a ChatServer. */
export interface DrainHost {
  readonly id: string;
  readonly clock: Clock;
  readonly membership: Membership;
  /** Milliseconds after which it is given up. */
  readonly drainMs: number;
  /** Whether nothing is left here that others must get. */
  empty(): boolean;
}

const STEP_MS = 5;
/** Who keeps the list must say within this time that the member drains: nobody takes rooms over before. */
const ANNOUNCE_MS = 3000;

/** Drains; says whether everything has gone, or there is nobody to take it. */
export async function drain(lease: Lease, host: DrainHost): Promise<boolean> {
  const { clock, drainMs } = host;
  const start = clock.now();
  await lease.drain();
  for (;;) {
    const announced = isAnnounced(host);
    if (announced && (host.empty() || !hasOthers(host))) return true;
    if (clock.now() - start > (announced ? drainMs : Math.min(drainMs, ANNOUNCE_MS))) return false;
    await delay(clock, STEP_MS);
  }
}

function isAnnounced({ id, membership }: DrainHost): boolean {
  return membership.view.members.find((member) => member.id === id)?.state !== "alive";
}

/** Whether anybody takes rooms over, now or (one that is joining) soon. */
function hasOthers({ id, membership }: DrainHost): boolean {
  return membership.view.members.some((m) => m.role === "chat" && m.id !== id && m.state !== "draining");
}

/**
 * Whether one life of a ChatServer is over though it has not begun another one yet: its lease is lost, and the view does not
 * have it. It has nothing to hand over then, as its rooms have begun anew elsewhere.
 *
 * @param life `ID.INCARNATION`; undefined before the first.
 */
export function isWithdrawn(lease: Lease | undefined, { members }: View, life: string | undefined): boolean {
  if (!lease || life === undefined || lease.held()) return false;
  return !members.some(({ id, incarnation }) => `${id}.${incarnation}` === life);
}
