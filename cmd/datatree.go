package cmd

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/flowrepro/flow/cache"
)

// dataTree is what one side of a comparison has of cached outputs: outputs and
// the files of those that are directories, by path from the root.
type dataTree struct {
	items map[string]cache.Digest
	// closed are the directories whose files are not known, because the cache
	// lacks their manifests.
	closed []string
}

func newDataTree() *dataTree { return &dataTree{items: map[string]cache.Digest{}} }

// add takes in an output. m is nil for a file, and for a directory whose files
// are left out.
func (t *dataTree) add(rel string, d cache.Digest, m *cache.Manifest) {
	t.items[rel] = d
	if m != nil {
		for _, b := range m.Members {
			t.items[path.Join(rel, b.Path)] = b.Digest
		}
	}
}

// hidden reports whether a path lies in a directory whose files are not known.
func (t *dataTree) hidden(rel string) bool {
	for _, dir := range t.closed {
		if strings.HasPrefix(rel, dir+"/") {
			return true
		}
	}
	return false
}

// dataScope limits trees: to the paths at and below some, if there are any.
type dataScope struct {
	paths []string
	// shallow leaves out the files of directories.
	shallow bool
}

func (c dataScope) has(rel string) bool {
	return len(c.paths) == 0 || slices.ContainsFunc(c.paths, func(p string) bool {
		return p == "." || rel == p || strings.HasPrefix(rel, p+"/")
	})
}

// touches reports whether something at or below an output may be in scope.
func (c dataScope) touches(out string) bool {
	return c.has(out) || slices.ContainsFunc(c.paths, func(p string) bool { return strings.HasPrefix(p, out+"/") })
}

// trim removes what is out of scope.
func (c dataScope) trim(t *dataTree) *dataTree {
	maps.DeleteFunc(t.items, func(rel string, _ cache.Digest) bool { return !c.has(rel) })
	return t
}

// cachedOutputs returns the paths of the cached outputs in the project.
func (r *revision) cachedOutputs() []string {
	var list []string
	for _, st := range r.set.Stages {
		for _, o := range st.Outs {
			if o.Cache && !o.URL && !path.IsAbs(o.Path) && o.Path != ".." && !strings.HasPrefix(o.Path, "../") {
				list = append(list, o.Path)
			}
		}
	}
	slices.Sort(list)
	return list
}

// recordedTree is what the lock and .dvc files of the revision record. Outputs
// that they do not record are not in it.
func (r *revision) recordedTree(c dataScope) *dataTree {
	t := newDataTree()
	for _, out := range r.cachedOutputs() {
		d, ok := r.cached[out]
		if !ok || !c.touches(out) {
			continue
		}
		var m *cache.Manifest
		if d.IsDir() && !c.shallow {
			var err error
			if m, err = r.s.store.Manifest(d); err != nil {
				t.closed = append(t.closed, out)
			}
		}
		t.add(out, d, m)
	}
	return c.trim(t)
}

// workspaceTree is what is in the workspace of the outputs, hashed.
func (s *session) workspaceTree(ctx context.Context, c dataScope) (*dataTree, error) {
	t := newDataTree()
	r := s.workspace()
	for _, out := range r.cachedOutputs() {
		if !c.touches(out) {
			continue
		}
		e, m, err := s.engine.Scan(ctx, out, r.cached[out].Hash())
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if c.shallow {
			m = nil
		}
		t.add(out, e.Digest, m)
	}
	return c.trim(t), nil
}

// absent returns those paths of a tree whose objects the cache lacks, sorted.
func (s *session) absent(ctx context.Context, t *dataTree) ([]string, error) {
	lost, err := s.store.Missing(ctx, plainDigests(slices.Collect(maps.Values(t.items)))...)
	if err != nil {
		return nil, err
	}
	gone := map[cache.Digest]bool{}
	for _, d := range lost {
		gone[d] = true
	}
	var list []string
	for rel, d := range t.items {
		if gone[d] || d.IsDir() && !s.store.Has(d) {
			list = append(list, rel)
		}
	}
	slices.Sort(list)
	return list, nil
}

// dataChange is a path that two trees have, or one of them.
type dataChange struct {
	kind     string // "modified", "unknown", "added", "renamed", "deleted" or "unchanged"
	path     string // the old one when renamed
	renamed  string // the new one
	old, new cache.Digest
}

// changeKinds are the kinds in the order in which they are shown.
var changeKinds = []string{"modified", "unknown", "added", "renamed", "deleted", "unchanged"}

// name is the path as it is shown: directories end in a slash.
func (c *dataChange) name() string {
	if c.new.IsDir() || c.new.IsZero() && c.old.IsDir() {
		return c.path + "/"
	}
	return c.path
}

func (c *dataChange) renamedName() string {
	if c.new.IsDir() {
		return c.renamed + "/"
	}
	return c.renamed
}

// compareTrees returns what has become of each path, ordered by kind and path.
// What only one side has is renamed if the other side lost the same content,
// and unknown if the other side's directory cannot be read.
func compareTrees(before, after *dataTree) []dataChange {
	paths := map[string]bool{}
	for rel := range before.items {
		paths[rel] = true
	}
	for rel := range after.items {
		paths[rel] = true
	}
	var list []dataChange
	gone := map[cache.Digest][]string{}
	for _, rel := range slices.Sorted(maps.Keys(paths)) {
		c := dataChange{path: rel, old: before.items[rel], new: after.items[rel]}
		switch {
		case before.hidden(rel) || after.hidden(rel):
			c.kind = "unknown"
		case c.old.IsZero():
			c.kind = "added"
		case c.new.IsZero():
			c.kind = "deleted"
			gone[c.old] = append(gone[c.old], rel)
		case c.old == c.new:
			c.kind = "unchanged"
		default:
			c.kind = "modified"
		}
		list = append(list, c)
	}
	moved := map[string]bool{}
	for i := range list {
		c := &list[i]
		if from := gone[c.new]; c.kind == "added" && len(from) > 0 {
			gone[c.new] = from[1:]
			moved[from[0]] = true
			c.kind, c.renamed, c.path, c.old = "renamed", c.path, from[0], c.new
		}
	}
	list = slices.DeleteFunc(list, func(c dataChange) bool { return c.kind == "deleted" && moved[c.path] })
	slices.SortStableFunc(list, func(a, b dataChange) int {
		if n := slices.Index(changeKinds, a.kind) - slices.Index(changeKinds, b.kind); n != 0 {
			return n
		}
		return strings.Compare(a.path, b.path)
	})
	return list
}
