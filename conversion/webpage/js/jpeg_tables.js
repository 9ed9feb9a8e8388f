/** The tables that ITU T.81, annex K, gives as typical; every JPEG reader gets them with the file. */

/** @param {string} hex */
const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** Divisors at quality 50 in zigzag order: of brightness, of colour. */
export const DIVISORS = [
  bytes(
    "100b0c0e0c0a100e0d0e1211101318281a181616183123251d283a333d3c393338374048" +
      "5c4e404457453738506d51575f626768673e4d71797064785c656763",
  ),
  bytes("1112121815182f1a1a2f634238" + "42" + "63".repeat(50)),
];

/**
 * Huffman codes as JPEG writes them: 16 counts by length, then the values; brightness DC and AC, colour DC
 * and AC.
 */
export const CODES = [
  [
    bytes("00010501010101010100000000000000" + "000102030405060708090a0b"),
    bytes(
      "0002010303020403050504040000017d" +
        "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a" +
        "3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a929394" +
        "95969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8" +
        "e9eaf1f2f3f4f5f6f7f8f9fa",
    ),
  ],
  [
    bytes("00030101010101010101010000000000" + "000102030405060708090a0b"),
    bytes(
      "00020102040403040705040400010277" +
        "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728" +
        "292a35363738393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92" +
        "939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7" +
        "e8e9eaf2f3f4f5f6f7f8f9fa",
    ),
  ],
];

/** Place in the block (row by row) of the k-th coefficient of the zigzag. */
export const ZIGZAG = zigzag();

function zigzag() {
  const places = Array.from({ length: 64 }, (_, place) => ({ place, row: place >> 3, column: place & 7 }));
  const along = (/** @type {{row: number, column: number}} */ { row, column }) =>
    (row + column) % 2 ? row : column;
  return places
    .sort((a, b) => a.row + a.column - b.row - b.column || along(a) - along(b))
    .map(({ place }) => place);
}
