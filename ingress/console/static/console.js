// The console without a script works; with it, pages stay current and questions come as dialogs.
"use strict";

const RETRY_MS = 30_000;
const SILENCE_MS = 45_000; // the server says something every 15 s

// Times as "3 min ago", counted on.
function words(seconds) {
  const size = Math.abs(seconds);
  const [count, unit] =
    size < 60 ? [size, "s"] : size < 3600 ? [size / 60, "min"] : size < 86400 ? [size / 3600, "h"] : [size / 86400, "d"];
  const text = `${Math.floor(count)} ${unit}`;
  return size < 1 ? "now" : seconds > 0 ? `${text} ago` : `in ${text}`;
}

function tick(root = document) {
  for (const time of root.querySelectorAll("time[data-ago]")) {
    const seconds = Math.round((Date.now() - Date.parse(time.dateTime)) / 1000);
    const text = words(seconds);
    if (!time.title) time.title = `${time.textContent} UTC`;
    if (time.textContent !== text) time.textContent = text;
  }
}

// Fragments from the server take the place of those on the page, unless somebody works in one.
function isInUse(element) {
  const active = document.activeElement;
  return element.contains(active) && active.matches("input, select, textarea");
}

function put(id, html) {
  const element = document.getElementById(id);
  if (!element || element.dataset.html === html || isInUse(element)) return;
  const key = element.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const open = [...element.querySelectorAll("details[open]")].map((details) => details.id);
  element.dataset.html = html;
  element.innerHTML = html;
  for (const name of open) document.getElementById(name)?.setAttribute("open", "");
  if (key) element.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  tick(element);
}

let source = null;
let heardAt = 0;

function say(text) {
  const place = document.querySelector("[data-connection]");
  if (place && place.textContent !== text) place.textContent = text;
}

function listen() {
  const ids = [...document.querySelectorAll("[data-live]")].map((element) => element.id);
  if (!ids.length || source || document.hidden) return;
  source = new EventSource(`/console/events?show=${ids.join(",")}`);
  heardAt = Date.now();
  source.onopen = () => say("Live.");
  source.onmessage = (event) => {
    heardAt = Date.now();
    document.body.classList.remove("stale");
    for (const [id, html] of Object.entries(JSON.parse(event.data))) put(id, html);
  };
  source.onerror = async () => {
    doubt();
    if (source?.readyState !== EventSource.CLOSED) return; // it connects again by itself
    source = null;
    if (await isSignedOut()) location.reload(); // which leads to the sign-in, and back here
    else setTimeout(listen, RETRY_MS);
  };
}

// What was true when the server last spoke says nothing of now; its next word takes the place of this.
function doubt() {
  say("Disconnected: reconnecting.");
  document.body.classList.add("stale");
  for (const template of document.querySelectorAll("template[data-doubt]")) put(template.dataset.doubt, template.innerHTML);
}

// An EventSource does not tell why it was refused; the page itself does: it leads strangers elsewhere.
async function isSignedOut() {
  const asked = { method: "HEAD", redirect: "manual", headers: { Accept: "text/html" } };
  const answer = await fetch(location.href, asked).catch(() => null);
  return answer?.type === "opaqueredirect";
}

function listenAgainAfterSilence() {
  if (!source || Date.now() - heardAt < SILENCE_MS) return;
  doubt();
  rest();
  listen();
}

function rest() {
  source?.close();
  source = null;
}

// A question is fetched and shown over the page; its answer is an ordinary form.
async function ask(form, submitter) {
  const response = await fetch(form.action, {
    method: "POST",
    body: new URLSearchParams(new FormData(form, submitter)),
    headers: { Accept: "text/html" },
  });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const question = page.getElementById("question");
  if (!question) return location.assign("/console/"); // the session has ended
  const answers = question.querySelector("form");
  if (answers) answers.action = form.action;
  const dialog = document.createElement("dialog");
  question.querySelector("h1").id = "asked";
  dialog.setAttribute("aria-labelledby", "asked");
  dialog.append(question);
  dialog.querySelector("[data-cancel]").addEventListener("click", (event) => {
    event.preventDefault();
    dialog.close();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    // What changed meanwhile has put another button in its place.
    const key = submitter?.dataset.key;
    (submitter?.isConnected ? submitter : key && document.querySelector(`[data-key="${CSS.escape(key)}"]`))?.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("[data-ask]")) {
    event.preventDefault();
    ask(form, event.submitter).catch(() => form.submit());
  } else if (form.method === "post") {
    setTimeout(() => event.submitter && (event.submitter.disabled = true)); // one click is enough
  }
});
// A file's text in the encodings that the server reads (ingress/csv_reader.py).
const decoded = async (file) => {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const zeros = [0, 0];
  bytes.subarray(0, 256).forEach((byte, at) => (zeros[at % 2] += byte === 0));
  const isUtf16 = Math.max(...zeros) > 1 && Math.max(...zeros) * 4 >= Math.min(bytes.length, 256);
  const starts = (first, second) => bytes[0] === first && bytes[1] === second;
  if (starts(0xff, 0xfe) || (isUtf16 && zeros[1] > zeros[0])) return new TextDecoder("utf-16le").decode(bytes);
  if (starts(0xfe, 0xff) || isUtf16) return new TextDecoder("utf-16be").decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const text = new TextDecoder().decode(bytes); // with U+FFFD for what is damaged, which the server refuses
    return /^[\0-\x7f]*\ufffd/.test(text) ? new TextDecoder("windows-1252").decode(bytes) : text;
  }
};
// A chosen file fills a field, which is what is sent.
document.addEventListener("change", async (event) => {
  const field = document.getElementById(event.target.dataset.fills);
  if (field && event.target.files.length) field.value = await decoded(event.target.files[0]);
});
for (const element of document.querySelectorAll("[data-scripted]")) element.hidden = false;
document.addEventListener("visibilitychange", () => (document.hidden ? rest() : listen()));
addEventListener("pagehide", rest);
addEventListener("pageshow", listen);
tick();
setInterval(tick, 1000);
setInterval(listenAgainAfterSilence, 5000);
listen();
