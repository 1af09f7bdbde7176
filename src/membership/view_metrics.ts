/**
 * The list of members in numbers.
 *
 * @module
 */
import type { Metrics } from "../lib/metrics.ts";
import type { View } from "./view.ts";

/** Has members counted by role and state, as `toychat_members`; `source.view` is the view when it is asked for. */
export function gaugeView(metrics: Metrics, source: { readonly view: View }): void {
  for (const role of ["chat", "proxy"] as const) {
    for (const state of ["joining", "alive", "draining"] as const) {
      const read = (): number =>
        source.view.members.filter((member) => member.role === role && member.state === state).length;
      metrics.gauge("toychat_members", read, { member_role: role, state });
    }
  }
}
