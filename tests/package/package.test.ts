import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import { root, runtime } from "../support/runtimes.ts";
import {
  emptyProject,
  installedPackages,
  oldNodePath,
  packInto,
  type Project,
  run,
  start,
} from "./project.ts";

const MOST_PACKAGES = 30;
const program = readFileSync(join(import.meta.dir, "room.ts.txt"), "utf8");
const node = runtime("node20");
const tsc = join(root, "node_modules/.bin/tsc");

/** Strict, with the libraries' own declarations checked too; no types of any runtime are there. */
const COMPILER = {
  compilerOptions: {
    target: "es2023",
    module: "nodenext",
    lib: ["es2023", "esnext.disposable", "dom", "dom.iterable", "dom.asynciterable"],
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    outDir: "out",
  },
  files: ["room.ts", "process.d.ts"],
};
const FILES = {
  "room.ts": program,
  "process.d.ts": `declare const process: {
    exit(code: number): void; stdin: { resume(): void; once(event: "end", listener: () => void): void } };`,
  "tsconfig.json": JSON.stringify(COMPILER),
};

let folder = "";
let tarball = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "toychat-tarball-"));
  tarball = packInto(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A member on MQTT and one on WebSocket talk in one room of the started program. */
async function talk(ports: { mqtt: number; http: number }): Promise<void> {
  const ann = await connectAsync(`mqtt://127.0.0.1:${ports.mqtt}`, { username: "ann", reconnectPeriod: 0 });
  const ben = new WebSocket(`ws://127.0.0.1:${ports.http}/ws?user=ben`);
  const seen = messages(ben);
  try {
    const heard = new Promise<string>((resolve) =>
      ann.on("message", (_topic, body) => resolve(body.toString()))
    );
    await ann.subscribeAsync("area/1");
    await seen.next((message) => message.type === "welcome");
    ben.send(JSON.stringify({ type: "join", room: "area/1" }));
    await seen.next((message) => message.type === "joined");
    ben.send(JSON.stringify({ type: "message", room: "area/1", body: "hello" }));
    expect(await within(heard, () => "nothing arrived on MQTT")).toBe("ben: hello");
    await ann.publishAsync("area/1", "good day", { qos: 1 });
    const reply = await seen.next((message) => message.body === "ann: good day");
    expect(reply.room).toBe("area/1");
    const metrics = await (await fetch(`http://127.0.0.1:${ports.http}/metrics`)).text();
    expect(metrics).toContain("\ntoychat_messages_in_total 2\n");
  } finally {
    ben.close();
    await ann.endAsync(true);
  }
}

type Message = { type: string; room?: string; body?: unknown };

/** What arrives on a WebSocket; `next` waits for a message, which may have arrived already. */
function messages(socket: WebSocket): { next(wanted: (message: Message) => boolean): Promise<Message> } {
  const arrived: Message[] = [];
  let look = (): void => {};
  socket.addEventListener("message", ({ data }) => {
    arrived.push(JSON.parse(data));
    look();
  });
  const next = (wanted: (message: Message) => boolean): Promise<Message> =>
    new Promise((resolve, reject) => {
      socket.addEventListener("close", ({ code, reason }) => reject(new Error(`closed: ${code} ${reason}`)));
      look = () => {
        const found = arrived.find(wanted);
        if (found) resolve(found);
      };
      look();
    });
  return {
    next: (wanted) => within(next(wanted), () => `${wanted} did not arrive, but ${JSON.stringify(arrived)}`),
  };
}

/** Fails, saying why, what takes longer than any machine needs for it. */
function within<T>(work: Promise<T>, problem: () => string): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(problem())), 20_000);
    work.then(resolve, reject).finally(() => clearTimeout(late));
  });
}

describe(`installed with npm on Node ${node.version}`, () => {
  let project: Project;
  beforeAll(() => {
    project = emptyProject(FILES);
    run(["npm", "install", "--no-audit", "--no-fund", tarball], project.folder, oldNodePath());
  });
  afterAll(() => project.remove());

  test("the dependency tree stays small", () => {
    const packages = installedPackages(project.folder);
    const own = "node_modules/toychat";
    expect(packages).toContain(own);
    expect(packages.filter((name) => name !== own).length).toBeLessThan(MOST_PACKAGES);
  });

  test("a strict program type-checks against it and runs a room", async () => {
    run([...runtime("node").command, tsc, "--project", "."], project.folder);
    const room = await start<{ mqtt: number; http: number }>(
      [...node.command, "out/room.js"],
      project.folder,
    );
    try {
      await talk(room.ready);
    } finally {
      expect(await room.stop()).toBe(0);
    }
  });

  test("a program that misuses it does not type-check", () => {
    const wrong = program.replace("const name: string = user.userId", "const name: number = user.userId");
    expect(wrong).not.toBe(program);
    writeFileSync(join(project.folder, "wrong.ts"), wrong);
    writeFileSync(
      join(project.folder, "wrong.json"),
      JSON.stringify({ ...COMPILER, files: ["wrong.ts", "process.d.ts"] }),
    );
    const check = () => run([...runtime("node").command, tsc, "--project", "wrong.json"], project.folder);
    expect(check).toThrow("TS2322");
  });

  test("every entry that is exported can be imported", () => {
    const { exports } = JSON.parse(
      readFileSync(join(project.folder, "node_modules/toychat/package.json"), "utf8"),
    );
    const entries = Object.keys(exports).filter((entry) => entry !== "./cli")
      .map((entry) => entry.replace(/^\./, "toychat"));
    writeFileSync(
      join(project.folder, "entries.mjs"),
      entries.map((entry) => `import "${entry}";`).join("\n"),
    );
    run([...node.command, "entries.mjs"], project.folder);
  });

  test("npx toychat --help says what the roles are", () => {
    const help = run(["npx", "--no-install", "toychat", "--help"], project.folder, oldNodePath());
    for (const role of ["dev", "bridge", "chat", "proxy", "members", "owner"]) expect(help).toContain(role);
  });
});

describe("installed with bun add", () => {
  let project: Project;
  const bun = runtime("bun");
  beforeAll(() => {
    project = emptyProject(FILES);
    run([...bun.command, "add", tarball], project.folder);
  });
  afterAll(() => project.remove());

  test("the TypeScript program runs a room as it is", async () => {
    const room = await start<{ mqtt: number; http: number }>([...bun.command, "room.ts"], project.folder);
    try {
      await talk(room.ready);
    } finally {
      expect(await room.stop()).toBe(0);
    }
  });

  test("bunx toychat --help says what the roles are", () => {
    expect(run([...bun.command, "x", "--bun", "toychat", "--help"], project.folder)).toContain("proxy");
  });
});
