package track

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/flowrepro/flow/internal/atomicfile"
)

func isUnsupported(err error) bool { return errors.Is(err, ErrUnsupported) }

// Fetch returns a directory on this machine with the files of a model. What lies
// on this machine is used where it is; everything else is downloaded to the
// cache, once for each identity. Where a digest was recorded, the content is
// checked against it every time. The caller must not change the files.
func (r *Resolver) Fetch(ctx context.Context, m Resolved) (dir string, err error) {
	op := "fetch '" + m.URI.String() + "'"
	if m.URI.Local() {
		return r.dir(m.URI.Dir), nil
	}
	src, err := r.source(ctx, op, m)
	if err != nil {
		return "", err
	}
	if src.local != "" {
		return src.local, verify(op, src.local, m.Digest)
	}
	base := r.Cache
	if base == "" {
		base = filepath.Join(os.TempDir(), "flow-models")
	}
	dir = filepath.Join(base, cacheName(m))
	if _, serr := os.Stat(dir); serr == nil {
		if verify(op, dir, m.Digest) == nil && complete(dir, src.files) {
			return dir, nil
		}
		if err := os.RemoveAll(dir); err != nil {
			return "", &Error{Op: op, Err: err}
		}
	}
	if err := os.MkdirAll(base, 0o777); err != nil {
		return "", &Error{Op: op, Err: err}
	}
	tmp, err := os.MkdirTemp(base, atomicfile.Prefix)
	if err != nil {
		return "", &Error{Op: op, Err: err}
	}
	defer func() { _ = os.RemoveAll(tmp) }() // a temporary directory
	if err := src.download(ctx, tmp); err != nil {
		return "", err
	}
	if err := verify(op, tmp, m.Digest); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, dir); err != nil {
		// Another process was faster.
		if verify(op, dir, m.Digest) == nil && complete(dir, src.files) {
			return dir, nil
		}
		return "", &Error{Op: op, Err: err}
	}
	return dir, nil
}

// Load resolves an address and fetches the model.
func (r *Resolver) Load(ctx context.Context, address string) (dir string, m Resolved, err error) {
	u, err := ParseModelURI(address)
	if err != nil {
		return "", Resolved{}, err
	}
	if m, err = r.Resolve(ctx, u); err != nil {
		return "", m, err
	}
	dir, err = r.Fetch(ctx, m)
	return dir, m, err
}

// cacheName is a directory name for an identity.
func cacheName(m Resolved) string {
	sum := digestOf([]FileDigest{{Path: m.URI.Name + m.URI.Remote + m.RunID, SHA256: m.Identity}})
	name := sum[len("sha256:"):][:24]
	if m.Name != "" && madeOf(m.Name, "-.") {
		name = fmt.Sprintf("%s-%d-%s", m.Name, m.Version, name)
	}
	return name
}

// source is where the files of a model are.
type source struct {
	local string // a directory here, or
	files []File
	open  func(ctx context.Context, name string) (io.ReadCloser, error)
}

func (r *Resolver) source(ctx context.Context, op string, m Resolved) (*source, error) {
	if m.URI.Remote != "" {
		return r.remote(ctx, op, m.URI.Remote)
	}
	root, err := r.root(ctx, m)
	if err != nil {
		return nil, err
	}
	if dir, ok := r.Store.LocalDir(root); ok {
		if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
			return nil, &Error{Op: op, Err: fmt.Errorf("%w: its files are not at '%s'", ErrNotFound, root)}
		}
		return &source{local: dir}, nil
	}
	if strings.HasPrefix(root, "s3://") && r.Objects != nil {
		return r.remote(ctx, op, root)
	}
	s := &source{open: func(ctx context.Context, name string) (io.ReadCloser, error) {
		return r.Store.OpenArtifact(ctx, root, name)
	}}
	if s.files, err = WalkArtifacts(ctx, r.Store, root, ""); err != nil {
		return nil, err
	}
	if len(s.files) == 0 {
		return nil, &Error{Op: op, Err: fmt.Errorf("%w: there are no files at '%s'", ErrNotFound, root)}
	}
	return s, nil
}

func (r *Resolver) remote(ctx context.Context, op, uri string) (*source, error) {
	list, err := r.objects(ctx, op, uri)
	if err != nil {
		return nil, err
	}
	s := &source{open: func(ctx context.Context, name string) (io.ReadCloser, error) {
		return r.Objects.Open(ctx, uri, name)
	}}
	for _, o := range list {
		s.files = append(s.files, File{Path: o.Path, Size: o.Size})
	}
	return s, nil
}

// root finds the artifact root of a model's files.
func (r *Resolver) root(ctx context.Context, m Resolved) (string, error) {
	switch {
	case m.Registered != nil:
		return r.Store.VersionSource(ctx, *m.Registered)
	case m.URI.ModelID != "":
		logger, ok := r.Store.(ModelLogger)
		if !ok {
			return "", NotFound("get model '" + m.URI.ModelID + "'")
		}
		lm, err := logger.LoggedModel(ctx, m.URI.ModelID)
		return lm.Root, err
	}
	return RunArtifactRoot(ctx, r.Store, m.URI.RunID, m.URI.Path)
}

// RunArtifactRoot returns where an artifact of a run is: below the run's root or,
// for a model that the store keeps by itself, below the model's.
func RunArtifactRoot(ctx context.Context, s Store, runID, name string) (string, error) {
	run, err := s.Run(ctx, runID)
	if err != nil {
		return "", err
	}
	root := JoinRoot(run.ArtifactURI, name)
	if logger, ok := s.(ModelLogger); ok && name != "" {
		if list, err := s.ListArtifacts(ctx, run.ArtifactURI, name); err == nil && len(list) > 0 {
			return root, nil
		}
		models, err := logger.RunModels(ctx, run)
		if err != nil && !isUnsupported(err) {
			return "", err
		}
		for _, m := range models {
			if m.Name == name {
				return m.Root, nil
			}
		}
	}
	return root, nil
}

// WalkArtifacts lists the files below a directory of an artifact root.
func WalkArtifacts(ctx context.Context, a Artifacts, root, dir string) ([]File, error) {
	var all []File
	pending, dirs := []string{dir}, 0
	for len(pending) > 0 {
		next := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		list, err := a.ListArtifacts(ctx, root, next)
		if err != nil {
			return nil, err
		}
		for _, f := range list {
			if f.Dir {
				pending = append(pending, f.Path)
			} else {
				all = append(all, f)
			}
		}
		if dirs++; len(all)+len(pending)+dirs > MaxModelFiles {
			return nil, Invalid("list artifacts", "there are more than %d files", MaxModelFiles)
		}
	}
	return all, nil
}

// download writes all files below dir. Names that would leave it, and more than
// the listing promised, are errors.
func (s *source) download(ctx context.Context, dir string) error {
	var total int64
	for _, f := range s.files {
		op := "download '" + f.Path + "'"
		name, err := CleanArtifactPath(op, f.Path)
		if err != nil {
			return err
		}
		if total += f.Size; name == "" || f.Size < 0 || total > MaxModelBytes {
			return Invalid(op, "it has no name, or the model has more than %d bytes", int64(MaxModelBytes))
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			return &Error{Op: op, Err: err}
		}
		if err := s.file(ctx, f, to); err != nil {
			return &Error{Op: op, Err: err}
		}
	}
	return nil
}

func (s *source) file(ctx context.Context, f File, to string) error {
	in, err := s.open(ctx, f.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(in, f.Size+1))
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil && n != f.Size {
		err = fmt.Errorf("got %d bytes or more, the listing says %d", n, f.Size)
	}
	return err
}

// complete reports whether a directory holds all files in their sizes.
func complete(dir string, files []File) bool {
	for _, f := range files {
		fi, err := os.Stat(filepath.Join(dir, filepath.FromSlash(path.Clean(f.Path))))
		if err != nil || fi.Size() != f.Size {
			return false
		}
	}
	return true
}

func verify(op, dir, digest string) error {
	if digest == "" {
		return nil
	}
	have, err := DirDigest(dir)
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	if have != digest {
		return &Error{Op: op, Err: fmt.Errorf("the files have the digest %s, recorded is %s", have, digest),
			Advice: "the model was changed after it was logged: log and register it again"}
	}
	return nil
}
