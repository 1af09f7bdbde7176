/**
 * One host of a cluster that finds itself by Serf: publishes the own members, follows everybody else's, and makes of all of
 * it the one view that every host makes.
 *
 * @module
 */
import { type Cancel, delay } from "../../lib/clock.ts";
import { printable, ToychatError } from "../../lib/errors.ts";
import type { LastingCall } from "../agent_calls.ts";
import type { BookKeeper, MemberBook, Withdrawal } from "../bridge_members.ts";
import { ALONE_MS } from "../lease_times.ts";
import { checkClaim, type Claim } from "../registry.ts";
import { createView, emptyView, type Member, type MemberState, type View } from "../view.ts";
import { AgentSearch } from "./agent_search.ts";
import { ClusterBook, type HostInfo } from "./cluster_book.ts";
import type { OwnLoss } from "./conflicts.ts";
import { answerDrain, askHostToDrain, DRAIN_QUERY } from "./drain_query.ts";
import { Follower } from "./follower.ts";
import { formerValue, nextSeq, takeUp } from "./former_life.ts";
import { clusterTag, HOST_TAG, type HostValue } from "./host_tag.ts";
import { LIVE_QUERY } from "./live_query.ts";
import { Liveness } from "./liveness.ts";
import { type Claims, OwnMembers } from "./own_members.ts";
import { Publisher } from "./publisher.ts";
import { checkExpectHosts } from "./serf_host_options.ts";
import type { SerfAgent, SerfHostOptions, SerfHostStatus } from "./serf_host_options.ts";
import type { SerfMember, SerfQueryEvent } from "./serf_types.ts";
import { Side } from "./side.ts";

/** An agent that restarts is back by then; later a host without one serves itself alone. */
const AGENTLESS_MS = 5000;
/** A bridge that starts serves without its agent after so long. The rest of that time its members keep the view of before. */
const AGENT_MS = 2000;
/** A bridge that starts waits so long to be told who of the failed was given up. */
const ASK_FAILED_MS = 1500;
/** Conflicts that are mended in one go: more than a host has members. */
const MAX_ROUNDS = 64;

/** The members of all hosts, and those of this one. */
export class SerfHost implements MemberBook {
  readonly #options: SerfHostOptions;
  readonly #clusterTag: string;
  readonly #book: ClusterBook;
  readonly #own: OwnMembers;
  readonly #publisher: Publisher;
  readonly #follower: Follower;
  readonly #search: AgentSearch;
  /** It serves without having met its agent. */
  #alone = false;
  #liveness: Liveness | undefined;
  #side: Side | undefined;
  #keeper: BookKeeper | undefined;
  #cancelGrace: Cancel = () => {};
  #self: string | undefined;
  #view: View;
  /** What the view was made of. */
  #made: readonly Member[] = [];
  #resolving = false;

  /** Does nothing until `start`. Throws `invalid_expect_hosts`. */
  constructor(options: SerfHostOptions) {
    const { clock, metrics, cluster, placementKey, onPartition } = options;
    checkExpectHosts(options.expectHosts);
    this.#options = options;
    this.#view = emptyView(placementKey);
    this.#clusterTag = clusterTag(cluster, placementKey);
    this.#book = new ClusterBook({
      clusterTag: this.#clusterTag,
      self: () => this.#self,
      keepFailed: onPartition === "seal",
    });
    this.#own = new OwnMembers({
      ...options,
      claims: this.#claims(),
      published: (claim) => this.#publisher.published({ ...claim, state: "joining" }),
      fits: (members) => this.#publisher.fits(members),
      onChange: (changed, withdrawn) => {
        this.#book.setOwn(this.#own.list);
        this.#publisher.members(changed, withdrawn);
        this.#resolve();
      },
    });
    this.#publisher = new Publisher({
      ...options,
      clusterTag: this.#clusterTag,
      members: () => this.#own.list,
      slots: () => this.#book.slots,
      awaits: () => this.#side?.awaits ?? false,
    });
    this.#follower = new Follower({
      ...options,
      onList: (list) => this.#take(list),
      onDelta: (payload) => {
        if (!this.#book.delta(payload, clock.now())) return;
        this.#liveness?.announced(payload);
        this.#resolve();
      },
      onNotice: (payload) => this.#liveness?.told(payload),
      onQuery: (query) => this.#asked(query),
      onUp: () => {
        this.#liveness?.forgive();
        this.#publisher.renew();
      },
      onTick: () => this.#judge(),
    });
    const onMet = (list: readonly SerfMember[]) => this.#meet(list);
    this.#search = new AgentSearch({ ...options, clusterTag: this.#clusterTag, onMet });
    metrics.gauge("toychat_sealed", () => this.sealed ? 1 : 0);
    for (const status of ["alive", "leaving", "failed"] as const) {
      const known = (): number => this.#known().filter((host) => host.status === status).length;
      metrics.gauge("toychat_serf_hosts", known, { status });
    }
  }

  /** The newest view. */
  get view(): View {
    return this.#view;
  }

  /** With `seal` members do not outlive their bridge for long: it alone knows when it has to seal. */
  get aloneMs(): number | undefined {
    return this.#options.onPartition === "seal" ? ALONE_MS : undefined;
  }

  /** Whether the ChatServers of this host may not accept, since the majority of hosts cannot be heard. */
  get sealed(): boolean {
    if (this.#alone) return this.#options.onPartition === "seal";
    return this.#side?.sealed ?? false;
  }

  /** Without its agent a bridge does not know the others: members keep them until a running one would give them up. */
  get settleMs(): number | undefined {
    return this.#alone ? AGENTLESS_MS - AGENT_MS : undefined;
  }

  /** How the host stands. */
  get status(): SerfHostStatus {
    const { agent, onPartition } = this.#options;
    const connected = agent.connected && !this.#alone;
    return { agent: this.#self ?? "", connected, sealed: this.sealed, onPartition, hosts: this.#known() };
  }

  /** Names who keeps the members' connections. */
  attach(keeper: BookKeeper): void {
    this.#keeper = keeper;
  }

  /**
   * Connects to the agent, takes up what it still publishes of this host, and follows it from then on.
   *
   * @param timeoutMs Milliseconds to wait for the agent; default 10000.
   * @throws {ToychatError} what `SerfClient.ready` throws.
   */
  async start(timeoutMs = 10_000): Promise<void> {
    await this.#search.start(timeoutMs);
  }

  /**
   * As `start`; where the agent cannot be reached in time the host serves its own members alone, with `seal` no ChatServer,
   * until it can be.
   *
   * @param timeoutMs Milliseconds to wait for the agent; default 2000.
   * @throws {ToychatError} what `start` throws of an agent that answers: `serf_auth_refused`, `agent_shared`, `serf_bad_reply`.
   */
  async startAlone(timeoutMs = AGENT_MS): Promise<void> {
    this.#alone = !(await this.#search.startWithout(timeoutMs));
  }

  async #meet(list: readonly SerfMember[]): Promise<void> {
    const self = this.#self = this.#options.agent.agentName;
    this.#side = new Side({ ...this.#options, self, before: this.#restore(list) });
    this.#take(list);
    this.#liveness = this.#listen(self, this.#side);
    this.#liveness.start();
    this.#follower.start();
    this.#publisher.changed();
    await this.#learnFailed();
    this.#alone = false;
    this.#judge();
  }

  /** Members must not take for living whom all others have given up: nobody is told of failed hosts before others were asked. */
  async #learnFailed(): Promise<void> {
    const { clock } = this.#options;
    const until = clock.now() + ASK_FAILED_MS;
    while (this.#book.kept().length > 0 && clock.now() < until) await delay(clock, ASK_FAILED_MS / 30);
  }

  /** Ends. What the agent publishes stays, for the next life of the bridge. */
  stop(): void {
    this.#search.stop();
    this.#cancelGrace();
    this.#liveness?.stop();
    this.#follower.stop();
    this.#publisher.stop();
    this.#own.stop();
    this.#options.agent.stop();
  }

  /**
   * Enters a member of this host.
   *
   * @throws {ToychatError} what {@linkcode OwnMembers.claim} throws; `sealed` for a ChatServer on the side of a partition
   * that may not accept.
   */
  claim(claim: Claim): Member {
    if (this.sealed && claim.role === "chat") {
      throw new ToychatError(
        "sealed",
        "this host hears less than the majority of the hosts with ChatServers, and may not serve until it does",
      );
    }
    checkClaim(claim);
    this.#supersede(claim);
    return this.#own.claim(claim);
  }

  /** Resolves when the claim of a member stands; undefined where it does. */
  settled(id: string, incarnation: string): Promise<void> | undefined {
    return this.#own.settled(id, incarnation);
  }

  /** Changes the state of a member of this host; false where that incarnation does not hold the id. */
  setState(id: string, incarnation: string, state: MemberState): boolean {
    return this.#own.setState(id, incarnation, state);
  }

  /** Strikes out a member of this host; false where that incarnation does not hold the id. */
  withdraw(id: string, incarnation: string): boolean {
    return this.#own.withdraw(id, incarnation);
  }

  /** Has the bridge of another host tell a member there to drain; undefined where no other host has it. */
  drainElsewhere(member: Member): LastingCall<boolean> | undefined {
    const holder = this.#claims().holder(member.id);
    return holder && askHostToDrain(this.#options.agent, this.#clusterTag, holder.host, member);
  }

  /** An operator says that a host which the agent does not list any more is gone: it needs no majority any more. */
  dismiss(name: string): void {
    if (this.#book.dismiss(name)) this.#judge();
  }

  /** Resolves when the agent has what this host last published. */
  flush(): Promise<void> {
    return this.#publisher.flush();
  }

  /** Raises the number of slots to what a member has seen. */
  raiseSlots(slots: number): void {
    this.#book.raiseSlots(slots);
    this.#resolve();
  }

  /** A process that died with the bridge has been started again before its former life was given up. */
  #supersede({ id, incarnation, replaces }: Claim): void {
    const before = this.#own.get(id);
    if (!before || before.incarnation === incarnation || before.incarnation === replaces) return;
    if (!this.#keeper?.holds(id, before.incarnation)) this.#own.withdraw(id, before.incarnation);
  }

  #asked(query: SerfQueryEvent): void {
    if (query.name === LIVE_QUERY) this.#liveness?.asked(query);
    if (query.name !== DRAIN_QUERY) return;
    answerDrain(this.#options.agent, this.#clusterTag, query, (life) => this.#keeper?.drain(life) ?? false);
  }

  #listen(self: string, side: Side): Liveness {
    const { clock } = this.#options;
    return new Liveness({
      ...this.#options,
      clusterTag: this.#clusterTag,
      self,
      hosts: () => this.#book.liveHosts(clock.now()),
      nameOf: (hash) => this.#book.nameOf(hash),
      answer: () => side.testimony(this.#known(), clock.now()),
      seq: () => this.#publisher.seq,
      seqOf: (host) => this.#book.seqOf(host),
      onLate: () => this.#publisher.renew(),
      quorum: side.quorum,
      onVerdict: (host, { id, incarnation }, dead) => {
        this.#book.verdict(host, id, incarnation, dead);
        this.#resolve();
      },
      isDead: (...life) => this.#book.isDead(...life),
      onAnswer: (host) => this.#book.answered(host, clock.now()),
      onProof: (host) => this.#book.proved(host) && this.#resolve(),
      onHeard: () => this.#judge(),
    });
  }

  #claims(): Claims {
    const now = (): number => this.#options.clock.now();
    return {
      holder: (id) => {
        const holder = this.#book.holder(id, now());
        return holder && holder.host !== this.#self ? holder : undefined;
      },
      isTaken: (slot) => this.#view.members.some((one) => one.slot === slot && !this.#own.get(one.id)),
      freeSlot: () => this.#book.freeSlot(now()),
    };
  }

  #take(list: readonly SerfMember[]): void {
    const own = list.find(({ name }) => name === this.#self);
    const moved = own !== undefined && own.address !== this.#publisher.address;
    if (own) this.#publisher.seen(own.address, own.tags);
    // What nobody can be told of would have its rooms twice.
    for (const { id, incarnation } of this.#publisher.excess()) this.#revoke(id, incarnation, "full");
    const entries = list.map((one) => ({ ...one, tag: one.tags.get(HOST_TAG) }));
    const now = this.#options.clock.now();
    const unsure = this.#book.unsure(now);
    this.#book.agents(entries, now);
    if (this.#book.unsure(now) > unsure) this.#liveness?.ask();
    if (moved) this.#publisher.changed();
    this.#judge();
  }

  /** Takes up what the agent still publishes of the bridge's life before. */
  #restore(list: readonly SerfMember[]): HostValue | undefined {
    const { clock } = this.#options;
    const own = list.find(({ name }) => name === this.#self);
    const value = formerValue(own, this.#clusterTag);
    this.#publisher.address = own?.address ?? "";
    this.#publisher.seq = nextSeq(value, clock.wallTime());
    this.#cancelGrace = takeUp(value, this.#own, this.#book, this.#options, ({ id, incarnation }) => {
      if (!this.#keeper?.holds(id, incarnation)) this.#revoke(id, incarnation, "absent");
    });
    return value;
  }

  #revoke(id: string, incarnation: string, reason: Withdrawal): void {
    if (this.#own.withdraw(id, incarnation)) this.#keeper?.revoked(id, incarnation, reason);
  }

  /** Sees who may accept and who may be given up, by who was heard. */
  #judge(): void {
    const side = this.#side;
    if (!side) return;
    const awaited = side.awaits;
    const chats = this.#own.list.filter(({ role }) => role === "chat");
    const now = this.#options.clock.now();
    const { withdraw, drop } = side.judge(this.#known(), chats.length > 0, this.#book.kept(), now);
    for (const name of drop) {
      if (this.#book.drop(name)) this.#liveness?.dropped(name, this.#book.membersOf(name, now));
    }
    for (const { id, incarnation } of withdraw ? chats : []) this.#revoke(id, incarnation, "sealed");
    if (side.awaits !== awaited) this.#publisher.changed();
    this.#resolve();
  }

  /** Makes the view anew where something has changed, and mends what the own host has lost to others. */
  #resolve(): void {
    if (this.#resolving) return;
    const members = this.#mended();
    const [{ slots }, { placementKey }] = [this.#book, this.#options];
    if (members === this.#made && slots === this.#view.slots) return;
    this.#made = members;
    const view = createView({ members, slots, revision: this.#view.revision + 1, placementKey });
    if (view.digest === this.#view.digest) return;
    if (slots !== this.#view.slots) this.#publisher.changed();
    this.#view = view;
    this.#keeper?.changed();
  }

  #mended(): readonly Member[] {
    this.#resolving = true;
    try {
      let outcome = this.#outcome();
      for (let round = 0; outcome.lost[0] && round < MAX_ROUNDS; round++) {
        this.#mend(outcome.lost[0]);
        outcome = this.#outcome();
      }
      return outcome.members;
    } finally {
      this.#resolving = false;
    }
  }

  #outcome(): { readonly members: readonly Member[]; readonly lost: readonly OwnLoss[] } {
    if (this.#alone || this.#follower.downMs >= AGENTLESS_MS) return { members: this.#own.list, lost: [] };
    return this.#book.resolve(this.#options.clock.now());
  }

  #mend({ what, member: { id, incarnation, slot }, to }: OwnLoss): void {
    const { log, metrics } = this.#options;
    log("warn", "member_conflict", { what, id, slot, host: printable(to.host, 128), other: to.member.id });
    metrics.count("toychat_member_conflicts_total", 1, { what });
    if (what === "slot" && this.#own.move(id)) return;
    this.#revoke(id, incarnation, "conflict");
  }

  #known(): readonly HostInfo[] {
    return this.#book.hosts(this.#options.clock.now());
  }
}

export type { SerfAgent, SerfHostOptions, SerfHostStatus };
