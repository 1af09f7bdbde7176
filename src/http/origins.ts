/**
 * Which web pages may open a WebSocket: the same-origin policy does not keep pages of others from it.
 *
 * @module
 */
import { ToychatError } from "../lib/errors.ts";

/** Origins as `"https://chat.example.org"`, without a path; or `"*"` for all of them. */
export type Origins = readonly string[] | "*";

/** Whether a request may come in, by its `Origin`. */
export type OriginCheck = (request: Request) => boolean;

/**
 * Makes the check. A request without `Origin` comes from a program, which could say anything, and is let in.
 *
 * @param origins The origins let in; `undefined`: those of the host that the request was sent to.
 * @throws {ToychatError} `bad_option` where one is no origin.
 */
export function originCheck(origins: Origins | undefined): OriginCheck {
  if (origins === "*") return () => true;
  const known = origins && new Set(origins.map(readOrigin));
  return ({ headers, url }) => {
    const origin = headers.get("origin");
    if (origin === null) return true;
    return known
      ? known.has(normal(origin) ?? origin)
      : sameHost(origin, headers.get("host") ?? new URL(url).host);
  };
}

function readOrigin(text: string): string {
  const origin = normal(text);
  if (origin !== undefined) return origin;
  const example = "https://chat.example.org";
  throw new ToychatError(
    "bad_option",
    `origins: ${
      JSON.stringify(text)
    } is no origin: write scheme, host and port, such as "${example}", or "*" alone`,
  );
}

/** An origin as browsers send it; `"null"` is that of files and sandboxes. */
function normal(text: string): string | undefined {
  if (text === "null") return text;
  if (!/^https?:\/\/[^/?#@\s]+$/i.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text).origin;
}

/** Ports are not compared, as a page may go to another proxy of its host; nor schemes: TLS may end before this process. */
function sameHost(origin: string, host: string): boolean {
  if (normal(origin) === undefined || origin === "null") return false;
  return URL.canParse(`http://${host}`) && new URL(`http://${host}`).hostname === new URL(origin).hostname;
}
