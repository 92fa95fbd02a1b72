package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/project"
)

// subjects are what the arguments of a verb that works on data mean.
type subjects struct {
	// stages are those named, and those that own the outputs named.
	stages []*pipeline.Stage
	// named are the stages of arguments that name stages or files.
	named []*pipeline.Stage
	// outs are outputs, or paths inside tracked directories, root-relative
	// with slashes.
	outs []string
}

// unknownTarget is an argument that names neither a stage nor an output.
type unknownTarget struct {
	target string
	err    error
}

func (e *unknownTarget) Error() string {
	return fmt.Sprintf("'%s' does not exist as an output or a stage name in 'dvc.yaml': %v", e.target, e.err)
}

func (e *unknownTarget) Unwrap() error { return e.err }

// subjects resolves arguments in DVC's order: pipeline files and, with
// recursive, directories; then stages and groups; then outputs.
func (s *session) subjects(args []string, recursive bool) (subjects, error) {
	var sub subjects
	for _, arg := range args {
		abs := s.abs(arg)
		if fi, err := os.Stat(abs); recursive && err == nil && fi.IsDir() {
			below := s.set.ResolveDir(arg, s.dir)
			sub.stages = append(sub.stages, below...)
			sub.named = append(sub.named, below...)
			continue
		}
		found, err := s.set.Resolve(arg, s.dir, false)
		if err == nil {
			sub.stages = append(sub.stages, found...)
			sub.named = append(sub.named, found...)
			continue
		}
		owners, ok := s.set.ResolveOutput(arg, s.dir)
		if !ok {
			return sub, &unknownTarget{arg, err}
		}
		rel, _ := s.project.Rel(abs)
		sub.stages = append(sub.stages, owners...)
		sub.outs = append(sub.outs, filepath.ToSlash(rel))
	}
	return sub, nil
}

// withDeps adds the stages that the given ones depend on.
func (s *session) withDeps(list []*pipeline.Stage) []*pipeline.Stage {
	g, _ := s.engine.Graph() // what is wrong with it is not this verb's business
	var places []int
	for _, st := range list {
		places = append(places, s.engine.Index(st))
	}
	all := make([]*pipeline.Stage, 0, len(list))
	for _, i := range g.Upstream(places...) {
		all = append(all, s.set.Stages[i])
	}
	return all
}

// abs makes an argument absolute.
func (s *session) abs(arg string) string {
	arg = filepath.FromSlash(arg)
	if filepath.IsAbs(arg) {
		return filepath.Clean(arg)
	}
	return filepath.Join(s.cwd, arg)
}

// show returns a resolved path of the pipeline relative to the current
// directory, as messages do.
func (s *session) show(path string) string {
	if filepath.IsAbs(filepath.FromSlash(path)) || strings.Contains(path, "://") {
		return path
	}
	rel, err := filepath.Rel(filepath.FromSlash(s.dir), filepath.FromSlash(path))
	if err != nil {
		return path
	}
	return rel
}

// showAbs is show for an absolute path.
func (s *session) showAbs(abs string) string {
	if rel, err := filepath.Rel(s.cwd, abs); err == nil {
		return rel
	}
	return abs
}

// completeStages offers the addresses of all stages and .dvc files to shells.
func (a *app) completeStages(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if a.enter() != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	s, err := a.open(openOptions{noPipeline: true})
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	set, _ := loadPipeline(s.project, project.NewIgnore(s.project.Root)) // what could be loaded is offered
	if set == nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	given := map[string]bool{}
	for _, g := range args {
		given[g] = true
	}
	var list []cobra.Completion
	for _, st := range set.Stages {
		if name := st.Address(s.dir); !given[name] && strings.HasPrefix(name, prefix) {
			list = append(list, cobra.CompletionWithDesc(name, describeStage(st)))
		}
	}
	return list, cobra.ShellCompDirectiveDefault
}

// failed makes err end the program with 1 unless its kind has a code of its own.
func failed(err error) error {
	var misplaced *cache.IgnoreFileError
	if err == nil || errors.As(err, &misplaced) {
		return err
	}
	var exit *exitError
	if errors.As(err, &exit) {
		return err
	}
	return &exitError{exitFailed, err}
}

// asker puts questions to the user.
type asker struct {
	a  *app
	in *bufio.Reader
}

func (a *app) asker() *asker { return &asker{a, bufio.NewReader(a.stdin)} }

// confirm asks until there is a yes or a no; the end of input is a no.
func (k *asker) confirm(question string) bool {
	fmt.Fprintf(k.a.stdout, "%s [y/n]: ", question)
	return readYes(k.in)
}

// noticeSink prints what a verb other than repro does to files.
type noticeSink struct{ a *app }

// Emit prints lock files and warnings, and nothing of the rest.
func (n noticeSink) Emit(e engine.Event) {
	switch e.Kind {
	case engine.LockUpdated:
		if e.Created {
			n.a.print("Generating lock file '%s'\n", e.File)
		} else {
			n.a.print("Updating lock file '%s'\n", e.File)
		}
	case engine.Warned:
		n.a.warn(e.Text)
		if e.Hint != "" && !n.a.quiet {
			fmt.Fprintf(n.a.stderr, "hint: %s\n", e.Hint)
		}
	case engine.Kept:
		n.a.warn(fmt.Sprintf("'%s' holds data that is stored nowhere else; it was moved to '%s'", e.Text, e.File))
	}
}

// locked runs f under the project's lock. The engine must not hold it.
func (s *session) locked(ctx context.Context, wait bool, f func() error) (err error) {
	release, err := s.project.Lock(ctx, wait)
	if err != nil {
		return err
	}
	defer func() {
		if rerr := release(); err == nil {
			err = rerr
		}
	}()
	return f()
}
