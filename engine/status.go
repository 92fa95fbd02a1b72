package engine

import (
	"context"

	"github.com/flowrepro/flow/engine/pipeline"
)

// StageStatus is what differs between a stage and its record.
type StageStatus struct {
	Stage string `json:"stage"`
	// Reasons are the stage's own differences, in the order in which they are
	// shown; empty for a stage that is stale only because of others.
	Reasons []Reason `json:"reasons,omitempty"`
	// Upstream are the stages before it that are stale: it may have to run too.
	Upstream []string `json:"upstream,omitempty"`
	Frozen   bool     `json:"frozen,omitempty"`
	Data     bool     `json:"data,omitempty"`
	Index    int      `json:"-"`
}

// Clean reports whether nothing differs.
func (s *StageStatus) Clean() bool { return len(s.Reasons) == 0 && len(s.Upstream) == 0 }

// Status compares the given stages (all for none) and, with deps, what they
// depend on, with what is recorded. It changes nothing and works also where
// the graph is faulty. Stages come in the order of the pipeline files.
func (e *Engine) Status(ctx context.Context, targets []*pipeline.Stage, deps bool) ([]StageStatus, error) {
	chosen := map[int]bool{}
	for _, t := range targets {
		chosen[e.byStage[t].index] = true
	}
	if deps {
		for i := range chosen {
			for _, a := range e.active.Ancestors(i) {
				chosen[a] = true
			}
		}
	}
	own := make([][]Reason, len(e.nodes))
	stale := make([]bool, len(e.nodes))
	via := make([][]string, len(e.nodes))
	// Whether a stage's inputs are stale needs the stages before it, chosen or not.
	need := map[int]bool{}
	for i := range e.nodes {
		if len(targets) == 0 || chosen[i] {
			need[i] = true
			for _, a := range e.active.Ancestors(i) {
				need[a] = true
			}
		}
		if len(targets) == 0 {
			for j := range e.nodes {
				need[j] = true
			}
			break
		}
	}
	for _, i := range e.active.Order() {
		if !need[i] {
			continue
		}
		rs, err := e.differences(ctx, e.nodes[i])
		if err != nil {
			return nil, &StageError{Stage: e.nodes[i].name, Err: err}
		}
		own[i] = rs
		stale[i] = len(rs) > 0
		if !e.nodes[i].Frozen {
			for _, p := range e.active.Parents(i) {
				if stale[p] {
					via[i] = append(via[i], e.nodes[p].name)
					stale[i] = true
				}
			}
		}
	}
	var list []StageStatus
	for i, n := range e.nodes {
		if len(targets) > 0 && !chosen[i] {
			continue
		}
		list = append(list, StageStatus{Stage: n.name, Reasons: own[i], Upstream: via[i], Frozen: n.Frozen, Data: n.IsData(), Index: i})
	}
	return list, nil
}

// differences lists everything in which a stage differs from its record.
func (e *Engine) differences(ctx context.Context, n *node) ([]Reason, error) {
	rec, err := e.locks.stage(n)
	if err != nil {
		return nil, err
	}
	outs, err := e.outputs(ctx, n, rec)
	if err != nil {
		return nil, err
	}
	if n.IsData() {
		var rs []Reason
		if n.Data.MD5 != "" && n.Data.MD5 != n.Data.Checksum() {
			rs = append(rs, Reason{Aspect: AspectImport, Change: ChangeModified})
		}
		return append(rs, outChanges(outs)...), nil
	}
	in := &snapshot{deps: make([]content, len(n.Deps))}
	if !n.Frozen {
		if in, err = e.inputs(ctx, n, rec); err != nil {
			return nil, err
		}
	}
	return append(e.inputChanges(n, in, rec), outChanges(outs)...), nil
}
