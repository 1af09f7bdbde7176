/**
 * Cutting a schedule short that fails: to the least that still fails in the same way, as far as that is found in time.
 *
 * @module
 */
import { errorMessage } from "../../src/lib/errors.ts";
import { Model } from "./model.ts";
import type { Event, Schedule, World } from "./schedule.ts";

/** What came of shrinking. */
export interface Shrunk {
  readonly schedule: Schedule;
  /** How the shrunk schedule fails. */
  readonly failure: string;
  /** How many schedules were tried. */
  readonly tries: number;
}

/** How a run fails; undefined where it does not. */
export async function failureOf(schedule: Schedule): Promise<string | undefined> {
  try {
    await new Model(schedule).run();
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}

/** A failure without its names, numbers and times: a smaller schedule need not fail in the very same words. */
export function failureKind(failure: string): string {
  const [first = ""] = failure.split("\n");
  return first.replace(/^\d[\d.]* /, "").replace(/[>/]/g, " ").replace(/\b[a-z]*\d[\w.]*/g, "#").replace(
    /( #)+/g,
    " #",
  );
}

/**
 * Drops events (in ever smaller runs of them, as delta debugging does), clients with all that they do, and what makes
 * the world complicated, while the schedule still fails alike.
 *
 * @param limit How many schedules are tried at most.
 */
export async function shrink(schedule: Schedule, failure: string, limit = 600): Promise<Shrunk> {
  const shrinker = new Shrinker(schedule, failure, limit);
  await shrinker.run();
  return { schedule: shrinker.schedule, failure: shrinker.failure, tries: shrinker.tries };
}

class Shrinker {
  schedule: Schedule;
  failure: string;
  tries = 0;
  readonly #kind: string;
  readonly #limit: number;

  constructor(schedule: Schedule, failure: string, limit: number) {
    this.schedule = schedule;
    this.failure = failure;
    this.#kind = failureKind(failure);
    this.#limit = limit;
  }

  async run(): Promise<void> {
    for (let before = -1; before !== this.#size && this.tries < this.#limit;) {
      before = this.#size;
      await this.#clients();
      await this.#events();
      await this.#worlds();
      await this.#ending();
    }
  }

  get #size(): number {
    return JSON.stringify(this.schedule).length;
  }

  /** Takes a schedule over if it still fails alike. */
  async #try(changed: Partial<Schedule>): Promise<boolean> {
    if (this.tries >= this.#limit) return false;
    this.tries++;
    const schedule = { ...this.schedule, ...changed };
    const failure = await failureOf(schedule);
    if (failure === undefined || failureKind(failure) !== this.#kind) return false;
    this.schedule = schedule;
    this.failure = failure;
    return true;
  }

  async #clients(): Promise<void> {
    const names = this.schedule.events.flatMap((event) => event.do === "connect" ? [event.client] : []);
    for (const name of names.reverse()) {
      const events = this.schedule.events.filter((event) => !("client" in event) || event.client !== name);
      await this.#try({ events });
    }
  }

  async #events(): Promise<void> {
    for (let size = this.schedule.events.length >> 1; size >= 1; size >>= 1) {
      for (let from = this.schedule.events.length - size; from >= 0; from -= size) {
        const { events } = this.schedule;
        await this.#try({ events: [...events.slice(0, from), ...events.slice(from + size)] });
      }
    }
  }

  async #worlds(): Promise<void> {
    const { idleMs: _idle, split: _split, queue: _queue, ...plain } = this.schedule.world;
    const simpler: World[] = [
      plain,
      { ...this.schedule.world, latency: 0 },
      { ...this.schedule.world, skew: 0 },
      { ...this.schedule.world, detection: 0 },
      { ...this.schedule.world, program: "relay" },
      { ...this.schedule.world, membership: "list" },
    ];
    for (const world of simpler) {
      if (JSON.stringify(world) !== JSON.stringify(this.schedule.world)) await this.#try({ world });
    }
    for (const id of this.schedule.processes) {
      await this.#try({ processes: this.schedule.processes.filter((other) => other !== id) });
    }
  }

  async #ending(): Promise<void> {
    const last = this.schedule.events.at(-1)?.at ?? 0;
    if (last < this.schedule.end) await this.#try({ end: last });
  }
}

/** A schedule as it is kept in `found.ts`. */
export function scheduleText(schedule: Schedule): string {
  const { events, ...rest } = schedule;
  const lines = events.map((event: Event) => `    ${literal(event)},`);
  const head = Object.entries(rest).map(([key, value]) => `  ${key}: ${literal(value)},`);
  return ["{", ...head, "  events: [", ...lines, "  ],", "}"].join("\n");
}

function literal(value: unknown): string {
  return JSON.stringify(value).replace(/"([a-zA-Z]+)":/g, " $1: ").replace(/,(?=[ "])/g, ", ").replace(
    /}/g,
    " }",
  );
}
