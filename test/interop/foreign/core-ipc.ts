/** A Bitcoin Core with IPC on regtest and loopback (`bitcoin-node`, Core's build with `-DENABLE_IPC=ON`), named by BITCOIN_NODE. */
import { spawn } from "node:child_process";
import { onTestFinished } from "vitest";
import { freePort } from "./translator.ts";

/** Path of the program; `undefined` where there is none. */
export const { BITCOIN_NODE } = process.env;

/** A running node. */
export interface CoreWithIpc {
  /** Calls a method of its JSON-RPC, as user `u` with password `p`. */
  rpc(method: string, ...params: unknown[]): Promise<unknown>;
  /** Of its JSON-RPC. */
  readonly port: number;
}

/** Starts one that has `folder` for itself, which is to be there; it ends with the test. */
export async function startCoreWithIpc(folder: string): Promise<CoreWithIpc> {
  const port = await freePort();
  const child = spawn(
    BITCOIN_NODE ?? "",
    [
      "-regtest",
      `-datadir=${folder}`,
      "-ipcbind=unix",
      "-server",
      `-rpcport=${port}`,
      "-listen=0",
      "-rpcuser=u",
      "-rpcpassword=p",
      "-debug=ipc",
    ],
    { stdio: "ignore" },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  const rpc = async (method: string, ...params: unknown[]): Promise<unknown> => {
    const answer = await fetch(`http://127.0.0.1:${port}`, {
      method: "POST",
      headers: { authorization: `Basic ${Buffer.from("u:p").toString("base64")}` },
      body: JSON.stringify({ method, params, id: 1 }),
    });
    const { result, error } = (await answer.json()) as { result: unknown; error: unknown };
    if (error !== null && error !== undefined) throw new Error(JSON.stringify(error));
    return result;
  };
  for (let tries = 0; ; tries++) {
    try {
      await rpc("getblockcount");
      break;
    } catch (error) {
      if (tries > 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  return { rpc, port };
}
