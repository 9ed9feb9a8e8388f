/** What a file says of itself, and how a broken one is told; the files are made here, byte by byte. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { PhotoError } from "../../conversion/webpage/js/errors.js";
import { orientationOf, uprightExif } from "../../conversion/webpage/js/exif.js";
import { JpegStream } from "../../conversion/webpage/js/jpeg.js";
import { readHeader } from "../../conversion/webpage/js/photo_header.js";
import { PngStream } from "../../conversion/webpage/js/png.js";

/** EXIF with an orientation (SHORT), and a width (LONG) in the directory that another one points to. */
function exif(little, orientation, width = 640) {
  const view = new DataView(new ArrayBuffer(56));
  const put = (at, tag, type, value) => {
    view.setUint16(at, tag, little);
    view.setUint16(at + 2, type, little);
    view.setUint32(at + 4, 1, little);
    if (type === 3) view.setUint16(at + 8, value, little);
    else view.setUint32(at + 8, value, little);
  };
  view.setUint16(0, little ? 0x4949 : 0x4d4d);
  view.setUint16(2, 42, little);
  view.setUint32(4, 8, little);
  view.setUint16(8, 2, little);
  put(10, 0x0112, 3, orientation);
  put(22, 0x8769, 4, 38);
  view.setUint16(38, 1, little);
  put(40, 0xa002, 4, width);
  return new Uint8Array(view.buffer);
}

async function written(Stream, bands, metadata, rows = [8, 16]) {
  const stream = new Stream(rows[1], rows[0], bands, metadata);
  await stream.write(new Uint8Array(rows[0] * rows[1] * bands).fill(99));
  return new Uint8Array(await (await stream.close()).arrayBuffer());
}

const refused = (bytes) => assert.rejects(readHeader(bytes), PhotoError);

test("EXIF is read in both byte orders, and told upright with the new size", () => {
  for (const little of [true, false]) {
    assert.equal(orientationOf(exif(little, 6)), 6);
    assert.equal(orientationOf(exif(little, 9)), 1);
    const upright = uprightExif(exif(little, 6), 2560, 1920);
    assert.deepEqual(upright, exif(little, 1, 2560));
  }
});

test("nonsense EXIF is nothing, and does not go round in circles", () => {
  const circle = exif(true, 3);
  new DataView(circle.buffer).setUint32(30, 8, true); // the second directory is the first one
  assert.equal(orientationOf(circle), 3);
  for (const bytes of [new Uint8Array(0), new Uint8Array(64), exif(true, 6).subarray(0, 9)])
    assert.equal(orientationOf(bytes), 1);
});

for (const [name, Stream, format] of [
  ["PNG", PngStream, "png"],
  ["JPEG", JpegStream, "jpeg"],
]) {
  test(`${name}: what was written in is read out`, async () => {
    const icc = Uint8Array.from({ length: 70000 }, (_, at) => (at * 7919) >> 3);
    const header = await readHeader(await written(Stream, 3, { exif: exif(false, 8), icc }));
    assert.deepEqual([header.format, header.width, header.height], [format, 16, 8]);
    assert.deepEqual([header.colours, header.alpha, header.orientation], [3, false, 8]);
    assert.deepEqual(header.exif, exif(false, 8));
    assert.deepEqual(header.icc, icc);
    assert.equal((await readHeader(await written(Stream, 1, { exif: null, icc: null }))).colours, 1);
  });

  test(`${name}: cut anywhere, it is refused`, async () => {
    const whole = await written(Stream, 3, { exif: exif(true, 1), icc: new Uint8Array(50) });
    for (let length = 0; length < whole.length; length += 3) await refused(whole.subarray(0, length));
    await readHeader(whole);
  });
}

test("opacity is seen in PNG", async () => {
  assert.equal((await readHeader(await written(PngStream, 4, { exif: null, icc: null }))).alpha, true);
  assert.equal((await readHeader(await written(PngStream, 2, { exif: null, icc: null }))).alpha, true);
});

test("too many pixels are refused before any is decoded", async () => {
  const png = await written(PngStream, 1, { exif: null, icc: null });
  for (const [width, height, fine] of [
    [65535, 3051, true],
    [65535, 3052, false],
    [65536, 1, false],
    [0, 1, false],
  ]) {
    new DataView(png.buffer).setUint32(16, width);
    new DataView(png.buffer).setUint32(20, height);
    await (fine ? readHeader(png) : refused(png));
  }
});

test("what is no photo is refused", async () => {
  for (const text of ["", "GIF89a.............", "\x89PNG\r\n\x1a\n", "RIFF\0\0\0\0WEBP", "\xff\xd8\xff"]) {
    await refused(Uint8Array.from(text, (letter) => letter.charCodeAt(0)));
  }
});
