package engine

import (
	"context"
	"fmt"
	"sort"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

// inputChanges compares a snapshot with the lock's entry: the command, the
// dependencies and the parameters. rec is nil when nothing is recorded.
func (e *Engine) inputChanges(n *node, s *snapshot, rec *lock.Stage) []Reason {
	var rs []Reason
	if rec != nil && !n.IsData() && !commandEqual(n.Cmd, rec.Cmd) {
		rs = append(rs, Reason{Aspect: AspectCommand, Change: ChangeModified, Old: commandText(rec.Cmd), New: commandText(n.Cmd.Value())})
	}
	rs = append(rs, e.versionChanges(n, rec)...)
	if n.Frozen {
		return rs
	}
	if n.IsCallback() || n.AlwaysChanged {
		rs = append(rs, Reason{Aspect: AspectAlways})
	}
	for i, d := range n.Deps {
		rs = append(rs, depChange(d, s.deps[i], recordedDep(rec, d.Def))...)
	}
	for _, p := range s.params {
		rs = append(rs, paramChanges(p, rec)...)
	}
	rs = append(rs, e.envChanges(n, s)...)
	return rs
}

func depChange(d pipeline.Dependency, c content, rec *lock.Entry) []Reason {
	r := Reason{Aspect: AspectDep, Path: d.Def, New: c.entry.Digest.String()}
	if rec != nil {
		r.Old = rec.Digest
	}
	switch {
	case c.missing():
		r.Change = ChangeDeleted
	case c.matches(rec):
		return nil
	default:
		r.Change = ChangeModified
	}
	return []Reason{r}
}

// paramChanges compares by Python's equality, as DVC does: 1, 1.0 and true are
// equal here (and different in keys of records).
func paramChanges(p paramState, rec *lock.Stage) []Reason {
	file := p.file.Def
	if p.missing {
		return []Reason{{Aspect: AspectParam, Path: file, Change: ChangeDeleted}}
	}
	var old *yaml12.Map
	if rec != nil {
		for i := range rec.Params {
			if rec.Params[i].Path == file {
				old = rec.Params[i].Values
			}
		}
	}
	if old == nil {
		if p.file.Keys == nil || len(p.file.Keys) > 0 {
			return []Reason{{Aspect: AspectParam, Path: file, Change: ChangeNew}}
		}
		return nil
	}
	var rs []Reason
	for _, k := range p.absent {
		rs = append(rs, Reason{Aspect: AspectParam, Path: file, Key: k, Change: ChangeDeleted, Old: valueText(old, k)})
	}
	for _, it := range p.values.Items {
		k := fmt.Sprint(it.Key)
		was, ok := old.Get(k)
		switch {
		case !ok:
			rs = append(rs, Reason{Aspect: AspectParam, Path: file, Key: k, Change: ChangeNew, New: valueText(p.values, k)})
		case !yaml12.Equal(was, it.Value):
			rs = append(rs, Reason{Aspect: AspectParam, Path: file, Key: k, Change: ChangeModified,
				Old: valueText(old, k), New: valueText(p.values, k)})
		}
	}
	if p.file.Keys == nil {
		for _, it := range old.Items {
			k := fmt.Sprint(it.Key)
			if _, ok := p.values.Get(k); !ok {
				rs = append(rs, Reason{Aspect: AspectParam, Path: file, Key: k, Change: ChangeDeleted, Old: valueText(old, k)})
			}
		}
	}
	sort.SliceStable(rs, func(i, j int) bool { return rs[i].Key < rs[j].Key })
	return rs
}

func valueText(m *yaml12.Map, key string) string {
	v, ok := m.Get(key)
	if !ok {
		return ""
	}
	if s, ok := v.(string); ok {
		return s
	}
	return string(python.JSON(v))
}

// outState is an output as it is now, beside what is recorded of it.
type outState struct {
	out     pipeline.Output
	content content
	rec     *lock.Entry
	// recEntry is rec in the cache's terms; zero when nothing is recorded.
	recEntry cache.Entry
	// absent is set when recorded objects are not in the cache.
	absent bool
}

// same reports whether the workspace holds what is recorded.
func (o *outState) same() bool { return o.content.matches(o.rec) }

// outputs looks at the stage's outputs and at their objects in the cache.
func (e *Engine) outputs(ctx context.Context, n *node, rec *lock.Stage) ([]outState, error) {
	list := make([]outState, len(n.Outs))
	for i, o := range n.Outs {
		if o.URL {
			return nil, hintError{fmt.Errorf("output '%s' is not a local path", o.Def),
				"this version tracks local outputs only"}
		}
		st := &list[i]
		st.out = o
		if n.IsData() {
			st.rec = dataEntry(n, o.Def)
		} else {
			st.rec = recordedOut(rec, o.Def)
		}
		st.content = e.look(ctx, o.Path, st.rec)
		if err := st.content.err; err != nil && !missing(err) {
			return nil, fmt.Errorf("output '%s': %w", o.Def, err)
		}
		var err error
		if st.recEntry, err = e.cacheEntry(st.rec); err != nil {
			return nil, err
		}
		if o.Cache && !st.recEntry.Digest.IsZero() {
			if st.absent, err = e.absentFromCache(ctx, st); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// absentFromCache reports whether any object of a recorded output is missing.
// Where the workspace holds the recorded directory, its manifest is at hand
// and need not be read from the cache.
func (e *Engine) absentFromCache(ctx context.Context, st *outState) (bool, error) {
	d := st.recEntry.Digest
	if !d.IsDir() {
		return !e.opt.Store.Has(d), nil
	}
	if st.content.tree != nil && st.same() {
		held, err := e.opt.Store.HoldsTree(ctx, st.content.tree)
		return !held, err
	}
	lost, err := e.opt.Store.Missing(ctx, d)
	return len(lost) > 0, err
}

// outChanges compares outputs with what is recorded.
func outChanges(outs []outState) []Reason {
	var rs []Reason
	for i := range outs {
		o := &outs[i]
		r := Reason{Aspect: AspectOut, Path: o.out.Def, New: o.content.entry.Digest.String()}
		if o.rec != nil {
			r.Old = o.rec.Digest
		}
		switch {
		case o.absent:
			r.Change = ChangeNotInCache
		case o.content.missing():
			r.Change = ChangeDeleted
		case !o.same():
			r.Change = ChangeModified
		default:
			continue
		}
		rs = append(rs, r)
	}
	return rs
}

// onlyUncached reports whether the only thing amiss is that outputs which the
// workspace still holds are gone from the cache: storing them again suffices.
func onlyUncached(rs []Reason, outs []outState) bool {
	if len(rs) == 0 {
		return false
	}
	for _, r := range rs {
		if r.Aspect != AspectOut || r.Change != ChangeNotInCache {
			return false
		}
	}
	for i := range outs {
		if !outs[i].same() {
			return false
		}
	}
	return true
}

func commandEqual(c pipeline.Command, recorded any) bool {
	return yaml12.Identical(c.Value(), recorded)
}

func commandText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		text := ""
		for i, l := range v {
			if i > 0 {
				text += "\n"
			}
			text += fmt.Sprint(l)
		}
		return text
	}
	return fmt.Sprint(v)
}

// dataEntry finds an output's record in its .dvc file.
func dataEntry(n *node, def string) *lock.Entry {
	for i := range n.Data.Outs {
		if n.Data.Outs[i].Path == def {
			return &n.Data.Outs[i].Entry
		}
	}
	return nil
}
