/**
 * What runs here.
 *
 * @module
 */
import type { Labels } from "./metrics.ts";
import type { Transport } from "./transport.ts";

/** toychat's version; a test holds it to that of the packages. */
export const VERSION = "0.1.0";

/** Labels of the metric `toychat_build_info`. A server without an id has the label empty, which is the same as none. */
export function buildInfo({ name }: Transport, id = ""): Labels {
  return { id, runtime: name, version: VERSION };
}
