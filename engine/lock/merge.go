package lock

import (
	"bytes"
	"fmt"
)

// Merge joins two locks that were made from base, stage by stage: what only
// one side changed, added or removed is taken from it. A stage that both
// changed differently is a conflict: its name is in conflicts and merged has
// it as ours does. So is everything beside the stages, as "the rest of the
// file". An empty text is a lock without stages. The error is that of a text
// that is no lock.
func Merge(base, ours, theirs []byte) (merged []byte, conflicts []string, err error) {
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
		if files[i], err = Parse(side.name, side.data); err != nil {
			return nil, nil, fmt.Errorf("merge: %w", err)
		}
	}
	b, o, t := files[0], files[1], files[2]
	out := &File{open: o.open, listed: o.listed || t.listed, index: map[string]int{}}
	if len(o.blocks) == 0 {
		out.open = t.open
	}
	for _, blk := range o.blocks {
		if keep, conflict := pick(b.block(blk.name), blk, t.block(blk.name)); keep != nil {
			out.put(keep)
			if conflict {
				conflicts = append(conflicts, blk.name)
			}
		} else if conflict {
			conflicts = append(conflicts, blk.name)
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
			conflicts = append(conflicts, blk.name)
		}
	}
	var clash bool
	out.head, clash = pickText(b.head, o.head, t.head)
	foot, footClash := pickText(b.foot, o.foot, t.foot)
	out.foot = foot
	if clash || footClash {
		conflicts = append(conflicts, "the rest of the file")
	}
	merged = out.Encode()
	if len(merged) > 0 {
		if _, err := Parse("merged", merged); err != nil {
			return nil, nil, fmt.Errorf("merge: %w", err)
		}
	}
	return merged, conflicts, nil
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
