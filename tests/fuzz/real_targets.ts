/**
 * What can be attacked over TCP, on each runtime: WebSocket frames, HTTP and MQTT as bytes.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Random } from "../support/virtual_clock.ts";
import type { RuntimeName } from "../support/runtimes.ts";
import { concat } from "./bytes.ts";
import { closeFrame, framesInput } from "./frame_inputs.ts";
import { httpInput } from "./http_inputs.ts";
import type { Input } from "./input.ts";
import { mqttInput } from "./mqtt_inputs.ts";
import { exchange, RealWorld } from "./real_world.ts";
import { batchInputs, type Failure, type Progress } from "./run.ts";

/** Clients at a time. */
const BATCH = 100;
/** Batches between two looks for what is left over. */
const BATCHES_TO_REST = 20;

/** A target in a process of its own. */
export interface RealTarget {
  readonly name: string;
  readonly about: string;
  readonly weight: number;
  readonly runtime: RuntimeName;
  make(random: Random): Input;
  /** Plays one input; gives what is wrong with how it was answered. */
  play(world: RealWorld, input: Input): Promise<string | undefined>;
}

/** The bytes of a request that opens a WebSocket. */
export function upgradeRequest(path: string, headers: Readonly<Record<string, string>> = {}): Uint8Array {
  const all: Record<string, string> = {
    Host: "127.0.0.1",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return Buffer.from([`GET ${path} HTTP/1.1`, ...lines, "", ""].join("\r\n"));
}

const MQTT = { "Sec-WebSocket-Protocol": "mqtt" };
const DEFLATE = { "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" };

async function playFrames(world: RealWorld, { variant, chunks }: Input): Promise<string | undefined> {
  const mqtt = variant === "mqtt";
  const headers: Record<string, string> = mqtt ? MQTT : variant === "deflate" ? DEFLATE : {};
  const request = upgradeRequest(mqtt ? "/mqtt" : "/ws?user=eve", headers);
  const bytes = chunks as Uint8Array[];
  const { reply, ended } = await exchange(world.ports.http, [
    concat([request, bytes[0] ?? request.subarray(0, 0)]),
    ...bytes.slice(1),
    closeFrame(),
  ]);
  const text = reply.toString("latin1");
  if (!text.startsWith("HTTP/1.1 101 ") && reply.length > 0) {
    return `the upgrade was answered ${text.slice(0, 200)}`;
  }
  if (/^sec-websocket-extensions:/im.test(text.split("\r\n\r\n")[0] ?? "")) {
    return "compression was negotiated";
  }
  return ended ? undefined : "the server did not end the connection";
}

async function playHttp(world: RealWorld, { chunks }: Input): Promise<string | undefined> {
  const { reply, ended } = await exchange(world.ports.http, chunks as Uint8Array[]);
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(reply.toString("latin1"))?.[1];
  if (reply.length > 0 && status === undefined) {
    return `no answer in HTTP: ${reply.toString("hex").slice(0, 200)}`;
  }
  if (status === "500") return `answered ${reply.toString("latin1").slice(0, 300)}`;
  return ended ? undefined : "the server did not end the connection";
}

async function playMqtt(world: RealWorld, { chunks }: Input): Promise<string | undefined> {
  const { ended } = await exchange(world.ports.mqtt, chunks as Uint8Array[]);
  return ended ? undefined : "the server did not end the connection";
}

function on(runtime: RuntimeName): RealTarget[] {
  const target = (
    name: string,
    about: string,
    make: RealTarget["make"],
    play: RealTarget["play"],
  ): RealTarget => ({
    name: `${name}-${runtime}`,
    about: `${about}, against a process on ${runtime}`,
    weight: 1,
    runtime,
    make,
    play,
  });
  return [
    target("frames", "WebSocket frames", framesInput, playFrames),
    target("http", "HTTP requests", httpInput, playHttp),
    target("tcp", "MQTT", mqttInput, playMqtt),
  ];
}

/** Everything that can be attacked over TCP. */
export const REAL_TARGETS: readonly RealTarget[] = (["bun", "deno", "node"] as const).flatMap(on);

async function playAll(world: RealWorld, target: RealTarget, inputs: readonly Input[]): Promise<string[]> {
  const answers = Promise.all(inputs.map((input) => target.play(world, input)));
  const disturbed = await world.round();
  const problems = (await answers).flatMap((problem) => problem === undefined ? [] : [problem]);
  return [...problems, ...disturbed];
}

/** Plays inputs one after the other in a process of their own; the first that does harm is found. */
export async function playReal(
  target: RealTarget,
  inputs: readonly Input[],
): Promise<{ inputs: Input[]; problems: string[] }> {
  const world = await RealWorld.make(target.runtime);
  try {
    for (const input of inputs) {
      const problems = await playAll(world, target, [input]);
      if (problems.length > 0) return { inputs: [input], problems };
    }
    return { inputs: [...inputs], problems: await world.rest() };
  } finally {
    await world.end();
  }
}

/** Runs batches of a target, from one on; the first failure ends it. */
export async function runReal(
  target: RealTarget,
  seed: number,
  first: number,
  batches: number,
  progress: Progress,
): Promise<Failure | undefined> {
  const world = await RealWorld.make(target.runtime);
  const fail = async (inputs: Input[], batch: number, problems: string[]): Promise<Failure> => {
    const alone = await playReal(target, inputs);
    const found = alone.problems.length > 0 ? alone : { inputs, problems };
    return { target: target.name, batch, ...found };
  };
  try {
    for (let batch = first; batch < first + batches; batch++) {
      const inputs = batchInputs(target, seed, batch, BATCH);
      const problems = await playAll(world, target, inputs);
      const last = batch === first + batches - 1;
      if (problems.length === 0 && (last || batch % BATCHES_TO_REST === 0)) {
        problems.push(...await world.rest());
      }
      if (problems.length > 0) return await fail(inputs, batch, problems);
      progress.done(BATCH);
    }
    return undefined;
  } finally {
    await world.end();
  }
}
