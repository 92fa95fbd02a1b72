package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/internal/atomicfile"
	"github.com/flowrepro/flow/remote"
)

// download brings the path of the repository to dest, an absolute path where
// nothing is, or, with replace, what is replaced. All of it comes, or nothing.
func (r *repository) download(ctx context.Context, dest string, replace bool, progress func(remote.Progress)) (remote.Result, error) {
	var res remote.Result
	// On dest's file system, so that what has come can be given its name.
	stage, err := newStaging(filepath.Dir(dest))
	if err != nil {
		return res, err
	}
	defer stage.remove()
	place := stage.place
	outs := r.outputs()
	if res, err = r.fetch(ctx, outs, progress); err != nil {
		return res, err
	}
	for _, o := range outs {
		if err := r.checkout(ctx, o, place); err != nil {
			return res, err
		}
	}
	if err := r.copyFiles(ctx, outs, place); err != nil {
		return res, err
	}
	return res, stage.take(dest, replace)
}

// staging is a temporary directory for data that comes and has no name yet.
type staging struct {
	dir string
	// place is where the data goes; nothing is there at first.
	place string
}

// newStaging makes one in dir, which is made if need be.
func newStaging(dir string) (*staging, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	temp, err := os.MkdirTemp(dir, ".flow-import-")
	if err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	return &staging{temp, filepath.Join(temp, "data")}, nil
}

// take gives the data the name dest. With replace what has the name is set aside
// for it, and comes back if that fails.
func (g *staging) take(dest string, replace bool) error {
	aside := filepath.Join(g.dir, "replaced")
	if replace {
		if err := atomicfile.Rename(dest, aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("replace '%s': %w", dest, err)
		}
	}
	if err := atomicfile.Rename(g.place, dest); err != nil {
		err = fmt.Errorf("write '%s': %w", dest, err)
		if _, there := os.Lstat(aside); there == nil {
			err = errors.Join(err, atomicfile.Rename(aside, dest))
		}
		return err
	}
	return nil
}

// remove removes what is left. What cannot be removed does no harm.
func (g *staging) remove() { _ = os.RemoveAll(g.dir) }

// checkout makes an output, or the part of it that is asked for, at or below
// place.
func (r *repository) checkout(ctx context.Context, o engine.Recorded, place string) error {
	entry, to := o.Entry, place
	if o.Within != "" {
		part, err := r.part(o)
		if err != nil {
			return err
		}
		if one := part.Members[0]; one.Path == "" {
			entry = cache.Entry{Digest: one.Digest, Size: one.Size, Exec: one.Exec}
		} else {
			entry = part.Entry(o.Entry.Digest.Hash())
			r.store.Know(entry, part)
		}
	} else if below, ok := strings.CutPrefix(o.Path, r.within+"/"); ok {
		to = filepath.Join(place, filepath.FromSlash(below))
	} else if r.within == "." {
		to = filepath.Join(place, filepath.FromSlash(o.Path))
	}
	if _, err := r.store.Checkout(ctx, to, entry, cache.CheckoutOptions{Verify: true}); err != nil {
		return fmt.Errorf("write '%s': %w", o.Path, err)
	}
	return nil
}

// copyFiles copies those files below the path that are no outputs.
func (r *repository) copyFiles(ctx context.Context, outs []engine.Recorded, place string) error {
	if len(outs) == 1 && (outs[0].Path == r.within || outs[0].Within != "") {
		return nil
	}
	l, err := r.list(ctx, 0, false)
	if err != nil {
		return err
	}
	if l.items[r.within].dir {
		if err := os.MkdirAll(place, 0o777); err != nil {
			return fmt.Errorf("make directory: %w", err)
		}
	}
	var names []string
	for rel, it := range l.items {
		if _, below := l.below(rel); it.dir || it.out || l.inOutput(rel) || !below && rel != r.within || below && trackingFile(rel) {
			continue
		}
		names = append(names, rel)
	}
	slices.Sort(names)
	for _, rel := range names {
		to := place
		if below, ok := l.below(rel); ok {
			to = filepath.Join(place, filepath.FromSlash(below))
		}
		if err := r.copyFile(ctx, rel, to, l.items[rel].exec); err != nil {
			return fmt.Errorf("copy '%s': %w", rel, err)
		}
	}
	return nil
}

// copyFile copies a file that Git or the directory has.
func (r *repository) copyFile(ctx context.Context, rel, to string, exec bool) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	mode := fs.FileMode(0o666)
	if exec {
		mode = 0o777
	}
	if r.rev.commit == "" {
		return copyFile(r.project.Abs(rel), to, mode)
	}
	g, ok := r.project.Git()
	if !ok {
		return errNoGit
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	err = g.CopyFile(ctx, out, r.rev.commit, r.project.Abs(rel))
	return errors.Join(err, out.Close())
}

// address is where the object of the path lies on the project's remote.
func (r *repository) address(ctx context.Context) (string, error) {
	outs := r.outputs()
	if len(outs) != 1 || outs[0].Within == "" && outs[0].Path != r.within {
		return "", fmt.Errorf("'%s' is no output of '%s', nor a file in one", r.ref.path, r.shown())
	}
	o := outs[0]
	d := o.Entry.Digest
	if o.Within != "" {
		if err := r.know(ctx, outs); err != nil {
			return "", err
		}
		part, err := r.part(o)
		if err != nil {
			return "", err
		}
		if len(part.Members) != 1 || part.Members[0].Path != "" {
			return "", fmt.Errorf("'%s' is only a part of a directory: it has no object of its own", r.ref.path)
		}
		d = part.Members[0].Digest
	}
	name := r.ref.remote
	if name == "" {
		name = o.Remote
	}
	if name == "" {
		var ok bool
		if name, ok = r.project.Config.DefaultRemote(); !ok {
			return "", &noRemoteError{r.project.Root}
		}
	}
	rem, err := r.project.Config.Remote(name)
	if err != nil {
		return "", err
	}
	object := remote.ObjectName(d)
	if strings.Contains(rem.URL, "://") {
		return strings.TrimSuffix(rem.URL, "/") + "/" + object, nil
	}
	return filepath.Join(rem.URL, filepath.FromSlash(object)), nil
}

// destination is where a verb that brings data puts it: out, or in it when that
// is a directory, or the name of the source in the current directory. What is
// there is replaced with force only.
func (s *session) destination(source, out string, force bool) (string, error) {
	name := path.Base(strings.TrimRight(filepath.ToSlash(source), "/"))
	if out == "" {
		out = name
	} else if fi, err := os.Stat(s.abs(out)); err == nil && fi.IsDir() {
		out = filepath.Join(out, name)
	}
	if _, err := os.Lstat(s.abs(out)); err == nil && !force {
		return "", &hinted{fmt.Errorf("The file '%s' already exists locally.", out), //nolint:staticcheck,revive // DVC's words
			"To override it, re-run with '--force'."}
	}
	return out, nil
}
