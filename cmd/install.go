package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/internal/yaml12"
)

// hookNames are the hooks of Git that flow has something to do in.
var hookNames = []string{"pre-commit", "post-checkout", "pre-push"}

func (a *app) installCommand() *cobra.Command {
	var tool bool
	c := &cobra.Command{
		Use:   "install",
		Short: "Have Git call flow: hooks, and a merge driver for lock files",
		Long: `Set up the Git repository around the project:

  - before a commit 'flow status' tells what is not up to date,
  - after switching branches 'flow checkout' brings the data that belongs to them,
  - before a push 'flow push' sends the data that is pushed,
  - dvc.lock is merged stage by stage, and .dvc files file by file of the
    directories they describe.

Hooks that others have written are left alone; nothing is installed then. The
merge driver is in the configuration of this clone; .gitattributes, which is to be
committed, says which files it is for.`,
		Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, _ []string) error {
			return failed(a.install(ctx, tool))
		}),
	}
	c.Flags().BoolVar(&tool, "use-pre-commit-tool", false, "write the hooks into .pre-commit-config.yaml, for https://pre-commit.com")
	return c
}

func (a *app) install(ctx context.Context, tool bool) (err error) {
	s, err := a.open(openOptions{noPipeline: true})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	g, ok := s.project.Git()
	if !ok {
		return &hinted{errors.New("install: the project is not in a Git repository"), "run `git init` first"}
	}
	var changed []string
	if tool {
		file := filepath.Join(g.Root, ".pre-commit-config.yaml")
		if err := editFile(file, addPreCommitHooks); err != nil {
			return fmt.Errorf("install: %w", err)
		}
		changed = append(changed, s.showAbs(file))
	} else {
		hooks := map[string]string{}
		for _, name := range hookNames {
			hooks[name] = "#!/bin/sh\nexec flow git-hook " + name + " \"$@\"\n"
		}
		if err := g.InstallHooks(ctx, hooks); err != nil {
			return err
		}
	}
	for _, kv := range [][2]string{
		{"merge.flow.name", "flow's merge of lock and .dvc files"},
		{"merge.flow.driver", "flow git-hook merge-driver --ancestor %O --our %A --their %B --marker-size %L --path %P"},
	} {
		if err := g.SetConfig(ctx, kv[0], kv[1]); err != nil {
			return err
		}
	}
	attributes := filepath.Join(s.project.Root, ".gitattributes")
	for _, pattern := range []string{"dvc.lock", "*.dvc"} {
		did, err := g.AddAttribute(attributes, pattern, "merge", "flow")
		if err != nil {
			return err
		}
		if did && (len(changed) == 0 || changed[len(changed)-1] != s.showAbs(attributes)) {
			changed = append(changed, s.showAbs(attributes))
		}
	}
	if tool {
		a.print("Added hooks to '%s'; `pre-commit install --hook-type pre-push --hook-type post-checkout --hook-type pre-commit` activates them.\n", changed[0])
	} else {
		a.print("Installed the hooks %s and the merge driver 'flow'.\n", strings.Join(hookNames, ", "))
	}
	return a.trackChanges(ctx, s, changed)
}

// addPreCommitHooks adds flow's hooks to the configuration of pre-commit, unless
// they are there.
func addPreCommitHooks(data []byte) ([]byte, error) {
	const name = ".pre-commit-config.yaml"
	doc, err := yaml12.Parse(name, data)
	if err != nil {
		return nil, err
	}
	text := func(key, value string) yaml12.Item { return yaml12.Item{Key: key, Value: value} }
	var hooks []any
	for _, h := range hookNames {
		hooks = append(hooks, &yaml12.Map{Items: []yaml12.Item{
			text("id", "flow-"+h), text("name", "flow "+h), text("entry", "flow git-hook "+h), text("language", "system"),
			{Key: "always_run", Value: true}, {Key: "pass_filenames", Value: false}, {Key: "stages", Value: []any{h}},
		}})
	}
	repo := &yaml12.Map{Items: []yaml12.Item{text("repo", "local"), {Key: "hooks", Value: hooks}}}
	if doc.Root == nil {
		return yaml12.Emit(&yaml12.Map{Items: []yaml12.Item{{Key: "repos", Value: []any{repo}}}}), nil
	}
	root, err := doc.Value(doc.Root)
	if err != nil {
		return nil, err
	}
	top, ok := root.(*yaml12.Map)
	if !ok {
		return nil, fmt.Errorf("'%s' must be a map", name)
	}
	var repos []any
	if v, had := top.Get("repos"); had && v != nil {
		if repos, ok = v.([]any); !ok {
			return nil, fmt.Errorf("'%s': repos must be a list", name)
		}
	}
	for _, r := range repos {
		if yaml12.Identical(r, repo) {
			return data, nil
		}
	}
	if len(repos) == 0 {
		return yaml12.Set(data, []any{"repos"}, []any{repo})
	}
	return yaml12.Set(data, []any{"repos", len(repos)}, repo)
}
