package cmd

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/internal/yaml12"
)

func (a *app) paramsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "params",
		Short: "Compare parameters",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.paramsDiffCommand())
	return c
}

func (a *app) paramsDiffCommand() *cobra.Command {
	var f diffFlags
	c := &cobra.Command{
		Use:   "diff [old] [new]",
		Short: "Compare the parameters of two revisions",
		Long: `Compare the parameters of two revisions, by default those of HEAD with those of
the workspace: all of params.yaml and of the files that dvc.yaml lists, and of
other files what stages depend on. --json has the shape of DVC's.`,
		Args: cobra.MaximumNArgs(2),
		RunE: run(func(ctx context.Context, args []string) error {
			return a.diffValues(ctx, &f, args, "params", func(s *session, r *revision) ([]valueFile, error) {
				return r.params(ctx, s, f.targets, f.deps)
			})
		}),
	}
	f.precision = -1
	f.addDiff(c)
	c.Flags().BoolVar(&f.deps, "deps", false, "only parameters that stages depend on")
	c.Flags().Lookup("precision").Hidden = true
	return c
}

// params reads the parameters of a revision. Of a file that is only a stage's
// dependency the declared keys count, and with deps of all files.
func (r *revision) params(ctx context.Context, s *session, targets []string, deps bool) ([]valueFile, error) {
	keys := map[string][]string{} // nil for all
	whole := func(file string) { keys[path.Clean(file)] = nil }
	if len(targets) > 0 {
		for _, t := range targets {
			whole(s.fromHere(t))
		}
	} else {
		for _, f := range r.set.Files {
			for _, st := range f.Stages {
				for _, p := range st.Params {
					old, seen := keys[p.Path]
					switch {
					case p.Keys == nil:
						whole(p.Path)
					case !seen || old != nil:
						keys[p.Path] = append(old, p.Keys...)
					}
				}
			}
			if deps {
				continue
			}
			for _, file := range f.Params {
				files, err := r.files(ctx, file)
				if err != nil {
					return nil, err
				}
				for _, one := range files {
					whole(one)
				}
			}
		}
		const byDefault = "params.yaml"
		if _, err := r.read(ctx, byDefault); err == nil && !deps {
			whole(byDefault)
		}
	}
	paths := make([]string, 0, len(keys))
	for p := range keys {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	return r.readValues(ctx, paths, func(rel string, v any) any {
		wanted := keys[rel]
		if wanted == nil {
			return v
		}
		out := new(yaml12.Map)
		for _, l := range leaves(v) {
			if slices.ContainsFunc(wanted, func(k string) bool { return l.key == k || strings.HasPrefix(l.key, k+".") }) {
				out.Set(l.key, l.value)
			}
		}
		return out
	})
}
