/**
 * Opens connections that never say anything, and prints what becomes of them: `open N` when all are there, `gone N` when
 * all have ended.
 *
 *     node silent_sockets.mjs PORT COUNT [PORT COUNT …]
 *
 * @module
 */
import { connect } from "node:net";
import process from "node:process";

/** So many are being connected at a time. */
const AT_ONCE = 200;

const numbers = process.argv.slice(2).map(Number);
/** @type {number[]} */
const ports = [];
for (let i = 0; i + 1 < numbers.length; i += 2) ports.push(...new Array(numbers[i + 1]).fill(numbers[i]));

let next = 0;
let open = 0;
let gone = 0;

function begin() {
  if (next === ports.length) return;
  const n = next++;
  // Several addresses to come from: one has not ports enough for everybody.
  const localAddress = `127.0.0.${2 + n % 4}`;
  const socket = connect({ port: ports[n] ?? 0, host: "127.0.0.1", localAddress });
  let connected = false;
  socket.resume();
  socket.on("connect", () => {
    connected = true;
    if (++open === ports.length) console.log(`open ${open}`);
    begin();
  });
  socket.on("error", (error) => {
    if (!connected) throw error;
  });
  socket.on("close", () => {
    if (++gone === ports.length) console.log(`gone ${gone}`);
  });
}

for (let i = 0; i < AT_ONCE; i++) begin();
