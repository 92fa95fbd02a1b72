package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
	"github.com/flowrepro/flow/project"
	"github.com/flowrepro/flow/remote"
	"github.com/flowrepro/flow/remote/s3"
	"github.com/flowrepro/flow/stages/dataset"
)

// importSource is a file or directory outside of the project, or in it, that data
// is imported from.
type importSource interface {
	// state tells what is there now without bringing it: tag and size, or the
	// digest, in an entry for the .dvc file whose path is left to the caller.
	// An entry with neither tag nor digest means that only the content can tell.
	// The error wraps fs.ErrNotExist when nothing is there.
	state(ctx context.Context) (lock.DataEntry, error)
	// fetch brings it to a path where nothing is; whatever it left there after an
	// error is of no use.
	fetch(ctx context.Context, to string, progress func(remote.Progress)) error
}

// openSource returns what a dependency of an import means: a URL, or a path that
// is absolute or relative to base. settings, which may be nil, are for the store
// that it is in. h is the algorithm for digests of local data.
func (s *session) openSource(def, base string, settings *yaml12.Map, h *cache.Hash) (importSource, error) {
	own, err := stringSettings(settings)
	if err != nil {
		return nil, fmt.Errorf("settings (fs_config) of '%s': %w", def, err)
	}
	scheme, rest, ok := strings.Cut(def, "://")
	switch {
	case !ok:
		abs := filepath.FromSlash(def)
		if !filepath.IsAbs(abs) {
			abs = filepath.Join(base, abs)
		}
		return &localSource{s, abs, h}, nil
	case scheme == "file":
		return &localSource{s, filepath.FromSlash(rest), h}, nil
	case scheme == "http", scheme == "https":
		if len(own) > 0 {
			return nil, &hinted{fmt.Errorf("'%s': there are no settings (fs_config) for %s:// here", def, scheme),
				"the environment variable FLOW_SOURCE_AUTHORIZATION is sent as the Authorization header"}
		}
		file, err := dataset.NewWebFile(def)
		return &webSource{file}, err
	case scheme == "s3":
		return openS3Source(def, own, h)
	case scheme == "remote":
		name, sub, _ := strings.Cut(rest, "/")
		r, err := s.project.Config.Remote(name)
		if err != nil {
			return nil, err
		}
		if !strings.Contains(r.URL, "://") {
			return &localSource{s, filepath.Join(r.URL, filepath.FromSlash(sub)), h}, nil
		}
		r.Options = withSettings(r.Options, own)
		return openRemoteSource(&r, sub, h)
	}
	return nil, &hinted{fmt.Errorf("'%s': %s:// is not supported", def, scheme), "sources: paths, http://, https://, s3://, remote://NAME/PATH"}
}

func openRemoteSource(r *project.Remote, sub string, h *cache.Hash) (importSource, error) {
	if !strings.HasPrefix(r.URL, "s3://") {
		return nil, fmt.Errorf("remote '%s': only directories and s3:// can be imported from", r.Name)
	}
	return openS3Source(strings.TrimSuffix(r.URL, "/")+"/"+sub, r.Options, h)
}

func openS3Source(address string, settings map[string]string, h *cache.Hash) (importSource, error) {
	o, err := s3.Parse(address, settings)
	if err != nil {
		return nil, err
	}
	if o.Prefix == "" {
		return nil, fmt.Errorf("'%s' names no object: write it as s3://BUCKET/KEY", address)
	}
	name := o.Prefix
	o.Prefix = ""
	store, err := s3.New(o)
	if err != nil {
		return nil, err
	}
	return &storeSource{remote.Retry(store, remote.NewRetrier(remote.RetryOptions{Attempts: patientAttempts})), name, h}, nil
}

// localSource is a file or directory on this machine.
type localSource struct {
	s    *session
	path string // absolute
	hash *cache.Hash
}

func (l *localSource) state(ctx context.Context) (lock.DataEntry, error) {
	e := lock.NewSource("")
	c, _, err := l.s.engine.Scan(ctx, filepath.ToSlash(l.path), l.hash)
	if err != nil {
		return e, err
	}
	e.Digest, e.Size, e.Exec = c.Digest.String(), c.Size, c.Exec
	if c.Digest.IsDir() {
		e.Files = int64(c.Files)
	}
	return e, nil
}

func (l *localSource) fetch(ctx context.Context, to string, progress func(remote.Progress)) error {
	fi, err := os.Stat(l.path)
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		progress(remote.Progress{MoreObjects: 1, MoreBytes: fi.Size()})
		// DVC's imports are not executable, whatever the source is.
		if err := copyFile(l.path, to, 0o666); err != nil {
			return err
		}
		progress(remote.Progress{Objects: 1, Bytes: fi.Size()})
		return nil
	}
	// What counts in a directory, the scan knows.
	_, m, err := l.s.engine.Scan(ctx, filepath.ToSlash(l.path), l.hash)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	progress(remote.Progress{MoreObjects: int64(len(m.Members))})
	for _, b := range m.Members {
		if err := ctx.Err(); err != nil {
			return err
		}
		place := filepath.Join(to, filepath.FromSlash(b.Path))
		if err := os.MkdirAll(filepath.Dir(place), 0o777); err != nil {
			return err
		}
		mode := fs.FileMode(0o666)
		if b.Exec {
			mode = 0o777
		}
		if err := copyFile(filepath.Join(l.path, filepath.FromSlash(b.Path)), place, mode); err != nil {
			return err
		}
		progress(remote.Progress{Objects: 1, Bytes: max(0, b.Size)})
	}
	return nil
}

// webSource is a file behind http or https.
type webSource struct{ file *dataset.WebFile }

func (w *webSource) state(ctx context.Context) (lock.DataEntry, error) {
	e := lock.NewSource("")
	tag, size, err := w.file.Stat(ctx)
	if err != nil {
		return e, err
	}
	if tag != "" {
		e.Extra, e.Size = &yaml12.Map{Items: []yaml12.Item{{Key: "checksum", Value: tag}}}, size
	}
	return e, nil
}

func (w *webSource) fetch(ctx context.Context, to string, progress func(remote.Progress)) error {
	var done, all int64
	tell := func(now, total int64) {
		progress(remote.Progress{Bytes: now - done, MoreBytes: max(0, total-all)})
		done, all = now, max(all, total)
	}
	return w.file.Download(ctx, tell, func(file string) error {
		// Downloads are private; the copy is as readable as any new file.
		if err := copyFile(os.DevNull, to, 0o666); err != nil {
			return err
		}
		fi, err := os.Stat(to)
		if err != nil {
			return err
		}
		if os.Rename(file, to) == nil {
			return os.Chmod(to, fi.Mode().Perm())
		}
		// It lies on another file system.
		if err := os.Remove(to); err != nil {
			return err
		}
		return copyFile(file, to, 0o666)
	})
}

// storeSource is an object, or all below a name, of an object store.
type storeSource struct {
	store remote.Store
	name  string
	hash  *cache.Hash
}

func (o *storeSource) state(ctx context.Context) (lock.DataEntry, error) {
	e := lock.NewSource("")
	info, err := o.store.Stat(ctx, o.name)
	if err == nil {
		if info.Tag != "" {
			e.Extra, e.Size = &yaml12.Map{Items: []yaml12.Item{{Key: "etag", Value: info.Tag}}}, info.Size
		}
		return e, nil
	}
	if !errors.Is(err, remote.ErrNotFound) {
		return e, err
	}
	list, err := o.below(ctx)
	if err != nil {
		return e, err
	}
	return o.listed(list), nil
}

// below lists the objects of a directory, by name.
func (o *storeSource) below(ctx context.Context) ([]remote.Info, error) {
	var list []remote.Info
	for info, err := range o.store.List(ctx, o.name+"/") {
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(info.Name, "/") {
			continue // how some programs mark a directory
		}
		rel := o.rel(info)
		if !filepath.IsLocal(filepath.FromSlash(rel)) || path.Clean(rel) != rel {
			return nil, fmt.Errorf("object '%s' has no name that a file can have", info.Name)
		}
		list = append(list, info)
	}
	if len(list) == 0 {
		return nil, &fs.PathError{Op: "import", Path: o.name, Err: fs.ErrNotExist}
	}
	slices.SortFunc(list, func(a, b remote.Info) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

func (o *storeSource) rel(info remote.Info) string { return strings.TrimPrefix(info.Name, o.name+"/") }

// listed is how DVC records a directory of a store: by the digest of a manifest
// that has the objects' tags. Where one has none, only the content tells.
func (o *storeSource) listed(list []remote.Info) lock.DataEntry {
	e := lock.NewSource("")
	members := make([]any, len(list))
	size := int64(0)
	for i, info := range list {
		if info.Tag == "" {
			return e
		}
		members[i] = &yaml12.Map{Items: []yaml12.Item{{Key: "etag", Value: info.Tag}, {Key: "relpath", Value: o.rel(info)}}}
		size += info.Size
	}
	h := o.hash.New()
	h.Write(python.JSON(members))
	e.Digest, e.Size, e.Files = cache.NewDigest(o.hash, h.Sum(nil), true).String(), size, int64(len(list))
	return e
}

func (o *storeSource) fetch(ctx context.Context, to string, progress func(remote.Progress)) error {
	info, err := o.store.Stat(ctx, o.name)
	if err == nil {
		progress(remote.Progress{MoreObjects: 1, MoreBytes: info.Size})
		return o.copy(ctx, info, to, progress)
	}
	if !errors.Is(err, remote.ErrNotFound) {
		return err
	}
	list, err := o.below(ctx)
	if err != nil {
		return err
	}
	for _, info := range list {
		progress(remote.Progress{MoreObjects: 1, MoreBytes: info.Size})
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(smallTransfers)
	for _, info := range list {
		g.Go(func() error {
			place := filepath.Join(to, filepath.FromSlash(o.rel(info)))
			if err := os.MkdirAll(filepath.Dir(place), 0o777); err != nil {
				return err
			}
			return o.copy(ctx, info, place, progress)
		})
	}
	return g.Wait()
}

// copy brings one object. One that was cut off is gone on with where it stopped,
// by the store.
func (o *storeSource) copy(ctx context.Context, info remote.Info, to string, progress func(remote.Progress)) error {
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer out.Close()
	body, err := o.store.Get(ctx, info.Name, remote.Range{})
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // opened for reading
	// A byte more than there should be tells that it is another object.
	n, err := io.Copy(out, io.TeeReader(io.LimitReader(body, info.Size+1), tally(func(n int) { progress(remote.Progress{Bytes: int64(n)}) })))
	if err != nil {
		return err
	}
	now, err := o.store.Stat(ctx, info.Name)
	if err != nil {
		return err
	}
	if n != info.Size || now.Size != info.Size || now.Tag != info.Tag {
		return &hinted{fmt.Errorf("object '%s' was replaced while it was downloaded", info.Name), "try again"}
	}
	progress(remote.Progress{Objects: 1})
	return out.Close()
}

// tally is a writer that tells how much was written.
type tally func(n int)

func (t tally) Write(p []byte) (int, error) {
	t(len(p))
	return len(p), nil
}
