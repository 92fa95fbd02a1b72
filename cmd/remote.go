package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/project"
)

func (a *app) remoteCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "remote",
		Short: "Manage remotes: where data and results are shared",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown verb '%s'", args[0])
			}
			return errors.New("the following arguments are required: a verb")
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	c.AddCommand(a.remoteAddCommand(), a.remoteListCommand(), a.remoteModifyCommand(),
		a.remoteDefaultCommand(), a.remoteRemoveCommand(), a.remoteRenameCommand())
	return c
}

// remoteConfig loads the configuration for a verb that writes to a level of it.
func remoteConfig(l *levelFlags) (*project.Config, project.Level, error) {
	c, here, err := loadConfig(true)
	if err != nil {
		return nil, 0, err
	}
	level, _ := l.level()
	if !here && level != project.SystemLevel && level != project.GlobalLevel {
		return nil, 0, &hinted{&project.ConfigError{Msg: "Not inside a DVC repo"}, "--global keeps a remote for all your projects"}
	}
	return c, level, nil
}

// hasRemote reports whether a level's file has the remote.
func hasRemote(c *project.Config, level project.Level, name string) bool {
	for _, e := range c.Entries(level) {
		if e.Section == "remote."+strings.ToLower(name) {
			return true
		}
	}
	return false
}

func noSuchRemote(name string) error {
	return &project.ConfigError{Msg: fmt.Sprintf("remote '%s' doesn't exist.", name)}
}

func (a *app) remoteAddCommand() *cobra.Command {
	var l levelFlags
	var makeDefault, force bool
	c := &cobra.Command{
		Use:   "add name url",
		Short: "Add a remote",
		Long: `Add a remote: s3://bucket/path, or a directory. A relative path counts from the
current directory and is stored relative to the configuration file.`,
		Example: `  flow remote add -d storage s3://bucket/project
  flow remote add --local scratch /mnt/disk/project`,
		Args: cobra.ExactArgs(2),
		RunE: run(func(_ context.Context, args []string) error {
			c, level, err := remoteConfig(&l)
			if err != nil {
				return err
			}
			name := strings.ToLower(args[0])
			if hasRemote(c, level, name) {
				if !force {
					return &project.ConfigError{Msg: fmt.Sprintf("remote '%s' already exists. Use `-f|--force` to overwrite it.", name)}
				}
				if err := c.ReplaceRemote(level, name, args[1]); err != nil {
					return nameError(err)
				}
			} else if err := c.Set(level, "remote."+name+".url", args[1]); err != nil {
				return nameError(err)
			}
			if !makeDefault {
				return nil
			}
			a.print("Setting '%s' as a default remote.\n", name)
			return c.Set(level, "core.remote", name)
		}),
	}
	l.add(c, c.Flags())
	c.Flags().BoolVarP(&makeDefault, "default", "d", false, "make it the default remote")
	c.Flags().BoolVarP(&force, "force", "f", false, "replace a remote of that name")
	return c
}

func (a *app) remoteListCommand() *cobra.Command {
	var l levelFlags
	var asJSON bool
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the remotes",
		Args:    cobra.NoArgs,
		RunE: run(func(context.Context, []string) error {
			c, _, err := loadConfig(false)
			if err != nil {
				return err
			}
			def, _ := c.DefaultRemote()
			type row struct {
				Name    string `json:"name"`
				URL     string `json:"url"`
				Default bool   `json:"default"`
			}
			rows := []row{}
			level, chosen := l.level()
			for _, r := range c.Remotes() {
				if chosen && !hasRemote(c, level, r.Name) {
					continue
				}
				rows = append(rows, row{r.Name, r.URL, r.Name == def})
			}
			if asJSON {
				return printJSON(a.stdout, rows)
			}
			for _, r := range rows {
				fmt.Fprintf(a.stdout, "%s\t%s", r.Name, r.URL)
				if r.Default {
					fmt.Fprint(a.stdout, "\t(default)")
				}
				fmt.Fprintln(a.stdout)
			}
			return nil
		}),
	}
	l.add(c, c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) remoteModifyCommand() *cobra.Command {
	var l levelFlags
	var unset bool
	c := &cobra.Command{
		Use:   "modify name option [value]",
		Short: "Change a setting of a remote",
		Long: `Set, or with --unset remove, a setting of a remote. Keep secrets out of the file
that Git tracks: --local.`,
		Example: `  flow remote modify storage endpointurl https://s3.example.org
  flow remote modify --local storage access_key_id ABC`,
		Args: cobra.RangeArgs(2, 3),
		RunE: run(func(_ context.Context, args []string) error {
			c, level, err := remoteConfig(&l)
			if err != nil {
				return err
			}
			name := strings.ToLower(args[0])
			known := false
			for lower := project.SystemLevel; lower <= level; lower++ {
				known = known || hasRemote(c, lower, name)
			}
			if !known {
				return noSuchRemote(name)
			}
			key := "remote." + name + "." + args[1]
			switch {
			case unset && len(args) == 3:
				return failed(errors.New("-u/--unset can't be used together with a value"))
			case unset:
				return nameError(c.Unset(level, key))
			case len(args) < 3:
				return failed(errors.New("the following arguments are required: value"))
			}
			return nameError(c.Set(level, key, args[2]))
		}),
	}
	l.add(c, c.Flags())
	c.Flags().BoolVarP(&unset, "unset", "u", false, "remove the setting")
	return c
}

func (a *app) remoteDefaultCommand() *cobra.Command {
	var l levelFlags
	var unset bool
	c := &cobra.Command{
		Use:   "default [name]",
		Short: "Show or choose the default remote",
		Args:  cobra.MaximumNArgs(1),
		RunE: run(func(_ context.Context, args []string) error {
			if len(args) == 0 && !unset {
				return a.showDefaultRemote(&l)
			}
			c, level, err := remoteConfig(&l)
			if err != nil {
				return err
			}
			if unset {
				if !hasEntry(c, level, "core", "remote") {
					return nil
				}
				return c.Unset(level, "core.remote")
			}
			name := strings.ToLower(args[0])
			known := false
			for _, lower := range levels() {
				known = known || lower <= level && hasRemote(c, lower, name)
			}
			if !known {
				return &project.ConfigError{Msg: "default remote must be present in remote list."}
			}
			return c.Set(level, "core.remote", name)
		}),
	}
	l.add(c, c.Flags())
	c.Flags().BoolVarP(&unset, "unset", "u", false, "have no default remote")
	return c
}

func (a *app) showDefaultRemote(l *levelFlags) error {
	c, _, err := loadConfig(false)
	if err != nil {
		return err
	}
	name, ok := c.DefaultRemote()
	if level, chosen := l.level(); chosen {
		ok = false
		for _, e := range c.Entries(level) {
			if e.Section == "core" && e.Key == "remote" {
				name, ok = e.Value, true
			}
		}
	}
	if !ok {
		a.print("No default remote set\n")
		return &exitError{code: exitFailed}
	}
	fmt.Fprintln(a.stdout, name)
	return nil
}

func hasEntry(c *project.Config, level project.Level, section, key string) bool {
	for _, e := range c.Entries(level) {
		if e.Section == section && e.Key == key {
			return true
		}
	}
	return false
}

func (a *app) remoteRemoveCommand() *cobra.Command {
	var l levelFlags
	c := &cobra.Command{
		Use:   "remove name",
		Short: "Remove a remote from the configuration; what it holds stays",
		Args:  cobra.ExactArgs(1),
		RunE: run(func(_ context.Context, args []string) error {
			c, level, err := remoteConfig(&l)
			if err != nil {
				return err
			}
			name := strings.ToLower(args[0])
			if !hasRemote(c, level, name) {
				return noSuchRemote(name)
			}
			if err := c.RemoveSection(level, "remote."+name); err != nil {
				return err
			}
			// As in DVC, nothing above refers to it any more either.
			for _, up := range levels() {
				if up < level {
					continue
				}
				for _, e := range c.Entries(up) {
					if e.Section == "core" && e.Key == "remote" && strings.EqualFold(e.Value, name) {
						if err := c.Unset(up, "core.remote"); err != nil {
							return err
						}
					}
				}
			}
			return nil
		}),
	}
	l.add(c, c.Flags())
	return c
}

func (a *app) remoteRenameCommand() *cobra.Command {
	var l levelFlags
	c := &cobra.Command{
		Use:   "rename old new",
		Short: "Rename a remote",
		Args:  cobra.ExactArgs(2),
		RunE: run(func(_ context.Context, args []string) error {
			c, level, err := remoteConfig(&l)
			if err != nil {
				return err
			}
			old, name := strings.ToLower(args[0]), strings.ToLower(args[1])
			if !hasRemote(c, level, old) {
				return noSuchRemote(old)
			}
			if err := c.RenameSection(level, "remote."+old, "remote."+name); err != nil {
				return nameError(err)
			}
			for _, up := range levels() {
				if up < level {
					continue
				}
				for _, e := range c.Entries(up) {
					if e.Section == "core" && e.Key == "remote" && strings.EqualFold(e.Value, old) {
						if err := c.Set(up, "core.remote", name); err != nil {
							return err
						}
					}
				}
			}
			return nil
		}),
	}
	l.add(c, c.Flags())
	return c
}
