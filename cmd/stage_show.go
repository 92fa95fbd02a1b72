package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

func (a *app) stageShowCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show stage...",
		Short: "Show stages as flow understands them: templates replaced, groups expanded",
		Args:  cobra.MinimumNArgs(1),
		Long: `Show stages after templates, foreach and matrix: the commands that would run and
the paths, relative to the project's root, that they read and write.`,
		ValidArgsFunction: a.completeStages,
		RunE: run(func(_ context.Context, args []string) (err error) {
			s, err := a.open(openOptions{sink: noticeSink{a}})
			if err != nil {
				return err
			}
			defer func() { err = s.close(err) }()
			list, err := s.targets(args, false)
			if err != nil {
				return err
			}
			all := new(yaml12.Map)
			for _, st := range list {
				all.Set(st.Address(s.dir), s.stageMap(st))
			}
			if asJSON {
				_, err = a.stdout.Write(append(python.JSON(all), '\n'))
			} else {
				_, err = a.stdout.Write(yaml12.Emit(all))
			}
			return err
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// stageMap is a resolved stage as a map, in the order of a dvc.yaml.
func (s *session) stageMap(st *pipeline.Stage) *yaml12.Map {
	m := new(yaml12.Map)
	m.Set("file", st.File)
	if st.Pos.Line > 0 {
		m.Set("line", int64(st.Pos.Line))
	}
	if st.Group != "" {
		m.Set("group", st.Group)
	}
	if st.Desc != "" {
		m.Set("desc", st.Desc)
	}
	if !st.IsData() {
		m.Set("cmd", st.Cmd.Value())
		if name, version, ok := s.engine.GoStage(st); ok {
			f := new(yaml12.Map)
			f.Set("name", name)
			f.Set("version", version)
			m.Set("function", f)
		}
	}
	m.Set("wdir", st.Wdir)
	var deps []any
	for _, d := range st.Deps {
		deps = append(deps, d.Path)
	}
	setList(m, "deps", deps)
	var params []any
	for _, p := range st.Params {
		one := new(yaml12.Map)
		var keys any
		if p.Keys != nil {
			list := []any{}
			for _, k := range p.Keys {
				list = append(list, k)
			}
			keys = list
		}
		one.Set(p.Path, keys)
		params = append(params, one)
	}
	setList(m, "params", params)
	for _, section := range []struct {
		name string
		kind pipeline.OutputKind
	}{{"outs", pipeline.PlainOutput}, {"metrics", pipeline.MetricOutput}, {"plots", pipeline.PlotOutput}} {
		var list []any
		for _, o := range st.Outs {
			if o.Kind == section.kind {
				list = append(list, outputValue(o))
			}
		}
		setList(m, section.name, list)
	}
	if st.Frozen {
		m.Set("frozen", true)
	}
	if st.AlwaysChanged {
		m.Set("always_changed", true)
	}
	if st.Meta != nil {
		m.Set("meta", st.Meta)
	}
	return m
}

func setList(m *yaml12.Map, key string, list []any) {
	if len(list) > 0 {
		m.Set(key, list)
	}
}

// outputValue is an output as dvc.yaml writes it: a path, or a path with the
// flags that are not as by default.
func outputValue(o pipeline.Output) any {
	flags := new(yaml12.Map)
	if !o.Cache {
		flags.Set("cache", false)
	}
	if o.Persist {
		flags.Set("persist", true)
	}
	if !o.Push {
		flags.Set("push", false)
	}
	if o.Remote != "" {
		flags.Set("remote", o.Remote)
	}
	if flags.Len() == 0 {
		return o.Path
	}
	m := new(yaml12.Map)
	m.Set(o.Path, flags)
	return m
}
