/**
 * What the plaza tells its proxies, and these their pages: the processes, and what has happened.
 *
 * @module
 */
import type { AreaInfo } from "./areas.ts";

/** What a process of the plaza does. */
export type PlazaRole = "bridge" | "proxy" | "chat";

/** How it is: a `killed` one comes back by itself. */
export type ProcessState = "starting" | "alive" | "killed";

/** One process. */
export interface ProcessInfo {
  /** Its name in the cluster. */
  readonly id: string;
  readonly role: PlazaRole;
  /** What runs it. */
  readonly runtime: string;
  /** The runtime's version. */
  readonly version: string;
  /** Its process id; undefined while there is none. */
  readonly pid: number | undefined;
  readonly state: ProcessState;
  /** Rooms open on a ChatServer, areas left out; the first few of them. */
  readonly rooms: readonly string[];
  /** How many rooms there are beyond those. */
  readonly more: number;
  /** Ports and addresses of its ready line. */
  readonly mqtt?: number;
  readonly http?: number;
  readonly listen?: string;
}

/** Something that happened. Times are milliseconds; `ms` counts from the kill, or from the start of the process. */
export type PlazaEvent =
  | { readonly kind: "ready"; readonly id: string; readonly pid: number; readonly ms: number }
  | { readonly kind: "killed"; readonly id: string; readonly pid: number; readonly areas: readonly string[] }
  | { readonly kind: "noticed"; readonly id: string; readonly ms: number }
  | {
    readonly kind: "opened";
    readonly id: string;
    readonly area: string;
    readonly reason: string;
    readonly from: string | undefined;
    readonly ms: number | undefined;
  }
  | { readonly kind: "died"; readonly id: string; readonly pid: number };

/** An event with its number, which rises, and its time of day. */
export type NumberedEvent = PlazaEvent & { readonly n: number; readonly at: number };

/** All that the plaza tells. */
export interface PlazaState {
  readonly areas: readonly AreaInfo[];
  readonly processes: readonly ProcessInfo[];
  /** The newest last. */
  readonly events: readonly NumberedEvent[];
}

/** What a proxy tells its pages. */
export interface FeedMessage extends PlazaState {
  /** The proxy's own name. */
  readonly proxy: string;
  /** The owner of each area, by the area's id, as this proxy's view places it. */
  readonly owners: Readonly<Record<string, string | undefined>>;
  /** Connections on this proxy. */
  readonly sessions: number;
}
