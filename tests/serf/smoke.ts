/**
 * A process that uses a real agent by a client, prints what came of it, and ends. Arguments: the address of the agent's RPC
 * and its key.
 *
 * @module
 */
import process from "node:process";
import { SerfClient } from "../../src/membership/serf/serf_client.ts";
import { systemTransport } from "../../transports/system.ts";

const [address = "", authKey = ""] = process.argv.slice(2);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (array: Uint8Array | undefined): string => new TextDecoder().decode(array);

const client = new SerfClient({ transport: await systemTransport(), address, authKey });
const events: string[] = [];
client.on("event", (event) => {
  if (event.type === "query") void client.respond(event.id, bytes(`to ${text(event.payload)}`));
  else if (event.type === "user") events.push(`${event.name} ${text(event.payload)}`);
});
client.start();
await client.ready();
await client.setTags(new Map([["role", "web"], ["__proto__", "é"], ["long", "x".repeat(300)]]), ["gone"]);
await client.userEvent("hello", bytes("wörld"));
const answers = await client.query("q", bytes("all"), { acks: true, timeoutMs: 2000 });
const [self] = await client.membersFiltered({ tags: new Map([["role", "w.b"]]), status: "alive" });
const members = await client.members();
const refused = await client.join(["127.0.0.1:1"]).catch((error) => error.code);
client.stop();
console.log(`ready ${
  JSON.stringify({
    agent: client.agentName,
    members: members.map(({ name, address, port, status }) => ({ name, address, port, status })),
    tags: [...self?.tags ?? []].map(([name, value]) => `${name}=${value.slice(0, 3)}`).sort(),
    events,
    acks: answers.acks,
    responses: answers.responses.map(({ from, payload }) => `${from}: ${text(payload)}`),
    refused,
  })
}`);
