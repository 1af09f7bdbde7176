/**
 * What can be attacked inside this process, how an input gets there, and what its sender must be told.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { HelloFrame } from "../../src/link/frames.ts";
import { bridgeToken } from "../../src/membership/bridge_tokens.ts";
import { dialProof } from "../../src/link/proof.ts";
import type { Random } from "../support/virtual_clock.ts";
import type { DirectConnection } from "./connection.ts";
import type { Chunk, Input } from "./input.ts";
import { messagesInput, rpcInput, TOKEN_PLACES } from "./json_inputs.ts";
import { linkInput, ownerInput } from "./link_inputs.ts";
import { mqttInput } from "./mqtt_inputs.ts";
import { startOwner } from "./owner_target.ts";
import { mqttProblem, rpcProblem, socketProblem } from "./refusals.ts";
import { roomInput, startRoom } from "./room_inputs.ts";
import { SECRET, type World } from "./world.ts";

/** One hostile client, under way. */
export interface Attempt {
  /** What is wrong with how it was answered; undefined where nothing is. Asked after the round. */
  problem(): string | undefined;
  /** Closes its connections. */
  end(): void;
}

/** Something to attack. */
export interface Target {
  readonly name: string;
  readonly about: string;
  /** Its share of a run's inputs. */
  readonly weight: number;
  /** The secret of its world. */
  readonly secret?: string;
  make(random: Random): Input;
  start(world: World, input: Input): Attempt;
}

function attempt(connection: DirectConnection, problem: () => string | undefined): Attempt {
  return {
    problem: () =>
      connection.changedAfterSending() ? "bytes were changed after they had been sent" : problem(),
    end: () => connection.hangUp(),
  };
}

function startMqtt(world: World, { variant, chunks }: Input): Attempt {
  const connection = world.client(variant === "ws" ? "ws" : "tcp");
  for (const chunk of chunks) connection.feed(chunk);
  return attempt(connection, () => mqttProblem(connection, chunks));
}

function startMessages(world: World, { variant, chunks }: Input): Attempt {
  const connection = world.client("json", "eve");
  const feed = (): void => {
    for (const chunk of chunks) connection.feed(chunk);
  };
  // Before the session is open, or after.
  if (variant === "ws-early") feed();
  else world.clock.after(1, feed);
  return attempt(connection, () => socketProblem(connection, chunks));
}

/** A hostile peer names the session of a witness where its input names `p1.bbbb.1`. */
function withSession(chunk: Chunk, session: string): Uint8Array {
  const text = Buffer.from(chunk as string).toString("latin1");
  return new Uint8Array(Buffer.from(text.replaceAll("p1.bbbb.1", session), "latin1"));
}

function startLink(world: World, { variant, chunks }: Input): Attempt {
  const connection = world.link();
  if (variant !== "raw") shakeHands(world, connection, variant === "chat" ? "chat" : "proxy");
  confirmAll(world, connection);
  for (const chunk of chunks) connection.feed(withSession(chunk, world.session));
  return {
    problem: () => linkProblem(connection, variant),
    end() {
      // Without this the link waits for another connection, and acknowledgements for its deliveries with it.
      connection.feed(GOODBYE);
      connection.hangUp();
    },
  };
}

const GOODBYE = Buffer.from('\n{"type":"goodbye","code":"closed","message":"done"}\n');

/** Confirms every frame, as peers do: what members take is acknowledged only then. */
function confirmAll(world: World, connection: DirectConnection): void {
  let confirmed = 0;
  connection.onSend = (chunk) => {
    const last = /^.*\{"n":(\d+)/s.exec(text(chunk))?.[1];
    if (last === undefined || Number(last) <= confirmed) return;
    confirmed = Number(last);
    world.clock.defer(() => connection.feed(Buffer.from(`{"type":"confirm","n":${last}}\n`)));
  };
}

function shakeHands(world: World, connection: DirectConnection, role: "chat" | "proxy"): void {
  const theirs = JSON.parse(text(connection.received[0])) as HelloFrame;
  const ours: HelloFrame = {
    type: "hello",
    version: 1,
    role,
    id: "evil",
    incarnation: "aaaa",
    cluster: "toychat",
    nonce: "0123456789abcdefABCDEF",
  };
  if (world.secret !== undefined) ours.mac = dialProof(world.secret, theirs, ours);
  connection.feed(Buffer.from(JSON.stringify(ours) + "\n"));
}

function text(chunk: Chunk | undefined): string {
  return typeof chunk === "string" ? chunk : Buffer.from(chunk ?? []).toString();
}

/** A link that ends says why in its last line. */
function linkProblem(connection: DirectConnection, variant: string): string | undefined {
  const said = connection.received.map(text).join("");
  if (variant !== "raw" && !said.includes('"type":"welcome"')) return `the handshake was refused: ${said}`;
  if (connection.ending?.how !== "closed") return undefined;
  const last = said.trimEnd().split("\n").at(-1) ?? "";
  // It answers a goodbye by ending the connection.
  return last.includes('"type":"goodbye"') || said.endsWith("\n") ? undefined : `a link ended with ${last}`;
}

/** A text with the tokens of the world's secret in their places. */
function withTokens({ secret = "none" }: World, text: string): string {
  return TOKEN_PLACES.reduce((filled, place) => {
    const scope = place.slice(1, -1) as "read" | "member" | "admin";
    return filled.includes(place) ? filled.replaceAll(place, bridgeToken(secret, scope)) : filled;
  }, text);
}

function startRpc(world: World, { variant, chunks }: Input): Attempt {
  let connection: DirectConnection | undefined;
  let answer: Response | undefined;
  const post = variant !== "ws";
  const headers = new Headers({ "content-type": "application/json" });
  if (variant === "post-token") headers.set("authorization", withTokens(world, "Bearer @member@"));
  const request = post
    ? new Request("http://bridge/rpc", {
      method: "POST",
      body: String(chunks[0] ?? ""),
      headers,
    })
    : new Request("http://bridge/rpc", { headers: { upgrade: "websocket" } });
  world.ask(request).then((reply) => {
    answer = reply.response;
    connection = reply.connection;
    for (const chunk of chunks) {
      connection?.feed(typeof chunk === "string" ? withTokens(world, chunk) : chunk);
    }
  }, (error) => world.uncaught(error));
  return {
    problem: () => rpcProblem(connection, chunks, answer),
    end: () => connection?.hangUp(),
  };
}

/** Everything in this process that can be attacked. */
export const TARGETS: readonly Target[] = [
  {
    name: "mqtt",
    weight: 30,
    about: "MQTT 3.1.1 and 5, over TCP and WebSocket",
    make: mqttInput,
    start: startMqtt,
  },
  {
    name: "json",
    weight: 24,
    about: "JSON messages over WebSocket",
    make: messagesInput,
    start: startMessages,
  },
  {
    name: "rooms",
    weight: 10,
    about: "names of rooms, in both protocols",
    make: roomInput,
    start: startRoom,
  },
  { name: "link", weight: 12, about: "frames of links", make: linkInput, start: startLink },
  {
    name: "link-secret",
    weight: 12,
    about: "the same with a secret",
    secret: SECRET,
    make: linkInput,
    start: startLink,
  },
  {
    name: "owner",
    weight: 0.5,
    about: "frames of a ChatServer that a proxy has dialled",
    make: ownerInput,
    start: startOwner,
  },
  {
    name: "owner-secret",
    weight: 0.5,
    about: "the same with a secret",
    secret: SECRET,
    make: ownerInput,
    start: startOwner,
  },
  { name: "rpc", weight: 6, about: "JSON-RPC of the bridge", make: rpcInput, start: startRpc },
  {
    name: "rpc-secret",
    weight: 6,
    about: "the same with a secret",
    secret: SECRET,
    make: rpcInput,
    start: startRpc,
  },
];
