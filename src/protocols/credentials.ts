/**
 * Who a client says it is, who it turns out to be, and what it may do: the types of a proxy's `authenticate` and
 * `authorize`.
 *
 * @module
 */

/** What a client gave to be known by, as its protocol read it. */
export interface GivenCredentials {
  /** The name that it gave: MQTT's user name, `?user=`, the name of HTTP's Basic authentication. */
  readonly username?: string | undefined;
  /** The password beside the name: MQTT's, as bytes, or that of HTTP's Basic authentication. */
  readonly password?: Uint8Array | string | undefined;
  /** MQTT's client identifier; a protocol without one leaves it out. */
  readonly clientId?: string | undefined;
  /** A token: `Authorization: Bearer`, a subprotocol `token.…`, `?token=`, or MQTT's password where that is text. */
  readonly token?: string | undefined;
}

/** Everything that `authenticate` may judge a client by. */
export interface Credentials extends GivenCredentials {
  /** Name of the protocol: `"mqtt"`, `"websocket"`. */
  readonly protocol: string;
  /** The peer's address; that of a reverse proxy, where one stands before. */
  readonly remoteAddress: string;
  /** The upgrade request of a WebSocket, with its headers and URL; undefined on TCP. */
  readonly request?: Request | undefined;
}

/** A client that was let in, as `authenticate` gives it. */
export interface AuthenticatedUser {
  /** The user's id, 1 to 512 UTF-16 code units. */
  readonly id: string;
  /** What else is known of the user, such as a token's claims, for `authorize`; default nothing. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  /** When the session ends at the latest, in milliseconds since 1970; default never. */
  readonly expiresAt?: number | undefined;
}

/** A client that was not let in. */
export interface AuthenticationRefusal {
  /**
   * `"bad_credentials"`: they are wrong, missing or have run out. `"not_authorized"`: the client is known, and may not come
   * in all the same.
   */
  readonly refused: "bad_credentials" | "not_authorized";
  /** Told to the client where its protocol has room for words; say nothing in it that helps to guess. */
  readonly reason?: string | undefined;
}

/** What `authenticate` may answer: a user, its id alone, or a refusal; `undefined` refuses as `"bad_credentials"`. */
export type AuthenticateResult = string | AuthenticatedUser | AuthenticationRefusal | undefined;

/**
 * Says who a client is. To refuse, answer so; to throw, reject, or not to settle within `limits.authenticationMs` is a
 * failure of its own: the client is told that the server is unavailable, and is not let in.
 */
export type Authenticate = (credentials: Credentials) => AuthenticateResult | Promise<AuthenticateResult>;

/** A session's user, as `authorize` gets it. */
export interface User {
  /** The user's id. */
  readonly id: string;
  /** What `authenticate` gave; empty where it gave nothing. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** When the session ends at the latest, in milliseconds since 1970. */
  readonly expiresAt?: number | undefined;
}

/**
 * What `authorize` is asked about: entering a room, sending to it, or having a will sent to it. A will is asked about
 * twice: when the client connects with it, and when it is sent.
 */
export type AuthorizedAction = "join" | "publish" | "will";

/**
 * Says whether a user may do something in a room. `false` refuses; to throw, reject, answer anything else, or not to settle
 * within `limits.authorizationMs` is a failure of its own: the client is told that it is unavailable, and nothing is done.
 */
export type Authorize = (user: User, action: AuthorizedAction, room: string) => boolean | Promise<boolean>;
