/**
 * One life of a member, as the user events of bridges name it: `-`, id, dot, incarnation.
 *
 * @module
 */
import { isSerfIncarnation } from "./host_record.ts";

/** One life of a member. */
export interface MemberLife {
  /** Its id. */
  readonly id: string;
  /** Its incarnation. */
  readonly incarnation: string;
}

const LIFE = /-([a-z0-9-]{1,8})\.([a-z0-9]{6})/y;

/** A life as events name it; undefined of one with an incarnation that cannot be published. */
export function lifeText({ id, incarnation }: MemberLife): string | undefined {
  return isSerfIncarnation(incarnation) ? `-${id}.${incarnation}` : undefined;
}

/** Reads a life at a place of a payload, and where it ends; undefined where none is there. */
export function readLife(
  payload: string,
  at: number,
): { readonly life: MemberLife; readonly end: number } | undefined {
  LIFE.lastIndex = at;
  const [text, id, incarnation] = LIFE.exec(payload) ?? [];
  if (text === undefined || id === undefined || incarnation === undefined) return undefined;
  return { life: { id, incarnation }, end: at + text.length };
}
