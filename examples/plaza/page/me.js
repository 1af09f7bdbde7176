/**
 * Who the visitor is: a name and clothes, by chance at first.
 *
 * @module
 */
import { anyLook, coatOf, drawPerson } from "./avatar.js";
import { byId } from "./dom.js";

/** @typedef {{ name: string, look: number[] }} Me */

const NAMES = (
  "Otto Clementine Juno Basil Marigold Felix Wren Amos Poppy Ravi Noor Ines Theo Lucia Kofi Mina Bruno Greta Hugo " +
  "Iris Jasper Kaya Leo Maeve Nico Olive Pablo Quinn Rosa Silas Tilda Umar Vera Willa Yusuf Zora Anouk Emil Freya Goran"
).split(" ");

/** Who it was before in this tab, or somebody new. @returns {Me} */
export function readMe() {
  try {
    const kept = JSON.parse(sessionStorage.getItem("plaza-me") ?? "");
    if (typeof kept.name === "string" && Array.isArray(kept.look)) return kept;
  } catch {
    // The first visit, or a browser that keeps nothing.
  }
  return { name: NAMES[Math.floor(Math.random() * NAMES.length)] ?? "Otto", look: anyLook() };
}

/** @param {Me} me */
export function showMe(me) {
  byId("me-name").textContent = me.name;
  byId("me-swatch").style.background = coatOf(me.look);
  try {
    sessionStorage.setItem("plaza-me", JSON.stringify(me));
  } catch {
    // It is a new name next time.
  }
}

/**
 * Lets the visitor choose.
 *
 * @param {Me} me
 * @param {() => void} changed
 */
export function dressUp(me, changed) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("me"));
  const name = /** @type {HTMLInputElement} */ (byId("me-text"));
  let look = me.look;
  const preview = () => byId("me-preview").replaceChildren(drawPerson(look));
  byId("me-button").addEventListener("click", () => {
    name.value = me.name;
    look = me.look;
    preview();
    dialog.showModal();
  });
  byId("me-shuffle").addEventListener("click", () => {
    look = anyLook();
    preview();
  });
  byId("me-form").addEventListener("submit", () => {
    me.name = name.value.trim() || me.name;
    me.look = look;
    showMe(me);
    changed();
  });
}
