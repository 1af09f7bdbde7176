/**
 * Who owns a room: jump consistent hash over the slots of a view, tried again until it hits a slot that lives.
 *
 * @module
 */
import { blake2b } from "@noble/hashes/blake2.js";
import { jumpHash, splitmix64, type Uint64 } from "./jump_hash.ts";
import { deriveKey } from "./secret.ts";
import type { Member, View } from "./view.ts";

/** The owners of all rooms in one view. */
export interface Placement {
  /** The view that it was made of. */
  readonly view: View;
  /** The owner of a room, or undefined where no ChatServer is alive. */
  owner(room: string): Member | undefined;
}

/** Attempts before the slots that live are ranked instead: only where most slots are empty does a room get so far. */
const ATTEMPTS = 64;
/** Hashes remembered per key: at most twice as many. */
const REMEMBERED = 32_768;
const LABEL = "toychat placement 1";

const encoder = new TextEncoder();

/**
 * The cluster's placement key, 32 bytes: derived from the secret, so that nobody outside can choose rooms that all fall
 * on one server. Without a secret it is a constant: the BLAKE2b-256 of `toychat placement 1`.
 *
 * @throws {ToychatError} `invalid_secret` where the secret is empty.
 */
export function placementKey(secret?: string): Uint8Array {
  return secret === undefined ? blake2b(encoder.encode(LABEL), { dkLen: 32 }) : deriveKey(secret, LABEL);
}

/** A room's 64-bit number: BLAKE2b of its name in UTF-8, keyed, 8 bytes, the first the most significant. */
export function hashRoom(room: string, key: Uint8Array): Uint64 {
  const bytes = blake2b(encoder.encode(room), { key, dkLen: 8 });
  const words = new DataView(bytes.buffer, bytes.byteOffset, 8);
  return { hi: words.getUint32(0), lo: words.getUint32(4) };
}

/** The hashes of the rooms used last, in two generations: when the young one is full it becomes the old one. */
class RoomHashes {
  readonly #key: Uint8Array;
  #young: Map<string, Uint64> = new Map();
  #old: Map<string, Uint64> = new Map();

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  get(room: string): Uint64 {
    return this.#young.get(room) ?? this.#remember(room);
  }

  #remember(room: string): Uint64 {
    const hash = this.#old.get(room) ?? hashRoom(room, this.#key);
    if (this.#young.size >= REMEMBERED) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(room, hash);
    return hash;
  }
}

/** Hashes depend on the key alone, so they outlive the placement of one view. */
const hashesByKey: WeakMap<Uint8Array, RoomHashes> = new WeakMap();

function hashesFor(key: Uint8Array): RoomHashes {
  let hashes = hashesByKey.get(key);
  if (!hashes) hashesByKey.set(key, hashes = new RoomHashes(key));
  return hashes;
}

/** Rendezvous hashing: of the servers, the one whose number for this room is the highest. */
function highestRanked(hash: Uint64, live: readonly Member[]): Member | undefined {
  let best: Member | undefined;
  let bestRank: Uint64 = { hi: 0, lo: 0 };
  for (const member of live) {
    const rank = splitmix64(hash, ATTEMPTS + (member.slot as number));
    if (!best || rank.hi > bestRank.hi || (rank.hi === bestRank.hi && rank.lo > bestRank.lo)) {
      best = member;
      bestRank = rank;
    }
  }
  return best;
}

/**
 * Makes the placement of a view: `owner(room)` is attempt 0, 1, 2 … of a jump consistent hash over `view.slots` until it
 * hits a slot whose ChatServer is `alive`. Attempt 0 takes the room's hash, attempt `a` the `a`th number of splitmix64
 * from it. The death of a server moves only its own rooms, its return brings exactly these back, and a new server takes
 * rooms only for itself, whatever slots are empty.
 *
 * @param key the cluster's placement key, 1 to 64 bytes. Pass the same array for every view: what is remembered of rooms
 * hangs on it.
 */
export function createPlacement(view: View, key: Uint8Array): Placement {
  const bySlot: (Member | undefined)[] = new Array(view.slots).fill(undefined);
  const live = view.members
    .filter((m) => m.role === "chat" && m.state === "alive" && m.slot !== undefined && m.slot < view.slots)
    .sort((a, b) => (a.slot as number) - (b.slot as number));
  for (const member of live) bySlot[member.slot as number] = member;
  const hashes = hashesFor(key);

  function owner(room: string): Member | undefined {
    if (live.length <= 1) return live[0];
    const hash = hashes.get(room);
    const first = bySlot[jumpHash(hash, view.slots)];
    if (first) return first;
    for (let attempt = 1; attempt < ATTEMPTS; attempt++) {
      const member = bySlot[jumpHash(splitmix64(hash, attempt), view.slots)];
      if (member) return member;
    }
    return highestRanked(hash, live);
  }
  return { view, owner };
}
