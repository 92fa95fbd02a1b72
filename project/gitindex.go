package project

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// gitIndex is what flow needs of an index: the names in it, sorted.
type gitIndex struct {
	names []string
	// split is set when the names are partly in another file, and sparse
	// directories (names that end in a slash) stand for all they contain.
	split bool
}

// indexCache remembers the index while the file stays the same.
type indexCache struct {
	read  bool
	size  int64
	mtime time.Time
	index *gitIndex
}

// Tracked reports whether Git's index has the path, or, for a directory,
// anything below it. No process is started, except for a split index, which
// only Git itself can put together.
func (g *Git) Tracked(abs string) (bool, error) {
	rel, ok := g.rel(abs)
	if !ok {
		return false, nil
	}
	index, err := g.readIndex()
	if err != nil {
		return false, err
	}
	if index.split {
		return g.trackedByProgram(rel)
	}
	return index.has(rel), nil
}

func (x *gitIndex) has(rel string) bool {
	if rel == "." {
		return len(x.names) > 0
	}
	if _, found := slices.BinarySearch(x.names, rel); found {
		return true
	}
	// Names below the directory follow "rel/", not "rel" itself: "a-b" sorts
	// between "a" and "a/b".
	below := rel + "/"
	i, _ := slices.BinarySearch(x.names, below)
	if i < len(x.names) && strings.HasPrefix(x.names[i], below) {
		return true
	}
	for dir := rel; ; {
		k := strings.LastIndexByte(dir, '/')
		if k < 0 {
			return false
		}
		dir = dir[:k]
		if _, found := slices.BinarySearch(x.names, dir+"/"); found {
			return true // inside a sparse directory
		}
	}
}

func (g *Git) readIndex() (*gitIndex, error) {
	file := filepath.Join(g.Dir, "index")
	g.mu.Lock()
	defer g.mu.Unlock()
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &gitIndex{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read git index: %w", err)
	}
	c := &g.index
	if c.read && c.size == info.Size() && c.mtime.Equal(info.ModTime()) {
		return c.index, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read git index: %w", err)
	}
	hash := 20
	if g.sha256() {
		hash = 32
	}
	index, err := parseIndex(data, hash)
	if err != nil {
		return nil, fmt.Errorf("read git index %s: %w", file, err)
	}
	*c = indexCache{read: true, size: info.Size(), mtime: info.ModTime(), index: index}
	return index, nil
}

var errShortIndex = errors.New("file ends early")

// parseIndex reads an index of version 2, 3 or 4 with object names of the
// given length.
func parseIndex(data []byte, hash int) (*gitIndex, error) {
	if len(data) < 12+hash || string(data[:4]) != "DIRC" {
		return nil, errors.New("not an index file")
	}
	version := binary.BigEndian.Uint32(data[4:])
	if version < 2 || version > 4 {
		return nil, fmt.Errorf("unknown version %d", version)
	}
	count := int(binary.BigEndian.Uint32(data[8:]))
	const header = 12
	body := data[:len(data)-hash]
	// An entry is longer than 63 bytes in versions 2 and 3, 62 in 4, so that
	// a wrong count cannot make us allocate much.
	if count < 0 || count > len(body)/(42+hash) {
		return nil, errShortIndex
	}
	index := &gitIndex{names: make([]string, 0, count)}
	at := header
	var prev []byte
	for range count {
		name, next, err := indexEntry(body, at, hash, version, prev)
		if err != nil {
			return nil, err
		}
		index.names = append(index.names, string(name))
		prev, at = name, next
	}
	if !slices.IsSorted(index.names) {
		slices.Sort(index.names)
	}
	for at+8 <= len(body) {
		size := int(binary.BigEndian.Uint32(body[at+4:]))
		if size < 0 || size > len(body)-at-8 {
			return nil, errShortIndex
		}
		if string(body[at:at+4]) == "link" {
			index.split = true
		}
		at += 8 + size
	}
	return index, nil
}

// indexEntry reads the entry at an offset and returns its name and the offset
// of the next one.
func indexEntry(body []byte, at, hash int, version uint32, prev []byte) (name []byte, next int, err error) {
	flags := at + 40 + hash
	if flags+2 > len(body) {
		return nil, 0, errShortIndex
	}
	start := flags + 2
	if version >= 3 && body[flags]&0x40 != 0 {
		start += 2
	}
	if start > len(body) {
		return nil, 0, errShortIndex
	}
	if version == 4 {
		drop, n, ok := offsetVarint(body[start:])
		if !ok || drop > len(prev) {
			return nil, 0, errShortIndex
		}
		start += n
		end := bytes.IndexByte(body[start:], 0)
		if end < 0 {
			return nil, 0, errShortIndex
		}
		name = slices.Concat(prev[:len(prev)-drop], body[start:start+end])
		return name, start + end + 1, nil
	}
	end := bytes.IndexByte(body[start:], 0)
	if end < 0 {
		return nil, 0, errShortIndex
	}
	// One to eight zero bytes bring the entry to a multiple of eight.
	next = at + (start+end-at+8)&^7
	if next > len(body) {
		return nil, 0, errShortIndex
	}
	return body[start : start+end], next, nil
}

// offsetVarint reads the variable-length number of pack files, which counts
// each continuation as one more.
func offsetVarint(b []byte) (value, n int, ok bool) {
	for n < len(b) && n < 5 {
		c := b[n]
		n++
		value = value<<7 | int(c&0x7f)
		if c&0x80 == 0 {
			return value, n, true
		}
		value++
	}
	return 0, 0, false
}
