package cmd

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/internal/yaml12"
)

func (a *app) freezeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "freeze target...",
		Short: "Keep stages from being run again, whatever their inputs",
		Long: `Mark stages of dvc.yaml, or .dvc files, as frozen: their dependencies are no longer
looked at and repro leaves them as they are, until flow unfreeze.`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeStages,
		RunE: run(func(ctx context.Context, args []string) error {
			return failed(a.freeze(ctx, args, true))
		}),
	}
}

func (a *app) unfreezeCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "unfreeze target...",
		Short:             "Undo freeze",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeStages,
		RunE: run(func(ctx context.Context, args []string) error {
			return failed(a.freeze(ctx, args, false))
		}),
	}
}

func (a *app) freeze(ctx context.Context, args []string, frozen bool) (err error) {
	s, err := a.open(openOptions{sink: noticeSink{a}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	verb := "freeze"
	if !frozen {
		verb = "unfreeze"
	}
	var failures []error
	for _, arg := range args {
		if err := a.freezeTarget(ctx, s, arg, frozen); err != nil {
			failures = append(failures, prefixed(fmt.Sprintf("failed to %s '%s'", verb, arg), err))
		}
	}
	return errors.Join(failures...)
}

func (a *app) freezeTarget(ctx context.Context, s *session, target string, frozen bool) error {
	list, err := s.targets([]string{target}, false)
	if err != nil {
		return err
	}
	for _, st := range list {
		if st.Templated {
			return fmt.Errorf("cannot dump a parametrized stage: '%s'", st.Address(s.dir))
		}
	}
	for _, st := range list {
		if !st.IsData() {
			a.print("Modifying stage '%s' in '%s'\n", st.Name, s.show(st.File))
		}
		if st.Frozen == frozen {
			continue
		}
		err := s.locked(ctx, a.waitLock, func() error {
			return editFile(s.project.Abs(st.File), func(data []byte) ([]byte, error) {
				return setFrozen(data, st, frozen)
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func setFrozen(data []byte, st *pipeline.Stage, frozen bool) ([]byte, error) {
	var where []any
	if !st.IsData() {
		where = []any{"stages", st.Name}
	}
	if frozen {
		return yaml12.Set(data, append(where, "frozen"), true)
	}
	key := "frozen"
	if st.IsData() {
		// Files of old projects say "locked".
		if v, err := yaml12.Decode(path.Base(st.File), data); err == nil {
			if m, ok := v.(*yaml12.Map); ok {
				if _, ok := m.Get(key); !ok {
					key = "locked"
				}
			}
		}
	}
	return yaml12.Delete(data, append(where, key))
}

// prefixed puts what failed before why, in DVC's way, and keeps the cause's kind.
func prefixed(what string, err error) error {
	return &prefixError{what, err}
}

type prefixError struct {
	what string
	err  error
}

func (e *prefixError) Error() string { return e.what + " - " + e.err.Error() }
func (e *prefixError) Unwrap() error { return e.err }
