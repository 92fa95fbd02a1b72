package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/internal/yaml12"
)

func (a *app) removeCommand() *cobra.Command {
	var outs bool
	c := &cobra.Command{
		Use:   "remove target...",
		Short: "Remove stages from dvc.yaml, or stop tracking data",
		Long: `Remove stages from dvc.yaml and dvc.lock, or .dvc files, together with the
.gitignore entries of their outputs. The data stays unless --outs is given; the
cache is left alone. Comments and everything else in dvc.yaml stay as they are.`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeStages,
		RunE: run(func(ctx context.Context, args []string) error {
			return failed(a.remove(ctx, args, outs))
		}),
	}
	c.Flags().BoolVar(&outs, "outs", false, "delete the outputs as well")
	return c
}

// removal is a target of `flow remove`: a .dvc file, or an entry of a dvc.yaml
// with the stages it stands for.
type removal struct {
	file, entry string
	stages      []*pipeline.Stage
}

func (a *app) remove(ctx context.Context, args []string, outs bool) (err error) {
	s, err := a.open(openOptions{sink: noticeSink{a}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	var list []removal
	for _, arg := range args {
		r, err := s.removals(arg)
		if err != nil {
			return err
		}
		list = append(list, r...)
	}
	var changed []string
	err = s.locked(ctx, a.waitLock, func() error {
		for _, r := range list {
			files, err := s.removeOne(r, outs)
			changed = append(changed, files...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(changed) == 0 {
		return err
	}
	if s.project.Config.Bool("core", "autostage", false) {
		return a.trackChanges(ctx, s, changed)
	}
	return nil
}

// removals resolves a target. A whole dvc.yaml is one removal for each of its
// entries; one stage of a group cannot be removed without the others.
func (s *session) removals(target string) ([]removal, error) {
	list, err := s.set.Resolve(target, s.dir, false)
	if err != nil {
		if _, statErr := os.Stat(s.abs(target + ".dvc")); statErr == nil {
			return nil, fmt.Errorf("'%s' is not a .dvc file. Do you mean '%s.dvc'?: %w", target, target, err)
		}
		return nil, err
	}
	var out []removal
	index := map[[2]string]int{}
	for _, st := range list {
		if st.IsData() {
			out = append(out, removal{file: st.File, stages: []*pipeline.Stage{st}})
			continue
		}
		entry := st.Name
		if st.Group != "" {
			if len(list) == 1 && strings.HasSuffix(target, st.Name) {
				return nil, &hinted{fmt.Errorf("cannot remove a parametrized stage: '%s'", st.Name),
					fmt.Sprintf("remove all stages of the group: flow remove %s", strings.TrimSuffix(target, st.Name)+st.Group)}
			}
			entry = st.Group
		}
		id := [2]string{st.File, entry}
		i, ok := index[id]
		if !ok {
			i = len(out)
			index[id] = i
			out = append(out, removal{file: st.File, entry: entry})
		}
		out[i].stages = append(out[i].stages, st)
	}
	return out, nil
}

// removeOne removes one entry and returns the files of Git's that changed. The
// lock's entries go when the session closes.
func (s *session) removeOne(r removal, outs bool) (changed []string, err error) {
	abs := s.project.Abs(r.file)
	if r.entry == "" {
		if err := os.Remove(abs); err != nil {
			return nil, fmt.Errorf("remove '%s': %w", s.show(r.file), err)
		}
	} else if err := editFile(abs, func(data []byte) ([]byte, error) { return withoutStage(data, r.entry) }); err != nil {
		return nil, err
	}
	changed = append(changed, s.show(r.file))
	var paths []string
	for _, st := range r.stages {
		if !st.IsData() {
			if err := s.engine.Forget(st.File, st.Name); err != nil {
				return changed, err
			}
		}
		for _, o := range st.Outs {
			if o.URL {
				continue
			}
			if o.Cache {
				paths = append(paths, s.project.Abs(o.Path))
			}
			if _, inside := s.project.Rel(s.project.Abs(o.Path)); outs && inside {
				if err := removeData(s.project.Abs(o.Path)); err != nil {
					return changed, err
				}
			}
		}
	}
	ignores, err := gitUnignore(s.project, paths)
	for _, f := range ignores {
		changed = append(changed, s.showAbs(f))
	}
	return changed, err
}

// withoutStage removes an entry from the text of a dvc.yaml. When it was the
// last, the section goes with it, and the file when nothing else is in it.
func withoutStage(data []byte, entry string) ([]byte, error) {
	v, err := yaml12.Decode("dvc.yaml", data)
	if err != nil {
		return nil, err
	}
	top, _ := v.(*yaml12.Map)
	stages, _ := get(top, "stages").(*yaml12.Map)
	if stages.Len() > 1 {
		return yaml12.Delete(data, []any{"stages", entry})
	}
	if top.Len() > 1 {
		return yaml12.Delete(data, []any{"stages"})
	}
	return nil, nil
}

func get(m *yaml12.Map, key string) any {
	if m == nil {
		return nil
	}
	v, _ := m.Get(key)
	return v
}

func removeData(abs string) error {
	err := os.RemoveAll(abs)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove output: %w", err)
	}
	return nil
}
