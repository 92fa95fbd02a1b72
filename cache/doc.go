// Package cache is flow's content-addressed store: digests of files and
// directories, the objects they name, the records of what computed them, and
// the memo that spares rehashing what did not change.
//
// Two identities are kept apart by type. A [Digest] names bytes: a file's, or
// a directory manifest's. A [Key] names a computation: the description of a
// stage and everything that goes into it. A [Record] says which digests a key
// produced; it is written only after the objects it names are in the store.
//
// A store lives in one directory and uses one [Hash]: BLAKE3 in flow's native
// format, MD5 in an existing DVC project, with DVC's own layout and directory
// manifests. The algorithm is a value, never a branch through the code.
//
// Objects are written to a temporary file in their final directory, made
// read-only and renamed, so that a name either does not exist or names complete
// content, also after a crash. Nothing read from disk is trusted beyond its
// name: manifests are parsed strictly, their paths cannot leave the directory
// they describe, and Verify rehashes.
package cache
