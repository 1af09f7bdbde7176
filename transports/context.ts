/**
 * Async contexts, the same on every runtime: all of them bring `AsyncLocalStorage`.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";
import type { AsyncContext } from "../src/lib/transport.ts";

/** Makes an async context over `AsyncLocalStorage`; the implementation of `Transport.createContext`. */
export function createContext<T>(): AsyncContext<T> {
  const storage = new AsyncLocalStorage<T>();
  return {
    run: (value, work) => storage.run(value, work),
    get: () => storage.getStore(),
  };
}
