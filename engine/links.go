package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/internal/atomicfile"
)

// linkTable remembers what checkouts and runs put into the workspace, so that
// what no stage declares any more can be deleted if nobody touched it. It is
// kept on this machine only; losing it means that such files stay.
type linkTable struct {
	file  string
	Paths map[string]linkStamp `json:"paths"` // by root-relative path
	dirty bool
	mu    sync.Mutex
}

type linkStamp struct {
	Digest string `json:"digest"`
}

// links loads the table on first use.
func (e *Engine) links() *linkTable {
	e.linkOnce.Do(func() {
		t := &linkTable{file: filepath.Join(e.opt.Project.StateDir(), "links.json")}
		if data, err := os.ReadFile(t.file); err == nil {
			_ = json.Unmarshal(data, t) // a damaged table is an empty one
		}
		if t.Paths == nil {
			t.Paths = map[string]linkStamp{}
		}
		e.linked = t
	})
	return e.linked
}

// note records that path holds the content of digest. Safe for concurrent use.
func (t *linkTable) note(path string, d cache.Digest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := (linkStamp{d.String()}); t.Paths[path] != s {
		t.Paths[path] = s
		t.dirty = true
	}
}

func (t *linkTable) save() error {
	if t == nil || !t.dirty {
		return nil
	}
	data, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("record links: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(t.file), 0o777); err != nil {
		return fmt.Errorf("record links: %w", err)
	}
	if err := atomicfile.Write(t.file, data, atomicfile.Options{}); err != nil {
		return fmt.Errorf("record links: %w", err)
	}
	return nil
}

// removeUndeclared deletes what an earlier checkout made, no stage declares any
// more, and still is exactly what was checked out.
func (e *Engine) removeUndeclared(ctx context.Context, t *linkTable) ([]string, error) {
	declared := map[string]bool{}
	for _, n := range e.nodes {
		for _, o := range n.Outs {
			declared[o.Path] = true
		}
	}
	var gone []string
	for path, link := range t.Paths {
		if declared[path] {
			continue
		}
		abs := e.abs(path)
		entry, tree, err := e.ws.rescan(ctx, abs, false)
		if err == nil && entry.Digest.String() == link.Digest && e.containedPath(path) == nil {
			if err := os.RemoveAll(abs); err != nil {
				return gone, fmt.Errorf("remove '%s': %w", e.show(path), err)
			}
			name := e.show(path)
			if tree != nil {
				name += "/"
			}
			gone = append(gone, name)
		}
		delete(t.Paths, path)
		t.dirty = true
	}
	return gone, nil
}
