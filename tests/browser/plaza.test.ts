import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { mqttUser, type TestUser, until } from "../examples/support.ts";
import { Processes, type Ready } from "../support/processes.ts";
import { runtime } from "../support/runtimes.ts";

interface PlazaReady {
  http: number;
  proxies: { id: string; http: number; mqtt: number }[];
  chats: { id: string; pid: number }[];
}

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
const QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];
const FOUNTAIN = '.sign-post[data-area="fountain"] .owner';

/** A bubble bursts after some seconds, which a busy machine may need to look at all of them: the page notes their texts. */
const NOTE_BUBBLES = `
  const bubbles = globalThis.bubbles = new Set();
  new MutationObserver(() => {
    for (const { textContent } of document.querySelectorAll(".bubble:not(.pending)")) bubbles.add(textContent);
  }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["class"] });
`;

// A killed server stays away for 4 s, and the machine may be busy.
setDefaultTimeout(90_000);
const processes = new Processes();
let plaza: Ready<PlazaReady>;
let browser: Browser;

beforeAll(async () => {
  [plaza, browser] = await Promise.all([
    processes.start<PlazaReady>([...runtime("deno").command, "examples/plaza.ts"], { readyMs: 40_000 }),
    chromium.launch({ executablePath: "/usr/bin/chromium", args: [...FLAGS, ...QUIET] }),
  ]);
});

afterAll(async () => {
  await browser.close();
  await plaza.stop("SIGINT");
  await processes.end();
});

/** A person in a browser of their own. */
class Visitor {
  readonly page: Page;
  /** WebSockets to `/ws` that have ended, and whatever the page complained about. */
  readonly troubles: string[] = [];
  sockets = 0;

  constructor(page: Page) {
    this.page = page;
    page.on("pageerror", (error) => this.troubles.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") this.troubles.push(message.text());
    });
    page.on("websocket", (socket) => {
      if (!socket.url().includes("/ws?")) return;
      this.sockets++;
      socket.on("close", () => this.troubles.push(`${socket.url()} closed`));
    });
  }

  static async enter(viewport = { width: 1280, height: 900 }): Promise<Visitor> {
    const context = await browser.newContext({ viewport });
    await context.addInitScript(NOTE_BUBBLES);
    const visitor = new Visitor(await context.newPage());
    await visitor.page.goto(`http://127.0.0.1:${plaza.ready.http}/`);
    await visitor.page.locator(".name.mine").waitFor();
    return visitor;
  }

  name(): Promise<string> {
    return this.page.locator("#me-name").innerText();
  }

  async say(text: string): Promise<void> {
    await this.page.getByLabel(/^Say something at the/).fill(text);
    await this.page.getByRole("button", { name: "Say", exact: true }).click();
  }

  /** Waits until a text was said on the square, in the log and in a bubble. */
  async hears(text: string): Promise<void> {
    await this.page.getByRole("log").getByText(text, { exact: true }).waitFor();
    await this.page.waitForFunction(`globalThis.bubbles.has(${JSON.stringify(text)})`);
  }

  owner(): Promise<string> {
    return this.page.locator(FOUNTAIN).innerText();
  }

  /** Waits for a line under "What happened". */
  async sees(line: string): Promise<void> {
    await this.page.locator("#timeline b", { hasText: line }).first().waitFor();
  }

  async leave(): Promise<void> {
    await this.page.context().close();
  }
}

async function expectTalk(visitors: readonly Visitor[], bird: TestUser, when: string): Promise<void> {
  const texts = [...visitors.map((_, n) => `visitor ${n} ${when}`), `a bird ${when}`];
  for (const [n, visitor] of visitors.entries()) await visitor.say(texts[n] ?? "");
  await bird.say("plaza/fountain", texts.at(-1) ?? "");
  for (const visitor of visitors) for (const text of texts) await visitor.hears(text);
  await until(() => texts.every((text) => bird.heard.some(([, heard]) => heard === text)), "what MQTT hears");
}

describe("the plaza's page", () => {
  test("two browsers and an MQTT client stay and talk on when the owner of their area is killed", async () => {
    const first = await Visitor.enter();
    const second = await Visitor.enter({ width: 390, height: 844 });
    const visitors = [first, second];
    const bird = await mqttUser(plaza.ready.proxies[1]!.mqtt, "ada", ["plaza/fountain", "$toychat/moved"]);
    await first.page.locator(".bird-name", { hasText: "ada" }).waitFor();
    await expectTalk(visitors, bird, "before");

    const owner = await first.owner();
    const pid = plaza.ready.chats.find(({ id }) => id === owner)!.pid;
    await first.page.getByRole("button", { name: `Kill ${owner}` }).click();
    // All of them at once: the plaza starts it again soon.
    await Promise.all(
      visitors.map(({ page }) =>
        page.locator(FOUNTAIN, { hasNotText: owner }).filter({ hasText: /^chat-/ }).waitFor()
      ),
    );
    for (const visitor of visitors) {
      await visitor.sees(`${owner} was killed`);
      await visitor.sees("moved: Fountain, lost: true");
      await visitor.sees("2 of 2 avatars are still there");
      await visitor.page.locator("#last-ms", { hasText: /^\d+ ms$/ }).waitFor();
    }
    expect(() => process.kill(pid, 0)).toThrow();
    await expectTalk(visitors, bird, "after");

    // The plaza starts it again, and it takes its area back.
    for (const visitor of visitors) {
      await visitor.page.locator(FOUNTAIN, { hasText: owner }).waitFor();
      await visitor.sees("moved: Fountain, lost: false");
    }
    await expectTalk(visitors, bird, "again");

    const moves = bird.heard.filter(([topic]) => topic === "$toychat/moved").map(([, text]) =>
      JSON.parse(text)
    );
    expect(moves).toEqual([{ room: "plaza/fountain", lost: true }, { room: "plaza/fountain", lost: false }]);
    expect(bird.ended).toBe(false);
    const names = await Promise.all(visitors.map((visitor) => visitor.name()));
    for (const visitor of visitors) {
      expect(visitor.troubles).toEqual([]);
      expect(visitor.sockets).toBe(1);
      expect(await visitor.page.locator("#connection-reconnects").innerText()).toBe("0 reconnects");
      const shown = await visitor.page.locator(".name:not(.bird-name)").allInnerTexts();
      expect(shown.sort()).toEqual([...names].sort());
      await visitor.leave();
    }
    await bird.close();
  });

  test("visitors are spread over the proxies, and see each other walk", async () => {
    const first = await Visitor.enter();
    const second = await Visitor.enter();
    const proxies = await Promise.all(
      [first, second].map(({ page }) =>
        page.locator("#connection-text", { hasText: /connected to proxy-/ }).innerText()
      ),
    );
    expect(new Set(proxies).size).toBe(2);

    const other = second.page.locator(".name:not(.mine)");
    const before = (await other.boundingBox())!.x;
    await first.page.locator("#scene").focus();
    await first.page.keyboard.down("ArrowRight");
    await first.page.getByText("Say something at the Stage").waitFor();
    await until(
      async () => (await other.boundingBox())!.x > before + 40,
      "the other to be further to the right",
    );
    await first.page.keyboard.up("ArrowRight");
    await first.leave();
    await other.waitFor({ state: "detached" });
    await second.leave();
  });

  test("a new name and new clothes reach the others, without a new connection", async () => {
    const first = await Visitor.enter();
    const second = await Visitor.enter();
    await first.page.getByRole("button", { name: /^You are/ }).click();
    await first.page.getByLabel("Your name").fill("Ada Lovelace");
    await first.page.getByRole("button", { name: "Other clothes" }).click();
    await first.page.getByRole("button", { name: "That is me" }).click();
    await second.page.locator(".name", { hasText: "Ada Lovelace" }).waitFor();
    await first.say("under a new name");
    await second.page.getByRole("log").getByText("Ada Lovelace").waitFor();
    expect([first.sockets, ...first.troubles]).toEqual([1]);
    await first.leave();
    await second.leave();
  });

  test("what people write is text, not markup", async () => {
    const visitor = await Visitor.enter();
    const other = await mqttUser(plaza.ready.proxies[0]!.mqtt, "<b>eve</b>", []);
    const markup = `<img src="x" onerror="document.title='eve was here'">`;
    await other.say("plaza/fountain", markup);
    await visitor.hears(markup);
    expect(await visitor.page.title()).toBe("The plaza");
    expect(await visitor.page.locator("#talk img, #overlay img, #overlay b b").count()).toBe(0);
    expect(visitor.troubles).toEqual([]);
    await other.close();
    await visitor.leave();
  });
});
