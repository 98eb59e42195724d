/** `doctor` for the TLS listener: its certificate as the start would read it, and for how long it is good. */
import { existsSync } from "node:fs";
import { toHex } from "../../kernel/bytes.ts";
import { silentLog } from "../../kernel/log.ts";
import { CertificateFiles, readFileText } from "../../pool/transports/certificate-files.ts";
import type { LoadedConfig } from "../config/load.ts";
import { certificateOf } from "../listener-settings.ts";
import { absolute } from "../settings.ts";
import { systemClock } from "../system.ts";
import type { Finding } from "./doctor-chains.ts";

/** How the finding is called. */
export const TLS_CHECK = "TLS certificate";

const DAY_MS = 86_400_000;
const SOON_DAYS = 14;

/** Nothing without a TLS listener. Throws `Fault` `tls-*` for a certificate that the start would refuse. */
export async function checkTls({ config, folder }: LoadedConfig): Promise<Finding[]> {
  if (config.tls.listen_addr === undefined) return [];
  const dataDir = absolute(config.stratum_v2.data_dir, folder);
  const { paths, selfSigned } = certificateOf({ config, folder, dataDir });
  if (selfSigned && !existsSync(paths.chain)) {
    return [{ check: TLS_CHECK, result: "ok", detail: `${paths.chain} does not exist yet; the first start makes it` }];
  }
  const files = new CertificateFiles({ clock: systemClock, log: silentLog, read: readFileText }, { paths });
  await files.start(new AbortController().signal);
  const { notBeforeMs, notAfterMs, names, sha256 } = files.current();
  await files.stop();
  const nowMs = systemClock.nowMs();
  const until = new Date(notAfterMs).toISOString().slice(0, 10);
  const detail = `for ${names.join(", ")}, until ${until}, cert-sha256=${toHex(sha256)}`;
  if (nowMs < notBeforeMs || nowMs > notAfterMs) {
    const fix = "Clients that check it refuse it. Get another one, or look at this machine's clock.";
    return [{ check: TLS_CHECK, result: "failed", detail: `not in force now: ${detail}`, fix }];
  }
  if (nowMs > notAfterMs - SOON_DAYS * DAY_MS) {
    return [{ check: TLS_CHECK, result: "warning", detail: `ends soon: ${detail}`, fix: "Renew it." }];
  }
  return [{ check: TLS_CHECK, result: "ok", detail }];
}
