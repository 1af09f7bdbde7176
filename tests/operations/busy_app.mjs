/**
 * An application whose listener works until a file is there; it prints `busy` when it begins.
 *
 * @module
 */
import { existsSync } from "node:fs";
import process from "node:process";

/** @param {{ on: (event: "message", listener: () => Promise<void>) => void }} chat */
export default function busy(chat) {
  chat.on("message", async () => {
    console.log("busy");
    while (!existsSync(process.env.TOYCHAT_TEST_RELEASE ?? "")) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
}
