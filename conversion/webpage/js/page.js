/** The page: photos come in, are upscaled one after another, and go out as files. */

import { Comparison, Picture } from "./comparison.js";
import { openEngines } from "./engines.js";
import { element, models, programOf } from "./payload.js";
import { Entry } from "./queue.js";
import { TEXTS } from "./texts.js";

const ENDINGS = { png: "png", jpeg: "jpg" };

const MODELS = models();
const comparison = new Comparison();
/** @type {Entry[]} */
const entries = [];
let made = 0;
/** @type {Promise<Worker> | undefined} */
let photoWorker;
/** @type {{key: string, engines: Promise<import("./engines.js").Engines>} | undefined} */
let opened;
let working = false;

const files = /** @type {HTMLInputElement} */ (element("files"));
files.addEventListener("change", () => {
  add(files.files);
  files.value = ""; // the same photo may be chosen again
});
addEventListener("paste", (event) => add(event.clipboardData?.files));
addEventListener("dragover", (event) => {
  event.preventDefault();
  element("drop").classList.add("over");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) element("drop").classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  element("drop").classList.remove("over");
  add(event.dataTransfer?.files);
});

/** @param {FileList | null | undefined} chosen */
function add(chosen) {
  for (const file of chosen ?? []) entries.push(new Entry(file, made++, { stop, show, remove }));
  element("photos").hidden = entries.length === 0;
  if (!working) work();
}

async function work() {
  working = true;
  for (let entry = next(); entry; entry = next()) {
    tell(TEXTS.started(entry.file.name));
    try {
      await upscale(entry);
    } catch (error) {
      fail(entry, TEXTS.defect(String(error)));
    }
  }
  working = false;
}

function next() {
  return entries.find((entry) => entry.state === "waiting");
}

/** @param {Entry} entry */
async function upscale(entry) {
  entry.begin(TEXTS.starting);
  const model = MODELS[Number(chosen("model"))] ?? MODELS[0];
  const format = /** @type {"png" | "jpeg"} */ (chosen("format"));
  let engines;
  try {
    engines = await enginesFor(model, /** @type {import("./engines.js").Wish} */ (chosen("engine")));
  } catch (error) {
    forgetEngines();
    return fail(entry, TEXTS.engine(error instanceof Error ? error.message : String(error)));
  }
  element("note").textContent = engines.note;
  if (entry.state !== "working") return; // stopped meanwhile, as below
  entry.say(TEXTS.reading);
  photoWorker ??= programOf("photo-worker").then((program) => new Worker(program));
  const worker = await photoWorker;
  const ports = await engines.ports();
  const { id, file } = entry;
  if (entry.state !== "working") return;
  entry.handedOver = true;
  worker.postMessage({ id, file, format, ports, shape: model.shape, halo: model.halo }, ports);
  await new Promise((resolve) => {
    worker.onmessage = ({ data }) => {
      if (data.id === id) hear(data, entry, engines, format, () => resolve(undefined));
    };
    worker.onerror = (event) => {
      photoWorker = undefined;
      fail(entry, TEXTS.defect(event.message));
      resolve(undefined);
    };
  });
}

/**
 * @param {import("./photo_worker.js").News} news
 * @param {Entry} entry
 * @param {import("./engines.js").Engines} engines
 * @param {"png" | "jpeg"} format
 * @param {() => void} over
 */
function hear(news, entry, engines, format, over) {
  if (news.kind === "opened") {
    entry.opened(news.opened);
    entry.picture = new Picture(entry.file, news.opened);
    comparison.show(entry.picture);
  } else if (news.kind === "tile") {
    entry.advance();
    entry.picture?.add(news.tile).then(() => comparison.draw());
  } else if (news.kind === "done") {
    const stem = entry.file.name.replace(/\.[^.]*$/, "");
    const name = `${stem}_x${engines.model.shape.scale}.${ENDINGS[format]}`;
    entry.finish(news.blob, name, /** @type {Picture} */ (entry.picture), engines.ran);
    tell(TEXTS.finished(entry.file.name));
    over();
  } else {
    if (news.kind === "stopped") giveUp(entry);
    else {
      fail(entry, news.message);
      if (news.engine) forgetEngines();
    }
    over();
  }
}

/** @param {Entry} entry */
function stop(entry) {
  if (!entry.handedOver) return giveUp(entry);
  entry.stopping();
  photoWorker?.then((worker) => worker.postMessage({ kind: "stop", id: entry.id }));
}

/** @param {Entry} entry */
function giveUp(entry) {
  entry.end("ended", TEXTS.stopped);
  hide(entry);
}

/** @param {Entry} entry @param {string} why */
function fail(entry, why) {
  entry.end("ended", why);
  tell(TEXTS.failed(entry.file.name, why));
  hide(entry);
}

/** @param {Entry} entry */
function hide(entry) {
  if (entry.picture) comparison.hide(entry.picture);
  entry.picture = null;
}

/** @param {Entry} entry */
function show(entry) {
  if (!entry.picture) return;
  comparison.show(entry.picture);
  comparison.section.scrollIntoView({ block: "nearest", behavior: "smooth" });
}

/** @param {Entry} entry */
function remove(entry) {
  hide(entry);
  entry.drop();
  entries.splice(entries.indexOf(entry), 1);
  element("photos").hidden = entries.length === 0;
  files.focus();
}

/**
 * @param {import("./payload.js").Model} model
 * @param {import("./engines.js").Wish} wish
 */
async function enginesFor(model, wish) {
  const key = `${model.id} ${wish}`;
  if (opened?.key !== key) {
    forgetEngines();
    opened = { key, engines: openEngines(model, wish) };
  }
  return opened.engines;
}

/** The next photo gets new ones. */
function forgetEngines() {
  opened?.engines.then(
    (before) => before.close(),
    () => {},
  );
  opened = undefined;
}

/** @param {string} id of a choice @returns {string} its value */
function chosen(id) {
  return /** @type {HTMLSelectElement?} */ (document.getElementById(id))?.value ?? "";
}

/** For screen readers. @param {string} what */
function tell(what) {
  element("status").textContent = what;
}
