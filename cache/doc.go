// Package cache is flow's content-addressed store: digests of files and
// directories, the objects they name, the records of what computed them, and
// the memo that spares rehashing what did not change.
//
// Two identities are kept apart by type. A [Digest] names bytes: a file's, or
// a directory manifest's. A [Key] names a computation: the description of a
// stage and everything that goes into it. A [Record] says which digests a key
// produced; it is written only after the objects it names are in the store.
//
// A [Scanner] tells what is in the workspace. A [Store] lives in one directory
// and uses one [Hash]: BLAKE3 in flow's native format, MD5 in an existing DVC
// project, with DVC's own layout and directory manifests. The algorithm is a
// value, never a branch through the code.
//
//	<dir>/files/<hash>/xx/rest[.dir]   objects (DVC 2.x: <dir>/xx/rest[.dir])
//	<dir>/packs/blake3/<name>.pack     small objects, many in one file, and
//	<dir>/packs/blake3/<name>.index    where in it each is
//	<dir>/actions/xx/<key>.json        records
//	<dir>/quarantine/<hash>/…          objects that were found to be corrupted
//
// # Writing
//
// Objects are verified, written to a temporary file of mode 0444 in the
// directory they belong to, and renamed, so that a name either does not exist
// or names complete content, also when the process is killed. Workspace files
// are made in Options.Temp, or beside the output, and renamed. Temporary names
// begin with [TempPrefix]; what is left of them is swept when it is an hour old.
//
// Where files are copied into the workspace, many small ones that come at once
// are stored together, in a pack: making, opening and closing a file for each
// would cost more than all the rest. What a pack holds exists from when its index
// has its name, and a manifest is stored after that. Packs never change. Removing
// some of what is in one, or moving what is corrupted to quarantine, writes the
// rest anew and then removes the pack, its index first. Readers look again when a
// pack has gone. Where a file of its own is needed, to be linked to, one is made
// of what is in the pack, and the object is there twice.
//
// Nothing is synced to disk, but packs that are written anew, whose content may
// have been safe for long. After a power failure an object may be torn, but
// its name tells what it should be; torn memos and records do not pass their
// own check. All of them can be made again, and the loss is noticed: an object
// that is empty, or not of the size its entry tells, is read before it is used,
// and nothing is in a pack that has not the size its index tells, or the index
// not the digest that is its name.
// Lock files, whose loss could not be noticed, are synced where they are
// written.
//
// # Reading
//
// Nothing read from disk is trusted beyond its name. Manifests are hashed when
// they are read and parsed strictly; their paths cannot leave the directory
// they describe, and a checkout follows no symbolic link. As in DVC, a file's
// object of mode 0444 is taken to be intact, one of another mode is read first.
// [Store.Verify], CheckoutOptions.Verify and [Store.PutAs] read everything.
// What is not what its name says goes to quarantine and counts as missing.
//
// No object shares writable bytes with the workspace: files are cloned or
// copied, or, where hard or symbolic links are asked for, read-only.
package cache
