package engine

import (
	"context"
	"errors"
	"time"
)

// Verdict is what a plan says of a stage.
type Verdict string

// The verdicts of a plan.
const (
	Fresh     Verdict = "fresh"     // nothing to do
	Stale     Verdict = "stale"     // would run
	Cached    Verdict = "cached"    // would be restored
	Recording Verdict = "recording" // would be recorded as it is (frozen stages, data sources)
	Unknown   Verdict = "unknown"   // depends on what a stale stage before it makes
)

// verdict is how a plan calls the action.
func (a action) verdict() Verdict {
	switch a {
	case doVerify:
		return Recording
	case doRestore, doPull:
		return Cached
	case doRun:
		return Stale
	}
	return Fresh
}

// Planned is one stage of a plan.
type Planned struct {
	Stage   string   `json:"stage"`
	Verdict Verdict  `json:"verdict"`
	Reasons []Reason `json:"reasons,omitempty"`
	// Commands is what would run.
	Commands []string `json:"commands,omitempty"`
	Data     bool     `json:"data,omitempty"`
	Frozen   bool     `json:"frozen,omitempty"`
	// Index is the stage's place in the graph.
	Index int `json:"-"`
}

// Plan tells what Repro would do, stage by stage in the plan's order, without
// changing anything and without needing data that is not there. What a stage
// would do that depends on the result of a stale one is Unknown: if that
// result turns out as before, it will be skipped.
func (e *Engine) Plan(ctx context.Context, req Request) ([]Planned, error) {
	if err := errors.Join(e.graphErr...); err != nil {
		return nil, err
	}
	sel, err := e.take(&req)
	if err != nil {
		return nil, err
	}
	req.Dry = true
	return e.plan(ctx, &req, sel)
}

func (e *Engine) plan(ctx context.Context, req *Request, sel *selection) ([]Planned, error) {
	list := make([]Planned, 0, len(sel.order))
	stale := map[int]bool{}
	forced := map[int]bool{}
	for _, i := range sel.order {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := e.nodes[i]
		p := Planned{Stage: n.name, Verdict: Fresh, Commands: n.Cmd.Steps(), Data: n.IsData(), Frozen: n.Frozen, Index: i}
		var upstream []Reason
		for _, need := range sel.needs[i] {
			if stale[need] && !req.Single {
				upstream = append(upstream, Reason{Aspect: AspectUpward, Path: e.nodes[need].name})
			}
		}
		force := req.Force || forced[i]
		v, err := e.decide(ctx, n, req, force)
		if err != nil {
			return nil, &StageError{Stage: n.name, Err: err}
		}
		p.Reasons = v.reasons
		p.Verdict = v.action.verdict()
		if len(upstream) > 0 && !n.Frozen && p.Verdict != Recording {
			p.Reasons = append(p.Reasons, upstream...)
			if p.Verdict == Fresh || p.Verdict == Cached {
				p.Verdict = Unknown
			}
		}
		stale[i] = p.Verdict != Fresh
		if stale[i] && req.ForceDownstream {
			for _, c := range e.graph.Children(i) {
				forced[c] = true
			}
		}
		list = append(list, p)
	}
	return list, nil
}

// dryRun emits what a run would do.
func (e *Engine) dryRun(ctx context.Context, req *Request, sel *selection) (*Result, error) {
	start := time.Now()
	plan, err := e.plan(ctx, req, sel)
	if err != nil {
		return nil, err
	}
	e.emit(Event{Kind: RunStarted, Total: int64(len(plan))})
	res := new(Result)
	for _, p := range plan {
		n := e.nodes[p.Index]
		state := Skipped
		switch p.Verdict {
		case Stale, Unknown:
			e.setState(n, Running, p.Reasons, nil, 0)
			for _, c := range p.Commands {
				e.emit(Event{Kind: CommandShown, Stage: n.name, Index: n.place, Text: c})
			}
			state = Done
		case Cached:
			state = Restored
		case Recording:
			state = Verified
		}
		e.setState(n, state, p.Reasons, nil, 0)
		res.Stages = append(res.Stages, StageResult{Stage: p.Stage, State: state, Reasons: p.Reasons})
	}
	res.Duration = time.Since(start)
	e.emit(Event{Kind: RunFinished, Total: int64(len(plan)), Duration: res.Duration})
	return res, nil
}
