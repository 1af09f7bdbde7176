/**
 * What happens in a run, as data: it can be made from a seed, written down, cut short and run again.
 *
 * @module
 */

/** What happens to the cluster, beside what its users do. */
export type Kind =
  | "planned"
  | "blip"
  | "slow"
  | "kill"
  | "lag"
  | "cut"
  | "expel"
  | "slots"
  | "bridge"
  | "mixed"
  | "split";

/** The kinds whose turn comes with every so many seeds, in this order. */
export const KINDS: readonly Kind[] = [
  "planned",
  "blip",
  "kill",
  "lag",
  "cut",
  "expel",
  "slow",
  "slots",
  "bridge",
  "mixed",
];

/** Every seed that this divides is a partition: its turn is nobody else's, so that the others keep theirs. */
export const SPLIT_EVERY = 23;

/** All kinds. */
export const ALL_KINDS: readonly Kind[] = [...KINDS, "split"];

/** What the application does with a message. */
export type Program = "relay" | "listener" | "async" | "parts";

/** What a client speaks: the model's own protocol without a network, or one of the real ones over the network. */
export type Speech = "model" | "mqtt4" | "mqtt5" | "mqtt5-ws" | "websocket";

/** What a run takes place in. Times are in milliseconds. */
export interface World {
  readonly kind: Kind;
  readonly program: Program;
  /** How many rooms there are, `r0` and on. */
  readonly rooms: number;
  /** A parcel takes 0 up to this on the network, a few of them five times as long. */
  readonly latency: number;
  /** A view, or one change of the list, takes 0 up to this to a process. */
  readonly skew: number;
  /** The death of a process takes 0 up to this to be noticed. */
  readonly detection: number;
  /** After which an empty room closes; absent: the default. */
  readonly idleMs?: number;
  /** Whether chunks arrive cut at random places. */
  readonly split?: boolean;
  /**
   * `list`: all processes see the views of one list. `gossip`: each puts its views together from single changes.
   * `bridge`: a real bridge, over the network. `sides`: one list, or one for each side of a partition.
   */
  readonly membership: "list" | "gossip" | "bridge" | "sides";
  /** Bytes that the network takes for a client, and that a proxy queues to it; absent: the defaults. */
  readonly queue?: { readonly capacity: number; readonly maxQueuedBytes: number };
}

/** What a client does. */
export type UserAct =
  | {
    readonly do: "connect";
    readonly client: string;
    /** User and MQTT client identifier; other clients may have had it before. Default: the client's own name. */
    readonly login?: string;
    readonly proxy: string;
    readonly speaks: Speech;
    /** Whether it wants acknowledged deliveries acknowledged (MQTT QoS 1). */
    readonly acknowledged?: boolean;
    /** MQTT 5: how many acknowledged deliveries it takes at a time. */
    readonly receiveMaximum?: number;
  }
  | { readonly do: "join" | "leave"; readonly client: string; readonly room: string }
  | {
    readonly do: "publish";
    readonly client: string;
    readonly room: string;
    readonly acknowledged?: boolean;
    /** Where the application is to send it on to. */
    readonly forward?: string;
  }
  /** Ends its connection in order, or lets it break. */
  | { readonly do: "end" | "drop"; readonly client: string }
  /** Reads nothing for so long; without `ms` never again. */
  | { readonly do: "stall"; readonly client: string; readonly ms?: number };

/** What happens to a process. */
export type ProcessAct =
  /** A new process; one whose id was killed before is a new incarnation. */
  | { readonly do: "start"; readonly id: string }
  /** A ChatServer drains, a proxy says farewell. */
  | { readonly do: "stop"; readonly id: string }
  | { readonly do: "kill"; readonly id: string }
  /**
   * Nothing arrives between two processes (`both`), or from `a` to `b` alone (`there`). `broken`: their connections end
   * at once; else they stall.
   */
  | {
    readonly do: "cut";
    readonly a: string;
    readonly b: string;
    readonly ways: "both" | "there";
    readonly broken: boolean;
    readonly ms: number;
  }
  /** Loses its lease, is struck off the list after `strike`, and is entered again `back` later. */
  | { readonly do: "expel"; readonly id: string; readonly strike: number; readonly back: number }
  /** Stands still; three seconds lose it its place in the list. */
  | { readonly do: "freeze"; readonly id: string; readonly ms: number }
  /** Hears nothing of the list, and the list nothing of it. */
  | { readonly do: "mute"; readonly id: string; readonly ms: number }
  /** Gets a view again that is `back` views older than its own, and its own one again `ms` later. */
  | { readonly do: "relapse"; readonly id: string; readonly back: number; readonly ms: number }
  /**
   * The network is cut in two for `ms`; `broken`: connections across end at once. After `drops` each side gives up the other
   * one's members; the one that `seals` its own instead: they lose their leases. The lists are one again `merge` after the
   * network, and those who lost their leases are entered again.
   */
  | {
    readonly do: "split";
    /** Who is on the second side, also of those who are yet to start. */
    readonly b: readonly string[];
    readonly broken: boolean;
    readonly seals?: "a" | "b";
    readonly drops: { readonly a: number; readonly b: number };
    readonly merge: number;
    readonly ms: number;
  }
  /** The bridge stands still, or dies and starts again `ms` later. */
  | { readonly do: "bridge"; readonly dies: boolean; readonly ms: number };

/** One thing that happens. */
export type Act = UserAct | ProcessAct;

/** One thing that happens, and when: milliseconds since everybody was there. */
export type Event = Act & { readonly at: number };

/** A whole run. */
export interface Schedule {
  /** Of the network's delays and of everything that the processes draw. */
  readonly seed: number;
  readonly world: World;
  /** Processes that are there from the beginning. */
  readonly processes: readonly string[];
  /** In order of time. */
  readonly events: readonly Event[];
  /** When no more happens. */
  readonly end: number;
}

/** Whether an id is a ChatServer's. */
export function isChat(id: string): boolean {
  return id.startsWith("c");
}

/** One event in words, for traces. */
export function describe(act: Act): string {
  const { do: what, ...rest } = act;
  const words = Object.entries(rest).filter(([key]) => key !== "at").map(([key, value]) => {
    if (key === "client" || key === "id" || key === "a" || key === "b" || key === "room") {
      return String(value);
    }
    if (value === true) return key;
    return `${key}=${typeof value === "object" && !Array.isArray(value) ? JSON.stringify(value) : value}`;
  });
  return [what, ...words].join(" ");
}
