// Package atomicfile writes files that readers, and the next process after a
// killed one, see whole: the content goes to a temporary file that then takes
// the file's name.
//
//   - [Write] replaces the content of a file that belongs to the user. A
//     symbolic link stays one, the mode of an existing file is kept, and a
//     device or pipe is written to.
//   - [Create] makes a new file in place of whatever has the name, a link
//     included. What the link led to is not touched.
//   - [Rename] is the step that counts, for callers that make their files
//     themselves.
//
// New files get the mode that the umask allows, which those of os.CreateTemp do
// not. Files are flushed to disk only on request, as that costs more than
// everything else: for what cannot be computed again.
//
// Temporary names begin with [Prefix], by which they can be told from data. A
// process that is killed leaves its temporary file behind; Options.Temp keeps
// it out of the user's sight.
//
// All functions are safe for concurrent use; of several writers of one file the
// last one wins.
package atomicfile
