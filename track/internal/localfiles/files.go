package localfiles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/flowrepro/flow/internal/atomicfile"
	"github.com/flowrepro/flow/track"
)

// Files keeps artifacts below artifact roots that are directories. It is safe
// for concurrent use.
type Files struct {
	// Base is where relative roots start from.
	Base string
}

// LocalDir implements track.Artifacts. A relative root is below the base;
// absolute ones and file: URIs, which MLflow writes, are taken as they are.
func (s Files) LocalDir(root string) (string, bool) { return track.LocalRoot(s.Base, root) }

// place returns the path of an artifact. Links that lead out of the artifact
// root are refused.
func (s Files) place(op, root, name string) (string, error) {
	dir, ok := s.LocalDir(root)
	if !ok {
		return "", &track.Error{Op: op, Err: fmt.Errorf("%w: artifacts at '%s'", track.ErrUnsupported, root),
			Advice: "they belong to a server: set MLFLOW_TRACKING_URI to its address"}
	}
	clean, err := track.CleanArtifactPath(op, name)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, filepath.FromSlash(clean))
	if !staysIn(dir, file) {
		return "", track.Invalid(op, "a link in it leads out of '%s'", root)
	}
	return file, nil
}

// staysIn reports whether the part of file that exists lies in dir once links
// are followed.
func staysIn(dir, file string) bool {
	base, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	for at := file; len(at) >= len(dir); at = filepath.Dir(at) {
		found, err := filepath.EvalSymlinks(at)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		rel, rerr := filepath.Rel(base, found)
		return err == nil && rerr == nil && filepath.IsLocal(rel)
	}
	return true
}

// PutArtifact implements track.Artifacts.
func (s Files) PutArtifact(ctx context.Context, root, name string, r io.ReadSeeker, size int64) error {
	op := "store artifact '" + name + "'"
	file, err := s.place(op, root, name)
	if err != nil {
		return err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return &track.Error{Op: op, Err: err}
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return &track.Error{Op: op, Err: err}
	}
	err = atomicfile.Create(file, 0o666, func(w io.Writer) error {
		n, err := io.Copy(w, contextReader{ctx, r})
		if err == nil && n != size {
			err = fmt.Errorf("it has %d bytes instead of %d", n, size)
		}
		return err
	})
	if err != nil {
		return &track.Error{Op: op, Err: err}
	}
	return nil
}

// contextReader stops when the context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// OpenArtifact implements track.Artifacts.
func (s Files) OpenArtifact(_ context.Context, root, name string) (io.ReadCloser, error) {
	op := "read artifact '" + name + "'"
	file, err := s.place(op, root, name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err == nil {
		var fi fs.FileInfo
		if fi, err = f.Stat(); err == nil && fi.IsDir() {
			err = fs.ErrNotExist
		}
		if err == nil {
			return f, nil
		}
		_ = f.Close() // it was only read
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, track.NotFound(op)
	}
	return nil, &track.Error{Op: op, Err: err}
}

// ListArtifacts implements track.Artifacts.
func (s Files) ListArtifacts(_ context.Context, root, dir string) ([]track.File, error) {
	op := "list artifacts"
	at, err := s.place(op, root, dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(at)
	if err != nil {
		if fi, serr := os.Stat(at); errors.Is(err, fs.ErrNotExist) || serr == nil && !fi.IsDir() {
			return nil, nil
		}
		return nil, &track.Error{Op: op, Err: err}
	}
	var list []track.File
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), atomicfile.Prefix) {
			continue
		}
		fi, err := os.Stat(filepath.Join(at, e.Name()))
		if err != nil {
			continue // removed meanwhile, or a link to nowhere
		}
		f := track.File{Path: path.Join(dir, e.Name()), Dir: fi.IsDir()}
		if !f.Dir {
			f.Size = fi.Size()
		}
		list = append(list, f)
	}
	return list, nil
}

// DeleteArtifact implements track.Artifacts.
func (s Files) DeleteArtifact(_ context.Context, root, name string) error {
	op := "remove artifact '" + name + "'"
	file, err := s.place(op, root, name)
	if err != nil {
		return err
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &track.Error{Op: op, Err: err}
	}
	return nil
}
