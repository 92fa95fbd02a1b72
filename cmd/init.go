package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/project"
)

func (a *app) initCommand() *cobra.Command {
	var (
		o      project.InitOptions
		format string
	)
	c := &cobra.Command{
		Use:   "init [directory]",
		Short: "Make a directory a project",
		Long: `Make a directory a project. flow's own format needs no init: any directory with a
dvc.yaml is a project. It is for projects without one, for configuration to
commit, and, with --format dvc, for projects that DVC is to work on too.`,
		Args: cobra.MaximumNArgs(1),
		RunE: run(func(_ context.Context, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return a.init(dir, format, o)
		}),
	}
	fl := c.Flags()
	fl.StringVar(&format, "format", project.Native.Name, "format of the project: native or dvc")
	fl.BoolVar(&o.NoSCM, "no-scm", false, "do not use Git")
	fl.BoolVarP(&o.Force, "force", "f", false, "replace an existing project, with its cache")
	fl.BoolVar(&o.Subdir, "subdir", false, "allow a directory below the top of a Git working tree")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(
		[]cobra.Completion{project.Native.Name, project.DVC.Name}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) init(dir, format string, o project.InitOptions) error {
	var f *project.Format
	for _, known := range []*project.Format{project.Native, project.DVC} {
		if known.Name == format {
			f = known
		}
	}
	if f == nil {
		return &exitError{exitUsage, fmt.Errorf("--format %s: not a format; there are %s and %s", format, project.Native, project.DVC)}
	}
	p, err := project.Init(dir, f, o)
	if err != nil {
		var bad *project.InitError
		if errors.As(err, &bad) && bad.Usage {
			return err
		}
		return failed(err)
	}
	if f == project.DVC {
		a.print("Initialized DVC repository.\n")
	} else {
		a.print("Initialized flow project in '%s'.\n", p.Root)
	}
	if _, ok := p.Git(); ok {
		a.print("\nYou can now commit the changes to git.\n")
	}
	a.print("\nWhat's next?\n------------\n" +
		"- Track data: flow add <path>\n" +
		"- Describe how results are made: flow stage add --help\n" +
		"- Make them: flow repro\n")
	return nil
}
