package cmd

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/cache"
)

type lsFlags struct {
	rev, remote                                   string
	recursive, dvcOnly, json, size, hash, summary bool
	level                                         int
}

func (a *app) lsCommand() *cobra.Command {
	var f lsFlags
	c := &cobra.Command{
		Use:     "ls [url] [path]",
		Aliases: []string{"list"},
		Short:   "List files and outputs of a project",
		Long: `List what a directory of a project has: the files in it, and the outputs that
lock and .dvc files record, also those that are not in the workspace. The project
is the one around the given directory, by default the current one, or in the Git
repository at the given URL; the path is relative to it. With --rev it is listed as
a commit has it, as is always one behind a URL. What files an output has that is a
directory is looked up in the cache, then on the remote. --json has the shape of
DVC's.`,
		Example: `  flow ls
  flow ls ../other data --rev v1.0
  flow ls https://example.com/team/reviews.git data -R`,
		Args: cobra.MaximumNArgs(2),
		RunE: run(func(ctx context.Context, args []string) error { return failed(a.ls(ctx, &f, args)) }),
	}
	fl := c.Flags()
	fl.BoolVarP(&f.recursive, "recursive", "R", false, "the files of all directories below")
	fl.IntVarP(&f.level, "level", "L", 0, "with --recursive, go down `n` levels only")
	fl.BoolVar(&f.dvcOnly, "dvc-only", false, "only outputs")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	fl.BoolVar(&f.size, "size", false, "also sizes, in bytes or with k, M, G for powers of 1024")
	fl.BoolVar(&f.hash, "show-hash", false, "also digests")
	fl.StringVar(&f.rev, "rev", "", "list this Git `revision`")
	fl.StringVar(&f.remote, "remote", "", "look on this remote of the project instead of its default `name`")
	return c
}

func (a *app) duCommand() *cobra.Command {
	var f lsFlags
	c := &cobra.Command{
		Use:   "du [url] [path]",
		Short: "Show the sizes of files and outputs of a project",
		Long: `Show the size of what is in a directory of a project, and their sum: of files, and
of the outputs that lock and .dvc files record. The project is the one around the
given directory, by default the current one, or in the Git repository at the given
URL; the path is relative to it. .dvc and dvc.yaml files do not count, nor do files
of unknown size, which the cache lacks.`,
		Args: cobra.MaximumNArgs(2),
		RunE: run(func(ctx context.Context, args []string) error { return failed(a.du(ctx, &f, args)) }),
	}
	fl := c.Flags()
	fl.BoolVarP(&f.summary, "summarize", "s", false, "only the sum")
	fl.StringVar(&f.rev, "rev", "", "show this Git `revision`")
	return c
}

// gather opens the project that the arguments name and lists it.
func (a *app) gather(ctx context.Context, f *lsFlags, args []string) (l *listing, err error) {
	args = append(args, []string{".", "."}[len(args):]...)
	r, err := a.openRepository(ctx, repositoryRef{url: args[0], rev: f.rev, path: args[1], remote: f.remote}, nil)
	if err != nil {
		return nil, err
	}
	defer r.close()
	deep := f.level
	if !f.recursive {
		deep = 1
	}
	l, err = r.list(ctx, deep, f.dvcOnly)
	if err == nil && f.size {
		err = r.measure(ctx, l)
	}
	return l, err
}

func (a *app) ls(ctx context.Context, f *lsFlags, args []string) error {
	if f.level < 0 {
		return errors.New("--level must not be negative")
	}
	l, err := a.gather(ctx, f, args)
	if err != nil {
		return err
	}
	names := l.names(f.recursive)
	if f.json {
		fmt.Fprintln(a.stdout, l.json(names))
		return nil
	}
	sizes, width := make([]string, len(names)), 0
	for i, n := range names {
		if it := l.item(n); it.size > 0 || it.size == 0 && !it.dir {
			sizes[i] = shortSize(it.size)
		}
		width = max(width, len(sizes[i]))
	}
	digests := 0
	for _, n := range names {
		digests = max(digests, len(l.item(n).hex()))
	}
	for i, n := range names {
		if f.size {
			a.print("%*s  ", width, sizes[i])
		}
		if f.hash {
			a.print("%-*s  ", digests, l.item(n).hex())
		}
		a.print("%s\n", n)
	}
	return nil
}

// hex is the digest for people: a dash when there is none.
func (it *listed) hex() string {
	if it.digest.IsZero() {
		return "-"
	}
	return it.digest.String()
}

// json has the shape of DVC's. The digest goes by the name of its algorithm.
func (l *listing) json(names []string) string {
	w := &jsonText{}
	w.open('[')
	for _, n := range names {
		it := l.item(n)
		w.item()
		w.open('{')
		for _, flag := range []struct {
			key string
			is  bool
		}{{"isout", it.out}, {"isdir", it.dir}, {"isexec", it.exec && !it.dir}} {
			w.key(flag.key)
			w.b.WriteString(strconv.FormatBool(flag.is))
		}
		w.key("size")
		if it.size < 0 {
			w.b.WriteString("null")
		} else {
			w.b.WriteString(strconv.FormatInt(it.size, 10))
		}
		key := "md5"
		if l.r.s.project.Format.Hash == cache.BLAKE3 {
			key = "blake3"
		}
		w.key(key)
		if it.digest.IsZero() {
			w.b.WriteString("null")
		} else {
			w.text(it.digest.String())
		}
		w.key("path")
		w.text(n)
		w.close('}')
	}
	w.close(']')
	return w.b.String()
}

func (a *app) du(ctx context.Context, f *lsFlags, args []string) error {
	f.recursive, f.size = true, true
	l, err := a.gather(ctx, f, args)
	if err != nil {
		return err
	}
	shown := func(rel string) string {
		if rel == "." {
			return ""
		}
		return rel
	}
	type row struct{ size, path string }
	var rows []row
	if !f.summary && l.items[l.within].dir {
		for _, n := range l.names(false) {
			if rel := path.Join(l.within, n); !trackingFile(rel) {
				rows = append(rows, row{shortSize(l.total(rel)), rel})
			}
		}
	}
	rows = append(rows, row{shortSize(l.total(l.within)), shown(l.within)})
	width := 0
	for _, r := range rows {
		width = max(width, len(r.size))
	}
	for _, r := range rows {
		a.print("%s\n", strings.TrimRight(fmt.Sprintf("%-*s  %s", width, r.size, r.path), " "))
	}
	return nil
}

// shortSize is a number of bytes in three digits: "17", "2.93M".
func shortSize(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10)
	}
	v := float64(n)
	for _, unit := range []string{"", "k", "M", "G", "T", "P", "E"} {
		switch {
		case v < 9.995:
			return fmt.Sprintf("%.2f%s", v, unit)
		case v < 99.95:
			return fmt.Sprintf("%.1f%s", v, unit)
		case v < 999.5:
			return fmt.Sprintf("%.0f%s", v, unit)
		}
		v /= 1024
	}
	return fmt.Sprintf("%.1fZ", v)
}
