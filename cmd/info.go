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

	"github.com/flowrepro/flow/project"
)

func (a *app) rootDirCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "root",
		Short: "Print the path of the project's root, relative to the current directory",
		Args:  cobra.NoArgs,
		RunE: run(func(context.Context, []string) error {
			cwd, err := os.Getwd()
			if err != nil {
				return fmt.Errorf("find the current directory: %w", err)
			}
			root, _, err := project.FindRoot(cwd)
			if err != nil {
				return err
			}
			s := session{cwd: cwd}
			fmt.Fprintln(a.stdout, s.showAbs(root))
			return nil
		}),
	}
}

func (a *app) unprotectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unprotect path...",
		Short: "Make linked data writable copies, to edit them",
		Long: `Replace files that are links into the cache by writable copies, so that editing
them cannot change the cache. Needed only where cache.type says hardlink or
symlink.`,
		Args: cobra.MinimumNArgs(1),
		RunE: run(func(_ context.Context, args []string) (err error) {
			s, err := a.open(openOptions{noPipeline: true})
			if err != nil {
				return err
			}
			defer func() { err = s.close(err) }()
			for _, arg := range args {
				if _, err := os.Lstat(s.abs(arg)); err != nil {
					return fmt.Errorf("can't unprotect non-existing data '%s'", arg)
				}
				if err := s.store.Unprotect(s.abs(arg)); err != nil {
					return fmt.Errorf("unprotect '%s': %w", arg, err)
				}
			}
			return nil
		}),
	}
}

type ignoreFlags struct{ details, nonMatching, stdin bool }

func (a *app) checkIgnoreCommand() *cobra.Command {
	var f ignoreFlags
	c := &cobra.Command{
		Use:   "check-ignore path...",
		Short: "Tell which paths .dvcignore leaves out",
		Long: `Print the given paths that .dvcignore excludes; with --details also the pattern
that decided. The exit code is 1 when no path matches any pattern.`,
		RunE: run(func(_ context.Context, args []string) error {
			return a.checkIgnore(&f, args)
		}),
	}
	fl := c.Flags()
	fl.BoolVarP(&f.details, "details", "d", false, "show the file, line and pattern that decided")
	fl.BoolVarP(&f.nonMatching, "non-matching", "n", false, "with --details, also show paths that no pattern matches")
	fl.BoolVar(&f.stdin, "stdin", false, "read paths from standard input, one a line")
	return c
}

func (a *app) checkIgnore(f *ignoreFlags, args []string) (err error) {
	switch {
	case len(args) == 0 && !f.stdin:
		return errors.New("`targets` or `--stdin` needed")
	case len(args) > 0 && f.stdin:
		return errors.New("cannot have both `targets` and `--stdin`")
	case f.nonMatching && !f.details:
		return errors.New("`--non-matching` is only valid with `--details`")
	case a.quiet && f.details:
		return errors.New("cannot use both `--details` and `--quiet`")
	}
	s, err := a.open(openOptions{noPipeline: true})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	ig := project.NewIgnore(s.project.Root)
	matched := false
	check := func(target string) {
		if a.checkIgnored(s, ig, f, target) {
			matched = true
		}
	}
	for _, arg := range args {
		check(arg)
	}
	if f.stdin {
		lines := bufio.NewScanner(a.stdin)
		for lines.Scan() {
			if target := strings.TrimRight(lines.Text(), "\r"); target != "" {
				check(target)
			}
		}
		if err := lines.Err(); err != nil {
			return fmt.Errorf("read paths: %w", err)
		}
	}
	if !matched {
		return &exitError{code: exitFailed}
	}
	return nil
}

// checkIgnored prints one path and reports whether a pattern decided on it;
// a negated one counts only with --details, where it is shown.
func (a *app) checkIgnored(s *session, ig *project.Ignore, f *ignoreFlags, target string) bool {
	abs := s.abs(target)
	rel, _ := s.project.Rel(abs)
	fi, err := os.Stat(abs)
	dir := err == nil && fi.IsDir() || err != nil && strings.HasSuffix(target, "/")
	ignored, rule := ig.Check(filepath.ToSlash(rel), dir)
	switch {
	case !f.details:
		if ignored {
			a.print("%s\n", target)
		}
		return ignored
	case rule != nil:
		a.print("%s\t%s\n", s.ruleText(rule), target)
		return true
	case f.nonMatching:
		a.print("::\t%s\n", target)
	}
	return false
}

// ruleText is "file:line:pattern". Built-in rules have neither file nor line.
func (s *session) ruleText(r *project.Rule) string {
	if r.File == "" {
		return ":" + r.Pattern
	}
	return fmt.Sprintf("%s:%d:%s", s.show(r.File), r.Line, r.Pattern)
}
