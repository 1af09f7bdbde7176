/**
 * Names of rooms that are placed as a test needs them.
 *
 * @module
 */

/** So many names are tried for each room: of a hundred ChatServers each owns some among them. */
const TRIES = 10_000;

/** Names of rooms that begin so, `each` of them owned by each of these ChatServers; throws where one owns none. */
export function placedRooms(
  servers: readonly string[],
  owner: (room: string) => string,
  prefix: string,
  each: number,
): string[] {
  const left = new Map(servers.map((id) => [id, each]));
  const rooms: string[] = [];
  for (let n = 1; rooms.length < each * left.size; n++) {
    if (n > TRIES * (rooms.length + 1)) {
      throw new Error(
        `${[...left].filter(([, more]) => more > 0).map(([id]) => id)} own no rooms "${prefix}/…"`,
      );
    }
    const room = `${prefix}/${n}`;
    const id = owner(room);
    const more = left.get(id) ?? 0;
    if (more === 0) continue;
    left.set(id, more - 1);
    rooms.push(room);
  }
  return rooms;
}
