/**
 * An application that says what a body was to it, and whether anything leaked from it into other objects.
 *
 * @module
 */

/** @param {import("../../src/chat/chat_server.ts").ChatServer} chat */
export default function mirror(chat) {
  chat.on("message", (_user, room, body) => {
    const keys = typeof body === "object" && body !== null ? Object.keys(body) : [];
    const plain = Object.getPrototypeOf(body ?? {}) === Object.prototype;
    const leaked = /** @type {{ polluted?: boolean }} */ ({}).polluted ?? null;
    chat.broadcast(room, {
      keys,
      plain,
      leaked,
      body: /** @type {import("../../src/lib/body.ts").Json} */ (body),
    });
  });
}
