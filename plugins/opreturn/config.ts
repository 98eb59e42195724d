/** The keys of `[chains.<name>]` for this plugin: one of four ways to say what the tag is. */
import { fromHex, utf8, z } from "bllvm-stratum-v2/plugin";
import { MAX_DATA, scriptFlaw, tagScript } from "./tag.ts";

/** Even number of hex digits, up to the largest script. */
const hex = z.string().regex(/^([0-9a-f]{2}){1,100}$/i, "expected hex digits, two for each byte, of 1 to 100 bytes");

const keys = z.strictObject({
  /** The whole script in hex, OP_RETURN included. */
  script: hex.optional(),
  /** Bytes of the tag in hex. */
  data: hex.optional(),
  /** The tag as text. */
  text: z.string().min(1).max(MAX_DATA).optional(),
  /** Address that answers GET with the bytes of the tag in hex. */
  url: z
    .string()
    .max(500)
    .regex(
      /^https?:\/\/[^\s@]+$/i,
      "url is no address of the form http://host:port/path; give user and password as keys",
    )
    .optional(),
  /** Sent to the url, where it asks for them. */
  user: z.string().max(200).optional(),
  password: z.string().max(200).optional(),
  /** Text before `data` or what the url answers, e.g. `CORE`. */
  prefix: z.string().max(MAX_DATA).default(""),
  /** Seconds between two questions to the url; a tag that stands here is offered again as often. */
  poll_s: z.number().min(0.1).max(60).default(30),
  /** Seconds that an answer of the url may take. */
  timeout_s: z.number().min(0.1).max(60).default(10),
});

/** What the tag is: known, or to be asked for. */
export type Source = { readonly script: Uint8Array } | Asked;

/** A tag that an address tells. */
export interface Asked {
  readonly url: string;
  readonly login: { readonly user: string; readonly password: string } | undefined;
  readonly prefix: string;
}

/** Takes the keys apart; the issue of `refine` when they do not make a tag. */
function sourceOf(read: z.output<typeof keys>): Source {
  const { script, data, text, url, prefix } = read;
  const given = Object.entries({ script, data, text, url }).flatMap(([name, value]) =>
    value === undefined ? [] : [name],
  );
  if (given.length !== 1) {
    const found = given.length === 0 ? "none is given" : `${given.join(" and ")} are given`;
    throw new Error(`exactly one of script, data, text and url says what the tag is; ${found}`);
  }
  if (url !== undefined) {
    if (utf8(prefix).length >= MAX_DATA)
      throw new Error(`prefix leaves no room for data: ${MAX_DATA} bytes fit in all`);
    const { user, password } = read;
    if (user !== undefined && password === undefined) throw new Error("password is missing beside user");
    return { url, prefix, login: password === undefined ? undefined : { user: user ?? "", password } };
  }
  if (read.user !== undefined || read.password !== undefined) throw new Error("user and password go with url");
  if (script !== undefined) {
    if (prefix !== "") throw new Error("prefix goes with data and url; script is the whole script");
    const bytes = fromHex(script);
    const flaw = scriptFlaw(bytes);
    if (flaw !== undefined) throw new Error(`script is no tag: ${flaw}`);
    return { script: bytes };
  }
  return { script: tagScript(prefix, data === undefined ? utf8(text ?? "") : fromHex(data)) };
}

/** The schema. */
export const tagConfig = keys.transform((read, context) => {
  const { poll_s, timeout_s } = read;
  try {
    return { source: sourceOf(read), poll_s, timeout_s };
  } catch (error) {
    context.addIssue({ code: "custom", message: error instanceof Error ? error.message : String(error) });
    return z.NEVER;
  }
});

/** The checked keys. */
export type TagConfig = z.output<typeof tagConfig>;
