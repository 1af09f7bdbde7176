/**
 * The page that a proxy serves where its application gives none: one room to talk in, over JSON on WebSocket.
 *
 * @module
 */

/** An HTML document that needs nothing but itself. What others write is put in as text, never as markup. */
export const demoPage: string = /* html */ `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>toychat</title>
<style>
  :root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 0 auto; padding: 1rem;
    min-height: 100vh; box-sizing: border-box; display: flex; flex-direction: column; gap: .75rem; }
  h1 { font-size: 1.25rem; margin: 0; }
  form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: end; margin: 0; }
  label { display: flex; flex-direction: column; font-size: .8rem; gap: .15rem; }
  input, button { font: inherit; padding: .4rem .6rem; border: 1px solid var(--line); border-radius: .4rem; }
  button { cursor: pointer; }
  #log { flex: 1; min-height: 12rem; overflow-y: auto; border: 1px solid var(--line); border-radius: .4rem;
    padding: .5rem .75rem; margin: 0; list-style: none; }
  #log .own { opacity: .7; }
  #log .event { font-style: italic; opacity: .6; }
  #text { flex: 1; min-width: 10rem; }
  #state { margin: 0; font-size: .85rem; opacity: .75; }
</style>
<h1>toychat</h1>
<form id="enter">
  <label>Name <input id="user" required maxlength="40" autocomplete="off"></label>
  <label>Room <input id="room" required maxlength="100" value="lobby" autocomplete="off"></label>
  <button>Enter</button>
</form>
<p id="state" role="status">Choose a name and a room.</p>
<ul id="log" aria-live="polite"></ul>
<form id="say">
  <input id="text" placeholder="Say something" aria-label="Message" autocomplete="off" disabled>
  <button disabled>Send</button>
</form>
<script type="module">
  const by = (id) => document.getElementById(id);
  const base = location.pathname.endsWith("/") ? location.pathname : location.pathname + "/";
  let socket, room = "", user = "", retry = 0;

  by("user").value = "guest-" + Math.random().toString(36).slice(2, 6);

  function line(text, kind) {
    const item = document.createElement("li");
    item.textContent = text;
    item.className = kind ?? "";
    const log = by("log");
    log.append(item);
    while (log.children.length > 500) log.firstChild.remove();
    log.scrollTop = log.scrollHeight;
  }

  function inside(yes) {
    for (const field of by("say").elements) field.disabled = !yes;
    if (yes) by("text").focus();
  }

  const show = (body) => typeof body === "string" ? body : JSON.stringify(body);

  const handlers = {
    welcome: () => socket.send(JSON.stringify({ type: "join", room, id: 0 })),
    joined: () => {
      retry = 0;
      by("state").textContent = "You are " + user + " in " + room + ".";
      inside(true);
    },
    message: ({ from, body }) => line((from ?? "*") + ": " + show(body), from === user ? "own" : ""),
    moved: ({ lost }) =>
      line("The room has moved to another server" + (lost ? "; messages may be missing." : "."), "event"),
    left: ({ reason }) => line("You are out of the room" + (reason ? ": " + reason : "."), "event"),
    error: ({ message }) => line(message, "event"),
  };

  function connect() {
    const url = new URL(base + "ws", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("user", user);
    const own = socket = new WebSocket(url);
    own.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (own === socket && Object.hasOwn(handlers, message.type)) handlers[message.type](message);
    };
    own.onclose = () => {
      if (own !== socket) return;
      inside(false);
      by("state").textContent = "The connection has ended; trying again.";
      setTimeout(() => own === socket && connect(), Math.min(5000, 250 * 2 ** retry++));
    };
  }

  setInterval(() => socket?.readyState === 1 && socket.send('{"type":"ping"}'), 20000);

  by("enter").onsubmit = (event) => {
    event.preventDefault();
    user = by("user").value.trim();
    room = by("room").value.trim();
    const old = socket;
    socket = undefined;
    old?.close();
    by("log").replaceChildren();
    inside(false);
    connect();
  };

  by("say").onsubmit = (event) => {
    event.preventDefault();
    const text = by("text").value;
    if (!text || socket?.readyState !== 1) return;
    socket.send(JSON.stringify({ type: "message", room, body: text }));
    by("text").value = "";
  };
</script>
</html>
`;
