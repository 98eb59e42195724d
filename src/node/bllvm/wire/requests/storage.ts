/** Requests for files, and for the key-value trees of the N schemas. */
import { bytes, string } from "../bincode.ts";
import { vec } from "../compound.ts";
import { storageOperation } from "../node-structs.ts";
import { request } from "../request-row.ts";
import { at, no } from "../schema.ts";

/** Requests for files, and for the key-value trees of the N schemas. */
export const STORAGE_REQUESTS = {
  ReadFile: request({
    index: at(no, 21, 21, 21, 21, 21, 22, 22),
    doc: "Reads a file of the module's folder.",
    fields: { path: string },
    response: "FileData",
    permission: "ReadFilesystem",
  }),
  WriteFile: request({
    index: at(no, 22, 22, 22, 22, 22, 23, 23),
    doc: "Writes a file of the module's folder.",
    fields: { path: string, data: bytes },
    response: "Bool",
    permission: "WriteFilesystem",
  }),
  DeleteFile: request({
    index: at(no, 23, 23, 23, 23, 23, 24, 24),
    doc: "Removes a file of the module's folder.",
    fields: { path: string },
    response: "Bool",
    permission: "ManageFilesystem",
  }),
  ListDirectory: request({
    index: at(no, 24, 24, 24, 24, 24, 25, 25),
    doc: "Names in a folder of the module.",
    fields: { path: string },
    response: "DirectoryListing",
    permission: "ReadFilesystem",
  }),
  CreateDirectory: request({
    index: at(no, 25, 25, 25, 25, 25, 26, 26),
    doc: "Makes a folder in the module's.",
    fields: { path: string },
    response: "Bool",
    permission: "ManageFilesystem",
  }),
  GetFileMetadata: request({
    index: at(no, 26, 26, 26, 26, 26, 27, 27),
    doc: "Size and times of a file.",
    fields: { path: string },
    response: "FileMetadata",
    permission: "ReadFilesystem",
  }),
  StorageOpenTree: request({
    index: at(no, 27, 27, no, no, no, no, no),
    doc: "Opens a key-value tree of the module.",
    fields: { name: string },
    response: "StorageTreeId",
    permission: "ManageStorage",
  }),
  StorageInsert: request({
    index: at(no, 28, 28, no, no, no, no, no),
    doc: "Sets a key.",
    fields: { treeId: string, key: bytes, value: bytes },
    response: "Bool",
    permission: "WriteStorage",
  }),
  StorageGet: request({
    index: at(no, 29, 29, no, no, no, no, no),
    doc: "Value of a key.",
    fields: { treeId: string, key: bytes },
    response: "StorageValue",
    permission: "ReadStorage",
  }),
  StorageRemove: request({
    index: at(no, 30, 30, no, no, no, no, no),
    doc: "Removes a key.",
    fields: { treeId: string, key: bytes },
    response: "Bool",
    permission: "WriteStorage",
  }),
  StorageContainsKey: request({
    index: at(no, 31, 31, no, no, no, no, no),
    doc: "Whether a key has a value.",
    fields: { treeId: string, key: bytes },
    response: "Bool",
    permission: "ReadStorage",
  }),
  StorageIter: request({
    index: at(no, 32, 32, no, no, no, no, no),
    doc: "All pairs of a tree.",
    fields: { treeId: string },
    response: "StorageKeyValuePairs",
    permission: "ReadStorage",
  }),
  StorageTransaction: request({
    index: at(no, 33, 33, no, no, no, no, no),
    doc: "Several changes at once.",
    fields: { treeId: string, operations: vec(storageOperation) },
    response: "Bool",
    permission: "WriteStorage",
  }),
} as const;
