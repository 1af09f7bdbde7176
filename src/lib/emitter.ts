/**
 * A small typed event emitter.
 *
 * @module
 */

/** Maps event names to the arguments of their listeners. */
export type EventMap = { [name: string]: unknown[] };

/** A listener; what it returns is awaited where the event's documentation says so. */
export type Listener<Args extends unknown[]> = (...args: Args) => unknown;

/**
 * Listeners by event name.
 *
 * @example
 * ```ts
 * import { Emitter } from "./emitter.ts";
 *
 * const emitter = new Emitter<{ greet: [name: string] }>();
 * const off = emitter.on("greet", (name) => console.log(`hello ${name}`));
 * emitter.emit("greet", "ada");
 * off();
 * ```
 */
export class Emitter<Events extends { [K in keyof Events]: unknown[] }> {
  readonly #listeners: Map<keyof Events, Listener<unknown[]>[]> = new Map();

  /** Adds a listener; listeners run in the order in which they were added. Returns a function that removes it. */
  on<K extends keyof Events>(event: K, listener: Listener<Events[K]>): () => void {
    const list = this.#listeners.get(event) ?? [];
    // A new array each time: an emit under way keeps going over the old one.
    this.#listeners.set(event, [...list, listener as Listener<unknown[]>]);
    return () => this.off(event, listener);
  }

  /** Adds a listener that is removed before its first call. */
  once<K extends keyof Events>(event: K, listener: Listener<Events[K]>): () => void {
    const off = this.on(event, (...args) => {
      off();
      return listener(...args);
    });
    return off;
  }

  /** Removes a listener added by `on`. */
  off<K extends keyof Events>(event: K, listener: Listener<Events[K]>): void {
    const list = this.#listeners.get(event);
    if (!list) return;
    const at = list.indexOf(listener as Listener<unknown[]>);
    if (at >= 0) this.#listeners.set(event, list.toSpliced(at, 1));
  }

  /** The listeners of an event, in order. */
  listeners<K extends keyof Events>(event: K): readonly Listener<Events[K]>[] {
    return (this.#listeners.get(event) ?? []) as readonly Listener<Events[K]>[];
  }

  /** Calls every listener in order. A listener that throws ends the call: use it where listeners are the project's own. */
  emit<K extends keyof Events>(event: K, ...args: Events[K]): void {
    for (const listener of this.listeners(event)) listener(...args);
  }
}
