/**
 * bincode 1.3 with its defaults, for the fake bllvm node: little-endian, fixed widths, `u64` lengths, `u32` variant indexes.
 * Written apart from the program's own codec, so that a mistake there is not made here again. A layout is a value that
 * reads and writes one type; records and lists are made of layouts.
 */

/** The bytes are no value of the type that was expected: `bincode::deserialize` would fail. */
export class BincodeError extends Error {}

/** Reads bytes from front to back. */
export class BincodeSource {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Bytes left. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** The next `size` bytes, copied. */
  take(size: number): Uint8Array {
    if (size > this.left) throw new BincodeError(`${size} bytes wanted, ${this.left} left`);
    this.#at += size;
    return this.#bytes.slice(this.#at - size, this.#at);
  }

  /** A number of `size` bytes, read by `read` at its offset. */
  number<T>(size: number, read: (view: DataView, at: number) => T): T {
    if (size > this.left) throw new BincodeError(`${size} bytes wanted, ${this.left} left`);
    this.#at += size;
    return read(this.#view, this.#at - size);
  }
}

/** Collects bytes. */
export class BincodeSink {
  readonly #parts: Uint8Array[] = [];

  /** Appends `bytes`. */
  put(bytes: Uint8Array): void {
    this.#parts.push(bytes);
  }

  /** Appends a number of `size` bytes, written by `write`. */
  number(size: number, write: (view: DataView) => void): void {
    const bytes = new Uint8Array(size);
    write(new DataView(bytes.buffer));
    this.put(bytes);
  }

  /** All bytes. */
  finish(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.#parts));
  }
}

/** How a type lies in bytes. */
export interface Layout<T> {
  read(from: BincodeSource): T;
  write(to: BincodeSink, value: T): void;
}

/** The type that a layout carries. */
export type Of<L> = L extends Layout<infer T> ? T : never;

/** One byte. */
export const u8: Layout<number> = {
  read: (from) => from.number(1, (view, at) => view.getUint8(at)),
  write: (to, value) => to.number(1, (view) => view.setUint8(0, value)),
};

/** `u32`; also the index of an enum's variant. */
export const u32: Layout<number> = {
  read: (from) => from.number(4, (view, at) => view.getUint32(at, true)),
  write: (to, value) => to.number(4, (view) => view.setUint32(0, value, true)),
};

/** `i32`. */
export const i32: Layout<number> = {
  read: (from) => from.number(4, (view, at) => view.getInt32(at, true)),
  write: (to, value) => to.number(4, (view) => view.setInt32(0, value, true)),
};

/** `u64`, and `usize`. */
export const u64: Layout<bigint> = {
  read: (from) => from.number(8, (view, at) => view.getBigUint64(at, true)),
  write: (to, value) => to.number(8, (view) => view.setBigUint64(0, value, true)),
};

/** `i64`. */
export const i64: Layout<bigint> = {
  read: (from) => from.number(8, (view, at) => view.getBigInt64(at, true)),
  write: (to, value) => to.number(8, (view) => view.setBigInt64(0, value, true)),
};

/** `u128`, the low half first. */
export const u128: Layout<bigint> = {
  read: (from) => u64.read(from) + (u64.read(from) << 64n),
  write: (to, value) => {
    u64.write(to, BigInt.asUintN(64, value));
    u64.write(to, value >> 64n);
  },
};

/** `f64`. */
export const f64: Layout<number> = {
  read: (from) => from.number(8, (view, at) => view.getFloat64(at, true)),
  write: (to, value) => to.number(8, (view) => view.setFloat64(0, value, true)),
};

/** `bool`: 0 or 1, anything else is an error. */
export const bool: Layout<boolean> = {
  read: (from) => {
    const byte = u8.read(from);
    if (byte > 1) throw new BincodeError(`${byte} is no bool`);
    return byte === 1;
  },
  write: (to, value) => u8.write(to, value ? 1 : 0),
};

/** `[u8; 32]` without a length. */
export const hash32: Layout<Uint8Array> = {
  read: (from) => from.take(32),
  write: (to, value) => {
    if (value.length !== 32) throw new TypeError(`a hash has 32 bytes, got ${value.length}`);
    to.put(value);
  },
};

function length(from: BincodeSource): number {
  const count = u64.read(from);
  // Every item has at least one byte in the types used here, so a longer list cannot follow.
  if (count > BigInt(from.left)) throw new BincodeError(`a length of ${count}, but ${from.left} bytes left`);
  return Number(count);
}

/** `Vec<u8>`. */
export const bytes: Layout<Uint8Array> = {
  read: (from) => from.take(length(from)),
  write: (to, value) => {
    u64.write(to, BigInt(value.length));
    to.put(value);
  },
};

const strict = new TextDecoder("utf-8", { fatal: true });

/** `String`: its UTF-8 must be valid. */
export const text: Layout<string> = {
  read: (from) => {
    const raw = bytes.read(from);
    try {
      return strict.decode(raw);
    } catch {
      throw new BincodeError("a string that is no UTF-8");
    }
  },
  write: (to, value) => bytes.write(to, new TextEncoder().encode(value)),
};

/** `Vec<T>`. */
export function list<T>(item: Layout<T>): Layout<readonly T[]> {
  return {
    read: (from) => Array.from({ length: length(from) }, () => item.read(from)),
    write: (to, value) => {
      u64.write(to, BigInt(value.length));
      for (const each of value) item.write(to, each);
    },
  };
}

/** `Option<T>`. */
export function option<T>(item: Layout<T>): Layout<T | null> {
  return {
    read: (from) => (bool.read(from) ? item.read(from) : null),
    write: (to, value) => {
      bool.write(to, value !== null);
      if (value !== null) item.write(to, value);
    },
  };
}

/** A struct: its fields in the order of the keys. */
export function record<F extends Readonly<Record<string, Layout<unknown>>>>(
  fields: F,
): Layout<{ readonly [K in keyof F]: Of<F[K]> }> {
  const entries = Object.entries(fields) as unknown as readonly (readonly [string, Layout<unknown>])[];
  return {
    read: (from) => Object.fromEntries(entries.map(([name, layout]) => [name, layout.read(from)])) as never,
    write: (to, value) => {
      for (const [name, layout] of entries) layout.write(to, (value as Readonly<Record<string, unknown>>)[name]);
    },
  };
}

/** An enum without content: its names in the order of their indexes. */
export function named<N extends string>(names: readonly N[]): Layout<N> {
  return {
    read: (from) => {
      const index = u32.read(from);
      const name = names[index];
      if (name === undefined) throw new BincodeError(`no variant ${index}`);
      return name;
    },
    write: (to, value) => u32.write(to, names.indexOf(value)),
  };
}

/** A variant of an enum with its content. */
export interface Variant<N extends string = string, V = unknown> {
  readonly name: N;
  readonly value: V;
}

/** An enum with content: rows of layouts by name, in the order of their indexes. */
export function variants<R extends Readonly<Record<string, Layout<unknown>>>>(
  rows: R,
): Layout<{ [N in keyof R & string]: Variant<N, Of<R[N]>> }[keyof R & string]> {
  const names = Object.keys(rows);
  return indexed(rows, (name) => names.indexOf(name)) as never;
}

/** As `variants`, but with the index that each name has according to `indexOf`; `undefined` where it does not exist. */
export function indexed(
  rows: Readonly<Record<string, Layout<unknown>>>,
  indexOf: (name: string) => number | undefined,
): Layout<Variant> {
  const byIndex = new Map(
    Object.keys(rows).flatMap((name) => (indexOf(name) === undefined ? [] : [[indexOf(name), name]])),
  );
  return {
    read: (from) => {
      const index = u32.read(from);
      const name = byIndex.get(index);
      if (name === undefined) throw new BincodeError(`no variant ${index}`);
      return { name: name as string, value: (rows[name as string] as Layout<unknown>).read(from) };
    },
    write: (to, { name, value }) => {
      const index = indexOf(name);
      const layout = rows[name] as Layout<unknown> | undefined;
      if (index === undefined || layout === undefined) throw new TypeError(`this schema has no ${name}`);
      u32.write(to, index);
      layout.write(to, value);
    },
  };
}
