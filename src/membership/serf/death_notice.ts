/**
 * What a bridge tells the others when it has found members of a host dead whose bridge is silent: that they see for themselves,
 * now. Without it each would notice at its own time, up to a second apart, and in between users of one proxy would miss what
 * those of another hear.
 *
 * ```text
 * 5 base64url digits      cluster tag
 * 5 base64url digits      hash of the host's name
 * - id . incarnation      a life that was found dead
 * ```
 *
 * @module
 */
import type { Cancel, Clock } from "../../lib/clock.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { fromDigits } from "./digits.ts";
import { payloadsOf } from "./host_delta.ts";
import { hostHash } from "./host_tag.ts";
import { lifeText, type MemberLife, readLife } from "./member_life.ts";
import type { SerfClient } from "./serf_client.ts";

/** The name of the user event. */
export const DEATH_EVENT = "tc-dead";

/** Who was found dead. */
export interface DeathNotice {
  /** The host, as `hostHash` names it. */
  readonly host: string;
  /** Lives of its members. */
  readonly lives: readonly MemberLife[];
}

const HEADER = 10;

/** The payloads of a notice; none where no life in it can be published. */
export function encodeNotice(clusterTag: string, { host, lives }: DeathNotice): string[] {
  return payloadsOf(clusterTag + host, lives.flatMap((life) => lifeText(life) ?? []));
}

/** Reads a payload; undefined where it is malformed, or of another cluster. Never throws. */
export function decodeNotice(payload: string, clusterTag: string): DeathNotice | undefined {
  if (payload.length > 512 || !payload.startsWith(clusterTag)) return undefined;
  if (fromDigits(payload, 5, 5) === undefined || payload.length === HEADER) return undefined;
  const lives: MemberLife[] = [];
  for (let at = HEADER; at < payload.length;) {
    const read = readLife(payload, at);
    if (!read) return undefined;
    lives.push(read.life);
    at = read.end;
  }
  return { host: payload.slice(5, HEADER), lives };
}

/** Options of {@linkcode DeathNotices}. */
export interface DeathNoticesOptions {
  /** The host's agent. */
  readonly agent: Pick<SerfClient, "userEvent">;
  /** Time. */
  readonly clock: Clock;
  /** Where events go. */
  readonly log: Logger;
  /** See `clusterTag`. */
  readonly clusterTag: string;
}

/** The dead of a host are found one by one within some milliseconds: one event names them all. */
const GATHER_MS = 20;
const encoder = new TextEncoder();

/** Sends notices. */
export class DeathNotices {
  readonly #options: DeathNoticesOptions;
  /** Who is to be named, by host. */
  readonly #lives: Map<string, MemberLife[]> = new Map();
  #cancel: Cancel | undefined;
  #stopped = false;

  /** Sends nothing at first. */
  constructor(options: DeathNoticesOptions) {
    this.#options = options;
  }

  /** A member was found dead here. */
  add(host: string, life: MemberLife): void {
    if (this.#stopped) return;
    this.#lives.set(host, [...this.#lives.get(host) ?? [], life]);
    this.#cancel ??= this.#options.clock.after(GATHER_MS, () => this.#send());
  }

  /** Sends no more. */
  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#lives.clear();
  }

  #send(): void {
    const { agent, clusterTag, log } = this.#options;
    this.#cancel = undefined;
    for (const [name, lives] of this.#lives) {
      for (const payload of encodeNotice(clusterTag, { host: hostHash(name), lives })) {
        agent.userEvent(DEATH_EVENT, encoder.encode(payload), { coalesce: false }).catch((error) => {
          log("warn", "serf_event_failed", { message: errorMessage(error) });
        });
      }
    }
    this.#lives.clear();
  }
}
