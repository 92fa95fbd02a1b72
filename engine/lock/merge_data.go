package lock

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/flowrepro/flow/internal/yaml12"
)

// JoinDirectories merges directories that both sides changed: base is nil where
// both added one. Its error is a conflict.
type JoinDirectories func(base *Entry, ours, theirs Entry) (Entry, error)

// MergeData joins two .dvc files that were made from base, field by field and
// entry by entry. Directories that both sides changed are handed to join. What
// both changed differently is named in conflicts and stays as ours has it. The
// error is that of a text that is no .dvc file. An empty text is an empty file.
func MergeData(base, ours, theirs []byte, join JoinDirectories) (merged []byte, conflicts []string, err error) {
	var files [3]*DataFile
	for i, side := range []struct {
		name string
		data []byte
	}{{"base", base}, {"ours", ours}, {"theirs", theirs}} {
		if files[i], err = ParseData(side.name, side.data); err != nil {
			return nil, nil, fmt.Errorf("merge: %w", err)
		}
	}
	b, o, t := files[0], files[1], files[2]
	if len(bytes.TrimSpace(ours)) == 0 {
		return theirs, nil, nil
	}
	m := &dataMerge{join: join}
	both := [3]*DataFile{b, o, t}
	mergeValue(m, "wdir", &o.Wdir, b.Wdir, t.Wdir)
	mergeValue(m, "desc", &o.Desc, b.Desc, t.Desc)
	mergeValue(m, "frozen", &o.Frozen, b.Frozen, t.Frozen)
	mergeValue(m, "always_changed", &o.AlwaysChanged, b.AlwaysChanged, t.AlwaysChanged)
	if !yaml12.Identical(o.Meta, t.Meta) && !yaml12.Identical(b.Meta, t.Meta) {
		if yaml12.Identical(b.Meta, o.Meta) {
			o.Meta = t.Meta
		} else {
			m.conflict("meta")
		}
	}
	o.Deps = m.entries(both, func(f *DataFile) []DataEntry { return f.Deps })
	o.Outs = m.entries(both, func(f *DataFile) []DataEntry { return f.Outs })
	if o.MD5 != "" || t.MD5 != "" && b.MD5 == "" {
		o.MD5 = o.Checksum()
	}
	merged, err = o.Encode()
	if err != nil {
		return nil, nil, fmt.Errorf("merge: %w", err)
	}
	if _, err := ParseData("merged", merged); err != nil {
		return nil, nil, fmt.Errorf("merge: %w", err)
	}
	return merged, m.conflicts, nil
}

type dataMerge struct {
	join      JoinDirectories
	conflicts []string
}

func (m *dataMerge) conflict(what string) { m.conflicts = append(m.conflicts, what) }

// mergeValue changes ours to what the three come to.
func mergeValue[T comparable](m *dataMerge, name string, ours *T, base, theirs T) {
	switch {
	case *ours == theirs, base == theirs:
	case *ours == base:
		*ours = theirs
	default:
		m.conflict(name)
	}
}

// entries merges a list, in which entries are known by their paths.
func (m *dataMerge) entries(files [3]*DataFile, list func(*DataFile) []DataEntry) []DataEntry {
	find := func(side int, path string) *DataEntry {
		in := list(files[side])
		i := slices.IndexFunc(in, func(e DataEntry) bool { return e.Path == path })
		if i < 0 {
			return nil
		}
		return &in[i]
	}
	var out []DataEntry
	for _, ours := range list(files[1]) {
		base, theirs := find(0, ours.Path), find(2, ours.Path)
		switch {
		case theirs != nil:
			m.entry(base, &ours, theirs)
			out = append(out, ours)
		case base == nil:
			out = append(out, ours)
		case !sameEntry(base, &ours): // changed here, removed there
			m.conflict("'" + ours.Path + "'")
			out = append(out, ours)
		}
	}
	for _, theirs := range list(files[2]) {
		if find(1, theirs.Path) != nil {
			continue
		}
		if base := find(0, theirs.Path); base == nil {
			theirs.origin, theirs.keys = 0, nil
			out = append(out, theirs)
		} else if !sameEntry(base, &theirs) {
			m.conflict("'" + theirs.Path + "'")
		}
	}
	return out
}

// entry changes ours to what the three come to. base may be nil.
func (m *dataMerge) entry(base, ours, theirs *DataEntry) {
	was := base
	if was == nil {
		was = &DataEntry{Entry: Entry{Size: -1, Files: -1}, Cache: true, Push: true}
	}
	name := "'" + ours.Path + "'"
	switch {
	case sameContent(ours, theirs), sameContent(was, theirs):
	case sameContent(was, ours):
		takeContent(ours, theirs)
	case isDirectory(ours) && isDirectory(theirs) && (base == nil || isDirectory(base)):
		var before *Entry
		if base != nil {
			before = &base.Entry
		}
		joined, err := m.join(before, ours.Entry, theirs.Entry)
		if err != nil {
			m.conflict(name + ": " + err.Error())
			break
		}
		joined.Path, joined.Extra = ours.Path, ours.Extra
		ours.Entry = joined
	default:
		m.conflict(name)
	}
	if !hasIdentity(was) && !hasIdentity(ours) && !hasIdentity(theirs) && !yaml12.Identical(ours.Extra, theirs.Extra) && !yaml12.Identical(was.Extra, theirs.Extra) {
		if yaml12.Identical(was.Extra, ours.Extra) {
			ours.Extra = theirs.Extra
		} else {
			m.conflict(name)
		}
	}
	if !yaml12.Identical(ours.Repo, theirs.Repo) && !yaml12.Identical(was.Repo, theirs.Repo) {
		if yaml12.Identical(was.Repo, ours.Repo) {
			ours.Repo = theirs.Repo
		} else {
			m.conflict(name)
		}
	}
	mergeValue(m, name, &ours.Cache, was.Cache, theirs.Cache)
	mergeValue(m, name, &ours.Push, was.Push, theirs.Push)
	mergeValue(m, name, &ours.Persist, was.Persist, theirs.Persist)
	mergeValue(m, name, &ours.Remote, was.Remote, theirs.Remote)
	mergeValue(m, name, &ours.Desc, was.Desc, theirs.Desc)
}

// isDirectory reports whether an entry is known by its manifest alone.
func isDirectory(e *DataEntry) bool {
	return len(e.Digest) > len(".dir") && e.Digest[len(e.Digest)-len(".dir"):] == ".dir" && !hasIdentity(e)
}

// hasIdentity reports whether other keys than the digest say which content is
// meant: those go with it.
func hasIdentity(e *DataEntry) bool {
	for _, key := range []string{"cloud", "files", "etag", "checksum", "version_id"} {
		if _, ok := e.Extra.Get(key); ok {
			return true
		}
	}
	return false
}

func sameContent(a, b *DataEntry) bool {
	if a.Hash != b.Hash || a.Digest != b.Digest || a.Exec != b.Exec {
		return false
	}
	return !hasIdentity(a) && !hasIdentity(b) || yaml12.Identical(a.Extra, b.Extra)
}

func takeContent(to, from *DataEntry) {
	extra := to.Extra
	if hasIdentity(to) || hasIdentity(from) {
		extra = from.Extra
	}
	path := to.Path
	to.Entry = from.Entry
	to.Path, to.Extra = path, extra
}

func sameEntry(a, b *DataEntry) bool {
	return sameContent(a, b) && yaml12.Identical(a.Extra, b.Extra) && yaml12.Identical(a.Repo, b.Repo) &&
		a.Cache == b.Cache && a.Push == b.Push && a.Persist == b.Persist && a.Remote == b.Remote && a.Desc == b.Desc
}
