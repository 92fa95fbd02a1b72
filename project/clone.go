package project

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Clone is a commit of another Git repository. Its working tree has nothing but
// what is needed to find projects in it and to read their configuration; the
// rest is read from the commit.
type Clone struct {
	// Git is the working tree, in a temporary directory.
	Git *Git
	// Commit is the full object name.
	Commit string
}

// Clones says where clones of repositories are kept, for the next time.
type Clones struct {
	// Dir is made when needed.
	Dir string
}

// UserClones are those of the user, whatever the project.
func UserClones() *Clones {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return &Clones{Dir: filepath.Join(dir, "flow", "repositories")}
}

// headRef is where a clone keeps what HEAD of the repository is.
const headRef = "refs/flow/HEAD"

var fullObjectName = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// Open returns a revision of the repository at an address, "" for its HEAD: whatever
// the git program can clone, by the credentials it knows. Of a repository that
// was cloned before only what is new comes over the network, and of a commit
// given by its full object name that is there already, nothing. The clone must
// be closed. Several processes may open the same repository at once.
func (c *Clones) Open(ctx context.Context, address, rev string) (*Clone, error) {
	bare, commit, err := c.update(ctx, address, rev)
	if err == nil {
		var clone *Clone
		if clone, err = checkOut(ctx, bare, commit); err == nil {
			return clone, nil
		}
	}
	return nil, cloneError(address, err)
}

// Resolve is Open for the name of the commit only.
func (c *Clones) Resolve(ctx context.Context, address, rev string) (string, error) {
	_, commit, err := c.update(ctx, address, rev)
	if err != nil {
		return "", cloneError(address, err)
	}
	return commit, nil
}

// cloneError says which repository cannot be cloned. A password or token in the
// URL is not repeated, by Git neither.
func cloneError(address string, err error) error {
	shown := HidePassword(address)
	var failed *GitError
	if errors.As(err, &failed) && shown != address {
		failed.Stderr = strings.ReplaceAll(failed.Stderr, address, shown)
	}
	return fmt.Errorf("clone '%s': %w", shown, err)
}

// HidePassword returns a URL for people to see: a password in it is left out, and
// of a web address the user too, which may be a token. What has none, or is no
// URL, comes back unchanged.
func HidePassword(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return address
	}
	_, secret := u.User.Password()
	switch {
	case u.Scheme == "http" || u.Scheme == "https":
		u.User = nil
	case secret:
		u.User = url.User(u.User.Username())
	default:
		return address
	}
	return u.String()
}

// update brings the clone of a repository up to date.
func (c *Clones) update(ctx context.Context, address, rev string) (bare, commit string, err error) {
	if address == "" || strings.HasPrefix(address, "-") {
		return "", "", errors.New("is no URL of a Git repository")
	}
	sum := sha256.Sum256([]byte(address))
	bare = filepath.Join(c.Dir, hex.EncodeToString(sum[:16])+".git")
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return "", "", err
	}
	lock := flock.New(bare + ".lock")
	if ok, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil || !ok {
		return "", "", fmt.Errorf("lock: %w", err)
	}
	// What is read later, without the lock, stays: nothing collects garbage in a
	// clone.
	commit, err = update(ctx, bare, address, rev)
	return bare, commit, errors.Join(err, lock.Unlock())
}

// Close removes the working tree.
func (c *Clone) Close() error { return os.RemoveAll(c.Git.Root) }

// update brings the bare clone up to date, as far as the revision needs it, and
// returns the revision's commit.
func update(ctx context.Context, bare, address, rev string) (string, error) {
	if !exists(filepath.Join(bare, "HEAD")) {
		if err := os.RemoveAll(bare); err != nil {
			return "", err
		}
		if err := runGit(ctx, filepath.Dir(bare), "init", "--quiet", "--bare", bare); err != nil {
			return "", err
		}
		if err := runGit(ctx, bare, "config", "gc.auto", "0"); err != nil {
			return "", err
		}
	}
	g := &Git{Root: bare, Dir: bare, Common: bare}
	if fullObjectName.MatchString(rev) {
		if commit, err := g.Resolve(ctx, rev); err == nil {
			return commit, nil
		}
	}
	fetch := []string{"fetch", "--quiet", "--no-auto-maintenance", "--no-write-fetch-head", "--no-tags"}
	err := runGit(ctx, bare, append(fetch, "--prune", "--", address, "+HEAD:"+headRef, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")...)
	if err != nil {
		return "", err
	}
	if rev == "" {
		return g.Resolve(ctx, headRef)
	}
	commit, err := g.Resolve(ctx, rev)
	if err != nil && fullObjectName.MatchString(rev) {
		// No branch or tag leads to it (any more); the server may have it all the same.
		if runGit(ctx, bare, append(fetch, "--", address, rev)...) == nil {
			commit, err = g.Resolve(ctx, rev)
		}
	}
	return commit, err
}

// runGit runs the program in a directory.
func runGit(ctx context.Context, dir string, args ...string) error {
	if _, err := exec.LookPath("git"); err != nil {
		return errors.New("the git program is needed to read other repositories, and is not installed")
	}
	g := &Git{Root: dir}
	_, err := g.run(ctx, nil, args...)
	return err
}

// checkOut makes a working tree of a commit.
func checkOut(ctx context.Context, bare, commit string) (c *Clone, err error) {
	root, err := os.MkdirTemp("", "flow-repository-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(root)
		}
	}()
	// Links in the path would make the tree lie elsewhere than Git says.
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(root, gitDirName), []byte("gitdir: "+filepath.ToSlash(bare)+"\n"), 0o600); err != nil {
		return nil, err
	}
	g, ok := OpenGit(root)
	if !ok {
		return nil, fmt.Errorf("'%s' is no Git repository", bare)
	}
	const largest = 1 << 20
	err = g.Extract(ctx, commit, root, root, func(rel string, size int64) bool {
		control := path.Base(path.Dir(rel))
		return size <= largest && (path.Base(rel) == PipelineFile || control == DVC.Control || control == Native.Control)
	})
	return &Clone{Git: g, Commit: commit}, err
}

// RootOf returns the root and the format of the project that a path of a working
// tree belongs to, slash-separated and relative to top: that of the nearest
// control directory above it, or else top itself. Nothing above top counts.
func RootOf(top, rel string) (root string, f *Format) {
	for dir := path.Clean(rel); ; dir = path.Dir(dir) {
		abs := filepath.Join(top, filepath.FromSlash(dir))
		for _, f := range []*Format{DVC, Native} {
			if isDir(filepath.Join(abs, f.Control)) {
				return abs, f
			}
		}
		if dir == "." || dir == "/" {
			return top, Native
		}
	}
}
