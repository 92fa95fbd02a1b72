package cache

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotFound says that the store has no such object or record.
var ErrNotFound = errors.New("not in the cache")

// ErrChanged says that a file or directory is not, or is no longer, what its
// entry says: it was edited while it was being saved.
var ErrChanged = errors.New("changed while it was being saved")

// listLimit bounds how many paths or digests an error message spells out.
const listLimit = 10

// UnsavedError says that a checkout would destroy content that is nowhere in
// the cache. Nothing has been touched.
type UnsavedError struct {
	// Paths are absolute, sorted.
	Paths []string
}

func (e *UnsavedError) Error() string {
	return "checkout would overwrite or delete files whose content is not in the cache: " +
		enumerate(e.Paths)
}

// Hint says what to do about it.
func (e *UnsavedError) Hint() string {
	return "save them with `flow add` or `flow commit`, or use --force to discard them"
}

// MissingError says that objects a checkout needs are not in the cache.
type MissingError struct {
	// Path is what was to be checked out.
	Path string
	// Digests are the objects that are not there.
	Digests []Digest
	// Corrupt are those among Digests whose content was found to be wrong;
	// they have been moved to quarantine.
	Corrupt []Digest
}

func (e *MissingError) Error() string {
	list := make([]string, len(e.Digests))
	for i, d := range e.Digests {
		list[i] = d.String()
	}
	msg := fmt.Sprintf("checkout %s: missing from the cache: %s", e.Path, enumerate(list))
	if n := len(e.Corrupt); n > 0 {
		msg += fmt.Sprintf(" (%d corrupted, moved to quarantine)", n)
	}
	return msg
}

// Unwrap makes errors.Is(err, ErrNotFound) hold.
func (e *MissingError) Unwrap() error { return ErrNotFound }

// Hint says what to do about it.
func (e *MissingError) Hint() string {
	return "fetch them with `flow pull`, or run `flow repro` to compute them again"
}

// IgnoreFileError says that a tracked directory contains an ignore file, whose
// rules could not be applied consistently.
type IgnoreFileError struct {
	Dir string // absolute
}

func (e *IgnoreFileError) Error() string {
	return fmt.Sprintf("%s file should not be in collected dir path: '%s'", ignoreFile, e.Dir)
}

// Hint says what to do about it.
func (e *IgnoreFileError) Hint() string {
	return "move its rules to the " + ignoreFile + " of a directory above"
}

// CorruptError says that an object's content is not what its name says.
type CorruptError struct {
	Digest Digest
	// Quarantine is where the object is now; empty when it could not be moved.
	Quarantine string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("object %s of the cache is corrupted", e.Digest)
}

// Unwrap makes errors.Is(err, ErrNotFound) hold: a corrupted object is as good
// as none.
func (e *CorruptError) Unwrap() error { return ErrNotFound }

func enumerate(list []string) string {
	if len(list) > listLimit {
		return strings.Join(list[:listLimit], ", ") + fmt.Sprintf(" and %d more", len(list)-listLimit)
	}
	return strings.Join(list, ", ")
}
