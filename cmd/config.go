package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/flowrepro/flow/project"
)

// levelFlags choose one of the configuration's files.
type levelFlags struct{ system, global, project, local bool }

func (l *levelFlags) add(c *cobra.Command, fl *pflag.FlagSet) {
	fl.BoolVar(&l.system, "system", false, "use the system's configuration")
	fl.BoolVar(&l.global, "global", false, "use the user's configuration")
	fl.BoolVar(&l.project, "project", false, "use the project's configuration, which Git tracks")
	fl.BoolVar(&l.local, "local", false, "use the project's local configuration, which Git ignores")
	c.MarkFlagsMutuallyExclusive("system", "global", "project", "local")
}

// level returns the level chosen; ok is false when none was.
func (l *levelFlags) level() (level project.Level, ok bool) {
	switch {
	case l.system:
		return project.SystemLevel, true
	case l.global:
		return project.GlobalLevel, true
	case l.local:
		return project.LocalLevel, true
	}
	return project.ProjectLevel, l.project
}

type configFlags struct {
	levelFlags
	list, unset, origin bool
}

func (a *app) configCommand() *cobra.Command {
	var f configFlags
	c := &cobra.Command{
		Use:   "config [name [value]]",
		Short: "Get, set and list settings",
		Long: `Print a setting, set it, or list all. A name is section.key or remote.name.key.
Without a level, reading merges all files and writing goes to the project's.
Comments in the files are kept.`,
		Example: `  flow config core.autostage true
  flow config cache.type reflink,hardlink,copy
  flow config --list --show-origin`,
		Args: cobra.MaximumNArgs(2),
		RunE: run(func(_ context.Context, args []string) error {
			return a.config(&f, args)
		}),
	}
	fl := c.Flags()
	f.add(c, fl)
	fl.BoolVarP(&f.list, "list", "l", false, "list all settings")
	fl.BoolVarP(&f.unset, "unset", "u", false, "remove the setting")
	fl.BoolVar(&f.origin, "show-origin", false, "show which file a setting is in")
	return c
}

func (a *app) config(f *configFlags, args []string) error {
	switch {
	case f.list && (f.unset || len(args) > 0):
		return failed(errors.New("-l/--list can't be used together with any of these options: -u/--unset, name, value"))
	case !f.list && len(args) == 0:
		return failed(errors.New("name argument is required"))
	case f.origin && (f.unset || len(args) > 1):
		return failed(errors.New("--show-origin can't be used together with any of these options: -u/--unset, value"))
	case f.unset && len(args) > 1:
		return failed(errors.New("-u/--unset can't be used together with a value"))
	}
	writing := f.unset || len(args) == 2
	c, here, err := loadConfig(writing)
	if err != nil {
		return err
	}
	level, chosen := f.level()
	if writing && !here && level != project.SystemLevel && level != project.GlobalLevel {
		return &hinted{&project.ConfigError{Msg: "Not inside a DVC repo"},
			"--global sets an option for all your projects"}
	}
	switch {
	case f.list:
		a.listConfig(c, level, chosen, f.origin)
		return nil
	case f.unset:
		return nameError(c.Unset(level, args[0]))
	case writing:
		return nameError(c.Set(level, args[0], args[1]))
	}
	return a.getConfig(c, level, chosen, f.origin, args[0])
}

// loadConfig reads the configuration around the current directory, and tells
// whether there is a project. Who writes may repair one that is faulty.
func loadConfig(writing bool) (c *project.Config, here bool, err error) {
	cwd, err := os.Getwd()
	if err != nil {
		return nil, false, fmt.Errorf("find the current directory: %w", err)
	}
	p, err := project.Find(cwd)
	var none *project.NotFoundError
	if errors.As(err, &none) {
		c, err = project.LoadConfig(project.Native, "")
		return c, false, err
	}
	if p == nil || p.Config == nil {
		return nil, false, err
	}
	var faulty *project.ConfigError
	if writing && errors.As(err, &faulty) {
		err = nil
	}
	return p.Config, true, err
}

func (a *app) listConfig(c *project.Config, only project.Level, chosen, origin bool) {
	for _, level := range levels() {
		if chosen && level != only && !(only == project.ProjectLevel && level == project.FlowLevel) {
			continue
		}
		for _, e := range c.Entries(level) {
			if origin {
				fmt.Fprintf(a.stdout, "%s\t", shownFile(e.File))
			}
			fmt.Fprintf(a.stdout, "%s.%s=%s\n", e.Section, e.Key, e.Value)
		}
	}
}

// levels are all levels, in the order in which they override each other.
func levels() []project.Level {
	return []project.Level{
		project.SystemLevel, project.GlobalLevel, project.ProjectLevel, project.FlowLevel, project.LocalLevel,
	}
}

func (a *app) getConfig(c *project.Config, only project.Level, chosen, origin bool, name string) error {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 || i == len(name)-1 {
		return badName()
	}
	section, key := strings.ToLower(name[:i]), strings.ToLower(name[i+1:])
	e := c.Origin(section, key)
	if chosen {
		e = nil
		entries := c.Entries(only)
		if only == project.ProjectLevel {
			entries = append(entries, c.Entries(project.FlowLevel)...)
		}
		for _, one := range entries {
			if one.Section == section && one.Key == key {
				e = &one
			}
		}
		if e == nil {
			return &project.ConfigError{Msg: fmt.Sprintf("option '%s' doesn't exist in section '%s'", key, section)}
		}
	}
	if e == nil {
		if !a.quiet {
			fmt.Fprintf(a.stderr, "hint: '%s' is not set\n", name)
		}
		return nil
	}
	if origin {
		fmt.Fprintf(a.stdout, "%s\t", shownFile(e.File))
	}
	fmt.Fprintln(a.stdout, e.Value)
	return nil
}

func badName() error {
	return &exitError{exitUsage, errors.New("argument name: name argument should look like remote.name.option or db.name.option or section.option")}
}

// nameError tells names that cannot be from settings that are refused.
func nameError(err error) error {
	var c *project.ConfigError
	if errors.As(err, &c) && strings.Contains(c.Msg, "should look like") {
		return badName()
	}
	return err
}

// shownFile is a configuration file relative to the current directory when it
// is below it.
func shownFile(file string) string {
	cwd, err := os.Getwd()
	if err != nil {
		return file
	}
	s := session{cwd: cwd}
	if rel := s.showAbs(file); !strings.HasPrefix(rel, "..") {
		return rel
	}
	return file
}
