/**
 * Knowing that this process itself was held up, before it calls others late.
 *
 * @module
 */

/** A process that is late time after time judges all the same, if not every time. */
const MOST_IN_A_ROW = 2;

/** Tells by a timer that is late, or hurries after that, that what others said has yet to be read. */
export class HeldUp {
  readonly #everyMs: number;
  #lookedAt: number;
  #late = 0;

  /** For a timer that fires every so many milliseconds, the first time `everyMs` after `now`. */
  constructor(everyMs: number, now: number) {
    this.#everyMs = everyMs;
    this.#lookedAt = now;
  }

  /** To be called once whenever the timer fires: whether others should be judged the next time only. */
  look(now: number): boolean {
    const passed = now - this.#lookedAt;
    this.#lookedAt = now;
    // It catches up with what it missed, all at once.
    if (passed < this.#everyMs / 2) return true;
    const late = passed > 2 * this.#everyMs && this.#late < MOST_IN_A_ROW;
    this.#late = late ? this.#late + 1 : 0;
    return late;
  }
}
