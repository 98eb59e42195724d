/** Randomness as an argument. */

/** A source of random bytes; cryptographically strong in production, seeded in tests. */
export interface Random {
  /** `size` fresh random bytes. */
  bytes(size: number): Uint8Array;
}

/** A random unsigned 32-bit integer. */
export function randomU32(random: Random): number {
  const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4);
  return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
}
