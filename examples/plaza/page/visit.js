/**
 * This visitor's own connection: JSON over WebSocket to a proxy, and back again should that proxy end.
 *
 * @module
 */

const PING_MS = 20_000;
const MOST_WAIT_MS = 4000;

/**
 * @typedef {object} VisitEvents
 * @property {(session: string) => void} welcome
 * @property {(room: string) => void} joined
 * @property {(room: string, from: string | undefined, body: unknown) => void} message
 * @property {(room: string, lost: boolean) => void} moved
 * @property {() => void} changed the connection's state has
 */

/** One visit. It ends with the page. */
export class Visit {
  #user;
  #rooms;
  #events;
  /** @type {readonly string[]} */
  #bases;
  #base = 0;
  /** @type {WebSocket | undefined} */
  #socket;
  #ids = 0;
  /** @type {Map<number, (reason: string) => void>} */
  #waiting = new Map();
  #failures = 0;
  /** When the present connection was made; undefined while there is none. @type {number | undefined} */
  since;
  /** How often the connection had to be made again. */
  reconnects = -1;

  /**
   * @param {string} user
   * @param {readonly string[]} rooms
   * @param {readonly string[]} bases proxies' addresses, `ws://host:port`, the preferred one first
   * @param {VisitEvents} events
   */
  constructor(user, rooms, bases, events) {
    this.#user = user;
    this.#rooms = rooms;
    this.#bases = bases;
    this.#events = events;
    setInterval(() => this.#send({ type: "ping" }), PING_MS);
    this.#connect();
  }

  /** The proxy's address. */
  get base() {
    return this.#bases[this.#base % this.#bases.length] ?? "";
  }

  #connect() {
    const socket = new WebSocket(`${this.base}/ws?user=${encodeURIComponent(this.#user)}`);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    socket.onclose = () => this.#lost();
  }

  #lost() {
    // One that never worked may be out of reach from here: then the next proxy.
    if (this.since === undefined) this.#base++;
    this.since = undefined;
    for (const failed of this.#waiting.values()) failed("the connection ended");
    this.#waiting.clear();
    this.#events.changed();
    setTimeout(() => this.#connect(), Math.min(250 * 2 ** this.#failures++, MOST_WAIT_MS));
  }

  /** @param {Record<string, unknown>} message */
  #take(message) {
    const room = String(message["room"]);
    switch (message["type"]) {
      case "welcome":
        this.since = Date.now();
        this.reconnects++;
        this.#failures = 0;
        this.#events.welcome(String(message["session"]));
        for (const room of this.#rooms) this.#send({ type: "join", room });
        return this.#events.changed();
      case "joined":
        return this.#events.joined(room);
      case "message":
        return this.#events.message(
          room,
          /** @type {string | undefined} */ (message["from"]),
          message["body"],
        );
      case "moved":
        return this.#events.moved(room, message["lost"] !== false);
      case "ack":
        return void this.#waiting.delete(Number(message["id"]));
      case "error":
        return this.#refused(Number(message["id"]), String(message["message"]));
    }
  }

  /** @param {number} id @param {string} reason */
  #refused(id, reason) {
    this.#waiting.get(id)?.(reason);
    this.#waiting.delete(id);
  }

  /**
   * Says something in a room, acknowledged: should the room's owner die, it is sent again to the next one.
   *
   * @param {string} room
   * @param {unknown} body
   * @param {(reason: string) => void} [failed]
   */
  say(room, body, failed = () => {}) {
    const id = ++this.#ids;
    this.#waiting.set(id, failed);
    if (!this.#send({ type: "message", room, body, id })) this.#refused(id, "there is no connection");
  }

  /** @param {object} message */
  #send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }
}
