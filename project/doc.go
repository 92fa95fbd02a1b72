// Package project knows where a project is and how it is set up: its root,
// its format, its configuration, what it ignores, its locks, and the Git
// repository around it. It reads and writes no data of the pipeline.
//
// # Formats
//
// A directory with a .dvc directory is a project in DVC's own format; one
// with a .flow directory, or with just a dvc.yaml, is a native one. Both
// have the same parts under different names, which a [Format] holds:
//
//	             native            DVC
//	control      .flow/            .dvc/
//	config       .flow/config      .dvc/config
//	local        .flow/config.local  .dvc/config.local
//	flow's own   in the same files .dvc/flow.config
//	digest       BLAKE3            MD5
//
// [Find] looks upwards for a project, [Init] makes one.
//
// # Configuration
//
// [Config] merges the levels system, global, project, flow and local, of
// which later ones win. The files are DVC's INI dialect. What flow edits it
// edits in place: comments, order and quoting of everything else stay. A
// configuration is checked against DVC's schema, in DVC's words, because DVC
// refuses to work with a file that does not pass.
//
// # Ignore rules
//
// [Ignore] answers for .dvcignore, [Git.Ignored] for .gitignore. Both
// translate patterns into the same small automaton, so that matching is
// linear in the length of the path whatever the pattern. In a DVC project the
// translation reproduces how DVC reads patterns, including where that differs
// from Git, because the digest of a directory depends on it.
//
// # Locks
//
// [Project.Lock] is the lock of the whole project and [Project.LockPaths]
// those of single paths. In a DVC project they are the files DVC uses, in its
// form, so that the two programs keep out of each other's way.
//
// # Concurrency
//
// A Project, its Ignore and its Git may be used by several goroutines at
// once. A Config may too, except while Set, Unset, RemoveSection or
// RenameSection runs.
package project
