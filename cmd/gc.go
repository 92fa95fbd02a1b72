package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/project"
)

type gcFlags struct {
	workspace                     bool
	branches, tags, commits, exps bool
	revs, projects                []string
	num                           int
	date                          string
	maxSize, olderThan            string
	force, dry, json, skipFailed  bool
	cloud                         bool
	remote                        string
	jobs                          int
}

func (a *app) gcCommand() *cobra.Command {
	var f gcFlags
	c := &cobra.Command{
		Use:   "gc",
		Short: "Remove from the cache what nothing needs",
		Long: `Remove the objects that neither the workspace nor the chosen revisions name, and
the records of results that need them. With --max-size or --older-than only as
much goes as it takes, oldest first. Nothing that dvc.lock or a .dvc file of the
workspace names is ever removed.`,
		Example: `  flow gc --workspace
  flow gc --all-branches --all-tags
  flow gc --max-size 10G --older-than 30d`,
		Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, _ []string) error {
			return a.gc(ctx, &f)
		}),
	}
	fl := c.Flags()
	fl.BoolVarP(&f.workspace, "workspace", "w", false, "keep what the workspace uses")
	fl.BoolVarP(&f.branches, "all-branches", "a", false, "keep what the tips of all branches use")
	fl.BoolVarP(&f.tags, "all-tags", "T", false, "keep what all tags use")
	fl.BoolVarP(&f.commits, "all-commits", "A", false, "keep what any commit uses")
	fl.BoolVar(&f.exps, "all-experiments", false, "keep what all experiments use")
	fl.StringArrayVar(&f.revs, "rev", nil, "keep what `revision` uses")
	fl.IntVarP(&f.num, "num", "n", 1, "with --rev and --all-branches: that many commits back")
	fl.StringVar(&f.date, "date", "", "keep what commits since `yyyy-mm-dd` use")
	fl.StringArrayVarP(&f.projects, "projects", "p", nil, "keep what the project at `path` uses")
	fl.StringVar(&f.maxSize, "max-size", "", "keep what fits into `size`, such as 10G")
	fl.StringVar(&f.olderThan, "older-than", "", "keep what is not older than `age`, such as 30d")
	fl.BoolVarP(&f.cloud, "cloud", "c", false, "also remove from the remote")
	fl.StringVarP(&f.remote, "remote", "r", "", "with --cloud: the remote to use instead of the default `name`")
	fl.IntVarP(&f.jobs, "jobs", "j", 0, "with --cloud: requests at once")
	fl.BoolVarP(&f.force, "force", "f", false, "do not ask")
	fl.BoolVar(&f.dry, "dry", false, "tell what would go, and remove nothing")
	fl.BoolVar(&f.skipFailed, "skip-failed", false, "skip revisions whose files cannot be read")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	return c
}

func (a *app) gc(ctx context.Context, f *gcFlags) (err error) {
	revisions := f.branches || f.tags || f.commits || f.exps || f.date != "" || len(f.revs) > 0
	if !f.workspace && !revisions && f.maxSize == "" && f.olderThan == "" {
		return &hinted{errors.New("Either of `-w|--workspace`, `-a|--all-branches`, `-T|--all-tags` `--all-experiments`, `--all-commits`, `--date` or `--rev` needs to be set."), //nolint:staticcheck,revive // DVC's words
			"--max-size and --older-than will do as well"}
	}
	req := engine.CollectRequest{Dry: f.dry}
	if req.Budget, err = f.budget(); err != nil {
		return &exitError{exitUsage, err}
	}
	s, err := a.open(openOptions{sink: noticeSink{a}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	var o *openRemote
	if f.cloud {
		if o, err = s.openRemote(f.remote, f.jobs, patientAttempts); err != nil {
			return failed(err)
		}
		if err := o.notVersioned("gc", "older versions go by the bucket's own lifecycle rules"); err != nil {
			return err
		}
	}
	if !a.quiet {
		a.warn("This will remove all cache except items used in " + f.scope() + " of the current repo.")
		if f.cloud {
			a.warn(fmt.Sprintf("The same goes for remote '%s' (%s): what other projects keep there is lost unless --projects names them.", o.name, o.store))
		}
	}
	if !f.force && !f.dry && !a.asker().confirm("Are you sure you want to proceed?") {
		return &exitError{code: exitFailed}
	}
	if revisions {
		if err := s.usedInHistory(ctx, a, f, &req); err != nil {
			return err
		}
	}
	for _, dir := range f.projects {
		if err := s.usedByProject(dir, &req); err != nil {
			return err
		}
	}
	// What is needed of the remote must be known before anything is removed.
	var used map[cache.Digest]bool
	if f.cloud {
		if used, err = s.usedRemotely(ctx, o, req.Used); err != nil {
			return failed(err)
		}
	}
	rep, err := s.engine.Collect(ctx, req)
	if err != nil {
		return err
	}
	if !f.json {
		a.printCollected(rep, f.dry)
	}
	if !f.cloud {
		if f.json {
			return printJSON(a.stdout, rep)
		}
		return nil
	}
	there, err := a.collectRemote(ctx, s, f, o, used, req.Budget)
	if err != nil {
		return failed(err)
	}
	if f.json {
		return printJSON(a.stdout, struct {
			*engine.CollectReport
			Remote any `json:"remote"`
		}{rep, there})
	}
	return nil
}

func (a *app) printCollected(rep *engine.CollectReport, dry bool) {
	switch {
	case rep.Objects == 0 && rep.Records == 0:
		a.print("No unused 'repo' cache to remove.\n")
	case dry:
		a.print("Would remove %d objects (%s) from repo cache and %s of results.\n",
			rep.Objects, byteCount(rep.Bytes), count(rep.Records, "record"))
	default:
		a.print("Removed %d objects from repo cache.\n", rep.Objects)
		a.print("Freed %s; %s of results went with them.\n", byteCount(rep.Bytes), count(rep.Records, "record"))
	}
}

// scope says what is kept, in DVC's words.
func (f *gcFlags) scope() string {
	parts := []string{"the workspace"}
	switch {
	case f.commits:
		parts = append(parts, "all git commits")
	default:
		if f.branches {
			parts = append(parts, "all git branches")
		}
		if f.tags {
			parts = append(parts, "all git tags")
		}
	}
	if f.exps {
		parts = append(parts, "all experiments")
	}
	if f.date != "" {
		parts = append(parts, "all git commits since "+f.date)
	}
	for _, r := range f.revs {
		parts = append(parts, fmt.Sprintf("last %d commits from %s", f.num, r))
	}
	text := strings.Join(parts, ", ")
	if n := len(parts); n > 1 {
		text = strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
	if f.maxSize != "" {
		text += ", and what fits into " + f.maxSize + ","
	}
	if f.olderThan != "" {
		text += ", and what is not older than " + f.olderThan + ","
	}
	return text
}

func (f *gcFlags) budget() (*engine.Budget, error) {
	if f.maxSize == "" && f.olderThan == "" {
		return nil, nil
	}
	b := new(engine.Budget)
	var err error
	if f.maxSize != "" {
		if b.MaxSize, err = parseBytes(f.maxSize); err != nil {
			return nil, fmt.Errorf("--max-size %s: %w", f.maxSize, err)
		}
	}
	if f.olderThan != "" {
		if b.MaxAge, err = parseAge(f.olderThan); err != nil {
			return nil, fmt.Errorf("--older-than %s: %w", f.olderThan, err)
		}
	}
	return b, nil
}

// usedInHistory adds what the chosen revisions name to what is kept.
func (s *session) usedInHistory(ctx context.Context, a *app, f *gcFlags, req *engine.CollectRequest) error {
	g, ok := s.project.Git()
	if !ok {
		return errors.New("revisions need a Git repository")
	}
	commits, err := revisions(ctx, g, f)
	if err != nil {
		return err
	}
	return s.eachInHistory(ctx, g, commits, func(file string, data []byte, commit string) error {
		used, err := s.engine.UsedAt(file, data)
		if err != nil {
			if f.skipFailed {
				a.warn(fmt.Sprintf("'%s' of commit %.12s is skipped: %v", file, commit, firstLine(err.Error())))
				return nil
			}
			return fmt.Errorf("what commit %.12s uses: %w", commit, err)
		}
		req.Used = append(req.Used, used...)
		return nil
	})
}

// eachInHistory calls fn for every distinct lock and .dvc file of the project in
// the commits. The file is relative to the root of the Git repository.
func (s *session) eachInHistory(ctx context.Context, g *project.Git, commits []string, fn func(file string, data []byte, commit string) error) error {
	type version struct{ file, blob string }
	seen := map[version]bool{}
	for _, c := range commits {
		files, err := treeFiles(ctx, g, c, s.project.Root)
		if err != nil {
			return err
		}
		for _, file := range files {
			if seen[version{file.path, file.blob}] {
				continue
			}
			seen[version{file.path, file.blob}] = true
			abs := filepath.Join(g.Root, filepath.FromSlash(file.path))
			data, err := g.ReadFile(ctx, c, abs)
			if err != nil {
				return fmt.Errorf("read '%s' of %.12s: %w", file.path, c, err)
			}
			if err := fn(file.path, data, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// treeFile is a lock or .dvc file of a commit. Equal blobs are equal content.
type treeFile struct{ path, blob string }

// treeFiles lists the files of a commit, below dir, that name objects.
func treeFiles(ctx context.Context, g *project.Git, commit, dir string) ([]treeFile, error) {
	rel, err := filepath.Rel(g.Root, dir)
	if err != nil {
		return nil, fmt.Errorf("list commit: %w", err)
	}
	args := []string{"--literal-pathspecs", "ls-tree", "-r", "-z", "--full-tree", commit}
	if rel != "." {
		args = append(args, "--", filepath.ToSlash(rel))
	}
	out, err := runGit(ctx, g.Root, args...)
	if err != nil {
		return nil, err
	}
	var list []treeFile
	for _, entry := range strings.Split(string(out), "\x00") {
		meta, name, ok := strings.Cut(entry, "\t")
		fields := strings.Fields(meta)
		if !ok || len(fields) != 3 || fields[1] != "blob" {
			continue
		}
		if filepath.Base(name) == "dvc.lock" || strings.HasSuffix(name, ".dvc") {
			list = append(list, treeFile{name, fields[2]})
		}
	}
	return list, nil
}

// revisions are the commits that the flags choose.
func revisions(ctx context.Context, g *project.Git, f *gcFlags) ([]string, error) {
	var commits []string
	add := func(args ...string) error {
		out, err := runGit(ctx, g.Root, args...)
		commits = append(commits, strings.Fields(string(out))...)
		return err
	}
	back := func(rev string) error {
		commit, err := g.Resolve(ctx, rev)
		if err != nil {
			return err
		}
		return add("rev-list", "--first-parent", fmt.Sprintf("--max-count=%d", max(f.num, 1)), commit, "--")
	}
	if f.commits {
		if err := add("rev-list", "--all"); err != nil {
			return nil, err
		}
	}
	if f.date != "" {
		day, err := time.Parse("2006-01-02", f.date)
		if err != nil {
			return nil, &exitError{exitUsage, fmt.Errorf("--date %s: must be yyyy-mm-dd", f.date)}
		}
		if err := add("rev-list", "--all", "--since="+day.Format("2006-01-02T15:04:05")); err != nil {
			return nil, err
		}
	}
	if f.exps {
		if err := add("for-each-ref", "--format=%(objectname)", "refs/exps"); err != nil {
			return nil, err
		}
	}
	for _, rev := range f.revs {
		if err := back(rev); err != nil {
			return nil, err
		}
	}
	var tips []project.Revision
	if f.branches {
		list, err := g.Branches(ctx)
		if err != nil {
			return nil, err
		}
		tips = append(tips, list...)
	}
	for _, t := range tips {
		if err := back(t.Commit); err != nil {
			return nil, err
		}
	}
	if f.tags {
		list, err := g.Tags(ctx)
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			commits = append(commits, t.Commit)
		}
	}
	slices.Sort(commits)
	return slices.Compact(commits), nil
}

func runGit(ctx context.Context, dir string, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}

// usedByProject adds what another project's workspace names.
func (s *session) usedByProject(dir string, req *engine.CollectRequest) error {
	p, err := project.Find(s.abs(dir))
	if err != nil {
		return fmt.Errorf("project '%s': %w", dir, err)
	}
	set, err := loadPipeline(p, project.NewIgnore(p.Root))
	if err != nil {
		return fmt.Errorf("project '%s': %w", dir, err)
	}
	for _, file := range set.Files {
		name := file.Path
		if !file.IsData() {
			name = filepath.ToSlash(filepath.Join(filepath.Dir(file.Path), "dvc.lock"))
		}
		data, err := os.ReadFile(p.Abs(name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("project '%s': %w", dir, err)
		}
		var used []cache.Digest
		if used, err = s.engine.UsedAt(name, data); err != nil {
			return fmt.Errorf("project '%s': %w", dir, err)
		}
		req.Used = append(req.Used, used...)
	}
	return nil
}
