/** What lies around the network: lending engines, the golden tile, channels, calls. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Caller, serve } from "../../conversion/webpage/js/calls.js";
import { emptyRange, refuseEmptyResult, upscaleWindow, widen } from "../../conversion/webpage/js/channels.js";
import { PhotoError, Stopped } from "../../conversion/webpage/js/errors.js";
import { compare, goldenTile } from "../../conversion/webpage/js/golden.js";
import { Pool } from "../../conversion/webpage/js/pool.js";

test("an engine is lent to one at a time, in order", async () => {
  const pool = new Pool(["a"]);
  assert.equal(await pool.take(), "a");
  const order = [];
  const [first, second] = [1, 2].map((who) => pool.take().then((engine) => order.push([who, engine])));
  pool.give("a");
  await first;
  pool.give("a");
  await second;
  assert.deepEqual(order, [
    [1, "a"],
    [2, "a"],
  ]);
});

test("stopped, nobody gets one and nobody waits", async () => {
  const pool = new Pool(["a"]);
  await pool.take();
  const waiting = pool.take();
  pool.stop();
  await assert.rejects(waiting, Stopped);
  pool.give("a");
  await assert.rejects(pool.take(), Stopped);
});

test("the golden tile tells a wrong kernel from rounding", () => {
  const tile = goldenTile(16, 24);
  assert.ok(tile.every((value) => value >= 0 && value <= 1));
  assert.deepEqual(tile, goldenTile(16, 24));
  const changed = (at, by) => tile.map((value, index) => (index === at ? value + by : value));
  assert.ok(compare(tile, changed(30, tile[30] < 0.5 ? 0.003 : -0.003)).agree);
  assert.ok(!compare(tile, changed(30, tile[30] < 0.5 ? 0.005 : -0.005)).agree);
  assert.ok(!compare(tile, changed(30, NaN)).agree);
  assert.ok(!compare(tile, tile.slice(1)).agree);
  assert.ok(
    !compare(
      tile,
      tile.map(() => 0),
    ).agree,
  );
});

/** Nearest neighbour x2 of a 6x6 window, with what the network would add to everything. */
const SHAPE = { height: 6, width: 6, scale: 2 };
const network = (add) => async (input) => {
  const output = new Float32Array(12 * 12 * 3);
  for (let at = 0; at < output.length; at++) {
    const [pixel, colour] = [Math.floor(at / 3), at % 3];
    output[at] = input[((Math.floor(pixel / 12) >> 1) * 6 + ((pixel % 12) >> 1)) * 3 + colour] + add;
  }
  return output;
};
const windowOf = (samples, colours, alpha) => ({
  samples: Uint8Array.from(samples),
  height: 2,
  width: 3,
  colours,
  alpha,
});
const ALL = { top: 0, bottom: 2, left: 0, right: 3 };

test("grey goes through as three colours and comes back as one", async () => {
  const { samples, seen, made } = await upscaleWindow(
    windowOf([0, 51, 102, 153, 204, 255], 1, false),
    ALL,
    SHAPE,
    network(0),
  );
  assert.deepEqual([...samples.slice(0, 6)], [0, 0, 51, 51, 102, 102]);
  assert.deepEqual([samples.length, seen.low.length, made.high[0]], [24, 1, 1]);
});

test("only the kept part comes back", async () => {
  const kept = { top: 1, bottom: 2, left: 1, right: 3 };
  const { samples } = await upscaleWindow(
    windowOf([0, 51, 102, 153, 204, 255], 1, false),
    kept,
    SHAPE,
    network(0),
  );
  assert.deepEqual([...samples], [204, 204, 255, 255, 204, 204, 255, 255]);
});

test("hidden colours do not reach visible pixels, flat opacity stays exact", async () => {
  const seen = [];
  const spy = async (input) => {
    seen.push(Math.max(...input));
    return network(0)(input);
  };
  const hidden = windowOf(
    [0, 1, 2, 3, 4, 5].flatMap(() => [255, 255, 255, 0]),
    3,
    true,
  );
  const nothing = await upscaleWindow(hidden, ALL, SHAPE, spy);
  assert.ok(nothing.samples.every((value) => value === 0) && seen.length === 0);
  const half = windowOf(
    [0, 1, 2, 3, 4, 5].flatMap((at) => [200, 100, 50, at === 0 ? 254 : 255]),
    3,
    true,
  );
  const { samples } = await upscaleWindow(half, ALL, SHAPE, network(0.001));
  assert.deepEqual([...samples.slice(0, 4)], [200, 100, 50, 254]);
  assert.equal(samples.at(-1), 255);
});

test("values that are no numbers are refused", async () => {
  await assert.rejects(
    upscaleWindow(windowOf([1, 2, 3, 4, 5, 6], 1, false), ALL, SHAPE, network(NaN)),
    PhotoError,
  );
});

test("black and flat results are refused, faint and black photos are not", () => {
  const range = (low, high) => ({ low: [low], high: [high] });
  assert.throws(() => refuseEmptyResult(range(0, 0.5), range(-0.1, 0)), PhotoError);
  assert.throws(() => refuseEmptyResult(range(0, 0.5), range(0.4, 0.4)), PhotoError);
  refuseEmptyResult(range(0, 0.5), range(0, 0.5));
  refuseEmptyResult(range(0, 0), range(0, 0));
  refuseEmptyResult(range(0.5, 0.51), range(0.5, 0.5));
  const whole = emptyRange(1);
  for (const part of [range(0.2, 0.3), range(0.1, 0.2)]) widen(whole, part);
  assert.deepEqual(whole, range(0.1, 0.3));
});

test("each question gets its own answer, or its error", async () => {
  const { port1, port2 } = new MessageChannel();
  serve(port1, {
    twice: async ({ value }) => ({ value: 2 * value }),
    fail: () => Promise.reject(new Error("no")),
  });
  const caller = new Caller(port2);
  const [one, two] = await Promise.all([
    caller.ask("twice", { value: 1 }),
    caller.ask("twice", { value: 2 }),
  ]);
  assert.deepEqual([one.value, two.value], [2, 4]);
  await assert.rejects(caller.ask("fail", {}), /^Error: no$/);
  port1.close();
  port2.close();
});
