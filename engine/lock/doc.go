// Package lock reads and writes what was recorded of computations: dvc.lock,
// .dvc files and DVC's run cache.
//
//	File      a dvc.lock: stages by name; Parse, Set, Encode
//	DataFile  a .dvc file, edited in place; ParseData, Encode
//	RunCache  <cache>/runs: results by the hash of what made them
//	Merge     three versions of a dvc.lock, stage by stage
//
// What DVC would write is written byte for byte, so that either program can
// take over from the other without a diff. What did not change keeps its bytes,
// comments included, whoever wrote it.
//
// Reading is strict: a text of the wrong shape is yaml12.Errors, with places,
// and never half a File. A dvc.lock in the shape that DVC and this package
// write is read by a line reader; anything else by the YAML parser. Both give
// the same result.
//
// Nothing here is safe for concurrent use except RunCache and the functions
// without receiver. Stages handed out or taken in are shared, not copied: they
// must not be changed afterwards.
package lock
