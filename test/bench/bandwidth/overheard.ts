/** Notes when the server writes: time stands still in the bench until what was written has arrived. */
import type { Transport } from "../../../src/pool/transport.ts";

/** Listens in on all streams that `transport` will accept. Returns what tells how often they were written to so far. */
export function overhear(transport: Transport): () => number {
  let writes = 0;
  const onStream = transport.onStream.bind(transport);
  transport.onStream = (listener) =>
    onStream((stream) => {
      const write = stream.write.bind(stream);
      stream.write = (bytes) => {
        writes += 1;
        return write(bytes);
      };
      listener(stream);
    });
  return () => writes;
}
