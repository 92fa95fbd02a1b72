package cache

import (
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"unicode/utf8"
)

// Member is one file of a directory.
type Member struct {
	// Path is relative to the directory, slash-separated and clean.
	Path   string
	Digest Digest
	// Size is in bytes; -1 when the manifest does not tell (DVC's).
	Size int64
	// Exec is set when the file has any execute bit. DVC's manifests do not
	// record it.
	Exec bool
}

// Manifest is the content of a directory: its files, at any depth, sorted by
// the bytes of Path. Directories themselves, also empty ones, are not part of
// it. Manifests that came from a Store or Scanner are shared: do not change
// them.
type Manifest struct {
	Members []Member
}

// recordsExec tells whether the manifests of an algorithm keep sizes and
// execute bits.
func recordsExec(h *Hash) bool { return h == BLAKE3 }

// Entry returns the entry of the directory: the digest of its canonical
// encoding, the number of files and the sum of their sizes. Sizes that are not
// known count as nothing.
func (m *Manifest) Entry(h *Hash) Entry {
	w := h.New()
	m.writeTo(w, h)
	return m.entryOf(w, h)
}

func (m *Manifest) entry(h *Hash, encoded []byte) Entry {
	w := h.New()
	w.Write(encoded)
	return m.entryOf(w, h)
}

// entryOf is the entry of the directory whose canonical form went into w.
func (m *Manifest) entryOf(w hash.Hash, h *Hash) Entry {
	e := Entry{Digest: NewDigest(h, w.Sum(nil), true), Files: len(m.Members)}
	for i := range m.Members {
		e.Size += max(0, m.Members[i].Size)
	}
	return e
}

// Lookup finds a member by its path.
func (m *Manifest) Lookup(path string) (Member, bool) {
	i, ok := slices.BinarySearchFunc(m.Members, path, func(a Member, p string) int {
		return strings.Compare(a.Path, p)
	})
	if !ok {
		return Member{}, false
	}
	return m.Members[i], true
}

// normalize sorts the members and refuses a set of paths that no directory
// can have.
func (m *Manifest) normalize() error {
	byPath := func(a, b Member) int { return strings.Compare(a.Path, b.Path) }
	if !slices.IsSortedFunc(m.Members, byPath) {
		slices.SortFunc(m.Members, byPath)
	}
	for i := range m.Members {
		if err := checkPath(m.Members[i].Path); err != nil {
			return err
		}
		if i > 0 && m.Members[i].Path == m.Members[i-1].Path {
			return fmt.Errorf("path %q twice", m.Members[i].Path)
		}
	}
	return m.checkNesting()
}

// checkNesting refuses a path that is both a file and a directory. A file "a"
// need not be next to "a/b" in the order ("a-b" comes between), hence the
// lookup of "a/" by bisection.
func (m *Manifest) checkNesting() error {
	for i := range m.Members {
		if i+1 == len(m.Members) || !strings.HasPrefix(m.Members[i+1].Path, m.Members[i].Path) {
			continue // nothing begins with this path: what does comes right after it
		}
		below := m.Members[i].Path + "/"
		j, _ := slices.BinarySearchFunc(m.Members, below, func(a Member, p string) int {
			return strings.Compare(a.Path, p)
		})
		if j < len(m.Members) && strings.HasPrefix(m.Members[j].Path, below) {
			return fmt.Errorf("path %q is both a file and a directory", m.Members[i].Path)
		}
	}
	return nil
}

var errPathText = errors.New("not valid UTF-8")

// checkPath refuses whatever could lead out of the directory, or mean another
// file than it says.
func checkPath(p string) error {
	switch {
	case p == "":
		return errors.New("empty path")
	case strings.IndexByte(p, 0) >= 0:
		return fmt.Errorf("path %q: NUL byte", p)
	case !utf8.ValidString(p):
		return fmt.Errorf("path %q: %w", p, errPathText)
	case p[0] == '/':
		return fmt.Errorf("path %q: absolute", p)
	}
	for rest, more := p, true; more; {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		switch part {
		case "":
			return fmt.Errorf("path %q: not clean", p)
		case ".", "..":
			return fmt.Errorf("path %q: leads out of the directory or is not clean", p)
		}
		if err := checkPart(part); err != nil {
			return fmt.Errorf("path %q: %w", p, err)
		}
	}
	return nil
}
