/**
 * A chain without a daemon, as a plugin's source: it gets a new tip every so often and accepts what is submitted, unless its
 * table names a fault. One plugin for all ways in which one can go wrong while blocks are found.
 */

/** `index.js` of the plugin `puppet`. */
export const PUPPET = `import { PLUGIN_API, toHex, z } from "bllvm-stratum-v2/plugin";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const never = () => new Promise(() => {});
const spin = (ms) => { for (const end = performance.now() + ms; performance.now() < end; ); };

export const plugin = {
  name: "puppet",
  api: PLUGIN_API,
  coin: { symbol: "PUP", decimals: 8 },
  config: z.strictObject({
    fault: z.string().default("none"),
    chain_id: z.number().int().default(7),
    tip_ms: z.number().default(300),
    target_bits: z.number().int().default(251),
    heap_ms: z.number().optional(),
  }),
  open({ fault, chain_id, tip_ms, target_bits, heap_ms }, host) {
    let height = 0;
    const hash = new Uint8Array(32);
    const view = new DataView(hash.buffer);
    const tip = () => {
      height += 1;
      view.setUint32(0, chain_id);
      view.setUint32(4, height);
      const work = {
        id: toHex(hash), hash: hash.slice(), parent: "block " + (height - 1), height,
        target: 2n ** BigInt(target_bits) - 1n, value: undefined, details: {},
      };
      host.offer(work);
    };
    const outcome = { verdict: "accepted", reason: "" };
    return {
      async start() {
        if (fault === "start hangs") await never();
        if (fault === "offers garbage") host.clock.every(50, () => host.offer({ id: 5, target: "easy" }));
        if (fault === "offers in a loop") {
          const loop = () => {
            if (host.signal.aborted) return;
            tip();
            setImmediate(loop);
          };
          loop();
        }
        if (fault === "throws in a timer") host.clock.after(100, () => { throw new Error("in a timer"); });
        if (fault === "forgets a rejection") setTimeout(() => void Promise.reject(new Error("forgotten")), 100);
        if (fault === "writes 100,000 log lines") {
          let left = 100000;
          const timer = host.clock.every(10, () => {
            for (let i = 0; i < 1000 && left > 0; i++, left--) host.log.info("line " + left);
            if (left === 0) timer.cancel();
          });
        }
        if (fault === "has another trouble each time") {
          let said = 0;
          host.clock.every(5, () => { for (let i = 0; i < 500; i++) host.trouble("trouble " + said++); });
        }
        if (fault.startsWith("turns the wall clock")) {
          const { now } = Date;
          const days = fault.endsWith("back") ? -2 : 2;
          Date.now = () => now() + days * 86_400_000;
          host.signal.addEventListener("abort", () => { Date.now = now; }, { once: true });
        }
        if (fault === "withdraws and offers") host.clock.every(5, () => { host.offer(undefined); tip(); });
        tip();
        host.clock.every(tip_ms, tip);
        if (heap_ms !== undefined) {
          setFlagsFromString("--expose-gc");
          const collect = runInNewContext("gc");
          host.clock.every(heap_ms, () => {
            collect();
            host.log.warn("heap " + process.memoryUsage().heapUsed);
          });
        }
      },
      async stop() {},
      commit(work) {
        if (fault === "commit throws") throw new Error("cannot read properties of undefined");
        if (fault === "commit returns garbage") return { kind: "auxpow", chainId: "seven", hash: 5 };
        if (fault === "commit takes 200 ms") spin(200);
        return { kind: "auxpow", chainId: chain_id, hash: work.hash, strictChainId: false };
      },
      verify() {
        if (fault === "verify throws") throw new Error("cannot read properties of undefined");
        return undefined;
      },
      async submit() {
        if (fault === "submit hangs") return await never();
        if (fault === "submit throws") throw new Error("connect ECONNREFUSED");
        if (fault === "submit returns garbage") return { verdict: "perhaps" };
        return outcome;
      },
      async status() {
        return { state: "confirmed", confirmations: 1, reward: undefined };
      },
    };
  },
};
`;
