// Package dir is a remote.Store in a directory: of this machine, or of a disk
// that several share. Its layout is that of a local cache, so that DVC's local
// remotes are read and written as they are.
//
// Files are written under a temporary name at the top of the directory and
// renamed, with mode 0444, which DVC takes for complete. They are not synced one
// by one: what a power failure damages has another size than it should have, or
// is found by its digest, and is sent again.
package dir
