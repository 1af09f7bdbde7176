/**
 * The application of the tests of partitions: it passes on what is said, and writes down on stderr what it has taken and
 * what became of its rooms, each with the machine's time.
 *
 * @module
 */

/** @param {import("../../mod.ts").ChatServer} chat */
export default function application(chat) {
  /** @param {Record<string, unknown>} event */
  const say = (event) => console.error(`app ${JSON.stringify({ at: Date.now(), ...event })}`);
  chat.on("open", (room, reason) => say({ event: "open", room, reason }));
  chat.on("close", (room, reason) => say({ event: "close", room, reason }));
  chat.on("merge", (room, other) => say({ event: "merge", room, users: other.users.length }));
  chat.on("message", (_user, room, body) => {
    say({ event: "message", room });
    chat.broadcast(room, body);
  });
}
