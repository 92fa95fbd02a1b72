package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/project"
)

// repositoryRef says what to read of which project, wherever that is.
type repositoryRef struct {
	// url is a directory, or anything that Git can clone.
	url string
	// rev is a Git revision; "" means HEAD, and of a directory its files as they
	// are unless committed asks for HEAD.
	rev       string
	committed bool
	// path is what to read, relative to url; it may be in a project below.
	path string
	// remote is used instead of the project's default remote.
	remote string
	// settings come before those of the project's configuration.
	settings repositorySettings
	// temp is an existing directory for what is downloaded and not kept; ""
	// means the system's.
	temp string
}

// repository is a project that is only read.
type repository struct {
	*session
	ref repositoryRef
	rev *revision
	// within is the path that is read, relative to the project's root.
	within string
	// local is set when the project is in a directory, whose cache can be read.
	local bool
	jobs  int
	clone *project.Clone
	// temp is a directory for what is not kept, made when needed.
	temp string
}

// isRepositoryURL reports whether Git has to clone what an argument names.
func isRepositoryURL(arg string) bool {
	if fi, err := os.Stat(arg); err == nil && fi.IsDir() {
		return false
	}
	return strings.Contains(arg, "://") || strings.Contains(arg, ":")
}

// openRepository opens a project to read from it. into, unless nil, is the store
// that objects are brought to if it names them as the project does; otherwise
// they come into a temporary one. The repository must be closed.
func (a *app) openRepository(ctx context.Context, ref repositoryRef, into *cache.Store) (*repository, error) {
	r := &repository{ref: ref}
	if err := r.load(ctx, into); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *repository) load(ctx context.Context, into *cache.Store) error {
	p, err := r.find(ctx)
	if err != nil {
		return err
	}
	r.session = &session{project: p, cwd: p.Root, dir: "."}
	switch {
	case into != nil && into.Hash() == p.Format.Hash:
		r.store = into
	case r.local && into == nil:
		r.store, err = openStore(p, nil) // nothing is written to it, see fetch
	default:
		r.store, err = r.temporaryStore()
	}
	if err != nil {
		return err
	}
	r.rev, err = r.open(ctx)
	return err
}

// find finds the project, if need be in a clone.
func (r *repository) find(ctx context.Context) (*project.Project, error) {
	top := r.ref.url
	rel := path.Clean(filepath.ToSlash(r.ref.path))
	if fi, err := os.Stat(top); err == nil && fi.IsDir() && !isBare(top) {
		if top, err = filepath.Abs(top); err != nil {
			return nil, err
		}
		root, f := project.RootOf(top, rel)
		if _, err := os.Stat(filepath.Join(root, f.Control)); err != nil {
			// A project around another Git repository is not that one's.
			git, inGit := project.FindGit(top)
			root, f, err = project.FindRoot(top)
			var none *project.NotFoundError
			if inGit && (errors.As(err, &none) || err == nil && !isWithin(git.Root, root)) {
				root, f, err = git.Root, project.Native, nil
			}
			if err != nil {
				return nil, err
			}
		}
		r.local = true
		return r.at(root, f, filepath.Join(top, filepath.FromSlash(rel)))
	}
	if !isRepositoryURL(top) && !isBare(top) {
		return nil, fmt.Errorf("'%s' is neither a directory nor a URL of a Git repository: %w", top, fs.ErrNotExist)
	}
	if isBare(top) {
		var err error
		if top, err = filepath.Abs(top); err != nil {
			return nil, err
		}
	}
	clone, err := project.UserClones().Open(ctx, top, r.ref.rev)
	if err != nil {
		return nil, err
	}
	r.clone = clone
	root, f := project.RootOf(clone.Git.Root, rel)
	return r.at(root, f, filepath.Join(clone.Git.Root, filepath.FromSlash(rel)))
}

// isWithin reports whether a directory is dir or lies in it.
func isWithin(dir, abs string) bool {
	rel, err := filepath.Rel(dir, abs)
	return err == nil && filepath.IsLocal(rel)
}

// at opens the project at root; abs is what is read.
func (r *repository) at(root string, f *project.Format, abs string) (*project.Project, error) {
	p, err := project.New(root, f)
	if err != nil {
		return nil, err
	}
	rel, ok := p.Rel(abs)
	if !ok {
		return nil, fmt.Errorf("'%s' is outside of the project", r.ref.path)
	}
	r.within = filepath.ToSlash(rel)
	if err := r.ref.settings.apply(p.Config, r.ref.remote); err != nil {
		return nil, err
	}
	return p, nil
}

// isBare reports whether a directory is a Git repository without a working tree.
func isBare(dir string) bool {
	fi, err := os.Stat(filepath.Join(dir, "objects"))
	return err == nil && fi.IsDir() && fileExists(filepath.Join(dir, "HEAD"))
}

// open loads the revision.
func (r *repository) open(ctx context.Context) (*revision, error) {
	switch {
	case r.clone != nil:
		name := r.ref.rev
		if name == "" {
			name = "HEAD"
		}
		return r.atCommit(ctx, r.clone.Git, name, r.clone.Commit)
	case r.ref.rev != "":
		return r.session.at(ctx, r.ref.rev)
	case r.ref.committed:
		if _, ok := r.project.Git(); ok {
			return r.session.at(ctx, "HEAD")
		}
	}
	var err error
	if r.set, err = loadPipeline(r.project, project.NewIgnore(r.project.Root)); err != nil {
		return nil, err
	}
	return r.workspace(), nil
}

// temporaryStore is a store that goes with the repository.
func (r *repository) temporaryStore() (*cache.Store, error) {
	dir, err := r.tempDir()
	if err != nil {
		return nil, err
	}
	return cache.Open(cache.Options{Dir: filepath.Join(dir, "cache"), Hash: r.project.Format.Hash, Temp: filepath.Join(dir, "tmp")})
}

// tempDir returns the repository's temporary directory, made if it is not there
// yet.
func (r *repository) tempDir() (string, error) {
	var err error
	if r.temp == "" {
		r.temp, err = os.MkdirTemp(r.ref.temp, ".flow-repository-")
	}
	return r.temp, err
}

// shown is where the project is, for people.
func (r *repository) shown() string { return project.HidePassword(r.ref.url) }

// close removes what is temporary. What remains in the system's directory for
// temporary files does no harm.
func (r *repository) close() {
	if r.clone != nil {
		_ = r.clone.Close()
	}
	if r.temp != "" {
		_ = os.RemoveAll(r.temp)
	}
}
