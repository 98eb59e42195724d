/** Speaks to the control API of the running server, for the commands. */
import { request as httpRequest } from "node:http";
import { diskFiles } from "../daemon/files.ts";
import { readToken } from "../host/control-server.ts";
import { Fault } from "../kernel/fault.ts";
import type { LoadedConfig } from "./config/load.ts";
import { type ControlSettings, controlOf } from "./settings.ts";

/** Stopping a hung chain takes some seconds; nothing takes longer than this. */
const TIMEOUT_MS = 60_000;
const MAX_ANSWER_BYTES = 16 << 20;

/**
 * The answer of the server that runs with this configuration. Throws `Fault` `control-unreachable` when none answers, `control-refused` with its
 * own words when it refuses, `control-token` when the token cannot be read.
 */
export async function askServer<T>(loaded: LoadedConfig, method: "GET" | "POST", path: string): Promise<T> {
  const control = controlOf(loaded);
  if (control === undefined) throw new Fault("control-unreachable", { why: "control.enabled is false" });
  const { status, text } = await send(control, method, path);
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch (cause) {
    throw new Fault("control-unreachable", { at: addressOf(control), status }, { cause });
  }
  if (status === 200) return answer as T;
  const { error } = answer as { readonly error?: { readonly message?: string; readonly help?: string } };
  const words = [error?.message, error?.help].filter((each) => each !== undefined).join(". ");
  throw new Fault("control-refused", { status }, { cause: new Error(words) });
}

async function send(
  control: ControlSettings,
  method: string,
  path: string,
): Promise<{ readonly status: number; readonly text: string }> {
  const headers =
    control.kind === "tcp" ? { authorization: `Bearer ${await readToken(diskFiles, control.tokenFile)}` } : {};
  const at = control.kind === "tcp" ? control.address : { socketPath: control.path };
  return await new Promise((resolve, reject) => {
    const refuse = (cause: Error): void =>
      reject(new Fault("control-unreachable", { at: addressOf(control) }, { cause }));
    const request = httpRequest({ ...at, method, path, headers, agent: false, timeout: TIMEOUT_MS }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
        if (text.length > MAX_ANSWER_BYTES) response.destroy(new Error("the answer is too long"));
      });
      response.on("error", refuse);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.on("timeout", () => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    request.on("error", refuse);
    request.end();
  });
}

function addressOf(control: ControlSettings): string {
  return control.kind === "socket" ? control.path : `${control.address.host}:${control.address.port}`;
}
