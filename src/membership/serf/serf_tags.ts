/**
 * How much room tags take: Serf encodes all tags of an agent into at most 512 bytes.
 *
 * @module
 */

/** Bytes that all tags of an agent may take, encoded. */
export const MAX_TAGS_BYTES = 512;

const encoder = new TextEncoder();

/** Bytes of a text in the older msgpack that Serf uses for tags: it has no strings with a length of one byte. */
function encodedLength(text: string): number {
  const { length } = encoder.encode(text);
  return length + (length < 32 ? 1 : length < 65_536 ? 3 : 5);
}

/** Bytes that tags take encoded, as Serf counts them: a byte that says what follows, and a map. */
export function encodedTagsLength(tags: ReadonlyMap<string, string>): number {
  let length = 1 + (tags.size < 16 ? 1 : 3);
  for (const [name, value] of tags) length += encodedLength(name) + encodedLength(value);
  return length;
}

/** Bytes that the value of one tag may have beside the others; below 0 where not even its key fits. */
export function roomForTag(name: string, others: ReadonlyMap<string, string>): number {
  const room = MAX_TAGS_BYTES - encodedTagsLength(new Map([...others, [name, ""]]));
  return room < 34 ? Math.min(room, 31) : room - 2;
}

/** The tags of an agent after a change. */
export function changedTags(
  tags: ReadonlyMap<string, string>,
  changes: ReadonlyMap<string, string>,
  deleted: readonly string[],
): Map<string, string> {
  const result = new Map(tags);
  for (const name of deleted) result.delete(name);
  for (const [name, value] of changes) result.set(name, value);
  return result;
}
