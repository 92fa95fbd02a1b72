package pipeline

import (
	"path"
	"path/filepath"
	"strings"
)

// lockName, fileName and dataSuffix are the names DVC gives its files.
const (
	fileName   = "dvc.yaml"
	lockName   = "dvc.lock"
	dataSuffix = ".dvc"
)

// isPipelineFile reports whether a path names a dvc.yaml or .dvc file.
func isPipelineFile(p string) bool {
	base := path.Base(filepath.ToSlash(p))
	return base == fileName || strings.HasSuffix(base, dataSuffix)
}

// isURL reports whether a path has a scheme: letters, digits, '+', '-' or '.'
// before "://". A drive letter is none.
func isURL(p string) bool {
	i := strings.Index(p, "://")
	if i < 2 {
		return false
	}
	for j := 0; j < i; j++ {
		c := p[j]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (j == 0 || !('0' <= c && c <= '9' || strings.IndexByte("+-.", c) >= 0)) {
			return false
		}
	}
	return true
}

// place resolves declared paths of one stage.
type place struct {
	root string // absolute, with slashes
	wdir string // relative to root, or absolute
}

func newPlace(root, wdir string) place { return place{filepath.ToSlash(root), wdir} }

// at returns where a declared path leads and the text that identifies it.
func (p place) at(declared string) (def, where string, url bool) {
	if isURL(declared) {
		return declared, declared, true
	}
	if strings.Contains(declared, `\`) {
		declared = filepath.ToSlash(declared) // on Windows only
	}
	if !isAbs(declared) {
		return declared, p.clean(join(p.wdir, declared)), false
	}
	where = p.clean(declared)
	if isAbs(where) || where == "." {
		return declared, where, false
	}
	// DVC rewrites absolute paths inside the project.
	if dir := p.clean(p.wdir); isAbs(dir) {
		return relative(dir, path.Join(p.root, where)), where, false
	}
	return relative(p.wdir, where), where, false
}

// clean normalizes a path relative to the root: with slashes, and absolute
// when it is outside.
func (p place) clean(where string) string {
	if !isAbs(where) {
		where = path.Clean(where)
		if where != ".." && !strings.HasPrefix(where, "../") {
			return where
		}
		return path.Join(p.root, where)
	}
	where = path.Clean(where)
	if where == p.root {
		return "."
	}
	if rel, ok := strings.CutPrefix(where, strings.TrimSuffix(p.root, "/")+"/"); ok {
		return rel
	}
	return where
}

// inProject returns a directory relative to the root where possible: "sub",
// ".", "../up", or an absolute path that leads elsewhere.
func (p place) inProject(dir string) string {
	if !isAbs(dir) {
		return path.Clean(dir)
	}
	return p.clean(dir)
}

// isAbs also knows drive letters on Windows.
func isAbs(p string) bool { return path.IsAbs(p) || filepath.IsAbs(p) }

// join is path.Join with an absolute second part taking over.
func join(dir, p string) string {
	if isAbs(p) {
		return path.Clean(p)
	}
	return path.Join(dir, p)
}

// relative returns target seen from dir; both are clean and relative to the
// root, or both absolute.
func relative(dir, target string) string {
	if dir == "." || dir == "" {
		return target
	}
	a, b := strings.Split(dir, "/"), strings.Split(target, "/")
	if target == "." {
		b = nil
	}
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	up := strings.Repeat("../", len(a)-n)
	rel := up + strings.Join(b[n:], "/")
	if rel == "" {
		return "."
	}
	return strings.TrimSuffix(rel, "/")
}

// address implements Stage.Address.
func address(s *Stage, dir string) string {
	dir = path.Clean(filepath.ToSlash(dir))
	switch {
	case s.IsData():
		return relative(dir, s.File)
	case path.Dir(s.File) == dir && path.Base(s.File) == fileName:
		return s.Name
	}
	return relative(dir, s.File) + ":" + s.Name
}
