/**
 * Talks between hosts: `talk.mjs hear ADDRESS` prints every datagram that it gets and takes connections;
 * `talk.mjs say ADDRESS TEXT` sends a datagram; `talk.mjs call ADDRESS` prints `connected` once it is.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";
import process from "node:process";

const UDP = 5001;
const TCP = 5002;
const [word, address, text = ""] = process.argv.slice(2);

if (word === "hear") {
  const socket = createSocket("udp4");
  socket.on("message", (data) => console.log(String(data)));
  socket.bind(UDP, address, () => {
    createServer((connection) => connection.on("error", () => {})).listen(TCP, address, () => {
      console.log("ready {}");
    });
  });
} else if (word === "say") {
  const socket = createSocket("udp4");
  socket.send(text, UDP, address, () => socket.close());
} else {
  const connection = connect(TCP, address, () => console.log("connected"));
  connection.on("error", (error) => {
    console.error(error.message);
    process.exit(1);
  });
}
