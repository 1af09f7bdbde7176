/**
 * Names of rooms that are placed as a test needs them.
 *
 * @module
 */

/** Names of rooms that begin so, `each` of them owned by each of these ChatServers. */
export function placedRooms(
  servers: readonly string[],
  owner: (room: string) => string,
  prefix: string,
  each: number,
): string[] {
  const left = new Map(servers.map((id) => [id, each]));
  const rooms: string[] = [];
  for (let n = 1; rooms.length < each * left.size; n++) {
    const room = `${prefix}/${n}`;
    const id = owner(room);
    const more = left.get(id) ?? 0;
    if (more === 0) continue;
    left.set(id, more - 1);
    rooms.push(room);
  }
  return rooms;
}
