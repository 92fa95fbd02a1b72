package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/internal/atomicfile"
	"github.com/flowrepro/flow/project"
)

// gitHookCommand is what Git calls.
func (a *app) gitHookCommand() *cobra.Command {
	c := &cobra.Command{
		Use:    "git-hook",
		Short:  "What the hooks that 'flow install' writes call",
		Hidden: true,
	}
	for name, what := range map[string]func(args []string) []string{
		"pre-commit": func([]string) []string { return []string{"status"} },
		"pre-push":   func([]string) []string { return []string{"push"} },
		"post-checkout": func(args []string) []string {
			if !switchesBranch(args) {
				return nil
			}
			return []string{"checkout"}
		},
	} {
		c.AddCommand(&cobra.Command{
			Use:   name + " [argument]...",
			Short: "Run the hook " + name,
			RunE:  run(func(ctx context.Context, args []string) error { return a.gitHook(ctx, what, args) }),
		})
	}
	c.AddCommand(a.mergeDriverCommand())
	return c
}

// gitHook runs a verb, where there is a project: a hook is called for every
// directory of a repository.
func (a *app) gitHook(ctx context.Context, what func(args []string) []string, args []string) error {
	cwd, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find the current directory: %w", err)
	}
	var none *project.NotFoundError
	if _, _, err := project.FindRoot(cwd); errors.As(err, &none) {
		return nil
	}
	words := what(args)
	if words == nil {
		return nil
	}
	root := a.rootCommand()
	root.SetArgs(words)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	return root.ExecuteContext(ctx)
}

// switchesBranch reports whether a checkout was one of a branch, not of files,
// and no step of a rebase, during which the data had better stay.
func switchesBranch(args []string) bool {
	// pre-commit tells by a variable what Git tells by the third argument.
	flag, ok := os.LookupEnv("PRE_COMMIT_CHECKOUT_TYPE")
	if !ok && len(args) >= 3 {
		flag = args[2]
	}
	if flag != "1" {
		return false
	}
	cwd, err := os.Getwd()
	if err != nil {
		return false
	}
	g, ok := project.FindGit(cwd)
	return ok && !fileExists(filepath.Join(g.Dir, "rebase-merge")) && !fileExists(filepath.Join(g.Dir, "rebase-apply"))
}

type mergeDriverFlags struct {
	ancestor, our, their, path string
	size                       int
}

func (a *app) mergeDriverCommand() *cobra.Command {
	var f mergeDriverFlags
	c := &cobra.Command{
		Use:   "merge-driver",
		Short: "Merge a lock or .dvc file",
		Long: `Merge three versions of a dvc.lock or a .dvc file and leave the result in the file
--our. What both sides changed differently is left between conflict markers, and
the exit code is 1.`,
		Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, _ []string) error { return failed(a.mergeDriver(ctx, &f)) }),
	}
	fl := c.Flags()
	fl.StringVar(&f.ancestor, "ancestor", "", "the `file` with the common ancestor's version")
	fl.StringVar(&f.our, "our", "", "the `file` with the current version, which gets the result")
	fl.StringVar(&f.their, "their", "", "the `file` with the other branch's version")
	fl.StringVar(&f.path, "path", "", "the `path` that the versions are of")
	fl.IntVar(&f.size, "marker-size", 7, "length of conflict markers")
	for _, name := range []string{"ancestor", "our", "their"} {
		_ = c.MarkFlagRequired(name)
	}
	return c
}

func (a *app) mergeDriver(ctx context.Context, f *mergeDriverFlags) error {
	var texts [3][]byte
	for i, name := range []string{f.ancestor, f.our, f.their} {
		var err error
		if texts[i], err = os.ReadFile(name); err != nil {
			return fmt.Errorf("merge: %w", err)
		}
	}
	base, ours, theirs := texts[0], texts[1], texts[2]
	size := max(f.size, 1)
	var merged []byte
	var conflicts []string
	var err error
	if f.isLock(texts[:]) {
		merged, conflicts, err = lock.MergeMarked(base, ours, theirs, size)
	} else {
		merged, conflicts, err = lock.MergeData(base, ours, theirs, a.directoryMerger(f.path))
		if len(conflicts) > 0 {
			merged = lock.ConflictText(ours, theirs, size)
		}
	}
	if err != nil { // one of the versions is no such file, after a conflict that was committed, say
		merged, conflicts = lock.ConflictText(ours, theirs, size), []string{err.Error()}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := atomicfile.Write(f.our, merged, atomicfile.Options{}); err != nil {
		return fmt.Errorf("merge: %w", err)
	}
	if len(conflicts) == 0 {
		return nil
	}
	what := f.path
	if what == "" {
		what = f.our
	}
	return &hinted{fmt.Errorf("merge '%s': both sides changed %s", what, strings.Join(conflicts, ", ")),
		"keep one version between the conflict markers, then run `flow checkout` or `flow repro`, and `git add` the file"}
}

// isLock reports whether the versions are of a dvc.lock: by the path, or where
// that is not told, by what is in them.
func (f *mergeDriverFlags) isLock(texts [][]byte) bool {
	if f.path != "" {
		return !strings.HasSuffix(f.path, ".dvc")
	}
	for _, t := range texts {
		if l, err := lock.Parse("", t); err == nil && (len(l.Names()) > 0 || strings.HasPrefix(string(t), "schema:")) {
			return true
		}
	}
	return false
}

// directoryMerger merges directories by their manifests in the cache of the
// project that the path of a .dvc file is in.
func (a *app) directoryMerger(file string) lock.JoinDirectories {
	return func(base *lock.Entry, ours, theirs lock.Entry) (lock.Entry, error) {
		cwd, err := os.Getwd()
		if err != nil {
			return ours, err
		}
		p, err := project.Find(filepath.Dir(filepath.Join(cwd, filepath.FromSlash(file))))
		if err != nil {
			return ours, err
		}
		store, err := openStore(p, nil)
		if err != nil {
			return ours, err
		}
		manifest := func(e *lock.Entry) (*cache.Manifest, *cache.Hash, error) {
			if e == nil {
				return nil, nil, nil
			}
			entry, err := entryOf(e)
			if err != nil {
				return nil, nil, err
			}
			m, err := store.Manifest(entry.Digest)
			if errors.Is(err, cache.ErrNotFound) {
				return nil, nil, fmt.Errorf("the list of files %s is not in the cache, so that both versions cannot be joined", entry.Digest)
			}
			return m, entry.Digest.Hash(), err
		}
		b, _, err := manifest(base)
		if err != nil {
			return ours, err
		}
		o, hash, err := manifest(&ours)
		if err != nil {
			return ours, err
		}
		t, other, err := manifest(&theirs)
		if err != nil {
			return ours, err
		}
		if hash != other {
			return ours, fmt.Errorf("one side has digests of %s, the other of %s", hash.Name, other.Name)
		}
		merged, conflicts, err := cache.MergeManifests(b, o, t)
		if err != nil {
			return ours, err
		}
		if len(conflicts) > 0 {
			return ours, errors.New(strings.Join(conflicts, ", "))
		}
		return putMerged(store, hash, merged, ours)
	}
}

// putMerged stores a manifest and returns its entry like the given one. The size
// is left out when that of a member is not known.
func putMerged(store *cache.Store, hash *cache.Hash, m *cache.Manifest, like lock.Entry) (lock.Entry, error) {
	e := m.Entry(hash)
	if err := store.PutBytesAs(e.Digest, m.Encode(hash)); err != nil {
		return like, err
	}
	like.Digest, like.Files, like.Size = e.Digest.String(), int64(e.Files), 0
	for i := range m.Members {
		size := m.Members[i].Size
		if size < 0 {
			var ok bool
			if size, ok = store.SizeOf(m.Members[i].Digest); !ok {
				like.Size = -1
				break
			}
		}
		like.Size += size
	}
	return like, nil
}
