/**
 * The plaza's application, as each of its ChatServers runs it. It is written as if one server owned all rooms.
 *
 * In an area, speech goes to everybody as it came, so that it reads well in `mosquitto_sub`; pages get it with the
 * speaker's name, and only they get who walks where. Every other room is a plain chat room.
 *
 * @module
 */
import type { ChatServer } from "../../mod.ts";
import { Area } from "./area.ts";
import { isArea } from "./areas.ts";
import { tellParent } from "./parent.ts";
import { readRequest } from "./requests.ts";

/** Adds the plaza to a ChatServer. */
export default function plaza(chat: ChatServer): void {
  const areas = new Map<string, Area>();

  chat.on("open", (room, reason) => {
    tellParent({ event: "open", room, reason });
    if (!isArea(room)) return;
    areas.set(
      room,
      new Area({
        users: () => chat.room(room)?.users ?? [],
        send: (users, body) => void chat.send(users, room, body),
      }),
    );
  });
  chat.on("close", (room, reason) => {
    tellParent({ event: "close", room, reason });
    areas.delete(room);
  });
  chat.on("join", (user, room) => areas.get(room)?.joined(user));
  chat.on("leave", (user, room) => areas.get(room)?.left(user));

  chat.on("message", (user, room, body) => {
    const area = areas.get(room);
    if (!area) return void chat.broadcast(room, body);
    const request = readRequest(body, user.userId);
    if (!request) return;
    if (request.kind === "say") {
      const text = typeof body === "string" || body instanceof Uint8Array ? body : request.text;
      chat.send(area.listeners(), room, text);
    }
    area.take(user, request);
  });
}
