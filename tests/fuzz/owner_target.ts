/**
 * A hostile ChatServer: what a proxy dials, and what answers it. Each input gets a proxy of its own, with a user on it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { HelloFrame, WelcomeFrame } from "../../src/link/frames.ts";
import { acceptProof } from "../../src/link/proof.ts";
import type { Transport } from "../../src/lib/transport.ts";
import { LocalMembership } from "../../src/membership/local.ts";
import { websocket } from "../../src/protocols/websocket.ts";
import { ProxyServer } from "../../src/proxy/proxy_server.ts";
import { createContext } from "../../transports/context.ts";
import { DirectConnection } from "./connection.ts";
import type { Input } from "./input.ts";
import type { Attempt } from "./targets.ts";
import { SHARED_ROOM } from "./text.ts";
import type { World } from "./world.ts";

/** What the proxy sends that is not to be sent: nothing of it listens. */
function never(): Promise<never> {
  return Promise.reject(new Error("this proxy listens nowhere"));
}

/** A ChatServer at the other end of what a proxy dials. */
class Owner {
  readonly connections: DirectConnection[] = [];
  readonly transport: Transport;
  readonly #world: World;
  readonly #incarnation: () => string;
  readonly #talk: (connection: DirectConnection) => void;

  constructor(
    world: World,
    raw: boolean,
    incarnation: () => string,
    talk: (connection: DirectConnection) => void,
  ) {
    this.#world = world;
    this.#incarnation = incarnation;
    this.#talk = talk;
    this.transport = {
      name: "owner",
      createContext,
      listen: never,
      serve: never,
      connect: (_address, handler) => {
        const connection = new DirectConnection(world.clock, "bytes").attach(handler);
        // The first one is the input's; later ones are refused, in a peer's manner.
        if (this.connections.push(connection) > 1) connection.hangUp();
        else if (raw) talk(connection);
        else this.#greet(connection);
        return Promise.resolve(connection);
      },
    };
  }

  #greet(connection: DirectConnection): void {
    const ours: HelloFrame = {
      type: "hello",
      version: 1,
      role: "chat",
      id: "evil",
      incarnation: this.#incarnation(),
      cluster: "toychat",
      nonce: "0123456789abcdefABCDEF",
    };
    connection.onSend = (chunk) => {
      connection.onSend = undefined;
      const theirs = JSON.parse(Buffer.from(chunk as string).toString()) as HelloFrame;
      const welcome: WelcomeFrame = { type: "welcome", link: "evil-link", received: 0 };
      const { secret } = this.#world;
      if (secret !== undefined) welcome.mac = acceptProof(secret, ours, theirs, welcome);
      this.#world.clock.defer(() => {
        this.#tell(connection, welcome);
        this.#talk(connection);
      });
    };
    this.#world.clock.defer(() => this.#tell(connection, ours));
  }

  #tell(connection: DirectConnection, frame: object): void {
    connection.feed(Buffer.from(JSON.stringify(frame) + "\n"));
  }
}

/** A proxy that dials a hostile ChatServer, with a user in the room that it owns. */
export function startOwner(world: World, { variant, chunks }: Input): Attempt {
  const { clock, secret } = world;
  const membership = new LocalMembership({ clock });
  let incarnation = "none";
  let session = "";
  const talk = (connection: DirectConnection): void => {
    // Once the user has asked to join: then frames about it mean something.
    clock.after(3, () => {
      for (const chunk of chunks) connection.feed(named(chunk as Uint8Array, session));
    });
  };
  const owner = new Owner(world, variant === "raw", () => incarnation, talk);
  const options = { membership, transport: owner.transport, clock, log: world.log, id: "px" };
  const proxy = new ProxyServer(secret === undefined ? options : { ...options, secret });
  const user = new DirectConnection(clock, "messages");
  const start = async (): Promise<void> => {
    incarnation = (await membership.join({ id: "evil", role: "chat", address: "203.0.113.9:1" })).incarnation;
    await proxy.start();
    user.attach((connection) => proxy.accept(connection, websocket()));
    user.onSend = (chunk) => session ||= (JSON.parse(String(chunk)) as { session?: string }).session ?? "";
    user.feed(JSON.stringify({ type: "join", room: SHARED_ROOM }));
    user.feed(JSON.stringify({ type: "message", room: SHARED_ROOM, body: "hello", id: 1 }));
  };
  start().catch((error) => world.uncaught(error));
  return {
    problem: () => ownerProblem(user, proxy, owner),
    end() {
      proxy.stop().catch((error) => world.uncaught(error));
    },
  };
}

function named(chunk: Uint8Array, session: string): Uint8Array {
  return new Uint8Array(
    Buffer.from(Buffer.from(chunk).toString("latin1").replaceAll("p1.bbbb.1", session), "latin1"),
  );
}

/** Whatever the owner says, the user's connection stands, and what it gets is the protocol's. */
function ownerProblem(user: DirectConnection, proxy: ProxyServer, owner: Owner): string | undefined {
  if (owner.connections.length === 0) return "the proxy did not dial";
  if (user.over || proxy.sessions !== 1) return `the user was cut off: ${JSON.stringify(user.ending)}`;
  for (const chunk of user.received) {
    const { type } = JSON.parse(String(chunk)) as { type?: unknown };
    if (typeof type !== "string") return `the user was sent ${String(chunk).slice(0, 200)}`;
  }
  return undefined;
}
