/**
 * Well-behaved users, who must notice nothing: one over MQTT, one over WebSocket, in the room that the hostile ones visit
 * and in one of their own. What they say carries a word that nobody else knows.
 *
 * @module
 */
import type { Clock } from "../../src/lib/clock.ts";
import { mqtt } from "../../src/protocols/mqtt.ts";
import { websocket } from "../../src/protocols/websocket.ts";
import type { ProxyServer } from "../../src/proxy/proxy_server.ts";
import { connect, publish, subscribe, unwire, wire } from "../support/mqtt_wire.ts";
import { concat } from "./bytes.ts";
import { DirectConnection } from "./connection.ts";
import { SHARED_ROOM } from "./text.ts";

/** A room that only witnesses know. */
export const QUIET_ROOM = "quiet";
const ROOMS = [SHARED_ROOM, QUIET_ROOM] as const;

/** A well-behaved user. */
export interface Witness {
  readonly name: string;
  /** The session's id, where its protocol tells it. */
  readonly session: string | undefined;
  readonly connection: DirectConnection;
  /** Says something in both rooms, with an acknowledgement. */
  say(text: string): void;
  /** Reads what has come: what was heard of witnesses by room, and the number of good acknowledgements. */
  listen(): { heard: Map<string, string[]>; acknowledged: number; trouble: string | undefined };
}

/** Everything that witnesses say begins with this. */
export function spoken(text: unknown, word: string): text is string {
  return typeof text === "string" && text.startsWith(word);
}

function nothingHeard(): Map<string, string[]> {
  return new Map(ROOMS.map((room) => [room, []]));
}

/** A user on MQTT 5. */
export function mqttWitness(name: string, proxy: ProxyServer, clock: Clock, word: string): Witness {
  const connection = new DirectConnection(clock, "bytes").attach((c) => proxy.accept(c, mqtt()));
  connection.feed(connect({ clientId: `${word}${name}`, username: name, protocolVersion: 5 }));
  connection.feed(subscribe(1, Object.fromEntries(ROOMS.map((room) => [room, 1])), {}, 5));
  let messageId = 1;
  let answers = 0;
  return {
    name,
    session: undefined,
    connection,
    say(text) {
      for (const room of ROOMS) {
        messageId = messageId % 65_535 + 1;
        connection.feed(publish(room, text, { qos: 1, messageId }, 5));
      }
    },
    listen() {
      const heard = nothingHeard();
      answers = 0;
      let trouble: string | undefined;
      const chunks = connection.take().filter((chunk) => typeof chunk !== "string");
      for (const packet of unwire(concat(chunks), 5)) {
        if (packet.cmd === "puback" && (packet.reasonCode ?? 0) === 0) answers++;
        else if (packet.cmd === "puback") trouble = `PUBACK ${packet.reasonCode}`;
        else if (packet.cmd === "suback" && packet.granted.some((code) => Number(code) > 2)) {
          trouble = "SUBACK";
        } else if (packet.cmd === "disconnect") trouble = `DISCONNECT ${packet.reasonCode}`;
        else if (packet.cmd === "publish") {
          if (packet.qos > 0) connection.feed(wire({ cmd: "puback", messageId: packet.messageId ?? 0 }, 5));
          const text = packet.payload.toString();
          if (spoken(text, word)) heard.get(packet.topic)?.push(text);
        }
      }
      return { heard, acknowledged: answers, trouble };
    },
  };
}

/** A user on JSON over WebSocket. */
export function socketWitness(name: string, proxy: ProxyServer, clock: Clock, word: string): Witness {
  const request = new Request(`http://proxy/ws?user=${name}`);
  const connection = new DirectConnection(clock, "messages").attach((c) =>
    proxy.accept(c, websocket(), request)
  );
  let id = 0;
  let session: string | undefined;
  for (const room of ROOMS) connection.feed(JSON.stringify({ type: "join", room }));
  return {
    name,
    get session() {
      return session;
    },
    connection,
    say(text) {
      for (const room of ROOMS) {
        connection.feed(JSON.stringify({ type: "message", room, body: text, id: ++id }));
      }
    },
    listen() {
      const heard = nothingHeard();
      let acknowledged = 0;
      let trouble: string | undefined;
      for (const chunk of connection.take()) {
        const message = JSON.parse(String(chunk)) as {
          type: string;
          room: string;
          body: unknown;
          session?: string;
        };
        if (message.type === "ack") acknowledged++;
        else if (message.type === "welcome") session = message.session;
        else if (message.type === "error" || message.type === "left" || message.type === "moved") {
          trouble = String(chunk);
        } else if (message.type === "message" && spoken(message.body, word)) {
          heard.get(message.room)?.push(message.body);
        }
      }
      return { heard, acknowledged, trouble };
    },
  };
}
