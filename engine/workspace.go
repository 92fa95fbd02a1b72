package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/flowrepro/flow/cache"
)

// workspace hashes paths and remembers the results until a stage may have
// changed them. Safe for concurrent use.
type workspace struct {
	e       *Engine
	scanner cache.Scanner
	text    cache.Scanner // for entries of DVC 2.x

	mu    sync.Mutex
	known map[scanKey]*scanned
}

type scanKey struct {
	abs  string
	text bool
}

// scanned is the content of a path when it was looked at. once makes stages
// that share a dependency hash it a single time.
type scanned struct {
	once  sync.Once
	entry cache.Entry
	tree  *cache.Tree // nil for a file
	err   error
}

func newWorkspace(e *Engine) *workspace {
	ig := e.ignore
	below := strings.TrimSuffix(filepath.Clean(e.opt.Project.Root), string(filepath.Separator)) + string(filepath.Separator)
	ignore := func(abs string, dir bool) bool {
		// Scans ask with clean paths, of every file there is.
		rel, in := strings.CutPrefix(abs, below)
		if !in {
			rel, in = e.opt.Project.Rel(abs)
		}
		return in && ig.Match(filepath.ToSlash(rel), dir)
	}
	base := cache.Scanner{
		Hash: e.opt.Project.Format.Hash, Memo: e.opt.Memo, Workers: e.opt.Workers, Ignore: ignore,
	}
	text := base
	text.Hash = cache.MD5Text
	return &workspace{e: e, scanner: base, text: text, known: map[scanKey]*scanned{}}
}

// scan returns the content of a path as of the last change by this process.
func (w *workspace) scan(ctx context.Context, abs string, text bool) (cache.Entry, *cache.Tree, error) {
	key := scanKey{abs, text}
	w.mu.Lock()
	s := w.known[key]
	if s == nil {
		s = new(scanned)
		w.known[key] = s
	}
	w.mu.Unlock()
	s.once.Do(func() { s.entry, s.tree, s.err = w.rescan(ctx, abs, text) })
	if s.err != nil && (errors.Is(s.err, context.Canceled) || errors.Is(s.err, context.DeadlineExceeded)) {
		w.forget(abs)
	}
	return s.entry, s.tree, s.err
}

// Scan hashes what is in the workspace at a path from the root with an algorithm
// of the project: its own, or that of entries of DVC 2.x. The error wraps
// fs.ErrNotExist when there is nothing. The manifest is nil for a file.
func (e *Engine) Scan(ctx context.Context, rel string, h *cache.Hash) (cache.Entry, *cache.Manifest, error) {
	entry, tree, err := e.ws.scan(ctx, e.abs(rel), h == cache.MD5Text)
	if err != nil || tree == nil {
		return entry, nil, err
	}
	m, err := tree.Manifest(ctx)
	return entry, m, err
}

// rescan looks at the path anew, remembering nothing but the stat memo.
func (w *workspace) rescan(ctx context.Context, abs string, text bool) (cache.Entry, *cache.Tree, error) {
	sc := &w.scanner
	if text {
		sc = &w.text
	}
	return sc.ScanTree(ctx, abs)
}

// forget drops what is known of a path, of the directories that hold it and,
// when it is or was a directory, of what is inside.
func (w *workspace) forget(abs string) {
	dir := isDir(abs)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, text := range []bool{false, true} {
		if s := w.known[scanKey{abs, text}]; s != nil && s.tree != nil {
			dir = true
		}
		for p := abs; ; p = filepath.Dir(p) {
			delete(w.known, scanKey{p, text})
			if p == filepath.Dir(p) {
				break
			}
		}
	}
	if !dir {
		return
	}
	prefix := abs + string(filepath.Separator)
	for k := range w.known {
		if strings.HasPrefix(k.abs, prefix) {
			delete(w.known, k)
		}
	}
}

func isDir(abs string) bool {
	fi, err := os.Lstat(abs)
	return err == nil && fi.IsDir()
}

// missing reports whether err says that a path is not there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// noSuchFile is a missing dependency, in the words scripts look for.
func noSuchFile(abs string) error {
	return fmt.Errorf("[Errno 2] No such file or directory: '%s'%w", abs, silent{fs.ErrNotExist})
}

// silent wraps an error for errors.Is without adding to the text.
type silent struct{ err error }

func (s silent) Error() string { return "" }
func (s silent) Unwrap() error { return s.err }
