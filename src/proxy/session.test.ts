import { describe, expect, test } from "bun:test";
import { settle } from "../../tests/support/fake_channel.ts";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import { noLog } from "../lib/log.ts";
import { Metrics } from "../lib/metrics.ts";
import type { Connection } from "../lib/transport.ts";
import type { Chunk, ClientChannel, ClientHandler, ClientProtocol, Delivery } from "../protocols/protocol.ts";
import { Admission } from "./admission.ts";
import type { Authenticate, Authorize } from "../protocols/credentials.ts";
import { Authentication } from "./authentication.ts";
import { Authorization } from "./authorization.ts";
import { PROXY_LIMITS, type ProxyLimits } from "./options.ts";
import { Session } from "./session.ts";
import type { SessionHost } from "./session_host.ts";

/** A session with a connection that notes what is done to it and a protocol of plain text. */
class Setup {
  readonly clock = new ManualClock();
  readonly metrics = new Metrics();
  /** What happened, in order. */
  readonly events: string[] = [];
  readonly dirty: Session[] = [];
  buffered = 0;
  /** Answers the authentication. */
  answer: (user: string | undefined | Error) => void = () => {};
  /** Called when the protocol gets data, and when it hears of the end. */
  onData: () => void = () => {};
  onClose: () => void = () => {};
  channel!: ClientChannel;
  readonly session: Session;

  /** Whether the connection says that it is full. */
  refuses = false;
  /** Whether what is sent stays in the connection's buffer. */
  stuck = false;
  readonly admission: Admission;

  constructor(
    limits: Partial<ProxyLimits> = {},
    slowConsumer?: "drop" | "disconnect",
    authorize?: Authorize,
    admission?: Admission,
  ) {
    this.admission = admission ?? new Admission({ ...PROXY_LIMITS, ...limits }, this.metrics);
    const protocol: ClientProtocol = {
      name: "test",
      ...(slowConsumer ? { slowConsumer } : {}),
      accept: (channel) => this.#accept(channel),
    };
    this.session = new Session(
      this.#host({ ...PROXY_LIMITS, ...limits }, authorize),
      this.#connection(),
      protocol,
      undefined,
    );
  }

  #host(limits: ProxyLimits, authorize: Authorize | undefined): SessionHost {
    const { clock, metrics } = this;
    const asking = { clock, metrics, log: noLog };
    const authenticate: Authenticate = () =>
      new Promise((resolve, reject) => {
        this.answer = (user) => user instanceof Error ? reject(user) : resolve(user);
      });
    const authentication = new Authentication(authenticate, { ...asking, limitMs: limits.authenticationMs });
    return {
      clock: this.clock,
      limits,
      metrics: this.metrics,
      log: noLog,
      admission: this.admission,
      authenticate: (credentials) => authentication.check(credentials),
      authorization: authorize && new Authorization(authorize, {
        ...asking,
        limitMs: limits.authorizationMs,
        cacheMs: limits.authorizationCacheMs,
      }),
      nextSessionId: () => "p1.b.1",
      opened: ({ user }) => void this.events.push(`opened ${user}`),
      join: (_session, room, _options, done) => {
        this.events.push(`join ${room}`);
        done(undefined);
      },
      leave: (_session, room) => void this.events.push(`leave ${room}`),
      publish: (_session, room, body) => void this.events.push(`publish ${room} ${body}`),
      closed: (_session, { kind }) => void this.events.push(`closed ${kind}`),
      dirty: (session) => void this.dirty.push(session),
    };
  }

  #connection(): Connection {
    const say = (text: string): void => void this.events.push(text);
    const connection = {
      kind: "messages",
      remoteAddress: "192.0.2.1",
      send: (chunk: Chunk) => {
        say(chunk.length > 100 ? `send ${chunk.length} characters` : `send ${chunk}`);
        if (this.stuck) this.buffered += new TextEncoder().encode(chunk as string).length;
        return !this.refuses;
      },
      sendAll: (chunks: readonly Chunk[]) => {
        say(chunks.length > 9 ? `sendAll ${chunks.length} chunks` : `sendAll ${chunks.join(" ")}`);
        if (this.stuck) this.buffered += chunks.join("").length;
        return !this.refuses;
      },
      pause: () => say("pause"),
      resume: () => say("resume"),
      close: (code?: number, reason?: string) => say(`close ${code} ${reason}`),
      terminate: () => say("terminate"),
    };
    return Object.defineProperty(connection, "bufferedAmount", {
      get: () => this.buffered,
    }) as unknown as Connection;
  }

  #accept(channel: ClientChannel): ClientHandler {
    this.channel = channel;
    const words: string[] = [];
    // A chunk may have several messages: words that begin with "+".
    const read = (): void => {
      while (words.length > 0 && !channel.held) {
        const word = words.shift();
        if (word?.startsWith("+")) channel.publish("r", word);
      }
    };
    return {
      encoding: { stream: false, encode: ({ body }) => String(body) },
      data: (chunk) => {
        this.events.push(`data ${chunk}`);
        this.onData();
        words.push(...(typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk)).split(" "));
        read();
      },
      resume: () => read(),
      get waiting() {
        return words.length;
      },
      encode: ({ body }: Delivery) => `acknowledged-${body}`,
      moved: () => {},
      left: () => {},
      end: (reason) => {
        this.events.push(`end ${reason}`);
        channel.send("farewell");
        channel.close(1001, reason);
      },
      close: () => {
        this.events.push("protocol closed");
        this.onClose();
      },
    };
  }

  async open(user = "ada"): Promise<void> {
    const opened = this.channel.open({});
    this.answer(user);
    await opened;
    this.take();
  }

  /** What happened since the last call. */
  take(): string[] {
    return this.events.splice(0);
  }

  /** The end of a turn. */
  flush(): void {
    for (const session of this.dirty.splice(0)) session.flush();
  }
}

describe("opening", () => {
  test("is not read from until it is known who it is", async () => {
    const setup = new Setup();
    const opened = setup.channel.open({ username: "ada" });
    expect(setup.take()).toEqual(["pause"]);
    setup.answer("ada lovelace");
    expect(await opened).toEqual({ user: "ada lovelace", session: "p1.b.1" });
    expect(setup.take()).toEqual(["resume", "opened ada lovelace"]);
    expect(await setup.channel.open({})).toEqual({ refused: "gone" });
  });

  test("is refused where nobody is named, or asking failed, and may be tried again", async () => {
    const setup = new Setup();
    const answers = [
      [undefined, "bad_credentials"],
      ["", "bad_credentials"],
      [new Error("no database"), "unavailable"],
      ["x".repeat(600), "bad_credentials"],
    ] as const;
    for (const [answer, refused] of answers) {
      const opened = setup.channel.open({});
      setup.answer(answer);
      expect(await opened).toMatchObject({ refused });
      expect(setup.session.state).toBe("new");
    }
    await setup.open();
    expect(setup.session.state).toBe("open");
  });

  test("comes to nothing where the connection ends meanwhile, or is being ended", async () => {
    for (const end of ["closed", "ended"] as const) {
      const setup = new Setup();
      const opened = setup.channel.open({});
      if (end === "closed") setup.session.events.close({ kind: "peer" });
      else setup.session.end("authentication_timeout");
      setup.answer("ada");
      expect(await opened).toEqual({ refused: "gone" });
      expect(setup.take()).not.toContain("opened ada");
    }
  });

  test("before it, nothing is done in rooms", () => {
    const setup = new Setup();
    const answers: unknown[] = [];
    setup.channel.join("r", {}, (refusal) => answers.push(refusal));
    setup.channel.publish("r", "x", (refusal) => answers.push(refusal));
    setup.channel.leave("r", () => answers.push("left"));
    expect([answers, setup.take()]).toEqual([["gone", "gone", "left"], []]);
  });
});

describe("reading", () => {
  test("goes on when all who wanted it paused have let go", async () => {
    const setup = new Setup();
    await setup.open();
    const { sender } = setup.session;
    sender!.push(true);
    sender!.push(true);
    expect(setup.take()).toEqual(["pause"]);
    sender!.push(false);
    sender!.push(false);
    expect(setup.take()).toEqual(["resume"]);
  });

  test("ends where the protocol throws", () => {
    const setup = new Setup();
    setup.onData = () => {
      throw new Error("a bug");
    };
    setup.session.events.data("odd");
    expect(setup.take()).toEqual(["data odd", "terminate"]);
  });
});

describe("writing", () => {
  test("happens once a turn", () => {
    const setup = new Setup();
    setup.channel.send("a");
    setup.session.deliver(["b", "", "c"]);
    setup.session.deliver([""]);
    expect([setup.take(), setup.dirty.length]).toEqual([[], 1]);
    setup.flush();
    setup.channel.send("d");
    setup.flush();
    expect(setup.take()).toEqual(["sendAll a b c", "send d"]);
  });

  test("of an acknowledged delivery keeps its place among the others", () => {
    const setup = new Setup();
    setup.session.deliver(["1"]);
    setup.session.deliverAcknowledged({ room: "r", from: "ada", body: "2", acknowledged: true });
    setup.session.deliver(["3"]);
    setup.flush();
    expect(setup.take()).toEqual(["sendAll 1 acknowledged-2 3"]);
  });

  test("is done before the connection is closed, in the same turn", () => {
    const setup = new Setup();
    setup.channel.send("last");
    setup.channel.close(1000, "bye");
    setup.channel.close(1001, "again");
    expect(setup.take()).toEqual([]);
    setup.flush();
    expect(setup.take()).toEqual(["send last", "close 1000 bye"]);
    setup.session.events.data("too late");
    expect(setup.take()).toEqual([]);
  });

  test("is not done any more after the end", () => {
    const setup = new Setup();
    setup.channel.send("a");
    setup.session.events.close({ kind: "peer" });
    setup.channel.send("b");
    setup.session.deliver(["c"]);
    setup.flush();
    expect(setup.take()).toEqual(["protocol closed", "closed peer"]);
  });

  test("a peer that does not close its side is cut off after a second", () => {
    const setup = new Setup();
    setup.session.end("kicked");
    setup.flush();
    expect(setup.take()).toEqual(["end kicked", "send farewell", "close 1001 kicked"]);
    setup.clock.advance(999);
    expect(setup.take()).toEqual([]);
    setup.clock.advance(1);
    expect(setup.take()).toEqual(["terminate"]);
  });
});

describe("a client that reads too slowly", () => {
  test("is ended, by default", () => {
    const setup = new Setup({ maxQueuedBytes: 10 });
    setup.buffered = 8;
    setup.stuck = true;
    setup.session.deliver(["12"]);
    expect(setup.take()).toEqual([]);
    setup.session.deliver(["3"]);
    setup.session.deliver(["4"]);
    expect(setup.take()).toEqual(["send 12", "end slow_consumer"]);
    expect(setup.metrics.get("toychat_slow_consumers_total")).toBe(1);
  });

  test("misses what it need not have where its protocol says so, until there is room again", () => {
    const setup = new Setup({ maxQueuedBytes: 10 }, "drop");
    setup.buffered = 10;
    setup.session.deliver(["1"]);
    setup.buffered = 0;
    setup.session.deliver(["2"]);
    setup.flush();
    expect(setup.take()).toEqual(["send 2"]);
  });

  test("is ended rather than miss an acknowledged delivery, whatever its protocol says", () => {
    const setup = new Setup({ maxQueuedBytes: 10 }, "drop");
    setup.buffered = 11;
    setup.session.deliverAcknowledged({ room: "r", from: "ada", body: "1", acknowledged: true });
    expect(setup.take()).toEqual(["end slow_consumer"]);
  });
});

describe("what alone is longer than may wait", () => {
  const LONG = "x".repeat(1500);

  /** A session that may have 1000 bytes waiting, with a connection that takes nothing. */
  function stuck(slowConsumer?: "drop" | "disconnect"): Setup {
    const setup = new Setup({ maxQueuedBytes: 1000 }, slowConsumer);
    setup.stuck = true;
    setup.refuses = true;
    return setup;
  }

  const acknowledged = (setup: Setup, body: string): void =>
    setup.session.deliverAcknowledged({ room: "r", from: "ada", body, acknowledged: true });

  test("reaches a client that reads, and so does what follows it", () => {
    for (const policy of ["drop", "disconnect"] as const) {
      const setup = stuck(policy);
      setup.session.deliver([LONG]);
      setup.flush();
      setup.session.deliver(["y".repeat(900)]);
      setup.flush();
      setup.buffered = 100;
      setup.session.deliver([LONG]);
      setup.flush();
      const events = ["send 1500 characters", "send 900 characters", "send 1500 characters"];
      expect([policy, ...setup.take()]).toEqual([policy, ...events]);
    }
  });

  test("comes through behind others of its turn, as one delivery with them, and in another room", () => {
    const setup = stuck();
    setup.session.deliver(["y".repeat(900)]);
    setup.session.deliver(["1", LONG, "2"]);
    setup.session.deliver(["3"]);
    setup.flush();
    expect(setup.take()).toEqual(["send 900 characters", `sendAll 1 ${LONG} 2`, "send 3"]);
  });

  test("ends, or is not for, a client that has not read the last one, so that its memory has a bound", () => {
    const slow = stuck();
    slow.session.deliver([LONG]);
    slow.session.deliver([LONG]);
    expect(slow.take()).toEqual(["send 1500 characters", "end slow_consumer"]);
    const lossy = stuck("drop");
    for (let i = 0; i < 9; i++) lossy.session.deliver([LONG]);
    lossy.flush();
    expect([lossy.take(), lossy.buffered]).toEqual([["send 1500 characters"], 1500]);
  });

  test("ends, or is not for, a client that does not read what came behind it", () => {
    const setup = stuck();
    setup.session.deliver([LONG]);
    for (let i = 0; i < 10; i++) setup.session.deliver(["y".repeat(100)]);
    setup.flush();
    expect(setup.session.ending).toBe(false);
    setup.session.deliver(["y"]);
    expect(setup.session.ending).toBe(true);
  });

  test("is as good where it is acknowledged, and where it comes as an answer", () => {
    const setup = stuck("drop");
    acknowledged(setup, LONG);
    setup.flush();
    expect(setup.session.ending).toBe(false);
    acknowledged(setup, LONG);
    expect(setup.session.ending).toBe(true);
    const other = stuck("drop");
    other.channel.send("x".repeat(100_000));
    other.flush();
    expect(other.session.ending).toBe(false);
  });

  test("counts in bytes, whatever its characters take", () => {
    const setup = new Setup({ maxQueuedBytes: 100_000 });
    setup.stuck = true;
    setup.refuses = true;
    setup.session.deliver(["語".repeat(70_000)]);
    setup.flush();
    expect([setup.buffered, setup.session.ending]).toEqual([210_000, false]);
  });
});

test("a will that is published as the connection ends is still sent", async () => {
  const setup = new Setup();
  await setup.open();
  setup.onClose = () => setup.channel.publish("r", "my will");
  setup.session.events.close({ kind: "error" });
  expect(setup.take()).toEqual(["protocol closed", "publish r my will", "closed error"]);
});

describe("limits", () => {
  test("a client that does not read its answers is ended, and what waited for it is dropped", async () => {
    const setup = new Setup({ maxQueuedBytes: 10 }, "drop");
    await setup.open();
    setup.buffered = 10 + (64 << 10);
    setup.refuses = true;
    setup.channel.send("1");
    setup.flush();
    expect(setup.take()).toEqual(["send 1"]);
    setup.buffered++;
    setup.channel.send("2");
    setup.flush();
    expect(setup.take()).toEqual(["send 2", "end slow_consumer"]);
    setup.flush();
    expect(setup.take()).toEqual(["send farewell", "close 1001 slow_consumer"]);
    expect(setup.metrics.get("toychat_slow_consumers_total")).toBe(1);
  });

  test("answers of one turn do not end who reads, whatever was delivered before them", async () => {
    const setup = new Setup({ maxQueuedBytes: 100_000 });
    await setup.open();
    for (let i = 0; i < 9; i++) setup.session.deliver(["x".repeat(10_000)]);
    for (let i = 0; i < 9; i++) setup.channel.send("x".repeat(10_000));
    setup.flush();
    expect(setup.session.ending).toBe(false);
  });

  test("answers of one turn have an end, too", async () => {
    const setup = new Setup({ maxQueuedBytes: 2048 });
    await setup.open();
    setup.stuck = true;
    for (let i = 0; i < 100; i++) setup.channel.send("x".repeat(1024));
    setup.flush();
    expect(setup.take()).toEqual([
      "sendAll 66 chunks",
      "end slow_consumer",
      "send farewell",
      "close 1001 slow_consumer",
    ]);
  });

  test("who is turned away hears why, once the protocol waits for the answer", async () => {
    const setup = new Setup({ maxConnectionsPerAddress: 1 });
    const other = new Setup({ maxConnectionsPerAddress: 1 }, undefined, undefined, setup.admission);
    const opened = other.channel.open({});
    expect(other.take()).toEqual([]);
    expect(await opened).toEqual({ refused: "gone" });
    other.flush();
    expect(other.take()).toEqual([
      "end too_many_connections",
      "send farewell",
      "close 1001 too_many_connections",
    ]);
  });

  test("who sends too fast is not read for a while, and whoever else wants it not read is heeded", async () => {
    const setup = new Setup({ messageRate: 10, messageBurst: 1 });
    await setup.open();
    setup.channel.publish("r", "1");
    setup.channel.charge();
    setup.session.sender?.push(true);
    expect(setup.take()).toEqual(["publish r 1", "pause"]);
    expect(setup.channel.paused).toBe(true);
    setup.clock.advance(1000);
    expect(setup.take()).toEqual([]);
    setup.session.sender?.push(false);
    expect(setup.take()).toEqual(["resume"]);
    expect(setup.channel.paused).toBe(false);
  });

  test("who sends too fast has sent no more than it may, however much has come at once, and all of it in order", async () => {
    const setup = new Setup({ messageRate: 10, messageBurst: 3 });
    await setup.open();
    const sent = (): string[] =>
      setup.take().filter((event) => event.startsWith("publish")).map((event) => event.slice(10));
    setup.session.events.data("+1 +2 +3 +4 +5 +6");
    const memory = new TextEncoder().encode("+7 +8");
    setup.session.events.data(memory);
    memory.fill(0);
    setup.session.events.data("+9");
    // One more than the burst: it is found out by it.
    expect(sent()).toEqual(["+1", "+2", "+3", "+4"]);
    expect(setup.channel.paused).toBe(true);
    const later: string[][] = [];
    for (let i = 0; i < 6; i++) {
      setup.clock.advance(100);
      later.push(sent());
    }
    expect(later).toEqual([["+5"], ["+6"], ["+7"], ["+8"], ["+9"], []]);
    expect(setup.channel.paused).toBe(false);
  });

  test("what waits for the rate is taken when the client ends, or the proxy does: nothing is lost", async () => {
    const ends: Record<string, (setup: Setup) => void> = {
      "the client": (setup) => setup.session.events.close({ kind: "peer" }),
      "the proxy": (setup) => setup.session.end("shutting_down"),
    };
    for (const [who, end] of Object.entries(ends)) {
      const setup = new Setup({ messageRate: 10, messageBurst: 1 });
      await setup.open();
      setup.session.events.data("+1 +2 +3");
      setup.session.events.data("+4");
      setup.take();
      end(setup);
      expect([who, ...setup.take().slice(0, 4)]).toEqual([
        who,
        "publish r +3",
        "data +4",
        "publish r +4",
        who === "the client" ? "protocol closed" : "end shutting_down",
      ]);
    }
  });

  test("what waits may end the session as the client ends, and leaves no timer behind", async () => {
    const setup = new Setup({ messageRate: 10, messageBurst: 1 });
    await setup.open();
    const before = setup.clock.pending;
    setup.session.events.data("+1 +2 +3");
    setup.session.events.data("bye");
    setup.onData = () => setup.channel.close();
    setup.session.events.close({ kind: "peer" });
    expect(setup.take()).toContain("closed peer");
    expect(setup.clock.pending).toBe(before);
  });

  test("who is a minute ahead in what has come already is ended, and so is who is read although it is not", async () => {
    const far = new Setup({ messageRate: 1, messageBurst: 1 });
    await far.open();
    far.session.events.data(Array.from({ length: 63 }, (_, n) => `+${n}`).join(" "));
    expect(far.take().slice(-3)).toEqual(["pause", "end rate_exceeded", "publish r +1"]);
    const leaky = new Setup({ messageRate: 1000, messageBurst: 1 });
    await leaky.open();
    leaky.session.events.data("+1 +2 +3");
    for (let i = 0; i < 3; i++) leaky.session.events.data("x".repeat(1 << 20));
    expect(leaky.session.ending).toBe(true);
    expect(leaky.metrics.get("toychat_rate_exceeded_total")).toBe(1);
  });
});

describe("authorization", () => {
  /** A session whose questions the test answers. */
  async function asking(limits: Partial<ProxyLimits> = {}) {
    const asked: { what: string; answer: (may: boolean) => void }[] = [];
    const setup = new Setup(
      limits,
      undefined,
      (user, action, room) =>
        new Promise((resolve) => asked.push({ what: `${user.id} ${action} ${room}`, answer: resolve })),
    );
    await setup.open();
    return { setup, asked };
  }

  test("what was sent before the end is sent on after it, the will last; a join is not", async () => {
    const { setup, asked } = await asking();
    const refusals: unknown[] = [];
    setup.channel.publish("r", "last words");
    setup.channel.join("r", {}, (refusal) => refusals.push(refusal));
    setup.onClose = () => setup.channel.publish("r", "my will", undefined, true);
    setup.session.events.close({ kind: "error" });
    expect(asked.map(({ what }) => what)).toEqual(["ada publish r", "ada join r", "ada will r"]);
    for (const { answer } of asked) answer(true);
    await settle();
    expect(refusals).toEqual(["gone"]);
    expect(setup.take()).toEqual([
      "pause",
      "protocol closed",
      "closed error",
      "publish r last words",
      "publish r my will",
      "resume",
    ]);
  });

  test("a will that the user may not have is refused with the session, or is not sent where that is lost", async () => {
    const { setup, asked } = await asking();
    setup.onClose = () => setup.channel.publish("r", "my will", undefined, true);
    setup.session.events.close({ kind: "error" });
    asked[0]!.answer(false);
    await settle();
    expect(setup.take()).not.toContain("publish r my will");
    for (const [may, refused] of [[false, "not_authorized"], [new Error("down"), "unavailable"]] as const) {
      const other = new Setup({}, undefined, () => {
        if (may instanceof Error) throw may;
        return may;
      });
      const opened = other.channel.open({}, { will: "r" });
      other.answer("ada");
      expect(await opened).toMatchObject({ refused });
    }
  });

  test("leaving waits its turn behind what was sent before", async () => {
    const { setup, asked } = await asking();
    setup.channel.publish("r", "bye");
    setup.channel.leave("r", () => setup.events.push("left"));
    expect(setup.take()).toEqual(["pause"]);
    asked[0]!.answer(true);
    await settle();
    expect(setup.take()).toEqual(["publish r bye", "leave r", "left", "resume"]);
  });
});
