/**
 * Reads the examples of the bridge in docs/protocol.md and plays them. What stands for what is said there.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support/runtimes.ts";
import { until } from "../support/until.ts";

/** One line of an example: what is sent, or what is expected. */
export interface Line {
  readonly sent: boolean;
  readonly text: string;
}

/** One example: a WebSocket (`GET`), requests by HTTP (`POST`), or a program of the shell with what it prints. */
export interface Example {
  /** Where it is, for messages. */
  readonly where: string;
  readonly kind: "GET" | "POST" | "sh";
  readonly headers: Readonly<Record<string, string>>;
  readonly lines: readonly Line[];
  /** The program. */
  readonly script: string;
}

/** The examples in the section about the bridge, in order. */
export function readExamples(): Example[] {
  const text = readFileSync(join(root, "docs/protocol.md"), "utf8");
  const section = text.slice(text.indexOf("\n## The bridge\n"), text.indexOf("\n## Links\n"));
  const examples: Example[] = [];
  let script = "";
  for (const { 1: language, 2: body = "", index } of section.matchAll(/^```(\w+)\n([^]*?)^```$/gm)) {
    if (language === "sh") script = body;
    if (language !== "jsonrpc") continue;
    const before = section.slice(0, index);
    const where = before.slice(before.lastIndexOf("\n### ") + 5).split("\n")[0] ?? "";
    const lines = body.trimEnd().split("\n");
    const arrows = lines.filter((line) => /^[→←]/.test(line))
      .map((line) => ({ sent: line.startsWith("→"), text: line.slice(1).trim() }));
    const head = lines.filter((line) => !/^[→←]/.test(line));
    const kind = head[0]?.startsWith("GET ") ? "GET" : head[0]?.startsWith("POST ") ? "POST" : "sh";
    const headers = Object.fromEntries(head.slice(1).map((line) => line.split(": ") as [string, string]));
    examples.push({ where, kind, headers, lines: arrows, script: kind === "sh" ? script : "" });
  }
  return examples;
}

/** What is wrong with a value, by an expected one in which `…` stands for anything; undefined where nothing is. */
export function difference(expected: unknown, actual: unknown, path = ""): string | undefined {
  if (expected === "…") return undefined;
  const found = `${path || "all"} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`;
  if (typeof expected === "string" && expected.endsWith("…")) {
    return typeof actual === "string" && actual.startsWith(expected.slice(0, -1)) ? undefined : found;
  }
  if (typeof expected !== "object" || expected === null) return expected === actual ? undefined : found;
  if (typeof actual !== "object" || actual === null || Array.isArray(expected) !== Array.isArray(actual)) {
    return found;
  }
  const [wanted, got] = [Object.keys(expected).sort(), Object.keys(actual).sort()];
  if (wanted.join() !== got.join()) return `${path || "all"} has ${got.join()}, not ${wanted.join()}`;
  for (const key of wanted) {
    const inner = difference(Reflect.get(expected, key), Reflect.get(actual, key), `${path}.${key}`);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

/** One answer as the document writes it. */
function compare(line: string, actual: string): string | undefined {
  const [, status = "", json = ""] = /^(\d{3} ?)?(.*)$/s.exec(line) as RegExpExecArray;
  const trouble = `expected ${line}\nreceived ${actual}`;
  if (!actual.startsWith(status)) return trouble;
  const body = actual.slice(status.length);
  if (json === "" || body === "") return json === body ? undefined : trouble;
  const what = difference(JSON.parse(json), JSON.parse(body));
  return what === undefined ? undefined : `${what}\n${trouble}`;
}

/** Plays an example; gives what the bridge answered, a line each, in the order of the document's. */
export async function play(example: Example, address: string): Promise<string[]> {
  return example.kind === "GET" ? await playSocket(example, address) : await playPost(example, address);
}

async function playPost({ headers, lines }: Example, address: string): Promise<string[]> {
  const answers: string[] = [];
  for (const { sent, text: body } of lines) {
    if (!sent) continue;
    const answer = await fetch(`http://${address}/rpc`, {
      method: "POST",
      body,
      headers: { ...headers, "content-type": "application/json" },
    });
    answers.push(`${answer.status} ${await answer.text()}`.trim());
  }
  return answers;
}

async function playSocket({ headers, lines }: Example, address: string): Promise<string[]> {
  const received: string[] = [];
  // Bun's and Node's WebSocket take headers; that is not in the standard.
  const Opened = WebSocket as unknown as new (url: string, options: { headers: object }) => WebSocket;
  const socket = new Opened(`ws://${address}/rpc`, { headers });
  socket.onmessage = ({ data }) => void received.push(String(data));
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("the WebSocket did not open"));
  });
  let wanted = 0;
  for (const { sent, text } of lines) {
    if (sent) socket.send(text);
    else await until(() => received.length > wanted, `an answer like ${text}`).then(() => wanted++);
  }
  socket.close();
  return received;
}

/** What differs between what the document says and what was answered. */
export function differences(example: Example, answers: readonly string[]): string[] {
  const expected = example.lines.filter(({ sent }) => !sent).map(({ text }) => text);
  const troubles = expected.map((line, n) => compare(line, answers[n] ?? ""));
  if (answers.length !== expected.length) {
    troubles.push(
      `${answers.length} answers instead of ${expected.length}: ${answers.slice(expected.length)}`,
    );
  }
  return troubles.filter((trouble) => trouble !== undefined);
}
