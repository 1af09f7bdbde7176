/**
 * The application of the cluster tests. It keeps the members of its rooms by the events alone, says on stderr what it
 * sees, and does what messages ask it for; what asks for nothing goes to everyone in the room.
 *
 * JavaScript, because it also runs on Node 20, where toychat comes from its npm package.
 *
 * @module
 */

/** @typedef {import("../../mod.ts").ChatUser} ChatUser */

/** Resolves what a listener in a room waits for. @type {Map<string, () => void>} */
const waiting = new Map();

/** @param {import("../../mod.ts").ChatServer} chat */
export default function application(chat) {
  /** @type {Map<string, Map<string, ChatUser>>} */
  const rooms = new Map();
  /** @param {Record<string, unknown>} event */
  const say = (event) => console.error(`app ${JSON.stringify(event)}`);

  chat.on("open", (room, reason) => {
    rooms.set(room, new Map());
    say({ event: "open", room, reason });
  });
  chat.on("close", (room, reason) => {
    rooms.delete(room);
    say({ event: "close", room, reason });
  });
  chat.on("join", (user, room) => {
    rooms.get(room)?.set(user.sessionId, user);
    say({ event: "join", user: user.userId, room });
  });
  chat.on("leave", (user, room, reason) => {
    rooms.get(room)?.delete(user.sessionId);
    say({ event: "leave", user: user.userId, room, reason });
  });
  chat.on("connect", (user) => say({ event: "connect", user: user.userId }));
  chat.on("disconnect", (user, reason) => say({ event: "disconnect", user: user.userId, reason }));

  /** @type {Record<string, (user: ChatUser, room: string, ...args: string[]) => unknown>} */
  const commands = {
    who: (user, room) => {
      /** @param {Iterable<ChatUser>} users */
      const names = (users) => [...users].map(({ userId }) => userId).sort();
      const seen = names(rooms.get(room)?.values() ?? []);
      chat.send(
        [user],
        room,
        JSON.stringify({ server: chat.id, seen, users: names(chat.room(room)?.users ?? []) }),
      );
    },
    throw: () => {
      throw new Error("told to throw");
    },
    wait: (_user, room, key = "") => {
      chat.broadcast(room, `waits for ${key}`);
      return new Promise((resolve) => waiting.set(key, () => resolve(undefined)));
    },
    go: (_user, _room, key = "") => waiting.get(key)?.(),
    pass: (_user, _room, to = "", text = "") => chat.sendToRoom(to, text),
    tell: (_user, _room, to = "", text = "") => chat.sendToUser(to, text),
    kick: (_user, room, name = "") => {
      for (const user of chat.room(room)?.users ?? []) {
        if (user.userId === name) chat.kick(user, room, "told to");
      }
    },
  };
  chat.on("message", (user, room, body) => {
    const [, command = "", args = ""] = String(body).match(/^!(\w+) ?(.*)$/) ?? [];
    const run = Object.hasOwn(commands, command) ? commands[command] : undefined;
    if (run) return run(user, room, ...args.split(" "));
    chat.broadcast(room, body);
  });
}
