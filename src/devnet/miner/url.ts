/** The addresses that `mine` takes. */
import { parseSv2Url, type Sv2Url } from "../../sv2/noise/authority-key.ts";

/**
 * Reads `stratum2+tcp://host:port/<authority key>` or `tcp://host:port`. The connection is encrypted either way; without a key
 * the server's certificate goes unchecked. Throws `Fault("sv2-url-invalid")` or `Fault("authority-key-invalid")`.
 */
export function parseMinerUrl(text: string): Sv2Url {
  return parseSv2Url(text.startsWith("tcp://") ? `stratum2+${text}` : text);
}
