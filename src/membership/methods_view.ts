/**
 * The bridge's methods about the members: the view, waiting for the next one, the owner of a room.
 *
 * @module
 */
import { VERSION } from "../lib/build_info.ts";
import type { Caller, Methods, MethodsHost } from "./rpc_method.ts";
import { sessionOf } from "./rpc_method.ts";
import type { RpcParams } from "./json_rpc.ts";
import { createPlacement, type Placement } from "./placement.ts";
import { invalidParams, readSince, readText, readWait } from "./rpc_params.ts";
import type { WireView } from "./wire_view.ts";

/** What the longest name of a room has in characters. */
const MAX_ROOM = 4096;

/** The methods, all of which only read. */
export function viewMethods(host: MethodsHost): Methods {
  const { members } = host;
  const owners = new Owners(host);
  return {
    "view.get": { scope: "read", call: (params, caller) => getView(host, params, caller) },
    "view.subscribe": {
      scope: "read",
      call: (_, caller) => {
        sessionOf(caller, "view.subscribe").subscribed = true;
        return members.wireView();
      },
    },
    "view.unsubscribe": {
      scope: "read",
      call: (_, caller) => {
        sessionOf(caller, "view.unsubscribe").subscribed = false;
        return {};
      },
    },
    "members.list": { scope: "read", call: (params) => listMembers(host, params) },
    "room.owner": { scope: "read", call: (params) => owners.answer(params) },
    "status": { scope: "read", call: () => status(host) },
  };
}

/** The view; with `waitMs` and `known` or `since` the next one, where the caller has this one. */
function getView(
  { members, book, waiters }: MethodsHost,
  params: RpcParams,
  { gone }: Caller,
): WireView | Promise<WireView> {
  const { known, settling } = params;
  const since = readSince(params, "revision");
  const waitMs = readWait(params);
  if (known !== undefined && typeof known !== "string") throw invalidParams("known must be a digest");
  if (settling !== undefined && typeof settling !== "boolean") {
    throw invalidParams("settling must be true or false, as an answer has it");
  }
  if (waitMs === undefined || (known === undefined && since === undefined)) return members.wireView();
  const unchanged = (): boolean => {
    const wire = members.wireView();
    const { digest, revision } = book.view;
    if (since && (since.bridge !== wire.bridge || since.at !== revision)) return false;
    if (settling !== undefined && settling !== wire.settling) return false;
    return known === undefined || known === digest;
  };
  return waiters.wait(unchanged, waitMs, gone).then(() => members.wireView());
}

function listMembers({ book }: MethodsHost, { role }: RpcParams): object {
  if (role !== undefined && role !== "chat" && role !== "proxy") {
    throw invalidParams('role must be "chat" or "proxy"');
  }
  const { members, slots } = book.view;
  return { members: role === undefined ? members : members.filter((one) => one.role === role), slots };
}

function status({ cluster, book, members, agent }: MethodsHost): object {
  const { connected, name, sealed, onPartition } = agent?.status ?? {};
  return {
    version: VERSION,
    cluster,
    members: book.view.members.length,
    slots: book.view.slots,
    settling: members.wireView().settling,
    agent: agent ? { connected, name: name ?? null } : null,
    onPartition: onPartition ?? null,
    sealed: sealed ?? false,
  };
}

/** Finds owners, with the placement of the newest view. */
class Owners {
  readonly #host: MethodsHost;
  #placement: Placement;

  constructor(host: MethodsHost) {
    this.#host = host;
    this.#placement = createPlacement(host.book.view, host.placementKey);
  }

  answer(params: RpcParams): object {
    const room = readText(params, "room", MAX_ROOM);
    const { book, placementKey } = this.#host;
    if (this.#placement.view !== book.view) this.#placement = createPlacement(book.view, placementKey);
    const owner = this.#placement.owner(room);
    return { room, owner: owner ? { id: owner.id, address: owner.address, slot: owner.slot } : null };
  }
}
