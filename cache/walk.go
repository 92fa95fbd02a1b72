package cache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// listing is a directory as it was read.
type listing struct {
	abs     string
	entries []rawEntry // sorted
}

// rawEntry is a directory entry before it is looked at.
type rawEntry struct {
	name string
	typ  fs.FileMode
	sub  *listing // set for a directory
}

// compareEntries orders entries so that a walk that takes them in turn meets
// files in the order of their slash-separated paths: as if the names of
// directories ended with a slash.
func compareEntries(a, b rawEntry) int {
	n := min(len(a.name), len(b.name))
	if c := strings.Compare(a.name[:n], b.name[:n]); c != 0 {
		return c
	}
	next := func(e rawEntry) int {
		switch {
		case n < len(e.name):
			return int(e.name[n])
		case e.sub != nil:
			return '/'
		}
		return -1
	}
	return cmp.Compare(next(a), next(b))
}

// found is a file that a walk is to look at.
type found struct {
	dir *listing
	*rawEntry
}

// collect appends the files of l and of the directories in it, in order.
func (l *listing) collect(files []found) []found {
	for i := range l.entries {
		if e := &l.entries[i]; e.sub != nil {
			files = e.sub.collect(files)
		} else {
			files = append(files, found{l, e})
		}
	}
	return files
}

// walk finds the files below root, sorted by relative path, without digests.
// A lenient walk reports what Scan refuses as items that are bad.
func (s *Scanner) walk(ctx context.Context, root string, lenient bool) ([]item, error) {
	root = strings.TrimSuffix(root, string(filepath.Separator))
	go s.Memo.preload(s.Hash, root)
	top := &listing{abs: root}
	count := 0
	for level := []*listing{top}; len(level) > 0; {
		err := parallel(ctx, s.Workers, len(level), func(_, i int) error {
			return s.list(level[i], lenient)
		})
		if err != nil {
			return nil, err
		}
		var next []*listing
		for _, l := range level {
			count += len(l.entries)
			for i := range l.entries {
				if sub := l.entries[i].sub; sub != nil {
					next = append(next, sub)
				}
			}
		}
		level = next
	}
	files := top.collect(make([]found, 0, count))
	items := make([]item, len(files))
	err := parallel(ctx, s.Workers, chunks(len(files)), func(_, c int) error {
		lo, hi := chunk(c, len(files))
		return lookAll(items[lo:hi], files[lo:hi], len(root)+1, lenient)
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(items, func(it item) bool {
		return it.mode.IsDir() || errors.Is(it.bad, errVanished)
	}), nil
}

// lookAll fills in the items of files, whose relative paths begin at skip.
func lookAll(items []item, files []found, skip int, lenient bool) error {
	for len(files) > 0 {
		n := 1
		for n < len(files) && files[n].dir == files[0].dir {
			n++
		}
		if err := lookIn(items[:n], files[:n], skip, lenient); err != nil {
			return err
		}
		items, files = items[n:], files[n:]
	}
	return nil
}

// lookIn is lookAll for files of one directory.
func lookIn(items []item, files []found, skip int, lenient bool) error {
	const worthOpening = 4
	// Memory that is read first and written then is mapped twice, the second
	// time with a word to all processors.
	clear(items)
	var dir *openDir
	if len(files) >= worthOpening {
		dir = newOpenDir(files[0].dir.abs)
		defer dir.close()
	}
	// The paths of all files are cut from one string.
	base := files[0].dir.abs + string(filepath.Separator)
	size := 0
	for _, f := range files {
		size += len(base) + len(f.name)
	}
	var text strings.Builder
	text.Grow(size)
	for _, f := range files {
		text.WriteString(base)
		text.WriteString(f.name)
	}
	all := text.String()
	for i, f := range files {
		it := &items[i]
		n := len(base) + len(f.name)
		it.abs, all = all[:n], all[n:]
		it.rel = filepath.ToSlash(it.abs[skip:])
		if err := it.look(dir, f.typ); err != nil {
			if !lenient {
				return err
			}
			it.bad = err
		}
	}
	return nil
}

// list reads the directory l.
func (s *Scanner) list(l *listing, lenient bool) error {
	entries, err := readDir(l.abs)
	if err != nil {
		return err
	}
	base := l.abs + string(filepath.Separator)
	l.entries = entries[:0]
	for _, e := range entries {
		if strings.HasPrefix(e.name, TempPrefix) || s.Ignore != nil && s.Ignore(base+e.name, e.typ.IsDir()) {
			continue
		}
		if e.name == ignoreFile && !lenient {
			return &IgnoreFileError{l.abs}
		}
		if !utf8.ValidString(e.name) && !lenient {
			return fmt.Errorf("scan %s: name %q is not valid UTF-8", l.abs, e.name)
		}
		if e.typ.IsDir() {
			e.sub = &listing{abs: base + e.name}
		}
		l.entries = append(l.entries, e)
	}
	slices.SortFunc(l.entries, compareEntries)
	return nil
}
