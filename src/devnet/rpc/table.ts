/** What a method of the RPC is: a row with its parameters; and the checks of parameters, with Core's codes and words. */
import { fromHex } from "../../kernel/bytes.ts";
import { RPC, RpcError, type RpcParams } from "./protocol.ts";

/** One parameter. */
export interface Parameter {
  readonly name: string;
  /** JSON types that it may have, besides being left out or null when optional. */
  readonly type: readonly ("string" | "number" | "bool" | "object" | "array")[];
  readonly optional?: true;
}

/** One method; `C` is what methods of its daemon work on. */
export interface Method<C> {
  readonly params: readonly Parameter[];
  /** `args` by position, checked against `params`; what was left out is `undefined`. */
  readonly run: (context: C, args: readonly unknown[], signal: AbortSignal) => unknown;
}

/** Shorthand for a row's parameters: `"blockhash"`, or `"verbosity?"` for an optional one. */
export function param(name: string, ...type: Parameter["type"]): Parameter {
  const bare = name.replace("?", "");
  return bare === name ? { name: bare, type } : { name: bare, type, optional: true };
}

/** Finds the method, checks the parameters as Core's RPCHelpMan does, runs it. Throws `RpcError`. */
export async function callMethod<C>(
  methods: Readonly<Record<string, Method<C>>>,
  context: C,
  name: string,
  params: RpcParams,
  signal: AbortSignal,
): Promise<unknown> {
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
  if (method === undefined) throw new RpcError(RPC.METHOD_NOT_FOUND, "Method not found");
  const args = byPosition(method, params);
  const required = method.params.filter((each) => each.optional !== true).length;
  if (args.length > method.params.length || args.slice(0, required).filter(isGiven).length < required) {
    throw new RpcError(RPC.MISC_ERROR, usage(name, method));
  }
  const wrong = method.params.flatMap((each, i) => {
    const type = jsonType(args[i]);
    if (type === undefined || (each.type as readonly string[]).includes(type)) return [];
    return [
      `    "Position ${i + 1} (${each.name})": "JSON value of type ${type} is not of expected type ${each.type[0]}"`,
    ];
  });
  if (wrong.length > 0) throw new RpcError(RPC.TYPE_ERROR, `Wrong type passed:\n{\n${wrong.join(",\n")}\n}`);
  return method.run(
    context,
    args.map((each) => each ?? undefined),
    signal,
  );
}

function byPosition(method: Pick<Method<never>, "params">, params: RpcParams): readonly unknown[] {
  if (Array.isArray(params)) return params;
  const named = params as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(named).find((name) => !method.params.some((each) => each.name === name));
  if (unknown !== undefined) throw new RpcError(RPC.INVALID_PARAMETER, `Unknown named parameter ${unknown}`);
  return method.params.map((each) => named[each.name]);
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function jsonType(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "boolean") return "bool";
  return Array.isArray(value) ? "array" : typeof value;
}

function usage(name: string, method: Pick<Method<never>, "params">): string {
  const shown = method.params.map((each) => (each.optional === true ? `( ${each.name} )` : each.name));
  return [name, ...shown].join(" ");
}

/** A 256-bit hash in display-order hex. Throws `RpcError` -8 with Core's sentences. */
export function hashArgument(value: unknown, name: string): string {
  const text = String(value);
  if (text.length !== 64) {
    throw new RpcError(
      RPC.INVALID_PARAMETER,
      `${name} must be of length 64 (not ${text.length}, for '${text.slice(0, 80)}')`,
    );
  }
  if (!/^[0-9a-fA-F]+$/.test(text)) {
    throw new RpcError(RPC.INVALID_PARAMETER, `${name} must be hexadecimal string (not '${text}')`);
  }
  return text.toLowerCase();
}

/** Bytes of a hex argument; `undefined` when it is no hex. */
export function hexArgument(value: unknown): Uint8Array | undefined {
  const text = String(value);
  return text.length > 0 && text.length % 2 === 0 && /^[0-9a-fA-F]*$/.test(text) ? fromHex(text) : undefined;
}
