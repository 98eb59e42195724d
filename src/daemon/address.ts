/** The URL of a node's RPC: checked once, and never shown with the credentials that it may carry. */
import { Fault } from "../kernel/fault.ts";

/** A checked RPC address. */
export interface RpcAddress {
  /** Where requests go; holds no credentials. */
  readonly url: URL;
  /** The same for messages: `http://host:port/path` without credentials, query and fragment. */
  readonly shown: string;
  /** `user:password` from the URL, percent-decoded; `undefined` when it has none. */
  readonly credentials: string | undefined;
}

/**
 * Takes an RPC URL apart. Throws `Fault("node-url-invalid")` for anything but http and https. The message shows the text
 * without what stands before an `@`.
 */
export function rpcAddress(text: string): RpcAddress {
  let url: URL;
  let credentials: string | undefined;
  try {
    url = new URL(text);
    if (url.username !== "" || url.password !== "") {
      credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    }
  } catch {
    throw new Fault("node-url-invalid", { url: withoutCredentials(text) });
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new Fault("node-url-invalid", { url: withoutCredentials(text), protocol: url.protocol });
  }
  url.username = "";
  url.password = "";
  return { url, shown: `${url.protocol}//${url.host}${url.pathname}`, credentials };
}

/** `text` with everything from the scheme to the last `@` replaced, for text that is no URL and may hide a password. */
export function withoutCredentials(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, "$1***@").slice(0, 200);
}
