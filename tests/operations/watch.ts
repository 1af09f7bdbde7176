/**
 * How an operator's tools see a role.
 *
 * @module
 */
import { until } from "../support/until.ts";

/** What `/readyz` answered. */
export interface Ready {
  readonly status: number;
  readonly body: { status: string; id?: string; reason?: string };
}

/** Asks for `/readyz` on a port of this machine. */
export async function readiness(port: number): Promise<Ready> {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`, { headers: { connection: "close" } });
  return { status: response.status, body: await response.json() };
}

/** Waits until `/readyz` answers with a status. */
export async function untilReadiness(port: number, status: number): Promise<Ready> {
  let last: Ready | undefined;
  await until(async () => (last = await readiness(port)).status === status, `/readyz to say ${status}`);
  return last as Ready;
}

/** The numbers on `/metrics`, by name and labels as they are printed. Throws where the page breaks the format. */
export async function scrape(port: number): Promise<Map<string, number>> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: "close" } });
  const type = response.headers.get("content-type");
  if (type !== "text/plain; version=0.0.4; charset=utf-8") throw new Error(`/metrics is of the type ${type}`);
  return parse(await response.text());
}

const SAMPLE = /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})? (-?[0-9.e+-]+|[+-]Inf)$/;

function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("# HELP ")) continue;
    const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
    if (type) {
      if (types.has(type[1] as string)) throw new Error(`/metrics has two metrics ${type[1]}`);
      types.set(type[1] as string, type[2] as string);
      continue;
    }
    const [, name = "", labels = "", value] = SAMPLE.exec(line) ?? [];
    if (value === undefined) throw new Error(`/metrics has the line ${line}`);
    if (!types.has(name) && !types.has(name.replace(/_(bucket|sum|count)$/, ""))) {
      throw new Error(`/metrics has no type for ${line}`);
    }
    if (samples.has(name + labels)) throw new Error(`/metrics has ${name}${labels} twice`);
    samples.set(name + labels, Number(value));
  }
  return samples;
}
