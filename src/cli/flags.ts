/**
 * The values of flags, from the command line and from the file of `--config`.
 *
 * @module
 */
import { isMemberId } from "../membership/names.ts";
import { badUsage, quoted } from "./usage.ts";

/** A flag's value and who gave it. */
export interface FlagValue {
  /** The value, as text. */
  readonly value: string;
  /** How to name it in a message: `--http`, or `"http" in toychat.json`. */
  readonly source: string;
}

/** Where to listen or to connect. */
export interface Endpoint {
  /** Name or address, IPv6 without brackets. */
  readonly host: string;
  /** Port; 0 picks one where that makes sense. */
  readonly port: number;
}

const DEFAULT_BRIDGE = "ws://127.0.0.1:7374/rpc";

/** Reads flags by their kind; every method throws `bad_usage` where the value is none of that kind. */
export class Flags {
  readonly #values: ReadonlyMap<string, FlagValue>;

  /** By name, without dashes. */
  constructor(values: ReadonlyMap<string, FlagValue>) {
    this.#values = values;
  }

  /** A text; undefined where it was not given. */
  text(name: string): string | undefined {
    return this.#values.get(name)?.value;
  }

  /** How to name a flag in a message. */
  source(name: string): string {
    return this.#values.get(name)?.source ?? `--${name}`;
  }

  /** Whether a flag without a value was given. */
  has(name: string): boolean {
    return this.#values.get(name)?.value === "true";
  }

  /** A port; undefined for `off`, which `otherwise` may be as well. */
  port(name: string, otherwise: number | undefined): number | undefined {
    const given = this.#values.get(name);
    if (!given) return otherwise;
    if (given.value === "off") return undefined;
    const port = readPort(given.value);
    if (port !== undefined) return port;
    throw badUsage(
      `${given.source} is ${quoted(given.value)}: give a port from 1 to 65535, 0 to have one picked, or off`,
    );
  }

  /** A number of things, 1 to `most`. */
  count(name: string, most = 99): number {
    const given = this.#values.get(name);
    if (!given) return 1;
    if (/^[1-9]\d{0,5}$/.test(given.value) && Number(given.value) <= most) return Number(given.value);
    throw badUsage(`${given.source} is ${quoted(given.value)}: give a number from 1 to ${most}`);
  }

  /** `--grace`, in milliseconds; 0 where it was not given. */
  graceMs(): number {
    const given = this.#values.get("grace");
    if (!given) return 0;
    const seconds = /^\d{1,4}(?:\.\d{1,3})?$/.test(given.value) ? Number(given.value) : NaN;
    if (seconds <= 3600) return seconds * 1000;
    throw badUsage(`${given.source} is ${quoted(given.value)}: give seconds from 0 to 3600, such as 5`);
  }

  /** One of several words; the first where it was not given. */
  choice<T extends string>(name: string, words: readonly [T, ...T[]]): T {
    const given = this.#values.get(name);
    if (!given) return words[0];
    const word = words.find((known) => known === given.value);
    if (word) return word;
    throw badUsage(`${given.source} is ${quoted(given.value)}: write ${words.join(" or ")}`);
  }

  /**
   * `--listen`, whose host is that of `--host` where it names only a port or is not given. It may name another one where
   * health and metrics have a port of their own, on the address of `--host`.
   */
  listen(port: number): Endpoint {
    const host = this.host();
    const given = this.#values.get("listen");
    if (!given) return { host, port };
    const endpoint = readEndpoint(given.value, host);
    if (!endpoint) {
      throw badUsage(
        `${given.source} is ${quoted(given.value)}: give HOST:PORT, such as 127.0.0.1:${
          port || 7001
        } or [::1]:0`,
      );
    }
    // With a port for health the address of --host is that port's.
    const spare = !this.#values.has("metrics") && !this.#values.has("http");
    if (this.#values.has("host") && endpoint.host !== host && spare) {
      throw badUsage(
        `${given.source} says ${endpoint.host} and ${
          this.source("host")
        } says ${host}: leave one of them out`,
      );
    }
    return endpoint;
  }

  /** `--host`: the address to listen on. */
  host(): string {
    const given = this.#values.get("host");
    if (!given) return "127.0.0.1";
    const host = given.value.replace(/^\[(.*)\]$/, "$1");
    if (/^[0-9A-Za-z._:%-]+$/.test(host) && !/^[0-9A-Za-z._-]+:\d+$/.test(host)) return host;
    throw badUsage(
      `${given.source} is ${quoted(given.value)}: give an address without a port, such as 0.0.0.0`,
    );
  }

  /** `--address`: where others reach this process; undefined where it was not given. */
  address(): Endpoint | undefined {
    const given = this.#values.get("address");
    if (!given) return undefined;
    const endpoint = given.value.includes(":") ? readEndpoint(given.value, "") : undefined;
    if (endpoint && endpoint.host !== "" && endpoint.port > 0) return endpoint;
    throw badUsage(`${given.source} is ${quoted(given.value)}: give HOST:PORT, such as 10.0.0.5:7001`);
  }

  /** `--bridge`. */
  bridge(): string {
    const given = this.#values.get("bridge");
    if (!given) return DEFAULT_BRIDGE;
    const url = URL.canParse(given.value) ? new URL(given.value) : undefined;
    if (url?.protocol === "ws:" || url?.protocol === "wss:") return given.value;
    throw badUsage(
      `${given.source} is ${quoted(given.value)}: give the bridge's URL, such as ${DEFAULT_BRIDGE}`,
    );
  }

  /** `--id`: undefined where it was not given. */
  id(): string | undefined {
    const given = this.#values.get("id");
    if (!given || isMemberId(given.value)) return given?.value;
    throw badUsage(
      `${given.source} is ${quoted(given.value)}: give 1 to 8 characters of a-z, 0-9 and -, such as chat-1`,
    );
  }
}

/** `host:port`, with brackets around an IPv6 address. */
export function endpointText({ host, port }: Endpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function readPort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  return port <= 65535 ? port : undefined;
}

/** `HOST:PORT`, `[HOST]:PORT`, `:PORT` or `PORT`. */
function readEndpoint(text: string, host: string): Endpoint | undefined {
  const match = /^(?:(?:\[([0-9A-Fa-f:.]+(?:%\w+)?)\]|([0-9A-Za-z._-]*)):)?(\d{1,5})$/.exec(text);
  const port = match && readPort(match[3] ?? "");
  return match && port !== null && port !== undefined
    ? { host: match[1] || match[2] || host, port }
    : undefined;
}
