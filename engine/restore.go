package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
)

// restore takes the outputs of a recorded result from the cache.
func (e *Engine) restore(ctx context.Context, n *node, v *verdict) error {
	unlock, err := e.lockPaths(ctx, n)
	if err != nil {
		return err
	}
	defer unlock()
	entries := make([]lock.Entry, len(v.outs))
	for i := range v.outs {
		o := &v.outs[i]
		abs := e.abs(o.out.Path)
		entries[i] = newEntry(o.out.Def, v.restore[i])
		if v.restore[i].Digest == o.recEntry.Digest && o.rec != nil {
			entries[i] = *o.rec
		}
		if inPlace(o, v.restore[i]) {
			continue
		}
		if !o.content.missing() && o.content.entry.Digest != v.restore[i].Digest {
			saved, err := e.savedElsewhere(ctx, o)
			if err != nil {
				return err
			}
			if !saved {
				if err := e.keepAside(n, abs); err != nil {
					return fmt.Errorf("restore output '%s': %w", o.out.Def, err)
				}
			}
		}
		if _, err := e.opt.Store.Checkout(ctx, abs, v.restore[i], cache.CheckoutOptions{Force: true, Ignore: e.ws.scanner.Ignore}); err != nil {
			return fmt.Errorf("restore output '%s': %w", o.out.Def, err)
		}
		if !o.out.Cache {
			// An output that is not cached is the user's to edit.
			if err := e.opt.Store.Unprotect(abs); err != nil {
				return fmt.Errorf("restore output '%s': %w", o.out.Def, err)
			}
		}
		e.ws.forget(abs)
	}
	rec, err := e.recordOf(ctx, n, v, entries)
	if err != nil {
		return err
	}
	if err := e.ignoreOutputs(n); err != nil {
		return err
	}
	if v.log != "" {
		if f, err := e.states.newLog(n); err == nil {
			_, _ = f.Write([]byte(v.log)) // a log that cannot be kept costs nothing else
			_ = f.Close()
		}
	}
	last := &LastRun{Key: v.key.String(), Fields: v.fields, Started: e.opt.Now(), Outcome: Restored}
	for _, r := range v.reasons {
		last.Reasons = append(last.Reasons, r.String())
	}
	if err := e.states.put(n, last); err != nil {
		return err
	}
	return e.setLock(ctx, n, rec)
}

// verify records a frozen stage or a data source as it is now.
func (e *Engine) verify(ctx context.Context, n *node, req *Request, v *verdict) error {
	var lost []string
	for i := range v.outs {
		if v.outs[i].content.missing() {
			lost = append(lost, v.outs[i].out.Def)
		}
		v.outs[i].content = e.current(ctx, v.outs[i].out.Path, v.outs[i].content, v.outs[i].rec)
	}
	if len(lost) > 0 {
		if req.AllowMissing {
			return nil
		}
		return hintError{fmt.Errorf("missing data 'source': %s", strings.Join(lost, ", ")),
			"restore it with `flow pull` or `flow checkout`, or from where it came"}
	}
	if !req.NoCommit {
		if err := e.storeOutputs(ctx, n, v.outs, true); err != nil {
			return err
		}
	}
	if err := e.ignoreOutputs(n); err != nil {
		return err
	}
	if n.IsData() {
		return e.saveData(n, v.outs)
	}
	var err error
	if v.in, err = e.inputs(ctx, n, v.rec); err != nil {
		return err
	}
	rec := &lock.Stage{Cmd: n.Cmd.Value(), Params: lockParams(v.in.params)}
	for i, d := range n.Deps {
		if v.in.deps[i].missing() {
			return noSuchFile(e.abs(d.Path))
		}
		le, err := e.lockEntry(ctx, d.Def, d.Path, v.in.deps[i], recordedDep(v.rec, d.Def))
		if err != nil {
			return fmt.Errorf("dependency '%s': %w", d.Def, err)
		}
		rec.Deps = append(rec.Deps, le)
	}
	for i := range v.outs {
		o := &v.outs[i]
		le, err := e.lockEntry(ctx, o.out.Def, o.out.Path, o.content, o.rec)
		if err != nil {
			return fmt.Errorf("output '%s': %w", o.out.Def, err)
		}
		rec.Outs = append(rec.Outs, le)
	}
	return e.setLock(ctx, n, rec)
}

// saveData writes the outputs' entries into the stage's .dvc file.
func (e *Engine) saveData(n *node, outs []outState) error {
	for i := range n.Data.Outs {
		d := &n.Data.Outs[i]
		for j := range outs {
			if outs[j].out.Def != d.Path || outs[j].content.err != nil {
				continue
			}
			if outs[j].same() {
				continue
			}
			entry := outs[j].content.entry
			le := newEntry(d.Path, entry)
			d.Hash, d.Digest, d.Size, d.Files, d.Exec = le.Hash, le.Digest, le.Size, le.Files, le.Exec
			// Where a cloud-versioned remote has what was there says nothing now.
			d.Listed, d.Extra = false, d.Extra.Without("cloud", "files")
		}
	}
	return e.writeData(n)
}

// writeData puts a .dvc file on disk if it differs.
func (e *Engine) writeData(n *node) error {
	if n.Data.MD5 != "" {
		n.Data.MD5 = n.Data.Checksum()
	}
	data, err := n.Data.Encode()
	if err != nil {
		return fmt.Errorf("encode %s: %w", n.File, err)
	}
	abs := e.abs(n.File)
	if old, err := os.ReadFile(abs); err == nil && string(old) == string(data) {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", n.File, err)
	}
	if err := writeDurably(e.opt.Project.TempDir(), abs, data); err != nil {
		return fmt.Errorf("write %s: %w", n.File, err)
	}
	e.emit(Event{Kind: FileChanged, Stage: n.name, Index: n.place, File: e.showAbs(abs), Data: true})
	return nil
}
