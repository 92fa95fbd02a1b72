package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/internal/yaml12"
)

// RunOf returns a native record in the form of a lock entry, as DVC's run cache
// has them, with native digests. ok is false when a stage of the pipeline must be
// known for that and is not as it was, or when the form has no place for what the
// result depends on: a variable of the environment, or another version of a Go
// function than this program's.
func (e *Engine) RunOf(r *cache.Record) (run *lock.Stage, ok bool) {
	for _, n := range e.nodes {
		if n.IsData() || n.Name != r.Stage || !e.recordable(n) {
			continue
		}
		if run := runOf(n, r); run != nil {
			// What leads back to the record says all of it.
			if again, ok := e.recordFor(n, run); ok && again.Key == r.Key {
				return run, true
			}
		}
	}
	return nil, false
}

func runOf(n *node, r *cache.Record) *lock.Stage {
	run := &lock.Stage{}
	if n.goRef != nil {
		run.Version = n.goRef.stage.Version
	}
	params := map[string]*yaml12.Map{}
	var lines []string
	for _, f := range r.Fields {
		kind, rest, _ := strings.Cut(f.Name, ":")
		switch kind {
		case "cmd":
			lines = append(lines, f.Value)
		case "dep":
			i := slices.IndexFunc(n.Deps, func(d pipeline.Dependency) bool { return d.Path == rest })
			digest, exec := strings.CutSuffix(f.Value, " exec")
			if i < 0 {
				return nil
			}
			run.Deps = append(run.Deps, lock.Entry{Path: n.Deps[i].Def, Hash: cache.BLAKE3.Name, Digest: digest, Size: -1, Files: -1, Exec: exec})
		case "param":
			i := slices.IndexFunc(n.Params, func(p pipeline.ParamFile) bool { return strings.HasPrefix(rest, p.Def+":") })
			if i < 0 {
				return nil
			}
			file := n.Params[i].Def
			value, err := yaml12.Decode("value", []byte(f.Value))
			if err != nil || !json.Valid([]byte(f.Value)) {
				return nil // not a number, say, which JSON cannot tell
			}
			if params[file] == nil {
				params[file] = new(yaml12.Map)
			}
			params[file].Set(strings.TrimPrefix(rest, file+":"), value)
		case "env":
			return nil
		}
	}
	switch {
	case n.goRef != nil:
		run.Cmd = n.Cmd.Value()
	case len(lines) != 1 || n.Cmd.IsList:
		list := make([]any, len(lines))
		for i, l := range lines {
			list[i] = l
		}
		run.Cmd = list
	default:
		run.Cmd = lines[0]
	}
	for _, p := range n.Params {
		if params[p.Def] != nil {
			run.Params = append(run.Params, lock.ParamFile{Path: p.Def, Values: params[p.Def]})
			delete(params, p.Def)
		}
	}
	for _, o := range r.Outputs {
		i := slices.IndexFunc(n.Outs, func(d pipeline.Output) bool { return d.Path == o.Path })
		if i < 0 {
			return nil
		}
		run.Outs = append(run.Outs, newEntry(n.Outs[i].Def, o.Entry))
	}
	return run
}

// RecordsOf returns the native records of a result in the form of a lock entry,
// whose digests are native: one for each stage of the pipeline that it may be a
// result of. There are none of stages that depend on variables of the
// environment, of which such a form says nothing.
func (e *Engine) RecordsOf(run *lock.Stage) []*cache.Record {
	var list []*cache.Record
	for _, n := range e.nodes {
		if n.IsData() || !e.recordable(n) || len(declaredEnv(n.Meta)) > 0 {
			continue
		}
		if r, ok := e.recordFor(n, run); ok {
			list = append(list, r)
		}
	}
	return list
}

// recordFor is the record of a result of the stage n, if run can be one: it
// declares the same dependencies, parameters and outputs, and of a Go function
// the same command.
func (e *Engine) recordFor(n *node, run *lock.Stage) (*cache.Record, bool) {
	if n.goRef != nil && (!n.goRef.known || !commandEqual(n.Cmd, run.Cmd) || run.Version != "" && run.Version != n.goRef.stage.Version) {
		return nil, false
	}
	if len(run.Deps) != len(n.Deps) || len(run.Outs) != len(n.Outs) || len(run.Params) != len(n.Params) {
		return nil, false
	}
	like := *n.Stage
	if n.goRef == nil {
		switch cmd := run.Cmd.(type) {
		case string:
			like.Cmd = pipeline.Command{Lines: []string{cmd}}
		case []any:
			like.Cmd = pipeline.Command{IsList: true}
			for _, l := range cmd {
				like.Cmd.Lines = append(like.Cmd.Lines, fmt.Sprint(l))
			}
		default:
			return nil, false
		}
	}
	in := &snapshot{deps: make([]content, len(n.Deps))}
	for i, d := range n.Deps {
		entry, err := e.cacheEntry(recorded(run.Deps, d.Def))
		if err != nil || entry.Digest.IsZero() || entry.Digest.Hash() != cache.BLAKE3 {
			return nil, false
		}
		in.deps[i].entry = entry
	}
	for _, p := range n.Params {
		i := slices.IndexFunc(run.Params, func(r lock.ParamFile) bool { return r.Path == p.Def })
		if i < 0 || !sameKeys(p.Keys, run.Params[i].Values) {
			return nil, false
		}
		in.params = append(in.params, paramState{file: p, values: run.Params[i].Values})
	}
	r := &cache.Record{Version: keyVersion, Stage: n.Name}
	r.Key, r.Fields = key(&node{Stage: &like, goRef: n.goRef}, in)
	for _, o := range n.Outs {
		entry, err := e.cacheEntry(recordedOut(run, o.Def))
		if err != nil || entry.Digest.IsZero() {
			return nil, false
		}
		r.Outputs = append(r.Outputs, cache.Output{Path: o.Path, Kind: kindName(o.Kind), Entry: entry})
	}
	return r, true
}

// sameKeys reports whether values has just the tracked keys; nil stands for all of
// a file.
func sameKeys(keys []string, values *yaml12.Map) bool {
	if keys == nil {
		return true
	}
	want := map[string]bool{}
	for _, k := range keys {
		want[k] = true
	}
	for _, it := range values.Items {
		if !want[fmt.Sprint(it.Key)] {
			return false
		}
	}
	return len(want) == values.Len()
}

// kindName is how records name the role of an output.
func kindName(k pipeline.OutputKind) string {
	switch k {
	case pipeline.MetricOutput:
		return "metric"
	case pipeline.PlotOutput:
		return "plot"
	}
	return "out"
}
