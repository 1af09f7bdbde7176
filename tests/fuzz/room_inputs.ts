/**
 * Names of rooms: each is either a room like any other, from end to end, or refused as no room.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Random } from "../support/virtual_clock.ts";
import { connect, publish, subscribe, unwire } from "../support/mqtt_wire.ts";
import { concat } from "./bytes.ts";
import type { DirectConnection } from "./connection.ts";
import type { Chunk, Input } from "./input.ts";
import type { Attempt } from "./targets.ts";
import { hostileName } from "./text.ts";
import type { World } from "./world.ts";

const MOST_BYTES = 512;
const INVALID = 0x8f;
const INVALID_NAME = 0x90;

/** The rule, written again: what a room may be called. */
export function mayBeRoom(name: string): boolean {
  return name !== "" && !/^\$|[+#\0]/.test(name) && name.isWellFormed() &&
    Buffer.byteLength(name) <= MOST_BYTES;
}

/** The name as a JSON string, so that halves of surrogate pairs survive the way here. */
export function roomInput(random: Random): Input {
  const variant = random.pick(["json", "mqtt4", "mqtt5"]);
  const name = hostileName(random);
  const sent = variant === "json" ? name : name.slice(0, 20_000).toWellFormed();
  return { variant, chunks: [JSON.stringify(sent)] };
}

/** A client that joins the room, says something, and leaves. */
export function startRoom(world: World, { variant, chunks }: Input): Attempt {
  const name = JSON.parse(String(chunks[0])) as string;
  return variant === "json" ? startJson(world, name) : startMqtt(world, name, variant === "mqtt5" ? 5 : 4);
}

function startJson(world: World, room: string): Attempt {
  const connection = world.client("json", "eve");
  const tell = (fields: object): void => connection.feed(JSON.stringify(fields));
  world.clock.after(1, () => tell({ type: "join", room, id: 1 }));
  world.clock.after(6, () => tell({ type: "message", room, body: "here", id: 2 }));
  world.clock.after(18, () => tell({ type: "leave", room, id: 3 }));
  return {
    problem() {
      const { ending, received } = connection;
      // Longer than any message may be.
      if (ending) {
        return ending.code === 1009 && room.length > MOST_BYTES ? undefined : `cut off: ${ending.reason}`;
      }
      return jsonProblem(received, room);
    },
    end: () => connection.hangUp(),
  };
}

function jsonProblem(received: readonly Chunk[], room: string): string | undefined {
  const all = received.map((chunk) => JSON.parse(String(chunk)) as Record<string, unknown>);
  const answers = [1, 2, 3].map((id) => all.find((message) => message.id === id));
  if (!mayBeRoom(room)) {
    const good = answers.every((answer) => answer?.type === "error" && answer.code === "invalid_room");
    return good ? undefined : `not refused: ${JSON.stringify(answers)}`;
  }
  const kinds = answers.map((answer) => answer?.type).join();
  const echo = all.find(({ type, from, body }) => type === "message" && from === "eve" && body === "here");
  if (kinds !== "joined,ack,left") return `answered ${kinds}: ${JSON.stringify(answers)}`;
  return echo?.room === room && answers[0]?.room === room
    ? undefined
    : `came back as ${JSON.stringify(echo)}`;
}

function startMqtt(world: World, room: string, version: 4 | 5): Attempt {
  const connection = world.client("tcp");
  connection.feed(
    connect({
      clientId: `rooms-${world.clock.now()}-${room.length}-${world.clock.random()}`,
      protocolVersion: version,
    }),
  );
  connection.feed(subscribe(1, { [room]: 0 }, {}, version));
  world.clock.after(6, () => connection.feed(raw(room, version)));
  return { problem: () => packetsProblem(connection, room, version), end: () => connection.hangUp() };
}

function raw(room: string, version: 4 | 5): Uint8Array {
  try {
    return publish(room, "here", { qos: 1, messageId: 2 }, version);
  } catch {
    // mqtt-packet does not write an empty topic.
    return Uint8Array.from(version === 4 ? [0x32, 4, 0, 0, 0, 2] : [0x32, 5, 0, 0, 0, 2, 0]);
  }
}

function packetsProblem(
  { received, ending }: DirectConnection,
  room: string,
  version: 4 | 5,
): string | undefined {
  // A NUL, and an empty topic, are malformed in MQTT itself.
  if (ending) return room.includes("\0") || room === "" ? undefined : `cut off over ${JSON.stringify(room)}`;
  const packets = unwire(concat(received.filter((chunk) => typeof chunk !== "string")), version);
  const suback = packets.find((packet) => packet.cmd === "suback");
  const puback = packets.find((packet) => packet.cmd === "puback");
  if (suback?.cmd !== "suback" || puback?.cmd !== "puback") return "SUBACK or PUBACK is missing";
  const granted = Number(suback.granted[0]);
  const good = mayBeRoom(room);
  if (room === "$toychat/moved") return undefined;
  if (good !== granted < 0x80 || (!good && version === 5 && granted < INVALID)) {
    return `SUBACK says ${granted}`;
  }
  if (version === 5 && good !== ((puback.reasonCode ?? 0) === 0)) return `PUBACK says ${puback.reasonCode}`;
  if (version === 5 && !good && puback.reasonCode !== INVALID_NAME) return `PUBACK says ${puback.reasonCode}`;
  const echo = packets.some((packet) => packet.cmd === "publish" && packet.topic === room);
  return echo === good ? undefined : `the message ${good ? "did not come" : "came"} back`;
}
