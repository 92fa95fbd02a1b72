package cmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/engine/graph"
)

type dagFlags struct {
	dot, mermaid, md, svg bool
	outs, full, collapse  bool
	state                 bool
}

func (a *app) dagCommand() *cobra.Command {
	var f dagFlags
	c := &cobra.Command{
		Use:   "dag [target]",
		Short: "Draw the graph of stages",
		Long: `Draw all stages of the project, or those that a target (a stage or an output)
depends on. On a terminal boxes are coloured by the state of their stage: fresh,
stale, failed or frozen.`,
		Example: `  flow dag train
  flow dag --outs --dot | dot -Tpng -o graph.png
  flow dag --svg --state > graph.svg`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeStages,
		RunE: run(func(ctx context.Context, args []string) error {
			return a.dag(ctx, &f, args)
		}),
	}
	fl := c.Flags()
	fl.BoolVar(&f.dot, "dot", false, "print Graphviz DOT")
	fl.BoolVar(&f.mermaid, "mermaid", false, "print Mermaid")
	fl.BoolVar(&f.md, "md", false, "print Mermaid inside a Markdown block")
	fl.BoolVar(&f.svg, "svg", false, "print an SVG image")
	fl.BoolVarP(&f.outs, "outs", "o", false, "show outputs instead of stages")
	fl.BoolVar(&f.full, "full", false, "the whole graph that the target belongs to")
	fl.BoolVar(&f.collapse, "collapse-foreach-matrix", false, "show each foreach or matrix group as one box")
	fl.BoolVar(&f.state, "state", false, "colour --svg by the state of stages")
	c.MarkFlagsMutuallyExclusive("dot", "mermaid", "md", "svg")
	c.MarkFlagsMutuallyExclusive("outs", "collapse-foreach-matrix")
	return c
}

func (a *app) dag(ctx context.Context, f *dagFlags, args []string) (err error) {
	s, err := a.open(openOptions{sink: noticeSink{a}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	g, err := s.engine.Graph()
	if err != nil {
		return err
	}
	o := graph.ViewOptions{Outs: f.outs, Collapse: f.collapse}
	if len(args) > 0 {
		sub, err := s.subjects(args, false)
		if err != nil {
			return err
		}
		places := []int{}
		for _, st := range sub.stages {
			places = append(places, s.engine.Index(st))
		}
		switch {
		case len(places) == 0:
			o.Nodes = places
		case f.full:
			o.Nodes = g.Component(places...)
		default:
			o.Nodes = g.Upstream(places...)
		}
	}
	v := g.View(o)
	if f.outs {
		for i, n := range v.Nodes {
			v.Nodes[i] = s.show(n)
		}
	}
	_, coloured := terminal(a.stdout)
	coloured = coloured && !f.dot && !f.mermaid && !f.md && !f.svg
	if coloured || f.svg && f.state {
		if err := s.colour(ctx, g, v); err != nil {
			return err
		}
	}
	fmt.Fprint(a.stdout, drawing(v, f, coloured))
	return nil
}

func drawing(v *graph.View, f *dagFlags, coloured bool) string {
	var text string
	switch {
	case f.dot:
		text = v.DOT()
	case f.mermaid:
		text = v.Mermaid()
	case f.md:
		text = v.Markdown()
	case f.svg:
		text = v.SVG()
	case coloured:
		text = v.ANSI()
	default:
		text = v.ASCII()
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

// colour sets the states of a view. A group shown as one box has the worst
// state of its stages.
func (s *session) colour(ctx context.Context, g *graph.Graph, v *graph.View) error {
	list, err := s.engine.Status(ctx, nil, false)
	if err != nil {
		return err
	}
	worst := map[string]graph.State{}
	states := make([]graph.State, g.Len())
	for i := range list {
		states[list[i].Index] = s.stateOf(&list[i])
	}
	for i, st := range states {
		name, _, _ := strings.Cut(g.Node(i).Name, "@")
		worst[name] = max(worst[name], st)
	}
	v.State = make([]graph.State, len(v.Nodes))
	for p, i := range v.Of {
		v.State[p] = states[i]
		if w, ok := worst[v.Nodes[p]]; ok && w < graph.Frozen {
			v.State[p] = max(v.State[p], w)
		}
	}
	return nil
}

func (s *session) stateOf(st *engine.StageStatus) graph.State {
	switch {
	case st.Frozen:
		return graph.Frozen
	case st.Clean():
		return graph.Fresh
	}
	if last, ok := s.engine.LastRun(st.Index); ok && last.Outcome == engine.Failed {
		return graph.Failed
	}
	return graph.Stale
}
