/** Paths in a configuration start at the folder of the file that says them. Where several files are merged, each file's are made absolute first. */
import { absolute } from "../../settings.ts";
import { isTable, type Table } from "./layer.ts";

/** Keys whose texts are paths, ours and the plugins': `cookie_file`, `data_dir`. */
const PATH_KEY = /(^|_)(file|dir)$|^socket$/;

/** `table` with its paths made absolute from `folder`. */
export function withAbsolutePaths(table: Table, folder: string): Table {
  return each(table, folder) as Table;
}

function each(value: unknown, folder: string): unknown {
  if (Array.isArray(value)) return value.map((item) => each(item, folder));
  if (!isTable(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      if (typeof inner !== "string") return [key, each(inner, folder)];
      const isPath = inner !== "" && (PATH_KEY.test(key) || (key === "database" && !/^[a-z]+:/i.test(inner)));
      return [key, isPath ? absolute(inner, folder) : inner];
    }),
  );
}
