package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/engine"
)

type addFlags struct {
	req   engine.AddRequest
	glob  bool
	force bool
	out   string
}

func (a *app) addCommand() *cobra.Command {
	var f addFlags
	c := &cobra.Command{
		Use:   "add path...",
		Short: "Track data files and directories",
		Long: `Store files and directories in the cache, describe each in a .dvc file beside it
that Git can track, and have Git ignore the data. Adding a path inside a tracked
directory updates the .dvc file of that directory.`,
		Args: cobra.MinimumNArgs(1),
		RunE: run(func(ctx context.Context, args []string) error {
			return failed(a.add(ctx, &f, args))
		}),
	}
	fl := c.Flags()
	fl.BoolVar(&f.req.NoCommit, "no-commit", false, "do not store the data in the cache")
	fl.BoolVar(&f.req.NoRelink, "no-relink", false, "do not link the workspace to the cache")
	fl.BoolVar(&f.glob, "glob", false, "paths are patterns: *, ?, [a-z], ** for any directories")
	fl.StringVarP(&f.out, "out", "o", "", "copy the data to `path` and track it there")
	fl.BoolVarP(&f.force, "force", "f", false, "let --out replace what is there")
	return c
}

func (a *app) add(ctx context.Context, f *addFlags, args []string) (err error) {
	changes := new(changeSink)
	s, err := a.open(openOptions{sink: engine.Sinks{noticeSink{a}, changes}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	if f.out != "" {
		if len(args) != 1 {
			return errors.New("multiple targets can't be used with --out")
		}
		if err := copyData(s.abs(args[0]), s.abs(f.out), f.force); err != nil {
			return err
		}
		args = []string{f.out}
	}
	for _, arg := range args {
		if !f.glob {
			f.req.Paths = append(f.req.Paths, s.abs(arg))
			continue
		}
		found, err := expandGlob(s.cwd, arg)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return fmt.Errorf("Glob %s has no matches.", arg) //nolint:staticcheck,revive // DVC's words
		}
		f.req.Paths = append(f.req.Paths, found...)
	}
	files, err := s.engine.Add(ctx, f.req)
	if err != nil {
		return err
	}
	list := changes.files()
	seen := map[string]bool{}
	for _, f := range list {
		seen[f] = true
	}
	for _, f := range files {
		if rel := s.showAbs(f); !seen[rel] {
			seen[rel] = true
			list = append(list, rel)
		}
	}
	return a.trackChanges(ctx, s, list)
}

// expandGlob returns the paths below dir that match a pattern, in order. Names
// that begin with a dot match only patterns that do. Tracked data is never
// described twice: .dvc files and .gitignore are left out.
func expandGlob(dir, pattern string) ([]string, error) {
	pattern = filepath.FromSlash(pattern)
	base := dir
	if filepath.IsAbs(pattern) {
		base = filepath.VolumeName(pattern) + string(filepath.Separator)
		pattern = strings.TrimPrefix(pattern, base)
	}
	parts := strings.Split(filepath.Clean(pattern), string(filepath.Separator))
	for _, p := range parts {
		if _, err := filepath.Match(p, ""); err != nil {
			return nil, fmt.Errorf("pattern '%s': %w", pattern, err)
		}
	}
	var found []string
	return found, globInto(base, parts, &found)
}

func globInto(dir string, parts []string, found *[]string) error {
	if len(parts) == 0 {
		*found = append(*found, dir)
		return nil
	}
	part, rest := parts[0], parts[1:]
	if part == ".." || part == "." {
		return globInto(filepath.Join(dir, part), rest, found)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("expand pattern: %w", err)
	}
	if part == "**" {
		if err := globInto(dir, rest, found); err != nil && len(rest) > 0 {
			return err
		}
	}
	for _, e := range entries {
		name := e.Name()
		hidden := strings.HasPrefix(name, ".") && !strings.HasPrefix(part, ".")
		if hidden || len(rest) == 0 && (strings.HasSuffix(name, ".dvc") || name == ".gitignore") {
			continue
		}
		place := filepath.Join(dir, name)
		if part == "**" {
			if e.IsDir() {
				if err := globInto(place, parts, found); err != nil {
					return err
				}
			}
			continue
		}
		if ok, _ := filepath.Match(part, name); !ok || len(rest) > 0 && !e.IsDir() {
			continue
		}
		if err := globInto(place, rest, found); err != nil {
			return err
		}
	}
	return nil
}

// copyData copies a file or a directory to a place where nothing is, or
// replaces what is there. The place gets all of it or stays as it was.
func copyData(from, to string, replace bool) error {
	fi, err := os.Stat(from)
	if err != nil {
		return fmt.Errorf("output '%s' does not exist: %w", from, err)
	}
	if _, err := os.Lstat(to); err == nil {
		if !replace {
			return &hinted{fmt.Errorf("The file '%s' already exists locally.", to), //nolint:staticcheck,revive // DVC's words
				"To overwrite it, use the --force option."}
		}
	}
	tmp := fmt.Sprintf("%s.%d.tmp", to, os.Getpid())
	if fi.IsDir() {
		err = os.CopyFS(tmp, os.DirFS(from))
	} else {
		err = copyFile(from, tmp, fi.Mode().Perm()|0o200)
	}
	if err == nil && replace {
		err = os.RemoveAll(to)
	}
	if err == nil {
		err = os.Rename(tmp, to)
	}
	if err != nil {
		_ = os.RemoveAll(tmp)
		return fmt.Errorf("copy '%s': %w", from, err)
	}
	return nil
}

func copyFile(from, to string, mode os.FileMode) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
