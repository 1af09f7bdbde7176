/**
 * Hostile JSON: messages over WebSocket, and JSON-RPC for the bridge.
 *
 * @module
 */
import type { Random } from "../support/virtual_clock.ts";
import { randomBytes } from "./bytes.ts";
import type { Chunk, Input } from "./input.ts";
import { type FieldText, hostileName, objectText, spoilText, stringText, valueText } from "./text.ts";

function room(random: Random): string {
  return JSON.stringify(hostileName(random));
}

function messageText(random: Random): string {
  const type = random.pick(["join", "leave", "message", "message", "ping"]);
  const fields: FieldText[] = [["type", `"${type}"`]];
  if (type !== "ping") fields.push(["room", room(random)]);
  if (type === "message") fields.push(["body", valueText(random)]);
  if (type === "message" && random.chance(0.1)) fields.push(["encoding", '"base64"']);
  if (random.chance(0.6)) fields.push(["id", String(random.below(1000))]);
  return objectText(random, fields);
}

/** One client of JSON over WebSocket. */
export function messagesInput(random: Random): Input {
  const chunks: Chunk[] = Array.from({ length: 1 + random.below(6) }, () => {
    const way = random.below(20);
    if (way === 0) return valueText(random).toWellFormed();
    if (way === 1) return randomBytes(random, random.below(40));
    if (way === 2) return "";
    const text = messageText(random).toWellFormed();
    return way < 6 ? spoilText(random, text) : text;
  });
  if (random.chance(0.002)) chunks.push("x".repeat(200_000));
  return { variant: random.chance(0.5) ? "ws" : "ws-early", chunks };
}

const METHODS = [
  "auth.challenge",
  "auth.prove",
  "auth.token",
  "view.get",
  "view.subscribe",
  "view.unsubscribe",
  "members.list",
  "status",
  "event.get",
  "event.subscribe",
  "event.unsubscribe",
  "event.send",
  "query.send",
  "query.subscribe",
  "query.unsubscribe",
  "query.respond",
  "serf.members",
  "serf.join",
  "serf.forceLeave",
  "room.owner",
  "cluster.renew",
  "cluster.drain",
  "cluster.leave",
  "cluster.register",
  "__proto__",
  "constructor",
  "toString",
] as const;

function sinceText(random: Random, count: string): FieldText {
  const life = random.chance(0.5) ? '"abc"' : stringText(random);
  return ["since", objectText(random, [["bridge", life], [count, String(random.below(5) - 1)]])];
}

function eventName(random: Random): string {
  return random.chance(0.7)
    ? random.pick(['"deploy"', '"tc-live"', '"_serf_x"', '"load:1"'])
    : stringText(random);
}

function payloadText(random: Random): FieldText {
  return ["payload", random.chance(0.05) ? `"${"x".repeat(1000)}"` : stringText(random)];
}

function paramsText(random: Random, method: string): string {
  const digits = Array.from({ length: 32 }, () => random.below(16).toString(16)).join("");
  switch (method) {
    case "auth.challenge":
      return objectText(random, [["nonce", `"${digits}"`], ["cluster", '"toychat"']]);
    case "auth.prove":
      return objectText(random, [["proof", `"${digits}${digits}"`]]);
    case "room.owner":
      return objectText(random, [["room", room(random)]]);
    case "auth.token":
      return objectText(random, [[
        "token",
        random.chance(0.5) ? `"${digits}${digits}"` : stringText(random),
      ]]);
    case "view.get":
      return objectText(random, [
        random.chance(0.5) ? ["known", stringText(random)] : sinceText(random, "revision"),
        ["waitMs", String(random.below(30))],
      ]);
    case "event.get":
      return objectText(random, [sinceText(random, "number"), ["waitMs", String(random.below(30))]]);
    case "event.subscribe":
    case "event.unsubscribe":
    case "query.subscribe":
    case "query.unsubscribe":
      return random.chance(0.5) ? "{}" : objectText(random, [["prefix", stringText(random)]]);
    case "event.send":
    case "query.send":
      return objectText(random, [["name", eventName(random)], payloadText(random), ["timeoutMs", "20"]]);
    case "query.respond":
      return objectText(random, [["id", String(random.below(5))], payloadText(random)]);
    case "serf.join":
      return objectText(random, [["addresses", `[${stringText(random)}]`]]);
    case "serf.forceLeave":
      return objectText(random, [["name", stringText(random)], ["prune", random.chance(0.5) ? "true" : "1"]]);
    case "cluster.drain":
      return random.chance(0.5)
        ? "{}"
        : objectText(random, [["id", random.chance(0.5) ? '"good"' : stringText(random)]]);
    case "cluster.register":
      return objectText(random, [
        ["id", `"evil-${random.below(30)}"`],
        ["role", random.chance(0.5) ? '"chat"' : '"proxy"'],
        ["address", '"203.0.113.9:7001"'],
        ["incarnation", '"abc"'],
        ["slots", String(random.below(3))],
      ]);
    default:
      return random.chance(0.5) ? "{}" : valueText(random);
  }
}

function requestText(random: Random): string {
  const method = random.pick(METHODS);
  const fields: FieldText[] = [["jsonrpc", '"2.0"'], ["method", `"${method}"`], [
    "params",
    paramsText(random, method),
  ]];
  // Without an id it is a notification.
  if (random.chance(0.8)) {
    fields.push(["id", random.chance(0.9) ? String(random.below(100)) : stringText(random)]);
  }
  if (random.chance(0.05)) {
    fields.push(random.chance(0.5) ? ["result", "1"] : ["error", '{"code":1,"message":"m"}']);
  }
  return objectText(random, fields, 0.15);
}

function rpcText(random: Random): string {
  const way = random.below(12);
  if (way === 0) return valueText(random).toWellFormed();
  if (way === 1) {
    const size = random.chance(0.1) ? 2000 : random.below(20);
    return `[${Array.from({ length: size }, () => requestText(random)).join(",")}]`.toWellFormed();
  }
  const text = requestText(random).toWellFormed();
  return way === 2 ? spoilText(random, text) : text;
}

/** One caller of the bridge: a few messages on a WebSocket, or one POST. */
export function rpcInput(random: Random): Input {
  if (random.chance(0.3)) {
    return { variant: random.chance(0.5) ? "post" : "post-token", chunks: [rpcText(random)] };
  }
  const greeting = requestGreeting(random);
  const chunks: Chunk[] = Array.from({ length: 1 + random.below(5) }, () => rpcText(random));
  if (random.chance(0.05)) chunks.push(randomBytes(random, 10));
  return { variant: "ws", chunks: [...greeting, ...chunks] };
}

/** In place of these stand tokens of the world's secret. */
export const TOKEN_PLACES = ["@read@", "@member@", "@admin@"] as const;

function requestGreeting(random: Random): string[] {
  if (random.chance(0.3)) return [];
  if (random.chance(0.3)) {
    return [
      `{"jsonrpc":"2.0","method":"auth.token","id":1,"params":{"token":"${random.pick(TOKEN_PLACES)}"}}`,
    ];
  }
  const params = `{"nonce":"${"0123456789abcdef".repeat(2)}","cluster":"toychat"}`;
  return [`{"jsonrpc":"2.0","method":"auth.challenge","id":1,"params":${params}}`];
}
