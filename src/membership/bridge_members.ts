/**
 * The members that live by a bridge's connections: registration, leases that end, and the view that follows.
 *
 * @module
 */
import type { Cancel, Clock } from "../lib/clock.ts";
import { ToychatError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { LastingCall } from "./agent_calls.ts";
import type { BridgeSession } from "./bridge_session.ts";
import { requestText, type RpcParams } from "./json_rpc.ts";
import { LEASE } from "./lease_times.ts";
import { isSlot } from "./names.ts";
import type { Claim } from "./registry.ts";
import type { Member, MemberState, View } from "./view.ts";
import type { WireView } from "./wire_view.ts";

/** The book that a bridge's members are entered in; {@linkcode Registry} is the one of a host by itself. */
export interface MemberBook {
  /** The newest view; the same object until something changes. */
  readonly view: View;
  /** Milliseconds for which members serve on without a bridge; default for ever. */
  readonly aloneMs?: number | undefined;
  /** Milliseconds after a start for which views are marked as settling; default 2000. */
  readonly settleMs?: number | undefined;
  /** Enters a member, or changes the entry of the same incarnation; throws where the claim is refused. */
  claim(claim: Claim): Member;
  /** Changes a member's state; false where that incarnation does not hold the id. */
  setState(id: string, incarnation: string, state: MemberState): boolean;
  /** Strikes a member out; false where that incarnation does not hold the id. */
  withdraw(id: string, incarnation: string): boolean;
  /** Raises the number of slots to what another has seen; never lowers it. */
  raiseSlots(slots: number): void;
  /**
   * Resolves when a claim stands; undefined where every claim stands at once. Rejects where it was withdrawn before.
   */
  settled?(id: string, incarnation: string): Promise<void> | undefined;
  /**
   * Has a member of another host told to drain; answered false where none says that it lives there, undefined where no other
   * host has it. Absent where there is no other.
   */
  drainElsewhere?(member: Member): LastingCall<boolean> | undefined;
  /** Names who keeps the members' connections, where the book changes members by itself. */
  attach?(keeper: BookKeeper): void;
}

/** Who keeps the connections of the members in a book. */
export interface BookKeeper {
  /** The view has changed. */
  changed(): void;
  /** A member was withdrawn by the book. */
  revoked(id: string, incarnation: string, reason: Withdrawal): void;
  /** Whether a member lives by a connection. */
  holds(id: string, incarnation: string): boolean;
  /** Tells a member that lives by a connection to drain and end; false where it does not. */
  drain(member: Pick<Member, "id" | "incarnation">): boolean;
}

/** Options of {@linkcode BridgeMembers}. */
export interface BridgeMembersOptions {
  /** Time. */
  readonly clock: Clock;
  /** Where events go. */
  readonly log: Logger;
  /** Where to count. */
  readonly metrics: Metrics;
  /** Where members are entered. */
  readonly book: MemberBook;
  /** Identifies this life of the bridge. */
  readonly instance: string;
  /** The view, or what is said with it, has changed. */
  readonly onChange: () => void;
}

/** Why a member is withdrawn. */
export type Withdrawal = "closed" | "left" | "silent" | "sealed" | "conflict" | "absent" | "full";

/** For so long after a start views are marked as settling, where the book says nothing else. */
const SETTLE_MS = 2000;
/** For so long after a start a ChatServer without a slot waits, so that those that had one can take theirs again. */
const NEWCOMER_MS = 400;

/** The members of one host, each of which lives by a connection. */
export class BridgeMembers {
  readonly #options: BridgeMembersOptions;
  readonly #holders: Map<string, BridgeSession> = new Map();
  /** While views settle: the ids of members of this life of the bridge that are gone. */
  readonly #gone: Set<string> = new Set();
  readonly #timers: Set<Cancel> = new Set();
  /** The connection whose member is being entered. */
  #entering: BridgeSession | undefined;
  #settling = true;
  #newcomersWait: Promise<void> | undefined;

  /** None at first. */
  constructor(options: BridgeMembersOptions) {
    this.#options = options;
    options.book.attach?.({
      changed: options.onChange,
      revoked: (id, incarnation, reason) => this.#revoke(id, incarnation, reason),
      holds: (id, incarnation) => this.#holders.get(id)?.member?.incarnation === incarnation,
      drain: (member) => this.tellToDrain(member),
    });
  }

  /** Begins to settle. */
  start(): void {
    const { clock, book } = this.#options;
    this.#newcomersWait = new Promise((resolve) => {
      this.#timers.add(clock.after(NEWCOMER_MS, () => {
        this.#newcomersWait = undefined;
        resolve();
      }));
    });
    this.#timers.add(clock.after(book.settleMs ?? SETTLE_MS, () => {
      this.#settling = false;
      this.#gone.clear();
      this.#options.onChange();
    }));
  }

  /** Ends what waits. Members stay members. */
  stop(): void {
    for (const cancel of this.#timers) cancel();
  }

  /** What every answer with a view holds. */
  wireView(): WireView {
    const { book, instance } = this.#options;
    return { bridge: instance, view: book.view, settling: this.#settling, gone: [...this.#gone] };
  }

  /** Registers the member that a connection asks for; see `cluster.register` in docs/protocol.md. */
  register(session: BridgeSession, params: RpcParams): unknown {
    const newcomer = params.role === "chat" && params.slot === undefined && params.replaces === undefined;
    const wait = newcomer ? this.#newcomersWait : undefined;
    return wait ? wait.then(() => this.#enter(session, params)) : this.#enter(session, params);
  }

  /** Tells a member that lives by a connection to drain and end; it decides when. False where it does not live here. */
  tellToDrain({ id, incarnation }: Pick<Member, "id" | "incarnation">): boolean {
    const session = this.#holders.get(id);
    if (session?.member?.incarnation !== incarnation || session.over) return false;
    session.outbox.urgent(requestText("cluster.drain", { id, incarnation }));
    this.#options.log("info", "member_drain_asked", { id, incarnation });
    return true;
  }

  /** Marks a connection's member as draining. */
  drain(session: BridgeSession): unknown {
    const { book, log, onChange } = this.#options;
    const { id, incarnation } = memberOf(session);
    book.setState(id, incarnation, "draining");
    log("info", "member_draining", { id });
    onChange();
    return this.wireView();
  }

  /** Withdraws a connection's member at its own wish. */
  leave(session: BridgeSession): unknown {
    memberOf(session);
    this.withdraw(session, "left");
    return this.wireView();
  }

  /** Withdraws a connection's member, where it has one. */
  withdraw(session: BridgeSession, reason: Withdrawal): void {
    const { book, log, metrics, onChange } = this.#options;
    const member = session.member;
    if (!member) return;
    session.member = undefined;
    this.#holders.delete(member.id);
    if (!book.withdraw(member.id, member.incarnation)) return;
    if (this.#settling) this.#gone.add(member.id);
    log("info", "member_withdrawn", { id: member.id, incarnation: member.incarnation, reason });
    metrics.count("toychat_member_withdrawals_total", 1, { reason });
    onChange();
  }

  /** Ends the connection of a member that the book has withdrawn by itself: it is to register anew. */
  #revoke(id: string, incarnation: string, reason: Withdrawal): void {
    const { log, metrics, onChange } = this.#options;
    const session = this.#holders.get(id);
    log("warn", "member_withdrawn", { id, incarnation, reason });
    metrics.count("toychat_member_withdrawals_total", 1, { reason });
    // One of another incarnation was to be replaced by the withdrawn one, and is not there any more either.
    if (session?.member) {
      this.#holders.delete(id);
      session.member = undefined;
      // Who asks at this moment is refused by an answer.
      if (session !== this.#entering) session.end(1000, "the member was withdrawn: register again");
    }
    onChange();
  }

  #enter(session: BridgeSession, params: RpcParams): unknown {
    const { book, log, metrics, onChange } = this.#options;
    if (session.over) {
      throw new ToychatError("connection_ended", "the connection ended before the registration");
    }
    const { slots } = params;
    if (slots !== undefined && slots !== 0 && !(typeof slots === "number" && isSlot(slots - 1))) {
      throw new ToychatError(
        "invalid_slots",
        "slots must be a whole number, the highest that the member has seen",
      );
    }
    if (session.member && session.member.id !== params.id) {
      throw new ToychatError(
        "already_registered",
        `"${session.member.id}" lives by this connection: open another one`,
      );
    }
    const state = params.state === "draining" ? "draining" : "alive";
    const member = this.#claim(session, { ...(params as unknown as Claim), state });
    if (typeof slots === "number") book.raiseSlots(slots);
    this.#hold(session, member);
    log("info", "member_registered", { ...member });
    metrics.count("toychat_member_registrations_total", 1, { member_role: member.role });
    onChange();
    const settled = book.settled?.(member.id, member.incarnation);
    return settled ? settled.then(() => this.#registered(member)) : this.#registered(member);
  }

  #claim(session: BridgeSession, claim: Claim): Member {
    this.#entering = session;
    try {
      return this.#options.book.claim(claim);
    } finally {
      this.#entering = undefined;
    }
  }

  #registered({ id, incarnation }: Member): object {
    const wire = this.wireView();
    const member = wire.view.members.find((one) => one.id === id);
    const slot = member?.slot === undefined ? {} : { slot: member.slot };
    const { aloneMs } = this.#options.book;
    const lease = aloneMs === undefined ? LEASE : { ...LEASE, aloneMs };
    return { id, incarnation, ...slot, lease, ...wire };
  }

  /** From now on the member lives by this connection; one that it used before is ended. */
  #hold(session: BridgeSession, { id, incarnation }: Member): void {
    const before = this.#holders.get(id);
    this.#holders.set(id, session);
    this.#gone.delete(id);
    session.member = { id, incarnation };
    if (!before || before === session) return;
    before.member = undefined;
    before.end(1000, "the member has come back on another connection");
  }
}

function memberOf(session: BridgeSession): { id: string; incarnation: string } {
  if (!session.member) {
    throw new ToychatError("not_registered", "no member lives by this connection: register first");
  }
  return session.member;
}
