/** Keys of template distribution and job declaration: who gives us templates, whom we give some, and who may declare jobs of their own. */
import { z } from "zod";
import { hostPort, key, seconds, section, sections, whole } from "./rows.ts";

/** Sections by name, in the order of the example. */
export const TEMPLATE_SECTIONS = {
  template_providers: sections(
    "SV2 Template Providers in order of preference, as sv2-tp (docs/template-distribution.md). They may stand beside [[bitcoind]] nodes or in place of them.",
    {
      name: key(
        z.string().min(1).max(60).optional(),
        "Name in logs and metrics; host and port when left out.",
        '"local"',
      ),
      url: key(
        z.string().min(1).max(500),
        "Address of the provider. With its key behind the slash the provider's certificate is checked.",
        '"stratum2+tcp://127.0.0.1:8442"',
      ),
    },
  ),
  template_server: section(
    "Serves our templates to other pools and declaration clients (docs/template-distribution.md).",
    {
      listen_addr: key(
        hostPort.optional(),
        "Address and port; there is no template server when it is left out.",
        '"127.0.0.1:8442"',
      ),
      clients: key(whole(1, 10_000).default(100), "Clients at a time."),
      max_output_bytes: key(
        whole(100, 100_000).default(4000),
        "Most that a client may have reserved for outputs of its own; one that asks for more is disconnected.",
      ),
    },
  ),
  job_declaration: section(
    "A Job Declaration Server: lets miners choose the transactions of their blocks (docs/job-declaration.md).",
    {
      listen_addr: key(
        hostPort.optional(),
        "Address and port; there is no job declaration when it is left out.",
        '"0.0.0.0:34264"',
      ),
      clients: key(whole(1, 10_000).default(1000), "Clients at a time."),
      coinbase_only: key(
        z.boolean().default(true),
        "Whether clients may keep their transactions to themselves. Such a block can be submitted by the client alone.",
      ),
      validation: key(
        z.enum(["node", "structure", "none"]).default("node"),
        "How declared jobs are checked. node: the [[bitcoind]] nodes check the whole block, and jobs are refused while none can. structure: weight, witness commitment and coinbase alone. none: the coinbase alone.",
      ),
      least_value_percent: key(
        z.number().min(0).max(100).default(90),
        "A custom job must pay the pool at least this much of what our own template pays; never less than the subsidy.",
      ),
      commit_outputs: key(
        z.union([z.enum(["auto", "none"]), z.array(z.string())]).default("auto"),
        "Chains whose commitment is an output that declaring clients get with their token. auto: those whose commitments stay fresh for fresh_s; none; or a list of names. Clients that speak extension 0x4d4d need none of it (docs/extension-merge-mining.md).",
      ),
      fresh_s: key(
        seconds(1, 86_400).default(20),
        "How long a chain's commitments must usually last to go with tokens.",
      ),
      token_lifetime_s: key(seconds(10, 86_400).default(600), "A token that was not used within this time is void."),
      tokens_per_client: key(whole(2, 1000).default(32), "Tokens that a client may hold unused."),
      declared_bytes: key(
        whole(1_000_000, 64_000_000_000).default(256_000_000),
        "Memory for the transactions of declared jobs of all clients; the oldest jobs make room.",
      ),
    },
  ),
} as const;
