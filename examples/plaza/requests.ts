/**
 * What visitors' pages say to the application, checked: everything in a message's body comes from outside.
 *
 * Text is speech, whoever sends it. What a page has to say beside that is a JSON object with a `kind`.
 *
 * @module
 */
import type { Body } from "../../mod.ts";
import { SQUARE } from "./areas.ts";

/** Where an avatar is, and what it looks like. */
export interface Avatar {
  /** Name shown above it. */
  readonly name: string;
  /** Four numbers from 0 to 9: coat, skin, hair, hat. */
  readonly look: readonly number[];
  /** From the left, in units of {@linkcode SQUARE}. */
  readonly x: number;
  /** From the top. */
  readonly y: number;
}

/** What somebody wants. */
export type PlazaRequest =
  /** Somebody says something. */
  | { readonly kind: "say"; readonly text: string }
  /** A page wants to see the avatars of this area. */
  | { readonly kind: "hello" }
  /** The page's own avatar is in this area. */
  | { readonly kind: "here"; readonly avatar: Avatar }
  /** The page's own avatar walks. */
  | { readonly kind: "walk"; readonly x: number; readonly y: number }
  /** The page's own avatar walks off to another area. */
  | { readonly kind: "away" };

const MOST_TEXT = 280;
const MOST_NAME = 24;
/** Controls, and the characters that turn the direction of text around. */
// deno-lint-ignore no-control-regex -- these are what is to be taken out
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g;

/** Text from outside as one line of at most `most` characters, cut with an ellipsis. */
export function oneLine(text: string, most: number): string {
  const line = text.slice(0, most * 4).replace(UNPRINTABLE, " ").trim();
  const characters = [...line];
  return characters.length <= most ? line : `${characters.slice(0, most - 1).join("")}…`;
}

/** A name to show; `fallback` where nothing is left of it. */
export function readName(name: unknown, fallback: string): string {
  return (typeof name === "string" && oneLine(name, MOST_NAME)) || oneLine(fallback, MOST_NAME) || "somebody";
}

/**
 * Reads a message's body.
 *
 * @param userId whose it is; the name of an avatar that gives none.
 * @returns undefined where an object is none of the page's: the application ignores it.
 */
export function readRequest(body: Body, userId: string): PlazaRequest | undefined {
  if (body instanceof Uint8Array) return { kind: "say", text: `(${body.length} bytes)` };
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    return { kind: "say", text: oneLine(typeof body === "string" ? body : JSON.stringify(body), MOST_TEXT) };
  }
  switch (body["kind"]) {
    case "hello":
    case "away":
      return { kind: body["kind"] };
    case "walk": {
      const place = readPlace(body);
      return place && { kind: "walk", ...place };
    }
    case "here": {
      const place = readPlace(body);
      if (!place) return undefined;
      return {
        kind: "here",
        avatar: { name: readName(body["name"], userId), look: readLook(body["look"]), ...place },
      };
    }
    default:
      return undefined;
  }
}

function readPlace({ x, y }: { [key: string]: unknown }): { x: number; y: number } | undefined {
  if (typeof x !== "number" || typeof y !== "number") return undefined;
  return { x: clamp(x, SQUARE.width), y: clamp(y, SQUARE.height) };
}

function clamp(value: number, most: number): number {
  return Math.round(Math.min(Math.max(value, 0), most));
}

function readLook(look: unknown): number[] {
  const given: unknown[] = Array.isArray(look) ? look : [];
  return [0, 1, 2, 3].map((at) => {
    const part = given[at];
    return typeof part === "number" && Number.isInteger(part) && part >= 0 && part <= 9 ? part : 0;
  });
}
