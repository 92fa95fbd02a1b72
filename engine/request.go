package engine

import (
	"fmt"
	"runtime"

	"github.com/flowrepro/flow/engine/pipeline"
)

// Request says what Repro and Plan consider, and how. Its fields are the flags
// of `flow repro`.
type Request struct {
	// Targets are the stages asked for, in order.
	Targets []*pipeline.Stage
	// Single takes exactly the targets, in the order given.
	Single bool
	// Component takes all stages connected with the targets.
	Component bool
	// All takes every stage of the project.
	All bool
	// Downstream takes the targets and what depends on them.
	Downstream bool

	// Force runs every stage taken. ForceDownstream runs what depends on a
	// stage that ran.
	Force, ForceDownstream bool
	// Dry decides and runs nothing.
	Dry bool
	// KeepGoing goes on with stages that do not need the failed ones;
	// IgnoreErrors also with those that do.
	KeepGoing, IgnoreErrors bool
	// NoCommit records outputs without storing them in the cache.
	NoCommit bool
	// NoRunCache neither reads nor writes records of results.
	NoRunCache bool
	// Pull asks the remote for results and data that are not here.
	Pull bool
	// RequireCached fails stages that would have to run.
	RequireCached bool
	// AllowMissing takes absent data for unchanged.
	AllowMissing bool
	// Confirm, if set, is asked before a stage runs.
	Confirm func(stage string) bool
	// Jobs bounds how many stages are handled at once; 0 means the number of CPUs.
	Jobs int

	// slots bounds the commands that run at once; stopped tells that no more
	// are to begin. Both are the run's own.
	slots   chan struct{}
	stopped func() bool
}

// selection is the set of stages a request takes.
type selection struct {
	order []int         // in the order they are announced: producers first
	needs map[int][]int // what must be final before a stage is decided
}

// take resolves the request against the graph. Edges into frozen stages do not
// count: what they need is not reproduced for them.
func (e *Engine) take(req *Request) (*selection, error) {
	s, err := e.choose(req)
	if err != nil {
		return nil, err
	}
	for place, i := range s.order {
		e.nodes[i].place = place
	}
	return s, nil
}

func (e *Engine) choose(req *Request) (*selection, error) {
	var targets []int
	for _, t := range req.Targets {
		n := e.byStage[t]
		if n == nil {
			return nil, fmt.Errorf("stage '%s' is not of this project", t.Address("."))
		}
		targets = append(targets, n.index)
	}
	s := &selection{needs: map[int][]int{}}
	if req.Single {
		seen := map[int]bool{}
		for _, t := range targets {
			if seen[t] {
				continue
			}
			seen[t] = true
			if len(s.order) > 0 {
				s.needs[t] = []int{s.order[len(s.order)-1]}
			}
			s.order = append(s.order, t)
		}
		return s, nil
	}
	chosen := map[int]bool{}
	switch {
	case req.All:
		for i := range e.nodes {
			chosen[i] = true
		}
	case req.Component:
		wanted := map[int]bool{}
		for _, t := range targets {
			wanted[t] = true
		}
		for _, c := range e.graph.Components() {
			hit := false
			for _, i := range c {
				hit = hit || wanted[i]
			}
			for _, i := range c {
				if hit {
					chosen[i] = true
				}
			}
		}
	case req.Downstream:
		for _, i := range append(e.active.Descendants(targets...), targets...) {
			chosen[i] = true
		}
	default:
		for _, i := range append(e.active.Ancestors(targets...), targets...) {
			chosen[i] = true
		}
	}
	for _, i := range e.active.Order() {
		if !chosen[i] {
			continue
		}
		s.order = append(s.order, i)
		for _, p := range e.active.Parents(i) {
			if chosen[p] {
				s.needs[i] = append(s.needs[i], p)
			}
		}
	}
	return s, nil
}

func (req *Request) jobs() int {
	if req.Jobs > 0 {
		return req.Jobs
	}
	return runtime.NumCPU()
}
