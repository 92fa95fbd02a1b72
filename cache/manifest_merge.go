package cache

import "fmt"

// MergeManifests joins two directories that were made from base, which may be
// nil: what only one side added, changed or removed is taken from it. The paths
// that both sides changed differently are conflicts; merged has them as ours
// does. The error says that no directory can hold the paths of both.
func MergeManifests(base, ours, theirs *Manifest) (merged *Manifest, conflicts []string, err error) {
	if base == nil {
		base = &Manifest{}
	}
	type side struct {
		Member
		ok bool
	}
	find := func(m *Manifest, path string) side {
		found, ok := m.Lookup(path)
		return side{found, ok}
	}
	same := func(a, b side) bool {
		return a.ok == b.ok && (!a.ok || a.Digest == b.Digest && a.Exec == b.Exec)
	}
	merged = &Manifest{Members: make([]Member, 0, max(len(ours.Members), len(theirs.Members)))}
	take := func(path string, o, t side) {
		b := find(base, path)
		kept := o
		switch {
		case same(o, t), same(b, t):
		case same(b, o):
			kept = t
		default:
			conflicts = append(conflicts, path)
		}
		if kept.ok {
			merged.Members = append(merged.Members, kept.Member)
		}
	}
	i, j := 0, 0
	for i < len(ours.Members) || j < len(theirs.Members) {
		switch {
		case j == len(theirs.Members) || i < len(ours.Members) && ours.Members[i].Path < theirs.Members[j].Path:
			take(ours.Members[i].Path, side{ours.Members[i], true}, side{})
			i++
		case i == len(ours.Members) || theirs.Members[j].Path < ours.Members[i].Path:
			take(theirs.Members[j].Path, side{}, side{theirs.Members[j], true})
			j++
		default:
			take(ours.Members[i].Path, side{ours.Members[i], true}, side{theirs.Members[j], true})
			i++
			j++
		}
	}
	if err := merged.normalize(); err != nil {
		return nil, nil, fmt.Errorf("merge directories: %w", err)
	}
	return merged, conflicts, nil
}
