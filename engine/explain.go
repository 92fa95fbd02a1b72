package engine

import (
	"context"
	"strings"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/engine/pipeline"
)

// Difference is a component of a stage's key that is not what it was.
type Difference struct {
	// Component names it as the key does: cmd:0, dep:data/raw,
	// param:params.yaml:train.epochs, out:models/model.json, env:NAME, version.
	Component string `json:"component"`
	// Old and New are the values; empty with HasOld or HasNew unset where
	// the component was not, or is no longer, part of the key.
	Old    string `json:"old"`
	New    string `json:"new"`
	HasOld bool   `json:"has_old"`
	HasNew bool   `json:"has_new"`
}

// Explanation says why a stage would run, be restored or be skipped.
type Explanation struct {
	Stage   string   `json:"stage"`
	Verdict Verdict  `json:"verdict"`
	Reasons []Reason `json:"reasons,omitempty"`
	// Differences compare the key of the stage as it is with that of Against.
	Differences []Difference `json:"differences,omitempty"`
	// Against says what the key was compared with: the "last run" on this
	// machine, the "lock", or "" when nothing is known.
	Against string `json:"against,omitempty"`
	Key     string `json:"key,omitempty"`
	OldKey  string `json:"old_key,omitempty"`
	// Fields is the whole key as it is now.
	Fields []cache.Field `json:"fields,omitempty"`
	Last   *LastRun      `json:"last_run,omitempty"`
}

// Explain compares what goes into a stage now with what went into the result
// that it has. Both sides come from the one function that describes keys.
func (e *Engine) Explain(ctx context.Context, s *pipeline.Stage) (*Explanation, error) {
	n := e.byStage[s]
	x := &Explanation{Stage: n.name}
	v, err := e.decide(ctx, n, &Request{Dry: true}, false)
	if err != nil {
		return nil, &StageError{Stage: n.name, Err: err}
	}
	x.Reasons = v.reasons
	x.Verdict = v.action.verdict()
	if n.IsData() {
		return x, nil
	}
	x.Last = e.states.last(n)
	in := v.in
	if in == nil {
		if in, err = e.inputs(ctx, n, v.rec); err != nil {
			return nil, &StageError{Stage: n.name, Err: err}
		}
	}
	k, fields := key(n, in)
	x.Key, x.Fields = k.String(), fields
	switch {
	case v.rec != nil && (x.Last == nil || !sameResult(x.Last, n, v.rec)):
		x.Against = "lock"
		x.Differences = diffFields(describeRecord(n, v.rec, fields), fields)
	case x.Last != nil && x.Last.recorded() != nil:
		x.Against, x.OldKey = "last run", x.Last.Key
		x.Differences = diffFields(x.Last.recorded(), fields)
	}
	return x, nil
}

// sameResult reports whether the last run on this machine is the one that the
// lock records: otherwise the lock came from elsewhere and is what counts.
func sameResult(last *LastRun, n *node, rec *lock.Stage) bool {
	for _, f := range last.recorded() {
		if def, ok := strings.CutPrefix(f.Name, "dep:"); ok {
			for _, d := range n.Deps {
				if d.Path != def {
					continue
				}
				if r := recordedDep(rec, d.Def); r == nil || !strings.HasPrefix(f.Value, r.Digest) {
					return false
				}
			}
		}
	}
	return last.recorded() != nil
}

// describeRecord lists the fields that a lock entry stands for. What the lock
// does not hold is taken from now, so that it does not count as different.
func describeRecord(n *node, rec *lock.Stage, now []cache.Field) []cache.Field {
	old := &node{Stage: &pipeline.Stage{Wdir: n.Wdir, File: n.File}, goRef: n.goRef}
	s := new(snapshot)
	switch c := rec.Cmd.(type) {
	case string:
		old.Cmd = pipeline.Command{Lines: []string{c}}
	case []any:
		old.Cmd.IsList = true
		for _, l := range c {
			t, _ := l.(string)
			old.Cmd.Lines = append(old.Cmd.Lines, t)
		}
	}
	if n.goRef != nil && commandText(rec.Cmd) != commandText(n.Cmd.Value()) {
		old.goRef = nil
	}
	for _, p := range rec.Params {
		s.params = append(s.params, paramState{file: pipeline.ParamFile{Def: p.Path}, values: p.Values})
	}
	f := describe(old, s)
	paths := map[string]string{}
	for _, d := range n.Deps {
		paths[d.Def] = d.Path
	}
	for _, d := range rec.Deps {
		name := d.Path
		if p, ok := paths[d.Path]; ok {
			name = p
		}
		value := d.Digest
		if d.Exec {
			value += " exec"
		}
		f = append(f, cache.Field{Name: "dep:" + name, Value: value})
	}
	for _, c := range now {
		if strings.HasPrefix(c.Name, "out:") || strings.HasPrefix(c.Name, "env:") || c.Name == "version" && rec.Version == "" {
			f = replaceField(f, c)
		}
		if c.Name == "version" && rec.Version != "" {
			f = replaceField(f, cache.Field{Name: c.Name, Value: rec.Version})
		}
	}
	return f
}

func replaceField(f []cache.Field, with cache.Field) []cache.Field {
	for i := range f {
		if f[i].Name == with.Name {
			f[i] = with
			return f
		}
	}
	return append(f, with)
}

func diffFields(was, now []cache.Field) []Difference {
	old := map[string]string{}
	for _, f := range was {
		old[f.Name] = f.Value
	}
	var ds []Difference
	seen := map[string]bool{}
	for _, f := range now {
		seen[f.Name] = true
		o, ok := old[f.Name]
		if !ok || o != f.Value {
			ds = append(ds, Difference{Component: f.Name, Old: o, New: f.Value, HasOld: ok, HasNew: true})
		}
	}
	for _, f := range was {
		if !seen[f.Name] {
			ds = append(ds, Difference{Component: f.Name, Old: f.Value, HasOld: true})
		}
	}
	return ds
}
