package project

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// GitError is a failed run of the git program.
type GitError struct {
	// Args are its arguments, Stderr what it said.
	Args   []string
	Stderr string
	Err    error
}

func (e *GitError) Error() string {
	said := strings.TrimSpace(e.Stderr)
	if said == "" {
		said = e.Err.Error()
	}
	command := ""
	for _, a := range e.Args {
		if !strings.HasPrefix(a, "-") {
			command = a
			break
		}
	}
	return fmt.Sprintf("git %s: %s", command, said)
}

func (e *GitError) Unwrap() error { return e.Err }

// run runs git in the working tree and returns its output.
func (g *Git) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := g.runTo(ctx, &out, stdin, args...)
	if err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// runTo is run with the output going to a writer.
func (g *Git) runTo(ctx context.Context, out io.Writer, stdin []byte, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", g.Root}, args...)...)
	// The answer must be about this tree also when flow is run from a hook,
	// where Git sets these.
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX":
		default:
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0")
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), out, &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return &GitError{Args: args, Stderr: said.String(), Err: err}
	}
	return nil
}

// Add stages files, absolute paths; those inside submodules and those that do
// not exist are left out.
func (g *Git) Add(ctx context.Context, paths ...string) error {
	var list bytes.Buffer
	for _, abs := range paths {
		rel, ok := g.rel(abs)
		if !ok {
			return fmt.Errorf("'%s' is outside of git repository '%s'", abs, g.Root)
		}
		if _, err := os.Lstat(abs); err != nil || g.inSubmodule(abs) {
			continue
		}
		list.WriteString(rel)
		list.WriteByte(0)
	}
	if list.Len() == 0 {
		return nil
	}
	_, err := g.run(ctx, list.Bytes(), "--literal-pathspecs", "add", "--pathspec-from-file=-", "--pathspec-file-nul", "--")
	return err
}

// inSubmodule reports whether a directory between the path and the root is
// the top of another working tree.
func (g *Git) inSubmodule(abs string) bool {
	for dir := filepath.Dir(abs); ; dir = filepath.Dir(dir) {
		rel, ok := relativeTo(g.Root, dir)
		if !ok || rel == "." {
			return false
		}
		if exists(filepath.Join(dir, gitDirName)) {
			return true
		}
	}
}

func (g *Git) trackedByProgram(rel string) (bool, error) {
	out, err := g.run(context.Background(), nil, "--literal-pathspecs", "ls-files", "--", rel)
	return len(out) > 0, err
}

// Revision is a name and the commit it stands for.
type Revision struct {
	// Name is short: "main", "v1.0".
	Name string
	// Commit is the full object name.
	Commit string
}

// Branches returns the local branches, sorted by name.
func (g *Git) Branches(ctx context.Context) ([]Revision, error) { return g.refs(ctx, "refs/heads") }

// Tags returns the tags that point to commits, sorted by name.
func (g *Git) Tags(ctx context.Context) ([]Revision, error) { return g.refs(ctx, "refs/tags") }

func (g *Git) refs(ctx context.Context, under string) ([]Revision, error) {
	out, err := g.run(ctx, nil, "for-each-ref", "--format=%(objecttype) %(objectname) %(*objecttype) %(*objectname) %(refname)", under)
	if err != nil {
		return nil, err
	}
	var list []Revision
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		if len(f) != 5 {
			return nil, fmt.Errorf("git for-each-ref: unexpected line %q", line)
		}
		r := Revision{Name: strings.TrimPrefix(f[4], under+"/")}
		switch {
		case f[0] == "commit":
			r.Commit = f[1]
		case f[2] == "commit":
			r.Commit = f[3]
		default:
			continue
		}
		list = append(list, r)
	}
	return list, nil
}

// Commits returns the object names of all commits that any reference reaches,
// newest first.
func (g *Git) Commits(ctx context.Context) ([]string, error) {
	out, err := g.run(ctx, nil, "rev-list", "--all")
	return strings.Fields(string(out)), err
}

// Resolve returns the commit a revision stands for.
func (g *Git) Resolve(ctx context.Context, rev string) (string, error) {
	if strings.HasPrefix(rev, "-") {
		return "", fmt.Errorf("unknown Git revision '%s'", rev)
	}
	out, err := g.run(ctx, nil, "rev-parse", "--verify", "--quiet", rev+"^{commit}")
	var failed *GitError
	if errors.As(err, &failed) && failed.Stderr == "" {
		return "", fmt.Errorf("unknown Git revision '%s'", rev)
	}
	return strings.TrimSpace(string(out)), err
}

// Status reports whether anything differs from the commit that is checked out,
// in the index or in the working tree. With untracked, files that are neither
// tracked nor ignored count as well and are returned as absolute paths, sorted.
func (g *Git) Status(ctx context.Context, untracked bool) (dirty bool, files []string, err error) {
	mode := "no"
	if untracked {
		mode = "all"
	}
	out, err := g.run(ctx, nil, "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files="+mode)
	if err != nil {
		return false, nil, err
	}
	for entry := range strings.SplitSeq(string(out), "\x00") {
		if name, ok := strings.CutPrefix(entry, "?? "); ok {
			files = append(files, filepath.Join(g.Root, filepath.FromSlash(name)))
		}
	}
	slices.Sort(files)
	return len(out) > 0, files, nil
}

// ListFiles returns the files of a commit below dir, an absolute path, as
// absolute paths; those in submodules are not among them.
func (g *Git) ListFiles(ctx context.Context, commit, dir string) ([]string, error) {
	var files []string
	err := g.listTree(ctx, commit, dir, func(meta, name string) error {
		if !strings.HasPrefix(meta, "160000") {
			files = append(files, filepath.Join(g.Root, filepath.FromSlash(name)))
		}
		return nil
	})
	return files, err
}

// listTree calls fn for each entry of a commit below dir, an absolute path, with
// what `git ls-tree` tells of it, options included, and its name from the top.
func (g *Git) listTree(ctx context.Context, commit, dir string, fn func(meta, name string) error, options ...string) error {
	rel, ok := g.rel(dir)
	if !ok {
		return fmt.Errorf("'%s' is outside of git repository '%s'", dir, g.Root)
	}
	args := append([]string{"--literal-pathspecs", "ls-tree", "-r", "-z", "--full-tree"}, options...)
	args = append(args, commit)
	if rel != "." {
		args = append(args, "--", rel)
	}
	out, err := g.run(ctx, nil, args...)
	if err != nil {
		return err
	}
	for entry := range strings.SplitSeq(string(out), "\x00") {
		if meta, name, ok := strings.Cut(entry, "\t"); ok {
			if err := fn(meta, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// TreeFile is a file of a commit.
type TreeFile struct {
	// Path is absolute, Size in bytes.
	Path string
	Size int64
	Exec bool
}

// Tree returns the files and symbolic links of a commit below dir, an absolute
// path, with what Git knows of them; those in submodules are not among them.
func (g *Git) Tree(ctx context.Context, commit, dir string) ([]TreeFile, error) {
	var files []TreeFile
	err := g.listTree(ctx, commit, dir, func(meta, name string) error {
		f := strings.Fields(meta)
		if len(f) != 4 || f[1] != "blob" || !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil
		}
		size, err := strconv.ParseInt(f[3], 10, 64)
		if err != nil {
			return fmt.Errorf("git ls-tree: unexpected answer %q for '%s'", meta, name)
		}
		files = append(files, TreeFile{Path: filepath.Join(g.Root, filepath.FromSlash(name)), Size: size, Exec: f[0] == "100755"})
		return nil
	}, "--long")
	return files, err
}

// Extract writes files of a commit below dir, an absolute path, into the
// directory to, with the same paths relative to dir. Only regular files that want
// accepts, by that path with slashes and by size in bytes, are written.
func (g *Git) Extract(ctx context.Context, commit, dir, to string, want func(rel string, size int64) bool) error {
	below, ok := g.rel(dir)
	if !ok {
		return fmt.Errorf("'%s' is outside of git repository '%s'", dir, g.Root)
	}
	var blobs bytes.Buffer
	var names []string
	err := g.listTree(ctx, commit, dir, func(meta, name string) error {
		f := strings.Fields(meta)
		if len(f) != 4 || f[1] != "blob" || !strings.HasPrefix(f[0], "100") {
			return nil
		}
		rel := name
		if below != "." {
			if rel, ok = strings.CutPrefix(name, below+"/"); !ok {
				return nil
			}
		}
		size, err := strconv.ParseInt(f[3], 10, 64)
		// A hostile tree may have names that lead out of it.
		if err != nil || !filepath.IsLocal(filepath.FromSlash(rel)) || !want(rel, size) {
			return nil //nolint:nilerr // what Git does not know the size of is no file
		}
		names = append(names, rel)
		blobs.WriteString(f[2] + "\n")
		return nil
	}, "--long")
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return nil
	}
	out, err := g.run(ctx, blobs.Bytes(), "cat-file", "--batch")
	if err != nil {
		return err
	}
	for _, rel := range names {
		head, rest, _ := bytes.Cut(out, []byte("\n"))
		f := strings.Fields(string(head))
		if len(f) != 3 {
			return fmt.Errorf("git cat-file: unexpected answer %q for '%s'", head, rel)
		}
		size, err := strconv.Atoi(f[2])
		if err != nil || size < 0 || size >= len(rest) {
			return fmt.Errorf("git cat-file: unexpected answer %q for '%s'", head, rel)
		}
		file := filepath.Join(to, filepath.FromSlash(rel))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, rest[:size], 0o600); err != nil {
			return err
		}
		out = rest[size+1:]
	}
	return nil
}

// Branch returns the name of the branch that is checked out, "" when there is
// none.
func (g *Git) Branch() string {
	head, err := os.ReadFile(filepath.Join(g.Dir, "HEAD"))
	if err != nil {
		return ""
	}
	name, _ := strings.CutPrefix(strings.TrimSpace(string(head)), "ref: refs/heads/")
	if strings.TrimSpace(string(head)) == name {
		return ""
	}
	return name
}

// ReadFile returns the content that a file, an absolute path, has in a
// commit. The error wraps fs.ErrNotExist when it is not there.
func (g *Git) ReadFile(ctx context.Context, commit, abs string) ([]byte, error) {
	var out bytes.Buffer
	if err := g.CopyFile(ctx, &out, commit, abs); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// CopyFile is ReadFile for files of any size: it writes the content to out.
func (g *Git) CopyFile(ctx context.Context, out io.Writer, commit, abs string) error {
	rel, ok := g.rel(abs)
	if !ok {
		return fmt.Errorf("'%s' is outside of git repository '%s'", abs, g.Root)
	}
	err := g.runTo(ctx, out, nil, "cat-file", "blob", commit+":"+rel)
	var failed *GitError
	if errors.As(err, &failed) && (strings.Contains(failed.Stderr, "does not exist in") ||
		strings.Contains(failed.Stderr, "exists on disk, but not in")) {
		return &fs.PathError{Op: "read at " + commit, Path: rel, Err: fs.ErrNotExist}
	}
	return err
}
