package track

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Objects reads a directory in object storage. The Resolver uses it for
// addresses and artifact roots of the scheme s3.
type Objects interface {
	// List returns the files below an address, with their paths relative to
	// it. Version, if not empty, changes with the content.
	List(ctx context.Context, uri string) ([]Object, error)
	// Open reads a file below an address.
	Open(ctx context.Context, uri, path string) (io.ReadCloser, error)
}

// ObjectWriter is implemented by object storage that can be written to.
type ObjectWriter interface {
	// Put stores a file below an address.
	Put(ctx context.Context, uri, path string, r io.ReadSeeker, size int64) error
}

// Object is a file in object storage.
type Object struct {
	Path    string
	Size    int64
	Version string
}

// Resolver finds models by their addresses. It is safe for concurrent use.
type Resolver struct {
	// Store may be nil where no address needs one.
	Store Store
	// Objects may be nil where no address needs it.
	Objects Objects
	// Base is the directory that relative addresses of directories start
	// from; "" is the current one.
	Base string
	// Cache is the directory that downloads go to, made when needed. The one
	// for temporary files of the system when empty.
	Cache string
}

// Resolved says what an address means now.
type Resolved struct {
	URI ModelURI
	// Identity changes when the address begins to mean another model, or the
	// model has other content. It is only good for comparing.
	Identity string
	// Name and Version are those of a registered model, else "" and 0.
	Name    string
	Version int
	RunID   string
	// Digest is what the directory's digest must be (see DirDigest), "" when
	// nobody recorded it.
	Digest string
	// Registered is the version with its tags, for a registered model.
	Registered *Version
}

// String names the model for people: "sentiment version 3".
func (r Resolved) String() string {
	if r.Name != "" {
		return fmt.Sprintf("%s version %d", r.Name, r.Version)
	}
	return r.URI.String()
}

// Resolve finds out what an address means. It is cheap enough to be called every
// few seconds: a query of the embedded store, one or two requests to a server,
// a listing of a directory. It does not fetch anything.
func (r *Resolver) Resolve(ctx context.Context, u ModelURI) (Resolved, error) {
	op := "resolve '" + u.String() + "'"
	res := Resolved{URI: u}
	switch {
	case u.Local():
		stamp, err := dirStamp(r.dir(u.Dir))
		if errors.Is(err, fs.ErrNotExist) {
			return res, &Error{Op: op, Err: fmt.Errorf("%w: there is no such directory", ErrNotFound)}
		}
		if err != nil {
			return res, &Error{Op: op, Err: err}
		}
		res.Identity = stamp
		return res, nil
	case u.Remote != "":
		list, err := r.objects(ctx, op, u.Remote)
		if err != nil {
			return res, err
		}
		h := sha256.New()
		for _, o := range list {
			fmt.Fprintf(h, "%d %s %s\n", o.Size, o.Version, o.Path)
		}
		res.Identity = hex.EncodeToString(h.Sum(nil))
		return res, nil
	case r.Store == nil:
		return res, &Error{Op: op, Err: fmt.Errorf("%w: no registry is configured", ErrUnsupported),
			Advice: "set MLFLOW_TRACKING_URI, or work in a project that has mlflow.db"}
	case u.ModelID != "":
		res.Identity = u.ModelID
		return res, nil
	case u.RunID != "":
		run, err := r.Store.Run(ctx, u.RunID)
		if err != nil {
			return res, err
		}
		res.RunID, res.Digest = u.RunID, run.Tags[TagModelDigest]
		res.Identity = u.String() + " " + res.Digest
		return res, nil
	}
	v, err := FindVersion(ctx, r.Store, u)
	if err != nil {
		return res, err
	}
	res.Name, res.Version, res.RunID, res.Registered = v.Name, v.Version, v.RunID, &v
	res.Digest = v.Tags[TagModelDigest]
	res.Identity = fmt.Sprintf("%s/%d %d %s", v.Name, v.Version, v.Created.UnixMilli(), res.Digest)
	return res, nil
}

// FindVersion returns the version of a registered model that an address means.
func FindVersion(ctx context.Context, s Registry, u ModelURI) (Version, error) {
	switch {
	case !u.Registered():
		return Version{}, Invalid("find '"+u.String()+"'", "it is not the address of a registered model")
	case u.Alias != "":
		return s.VersionByAlias(ctx, u.Name, u.Alias)
	case u.Version > 0:
		return s.Version(ctx, u.Name, u.Version)
	}
	list, err := s.Versions(ctx, u.Name)
	if err != nil {
		return Version{}, err
	}
	for _, v := range list {
		if u.Latest || v.Stage == u.Stage {
			return v, nil
		}
	}
	if _, err := s.Model(ctx, u.Name); err != nil {
		return Version{}, err
	}
	return Version{}, NotFound("find '" + u.String() + "'")
}

func (r *Resolver) dir(name string) string {
	if filepath.IsAbs(name) || r.Base == "" {
		return name
	}
	return filepath.Join(r.Base, name)
}

func (r *Resolver) objects(ctx context.Context, op, uri string) ([]Object, error) {
	if r.Objects == nil {
		return nil, &Error{Op: op, Err: fmt.Errorf("%w: object storage is not configured", ErrUnsupported)}
	}
	list, err := r.Objects.List(ctx, uri)
	switch {
	case err != nil:
		return nil, &Error{Op: op, Err: err}
	case len(list) == 0:
		return nil, &Error{Op: op, Err: fmt.Errorf("%w: there are no objects", ErrNotFound)}
	}
	return list, nil
}

// dirStamp is a digest of names, sizes and times in a directory.
func dirStamp(dir string) (string, error) {
	h := sha256.New()
	n := 0
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		if n++; n > MaxModelFiles {
			return fmt.Errorf("'%s' holds more than %d files", dir, MaxModelFiles)
		}
		if fi.Mode().IsRegular() {
			fmt.Fprintf(h, "%s %d %s\n", p, fi.Size(), fi.ModTime().UTC().Format(time.RFC3339Nano))
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		return "", fmt.Errorf("'%s' is not a directory", dir)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// ResolveFirst resolves the first of several addresses that means anything.
func (r *Resolver) ResolveFirst(ctx context.Context, uris ...ModelURI) (Resolved, error) {
	var last error
	for _, u := range uris {
		m, err := r.Resolve(ctx, u)
		if err == nil || !errors.Is(err, ErrNotFound) {
			return m, err
		}
		last = err
	}
	return Resolved{}, last
}
