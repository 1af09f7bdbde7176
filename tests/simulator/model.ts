/**
 * One run: a schedule, carried out on a whole cluster, and what must hold at its end.
 *
 * @module
 */
import { Application } from "./application.ts";
import { atRest } from "./check_rest.ts";
import { check } from "./checks.ts";
import type { Client } from "./client.ts";
import { ModelClient } from "./client_model.ts";
import { MqttClient } from "./client_mqtt.ts";
import { WebSocketClient } from "./client_websocket.ts";
import { type Chat, Cluster, type Process, type Proxy } from "./cluster.ts";
import { generate } from "./generate.ts";
import { BridgeList } from "./lists.ts";
import {
  describe,
  type Event,
  isChat,
  type Kind,
  type ProcessAct,
  type Schedule,
  type UserAct,
} from "./schedule.ts";
import { Watch } from "./watch.ts";

export type { Kind, Program } from "./schedule.ts";

/** Milliseconds in which a drain must end. */
const DRAIN_MS = 15_000;
/** Milliseconds for servers to be cut off from each other after which hand-offs may have failed. */
const APART_MS = 2000;
/** Milliseconds within which every acknowledged message is acknowledged or has failed. */
const ANSWER_MS = 12_500;
/** The same where views differ for seconds: it may wait for an owner, be held by one that loses the room, and by the next. */
const LONG_ANSWER_MS = 23_000;
/** Milliseconds between two looks whether all is at rest. */
const STEP_MS = 250;
/** Milliseconds after which a run that is at rest is over; one of so many goes on as long as any. */
const SHORT_MS = 3000;
const PATIENT = 8;
/** Milliseconds in which the first processes are there. */
const START_MS = 60_000;

/** A run, fixed by its schedule. */
export class Model {
  readonly schedule: Schedule;
  readonly cluster: Cluster;
  readonly application: Application;
  readonly rooms: readonly string[];
  /** Whether servers were cut off from each other for so long that hand-offs may have failed. */
  chatsApart = false;
  readonly #watch: Watch;

  /** Of a seed and a kind, or of a schedule. */
  constructor(seed: number | Schedule, kind?: Kind) {
    const schedule = this.schedule = typeof seed === "number" ? generate(seed, kind) : seed;
    const { world } = schedule;
    this.cluster = new Cluster(schedule.seed, world);
    this.application = new Application(world.program);
    this.rooms = Array.from({ length: world.rooms }, (_, i) => `r${i}`);
    this.#watch = new Watch(this.cluster);
    this.cluster.note(`seed ${schedule.seed} ${JSON.stringify(world)}`);
  }

  /** What happens in it. */
  get kind(): Kind {
    return this.schedule.world.kind;
  }

  /** Whether nothing may be lost at all: everything that happens is planned, or over before a link is. */
  get lossless(): boolean {
    return this.kind === "planned" || this.kind === "blip" || this.kind === "slow";
  }

  /** Milliseconds within which every acknowledged message is acknowledged or has failed. */
  get answerMs(): number {
    return ["lag", "slots", "mixed", "split"].includes(this.kind) ? LONG_ANSWER_MS : ANSWER_MS;
  }

  /** How many hand-offs were refused as their rooms were open already. */
  get handoffsLate(): number {
    return this.cluster.chats.reduce((sum, { server }) => {
      return sum + server.metrics.get("toychat_handoffs_late_total");
    }, 0);
  }

  /** Milliseconds that views differ at most. */
  get skew(): number {
    return this.schedule.world.skew;
  }

  /** What the applications saw that they must not see. */
  get complaints(): readonly string[] {
    return this.application.complaints;
  }

  /** See {@linkcode Application.beside}. */
  get beside(): ReadonlySet<string> {
    return this.application.beside;
  }

  /** See {@linkcode Application.given}. */
  get given(): ReadonlyMap<string, number> {
    return this.application.given;
  }

  /** Carries out the schedule, lets everything come to rest, and checks what was recorded. */
  async run(): Promise<void> {
    const { schedule, cluster } = this;
    const { clock } = cluster;
    if (cluster.list instanceof BridgeList) await cluster.finish(cluster.list.start());
    await cluster.finish(Promise.all(schedule.processes.map((id) => this.#start(id))), START_MS);
    const begin = clock.now();
    for (const event of schedule.events) {
      if (begin + event.at > clock.now()) await clock.run(begin + event.at - clock.now());
      this.#watch.look();
      this.#act(event);
    }
    await clock.run(Math.max(0, begin + schedule.end - clock.now()));
    await this.#rest();
    await check(this);
  }

  #start(id: string): Promise<void> {
    const held = (): boolean => this.cluster.find(id)?.membership.lease?.held() ?? false;
    if (isChat(id)) {
      return this.cluster.chat(id, (...server) => this.application.install(...server, held)).server.start();
    }
    return this.cluster.startProxy(this.cluster.proxy(id));
  }

  #act(event: Event): void {
    if (!this.#can(event)) return;
    this.cluster.note(describe(event));
    if ("client" in event) this.#user(event);
    else this.#process(event);
  }

  /** Whether it makes sense still: of a schedule that was cut short, some events have nothing to happen to. */
  #can(event: Event): boolean {
    const { cluster } = this;
    if (event.do === "connect") return cluster.find(event.proxy)?.running ?? false;
    if ("client" in event) return this.#client(event.client)?.endedAt === undefined;
    if (event.do === "start") return !(cluster.find(event.id)?.running ?? false);
    if (event.do === "cut") {
      return [event.a, event.b].every((id) => cluster.find(id)?.clock.alive ?? false);
    }
    if (event.do === "bridge") return true;
    if (event.do === "split") return (cluster.splits.at(-1)?.merged ?? 0) <= cluster.clock.now();
    const process = cluster.find(event.id);
    if (!process?.running || !process.membership.lease || process.frozen) return false;
    if (event.do !== "kill" && event.do !== "stop") return true;
    // The last one of its role stays.
    const others: readonly Process[] = isChat(event.id) ? cluster.chats : cluster.proxies;
    return cluster.serving(others).length > 1;
  }

  #client(name: string): Client | undefined {
    return this.cluster.clients.find((client) => client.user === name);
  }

  #user(event: UserAct): void {
    if (event.do === "connect") {
      this.cluster.clients.push(this.#connect(event));
      return;
    }
    const client = this.#client(event.client);
    if (!client) return;
    if (event.do === "join") client.join(event.room);
    else if (event.do === "leave") client.leave(event.room);
    else if (event.do === "publish") client.publish(event.room, event.acknowledged ?? false, event.forward);
    else if (event.do === "stall") client.stall(event.ms);
    else client.disconnect(event.do === "end");
  }

  #connect(event: UserAct & { do: "connect" }): Client {
    const { client, proxy: id, speaks, login, acknowledged = false, receiveMaximum } = event;
    const proxy = this.cluster.find(id) as Proxy;
    const options = { speaks, login, acknowledged, receiveMaximum };
    if (speaks === "model") return new ModelClient(client, this.cluster, proxy, options);
    if (speaks === "websocket") return new WebSocketClient(client, this.cluster, proxy, options);
    return new MqttClient(client, this.cluster, proxy, options);
  }

  #process(event: ProcessAct): void {
    const { cluster } = this;
    if (event.do === "start") return this.#join(event.id);
    if (event.do === "bridge") return cluster.disturbBridge(event.dies, event.ms);
    if (event.do === "split") return cluster.split(event);
    if (event.do === "cut") {
      const { a, b, ways, broken, ms } = event;
      if (ms >= APART_MS && isChat(a) && isChat(b)) this.chatsApart = true;
      return cluster.cut(a, b, ms, ways, broken);
    }
    const process = cluster.find(event.id) as Chat | Proxy;
    if (event.do === "stop") this.#stop(process);
    else if (event.do === "kill") this.#kill(process);
    else if (event.do === "expel") cluster.expel(process, event.strike, event.back);
    else if (event.do === "freeze") cluster.freeze(process, event.ms);
    else if (event.do === "mute") cluster.mute(event.id, event.ms);
    else cluster.list.relapse(process, event.back, event.ms);
  }

  #join(id: string): void {
    const { cluster } = this;
    this.#start(id).catch((error) => {
      // It may have been killed or stopped before it was there.
      const process = cluster.find(id);
      if (error?.code !== "stopped" && process?.clock.alive) cluster.faults.push(`start of ${id}: ${error}`);
    });
  }

  #stop(process: Chat | Proxy): void {
    const { cluster } = this;
    process.running = false;
    const since = cluster.clock.now();
    process.server.stop().then(() => {
      process.sockets.close();
      cluster.note(`stopped ${process.id}`);
      const until = cluster.clock.now();
      // Nobody takes rooms over while the network is cut.
      const cut = cluster.splits.reduce((sum, { from, merged }) => {
        return sum + Math.max(0, Math.min(until, merged) - Math.max(since, from));
      }, 0);
      if (until - since - cut > DRAIN_MS) cluster.faults.push(`the drain of ${process.id} hung`);
    }, (error) => cluster.faults.push(`stop of ${process.id}: ${error}`));
  }

  #kill(process: Process): void {
    this.cluster.kill(process);
    for (const client of this.cluster.clients) {
      if (client.proxy === process && client instanceof ModelClient) client.cutOff();
    }
  }

  async #rest(): Promise<void> {
    const { cluster, kind, skew } = this;
    cluster.note("rest");
    const answered = (): boolean =>
      cluster.clients.every((client) =>
        !client.live || client.stalled ||
        client.published.every((one) => !one.acknowledged || one.doneAt !== undefined)
      );
    await cluster.clock.until(answered, this.answerMs);
    this.#watch.look();
    const gossip = this.schedule.world.membership === "gossip" ? 2000 : 0;
    const calm = this.lossless ? 2000 + 3 * skew : kind === "kill" ? 7000 + gossip : 16_000;
    const enough = cluster.clock.now() +
      (this.schedule.seed % PATIENT === 0 ? calm : Math.min(calm, SHORT_MS));
    const end = cluster.clock.now() + calm;
    while (cluster.clock.now() < end) {
      await cluster.clock.run(STEP_MS);
      this.#watch.look();
      if (cluster.clock.now() >= enough && atRest(cluster, this.rooms)) return;
    }
  }
}
