package engine

import (
	"context"
	"fmt"
	"io"

	"github.com/flowrepro/flow/engine/pipeline"
)

// CallFunction is RunFunction for a function by name, with arguments, on behalf
// of a stage whose command may hold more than that one call: a list of
// commands, or a line of shell.
func (e *Engine) CallFunction(ctx context.Context, s *pipeline.Stage, name string, args []string, log io.Writer) error {
	n := e.byStage[s]
	if n == nil {
		return fmt.Errorf("stage '%s' is not of this project", s.Address(e.opt.Dir))
	}
	call := *n
	call.goRef = &goStage{name: name, args: args}
	call.goRef.stage, call.goRef.known = e.opt.Stages.Lookup(name)
	params, err := e.readParams(&call)
	if err != nil {
		return err
	}
	in := &snapshot{deps: make([]content, len(call.Deps)), params: params}
	if err := e.checkRunnable(&call, in); err != nil {
		return err
	}
	return e.call(ctx, &call, params, log)
}
