package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/project"
)

// listed is a file or directory of a listing.
type listed struct {
	out, dir, exec bool
	size           int64 // in bytes; -1 when it is not known
	digest         cache.Digest
}

// listing is what a revision has below a directory: what Git or the workspace
// has, and the outputs that the revision records, by path from the root.
type listing struct {
	r     *revision
	items map[string]*listed
	// within is the path that is listed, deep says how many levels below it are
	// needed: 0 for all.
	within string
	deep   int
}

// list gathers what is needed to list the path within.
func (r *revision) list(ctx context.Context, within string, deep int, onlyOutputs bool) (*listing, error) {
	l := &listing{r: r, items: map[string]*listed{".": {dir: true, size: -1}}, within: within, deep: deep}
	if !onlyOutputs {
		gather := l.workspace
		if r.commit != "" {
			gather = l.tree
		}
		if err := gather(ctx); err != nil {
			return nil, err
		}
	}
	for _, out := range r.cachedOutputs() {
		if err := l.output(out); err != nil {
			return nil, err
		}
	}
	if l.items[within] == nil {
		return nil, fmt.Errorf("no such file or directory in '%s': '%s': %w", r.name, within, fs.ErrNotExist)
	}
	return l, nil
}

// put adds an item and the directories above it.
func (l *listing) put(rel string, it listed) *listed {
	old := l.items[rel]
	if old == nil {
		old = &it
		l.items[rel] = old
	}
	for dir := path.Dir(rel); l.items[dir] == nil; dir = path.Dir(dir) {
		l.items[dir] = &listed{dir: true, size: -1, out: it.out && l.inOutput(dir)}
	}
	return old
}

// inOutput reports whether a path is in an output that is a directory.
func (l *listing) inOutput(rel string) bool {
	for dir := path.Dir(rel); dir != "."; dir = path.Dir(dir) {
		if l.r.cached[dir].IsDir() {
			return true
		}
	}
	return false
}

// needs reports whether what is in a directory is listed.
func (l *listing) needs(dir string) bool {
	if dir == l.within || strings.HasPrefix(l.within, dir+"/") {
		return true
	}
	below, ok := l.below(dir)
	return ok && (l.deep == 0 || strings.Count(below, "/")+1 < l.deep)
}

// below returns a path as it is seen from the path that is listed.
func (l *listing) below(rel string) (string, bool) {
	if l.within == "." {
		return rel, rel != "."
	}
	return strings.CutPrefix(rel, l.within+"/")
}

// workspace adds the files of the workspace.
func (l *listing) workspace(context.Context) error {
	root := l.r.s.project.Root
	ignore := project.NewIgnore(root)
	return filepath.WalkDir(root, func(abs string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, ok := l.r.s.project.Rel(abs)
		if rel = filepath.ToSlash(rel); !ok || rel == "." {
			return nil
		}
		switch e.Name() {
		case ".git", ".dvc", ".flow":
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if ignore.Match(rel, e.IsDir()) {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if e.IsDir() {
			l.put(rel, listed{dir: true, size: -1})
			if !l.needs(rel) {
				return fs.SkipDir
			}
			return nil
		}
		fi, err := os.Stat(abs)
		if err != nil { // a broken link
			if fi, err = e.Info(); err != nil {
				return nil //nolint:nilerr // it is gone by now
			}
		}
		l.put(rel, listed{size: fi.Size(), exec: fi.Mode()&0o111 != 0})
		return nil
	})
}

// tree adds the files of the commit.
func (l *listing) tree(ctx context.Context) error {
	g, _ := l.r.s.project.Git()
	files, err := g.Tree(ctx, l.r.commit, l.r.s.project.Root)
	if err != nil {
		return err
	}
	for _, f := range files {
		rel, ok := l.r.s.project.Rel(f.Path)
		if !ok {
			continue
		}
		rel = filepath.ToSlash(rel)
		if top, _, _ := strings.Cut(rel, "/"); top != ".dvc" && top != ".flow" {
			l.put(rel, listed{size: f.Size, exec: f.Exec})
		}
	}
	return nil
}

// output adds an output and, if needed, its files.
func (l *listing) output(out string) error {
	d := l.r.cached[out]
	size, known := l.r.sizes[out]
	if !known {
		size = 0
	}
	there := l.items[out] != nil
	it := l.put(out, listed{dir: d.IsDir(), size: size})
	it.out, it.digest = true, d
	if it.dir {
		it.size = size
	}
	if !d.IsDir() || !l.needs(out) {
		return nil
	}
	m, err := l.r.s.store.Manifest(d)
	if there && errors.Is(err, cache.ErrNotFound) {
		return nil // the workspace has it
	}
	if errors.Is(err, cache.ErrNotFound) {
		err = &cache.MissingError{Path: out, Digests: []cache.Digest{d}}
	}
	if err != nil {
		return fmt.Errorf("list '%s' of '%s': %w", out, l.r.name, err)
	}
	for i := range m.Members {
		b := &m.Members[i]
		size := b.Size
		if size < 0 {
			if n, there := l.r.s.store.SizeOf(b.Digest); there {
				size = n
			}
		}
		rel := path.Join(out, b.Path)
		it := l.put(rel, listed{size: size, exec: b.Exec, out: true})
		it.out, it.digest = true, b.Digest
		for dir := path.Dir(rel); dir != out; dir = path.Dir(dir) {
			l.items[dir].out = true
		}
	}
	return nil
}

// names returns the paths to show as seen from the path that is listed, sorted:
// what lies directly in it or, with recursive, all files, and the directories
// that are at the last level.
func (l *listing) names(recursive bool) []string {
	if !l.items[l.within].dir {
		return []string{path.Base(l.within)}
	}
	var list []string
	for rel, it := range l.items {
		name, ok := l.below(rel)
		if !ok {
			continue
		}
		level := strings.Count(name, "/") + 1
		switch {
		case !recursive && level > 1:
		case recursive && l.deep > 0 && level > l.deep:
		case recursive && it.dir && level != l.deep:
		default:
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// item returns what a name of names stands for.
func (l *listing) item(name string) *listed {
	if it := l.items[l.within]; !it.dir {
		return it
	}
	return l.items[path.Join(l.within, name)]
}

// total is the size in bytes of all files at and below a path.
func (l *listing) total(rel string) int64 {
	var n int64
	for p, it := range l.items {
		if !it.dir && (p == rel || rel == "." || strings.HasPrefix(p, rel+"/")) && !trackingFile(p) {
			n += max(it.size, 0)
		}
	}
	return n
}

// trackingFile reports whether a file is about data rather than data: those are
// left out of sizes.
func trackingFile(rel string) bool {
	base := path.Base(rel)
	return path.Ext(rel) == ".dvc" || base == "dvc.yaml" || base == ".dvcignore"
}
