package lock

import (
	"bytes"
	"fmt"
	"strings"
)

// Merge joins two locks that were made from base, stage by stage: what only
// one side changed, added or removed is taken from it. A stage that both
// changed differently is a conflict: its name is in conflicts and merged has
// it as ours does. So is everything beside the stages, as "the rest of the
// file". An empty text is a lock without stages. The error is that of a text
// that is no lock.
func Merge(base, ours, theirs []byte) (merged []byte, conflicts []string, err error) {
	m, err := merge(base, ours, theirs)
	if err != nil {
		return nil, nil, err
	}
	if merged, err = m.encode(); err != nil {
		return nil, nil, err
	}
	return merged, m.conflicts, nil
}

// encode returns the merged lock, which is one.
func (m *mergedLock) encode() ([]byte, error) {
	merged := m.out.Encode()
	if len(merged) > 0 {
		if _, err := Parse("merged", merged); err != nil {
			return nil, fmt.Errorf("merge: %w", err)
		}
	}
	return merged, nil
}

// MergeMarked is Merge for version control: what is in conflict has the
// versions of both sides between markers of size characters, the other stages
// are merged. Without conflicts the result is Merge's.
func MergeMarked(base, ours, theirs []byte, size int) (merged []byte, conflicts []string, err error) {
	m, err := merge(base, ours, theirs)
	if err != nil {
		return nil, nil, err
	}
	if len(m.conflicts) == 0 {
		merged, err = m.encode()
		return merged, nil, err
	}
	m.ours.Encode() // gives every stage its text
	m.theirs.Encode()
	for name, sides := range m.clashes {
		var texts [2][]byte
		b := &block{name: name}
		for i, side := range sides {
			if side != nil {
				texts[i] = append(bytes.Clone(side.raw), side.tail...)
				b.stage = side.stage
			}
		}
		b.raw = ConflictText(texts[0], texts[1], size)
		m.out.put(b)
	}
	if m.head {
		m.out.head = ConflictText(m.ours.head, m.theirs.head, size)
	}
	if m.foot {
		m.out.foot = ConflictText(m.ours.foot, m.theirs.foot, size)
	}
	return m.out.Encode(), m.conflicts, nil
}

// ConflictText returns two versions of a text as Git shows a conflict: the lines
// that both begin and end with once, the others between markers of size
// characters.
func ConflictText(ours, theirs []byte, size int) []byte {
	o, t := lines(ours), lines(theirs)
	head := 0
	for head < len(o) && head < len(t) && bytes.Equal(o[head], t[head]) {
		head++
	}
	tail := 0
	for tail < len(o)-head && tail < len(t)-head && bytes.Equal(o[len(o)-1-tail], t[len(t)-1-tail]) {
		tail++
	}
	var out []byte
	put := func(list [][]byte) {
		for _, l := range list {
			out = append(out, l...)
		}
	}
	marker := func(c, name string) {
		if n := len(out); n > 0 && out[n-1] != '\n' {
			out = append(out, '\n')
		}
		out = append(append(out, strings.Repeat(c, size)...), name+"\n"...)
	}
	put(o[:head])
	if head < len(o) || head < len(t) {
		marker("<", " ours")
		put(o[head : len(o)-tail])
		marker("=", "")
		put(t[head : len(t)-tail])
		marker(">", " theirs")
	}
	put(o[len(o)-tail:])
	return out
}

// lines cuts a text behind each line break.
func lines(text []byte) [][]byte {
	list := bytes.SplitAfter(text, []byte("\n"))
	if n := len(list); len(list[n-1]) == 0 {
		list = list[:n-1]
	}
	return list
}

// mergedLock is what a merge came to.
type mergedLock struct {
	ours, theirs, out *File
	conflicts         []string
	// clashes are the two versions of a stage in conflict, nil where it was
	// removed.
	clashes    map[string][2]*block
	head, foot bool // these are in conflict
}

func merge(base, ours, theirs []byte) (*mergedLock, error) {
	var files [3]*File
	for i, side := range []struct {
		name string
		data []byte
	}{{"base", base}, {"ours", ours}, {"theirs", theirs}} {
		if len(bytes.TrimSpace(side.data)) == 0 {
			files[i] = New()
			files[i].head = nil
			continue
		}
		var err error
		if files[i], err = Parse(side.name, side.data); err != nil {
			return nil, fmt.Errorf("merge: %w", err)
		}
	}
	b, o, t := files[0], files[1], files[2]
	out := &File{open: o.open, listed: o.listed || t.listed, index: map[string]int{}}
	if len(o.blocks) == 0 {
		out.open = t.open
	}
	m := &mergedLock{ours: o, theirs: t, out: out, clashes: map[string][2]*block{}}
	clash := func(name string, ours, theirs *block) {
		m.conflicts = append(m.conflicts, name)
		m.clashes[name] = [2]*block{ours, theirs}
	}
	for _, blk := range o.blocks {
		keep, conflict := pick(b.block(blk.name), blk, t.block(blk.name))
		if keep != nil {
			out.put(keep)
		}
		if conflict {
			clash(blk.name, blk, t.block(blk.name))
		}
	}
	for _, blk := range t.blocks {
		if o.block(blk.name) != nil {
			continue
		}
		was := b.block(blk.name)
		switch {
		case was == nil:
			out.put(blk)
		case !was.stage.Equal(blk.stage): // removed here, changed there
			clash(blk.name, nil, blk)
		}
	}
	out.head, m.head = pickText(b.head, o.head, t.head)
	out.foot, m.foot = pickText(b.foot, o.foot, t.foot)
	if m.head || m.foot {
		m.conflicts = append(m.conflicts, "the rest of the file")
	}
	return m, nil
}

func (f *File) block(name string) *block {
	if i, ok := f.index[name]; ok {
		return f.blocks[i]
	}
	return nil
}

// pick returns the version of a stage to keep, nil for none, and whether both
// sides changed it. ours is never nil.
func pick(base, ours, theirs *block) (*block, bool) {
	same := func(a, b *block) bool {
		if a == nil || b == nil {
			return a == b
		}
		return a.stage.Equal(b.stage)
	}
	switch {
	case same(ours, theirs), same(base, theirs):
		return ours, false
	case same(base, ours):
		return theirs, false
	}
	return ours, true
}

func pickText(base, ours, theirs []byte) ([]byte, bool) {
	switch {
	case bytes.Equal(ours, theirs), bytes.Equal(base, theirs), len(theirs) == 0:
		return ours, false
	case bytes.Equal(base, ours), len(ours) == 0:
		return theirs, false
	}
	return ours, true
}
