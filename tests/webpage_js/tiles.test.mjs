/**
 * The tile plan: its properties for every size; tests/conversion/webpage/test_modules.py compares it with
 * Python's.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { mirrored, spans } from "../../conversion/webpage/js/tiles.js";

const PLANS = [];
for (const length of [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 100, 257]) {
  for (const [window, halo] of [
    [8, 0],
    [8, 1],
    [16, 4],
    [16, 7],
    [33, 8],
  ])
    PLANS.push([length, window, halo]);
}

test("kept pixels cover the axis once, and lie inside their window", () => {
  for (const [length, window, halo] of PLANS) {
    const plan = spans(length, window, halo);
    assert.deepEqual([plan[0].first, plan.at(-1).last], [0, length]);
    for (const [index, span] of plan.entries()) {
      if (index) assert.equal(span.first, plan[index - 1].last);
      assert.ok(span.start >= 0 && span.start + span.size <= length && span.first < span.last);
      assert.equal(span.size, Math.min(window, length));
    }
  }
});

test("each kept pixel has its halo, or the photo's border", () => {
  for (const [length, window, halo] of PLANS) {
    for (const { start, size, first, last } of spans(length, window, halo)) {
      assert.ok(start === 0 || first - start >= halo);
      assert.ok(start + size === length || start + size - last >= halo);
    }
  }
});

test("mirroring repeats no end pixel, however small the photo", () => {
  const seen = (length) => Array.from({ length: 9 }, (_, index) => mirrored(index, length)).join("");
  assert.deepEqual(
    [seen(1), seen(2), seen(3), seen(4), seen(9)],
    ["000000000", "010101010", "012101210", "012321012", "012345678"],
  );
});
