import { afterEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/lib/clock.ts";
import { LinkListener } from "../../src/link/listener.ts";
import type { Connection } from "../../src/lib/transport.ts";
import { BridgeMembership } from "../../src/membership/bridge_client.ts";
import { systemTransport } from "../../transports/system.ts";
import { connectClient, type RecordingClient } from "../support/clients.ts";
import { publish } from "../support/mqtt_wire.ts";
import { Processes, type Ready } from "../support/processes.ts";
import { type Runtime, runtimes } from "../support/runtimes.ts";
import { until } from "../support/until.ts";
import { metricIs, MIB, peak, type Ports, RawMqtt, resident } from "./support.ts";

const FEEDERS = 8;
const FEED_MIB = 20;
const TALK = 300;

/** A ChatServer that is a member in good standing and, from the first message on, reads none of its links. */
class StallingChat {
  readonly membership: BridgeMembership;
  readonly #end: () => Promise<void>;
  /** Whether it has been sent a message. */
  stalled = false;

  private constructor(membership: BridgeMembership, end: () => Promise<void>) {
    this.membership = membership;
    this.#end = end;
  }

  static async start(url: string): Promise<StallingChat> {
    const transport = await systemTransport();
    const membership = new BridgeMembership({ transport, url });
    const connections: Connection[] = [];
    let incarnation = "";
    const listener = new LinkListener({
      self: () => ({ role: "chat", id: "stall", incarnation }),
      cluster: "toychat",
      clock: systemClock,
      handler: {
        open: (link) => void link.send({ type: "digest", digest: membership.view.digest }),
        frame: (_link, frame) => {
          if (frame.type !== "message") return;
          chat.stalled = true;
          for (const connection of connections) connection.pause();
        },
        confirmed: () => {},
        drain: () => {},
        reset: () => {},
      },
    });
    const socket = await transport.listen({ port: 0 }, (connection) => {
      connections.push(connection);
      return listener.accept(connection);
    });
    const chat = new StallingChat(membership, async () => {
      listener.close();
      for (const connection of connections) connection.terminate();
      await socket.close();
      await membership.close();
    });
    const lease = await membership.join({ id: "stall", role: "chat", address: `127.0.0.1:${socket.port}` });
    incarnation = lease.incarnation;
    return chat;
  }

  /** A room of which this server, or another one, is the owner. */
  room(mine: boolean): string {
    for (let n = 0;; n++) {
      if ((this.membership.placement.owner(`room/${n}`)?.id === "stall") === mine) return `room/${n}`;
    }
  }

  end(): Promise<void> {
    return this.#end();
  }
}

const processes = new Processes();
let stalling: StallingChat | undefined;
afterEach(async () => {
  await stalling?.end();
  await processes.end();
});

async function cluster(on: Runtime): Promise<{ proxy: Ready<Ports>; chat: StallingChat }> {
  const bridge = await processes.role<{ listen: string }>(on, ["bridge", "--listen", "127.0.0.1:0"]);
  const url = `ws://${bridge.ready.listen}/rpc`;
  const chat = stalling = await StallingChat.start(url);
  await processes.role(on, ["chat", "--bridge", url, "--id", "c2"]);
  const ports = ["--mqtt", "0", "--http", "0", "--limits", "messageRate=off"];
  const proxy = await processes.role<Ports>(on, ["proxy", "--bridge", url, ...ports]);
  await until(() => chat.membership.view.members.length === 3, "three members");
  return { proxy, chat };
}

/** Messages that all are heard, acknowledged and in order. */
async function talk(from: RecordingClient, to: RecordingClient, room: string): Promise<void> {
  const heard = to.heard.length;
  for (let n = 0; n < TALK; n++) await from.say(room, String(n));
  await until(() => to.heard.length === heard + TALK, "the whole talk");
  expect(to.bodies(room).slice(heard).map(Number)).toEqual(Array.from({ length: TALK }, (_, n) => n));
}

describe.each(runtimes().map((on) => [on.name, on] as const))("on %s", (_, on) => {
  test("a link whose peer stops reading pushes back those who feed it, and nobody else", async () => {
    const { proxy, chat } = await cluster(on);
    const { ready: ports } = proxy;
    const stuck = chat.room(true);
    const free = chat.room(false);
    const speaker = await connectClient(ports, "mqtt5", "speaker");
    const ears = await connectClient(ports, "ws", "ears");
    await ears.join(free);
    await talk(speaker, ears, free);
    const before = resident(proxy);
    const feed = Buffer.concat(
      new Array<Uint8Array>(FEED_MIB * 32).fill(publish(stuck, "x".repeat(32 << 10), {}, 5)),
    );
    const feeders = await Promise.all(
      Array.from({ length: FEEDERS }, (_, n) => RawMqtt.open(ports, 5, `feeder${n}`)),
    );
    for (const { raw } of feeders) raw.write(feed);
    await until(() => chat.stalled, "a message to the server that then stalls");
    await metricIs(ports, "toychat_senders_pushed_back_total", (value) => value >= FEEDERS);
    await talk(speaker, ears, free);
    const newcomer = await connectClient(ports, "mqtt4", "newcomer");
    await talk(newcomer, ears, free);
    // 160 MiB are offered, and most of it is still where it comes from.
    expect(feeders.filter(({ raw }) => raw.socket.writableLength > 0 && !raw.ended).length).toBe(FEEDERS);
    expect(peak(proxy) - before).toBeLessThan(100 * MIB);
    for (const { raw } of feeders) raw.close();
    for (const client of [speaker, ears, newcomer]) await client.close();
  });
});
