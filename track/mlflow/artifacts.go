package mlflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"sort"
	"strings"

	"github.com/flowrepro/flow/track"
)

const proxyPath = "/api/2.0/mlflow-artifacts/artifacts"

// proxied returns the address of an artifact root that the server passes on.
func (s *Store) proxied(root string) (base *url.URL, dir string, ok bool) {
	u, err := url.Parse(root)
	if err != nil {
		return nil, "", false
	}
	switch u.Scheme {
	case "mlflow-artifacts":
		base := *s.tracking.base
		if u.Host != "" {
			base.Host, base.Path = u.Host, ""
		}
		base.Path += proxyPath
		return &base, strings.Trim(u.Path, "/"), true
	case "http", "https":
		before, after, found := strings.Cut(u.Path, proxyPath)
		if !found {
			return nil, "", false
		}
		return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: before + proxyPath}, strings.Trim(after, "/"), true
	}
	return nil, "", false
}

// LocalDir implements track.Artifacts: a directory counts when it is there, as
// the server may be on another machine.
func (s *Store) LocalDir(root string) (string, bool) {
	if _, _, ok := s.proxied(root); ok {
		return "", false
	}
	dir, ok := s.files.LocalDir(root)
	if !ok {
		return "", false
	}
	if host := s.tracking.base.Hostname(); host == "localhost" || host == "127.0.0.1" || host == "::1" {
		return dir, true
	}
	fi, err := os.Stat(dir)
	return dir, err == nil && fi.IsDir()
}

// unreachable is the error for a root that there is no way to.
func (s *Store) unreachable(op, root string) error {
	e := &track.Error{Op: op, Err: fmt.Errorf("%w: the artifact root '%s' cannot be reached from here", track.ErrUnsupported, oneLine(root))}
	switch scheme, _, _ := strings.Cut(root, ":"); {
	case scheme == "file" || !strings.Contains(root, "://"):
		e.Advice = "the server keeps artifacts on its own disk: start it with --serve-artifacts"
	case scheme == "s3":
		e.Advice = "configure access to object storage"
	}
	return e
}

// place is where an artifact is: exactly one of its three fields is set.
type place struct {
	local  bool
	object bool
	url    *url.URL // of the proxy's directory of artifacts
	path   string   // below the root, clean; below the proxy's directory for url
}

func (s *Store) place(op, root, name string) (place, error) {
	clean, err := track.CleanArtifactPath(op, name)
	if err != nil {
		return place{}, err
	}
	if base, dir, ok := s.proxied(root); ok {
		return place{url: base, path: strings.Trim(path.Join(dir, clean), "/")}, nil
	}
	if _, ok := s.LocalDir(root); ok {
		return place{local: true, path: clean}, nil
	}
	if strings.HasPrefix(root, "s3://") && s.options.Objects != nil {
		return place{object: true, path: clean}, nil
	}
	return place{}, s.unreachable(op, root)
}

// at returns the address of the artifact itself; each segment is escaped.
func (p place) at() string {
	segments := strings.Split(p.path, "/")
	for i := range segments {
		segments[i] = url.PathEscape(segments[i])
	}
	return strings.TrimRight(p.url.String()+"/"+strings.Join(segments, "/"), "/")
}

// PutArtifact implements track.Artifacts.
func (s *Store) PutArtifact(ctx context.Context, root, name string, r io.ReadSeeker, size int64) error {
	op := "store artifact '" + name + "'"
	p, err := s.place(op, root, name)
	switch {
	case err != nil:
		return err
	case p.local:
		return s.files.PutArtifact(ctx, root, name, r, size)
	}
	// The server would store a part as if it were all.
	if have, err := r.Seek(0, io.SeekEnd); err != nil || have != size {
		return &track.Error{Op: op, Err: errors.Join(err, fmt.Errorf("it has %d bytes instead of %d", have, size))}
	}
	if p.object {
		writer, ok := s.options.Objects.(track.ObjectWriter)
		if !ok {
			return s.unreachable(op, root)
		}
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return &track.Error{Op: op, Err: err}
		}
		return writer.Put(ctx, root, p.path, r, size)
	}
	_, err = s.repeat(ctx, op, false, func(ctx context.Context) ([]byte, error) {
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, p.at(), io.NopCloser(r))
		if err != nil {
			return nil, err
		}
		if req.ContentLength = size; size == 0 {
			req.Body = http.NoBody
		}
		req.Header.Set("Content-Type", "application/octet-stream")
		res, err := s.send(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxErrorBody)) // so that the connection is used again
		return nil, nil
	})
	if err != nil {
		return err
	}
	return s.checkSize(ctx, op, root, name, size)
}

// checkSize compares the size that the server tells with what was sent.
func (s *Store) checkSize(ctx context.Context, op, root, name string, size int64) error {
	f, ok, err := s.stat(ctx, root, name)
	if err != nil {
		return err
	}
	if !ok || f.Size != size && f.Size != 0 { // some servers tell no sizes
		return &track.Error{Op: op, Err: fmt.Errorf("the server has %d of %d bytes", f.Size, size)}
	}
	return nil
}

// stat finds a file in the listing of its directory, as the answer for one that
// does not exist is an internal error.
func (s *Store) stat(ctx context.Context, root, name string) (track.File, bool, error) {
	dir := path.Dir(path.Clean(name))
	if dir == "." {
		dir = ""
	}
	list, err := s.ListArtifacts(ctx, root, dir)
	if err != nil {
		return track.File{}, false, err
	}
	for _, f := range list {
		if f.Path == path.Clean(name) && !f.Dir {
			return f, true, nil
		}
	}
	return track.File{}, false, nil
}

// OpenArtifact implements track.Artifacts. The transfer has no time limit but
// the context's.
func (s *Store) OpenArtifact(ctx context.Context, root, name string) (io.ReadCloser, error) {
	op := "read artifact '" + name + "'"
	p, err := s.place(op, root, name)
	switch {
	case err != nil:
		return nil, err
	case p.local:
		return s.files.OpenArtifact(ctx, root, name)
	case p.object:
		return s.options.Objects.Open(ctx, root, p.path)
	}
	var body io.ReadCloser
	_, err = s.repeat(ctx, op, false, func(ctx context.Context) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.at(), nil)
		if err != nil {
			return nil, err
		}
		res, err := s.send(req) //nolint:bodyclose // the caller closes it
		if err != nil {
			var status *statusError
			if errors.As(err, &status) && status.code >= 400 && status.code != http.StatusUnauthorized && status.code != http.StatusForbidden {
				if _, ok, serr := s.stat(ctx, root, name); serr == nil && !ok {
					return nil, &statusError{code: http.StatusNotFound, errorCode: "NOT_FOUND", message: "not found"}
				}
			}
			return nil, err
		}
		body = res.Body
		return nil, nil
	})
	return body, err
}

// ListArtifacts implements track.Artifacts.
func (s *Store) ListArtifacts(ctx context.Context, root, dir string) ([]track.File, error) {
	const op = "list artifacts"
	p, err := s.place(op, root, dir)
	switch {
	case err != nil:
		return nil, err
	case p.local:
		return s.files.ListArtifacts(ctx, root, dir)
	case p.object:
		return s.listObjects(ctx, root, p.path)
	}
	u := *p.url
	u.RawQuery = url.Values{"path": {p.path}}.Encode()
	data, err := s.repeat(ctx, op, false, func(ctx context.Context) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, err
		}
		res, err := s.send(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		data, err := io.ReadAll(io.LimitReader(res.Body, maxResponse))
		if err != nil {
			return nil, &transferError{err}
		}
		return data, nil
	})
	if errors.Is(err, track.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out struct {
		Files []struct {
			Path string  `json:"path"`
			Dir  bool    `json:"is_dir"`
			Size integer `json:"file_size"`
		}
	}
	if err := decode(data, &out); err != nil {
		return nil, &track.Error{Op: op, Err: fmt.Errorf("the answer is not what MLflow sends: %w", err)}
	}
	var list []track.File
	for _, f := range out.Files {
		name := path.Base(f.Path) // MLflow's own; others send the whole path
		if _, err := track.CleanArtifactPath(op, name); err != nil || name == "." || name == "/" {
			return nil, track.Invalid(op, "the server names a file '%s'", oneLine(f.Path))
		}
		list = append(list, track.File{Path: path.Join(dir, name), Dir: f.Dir, Size: int64(f.Size)})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Path < list[j].Path })
	return list, nil
}

// listObjects makes a listing of one directory from all objects below it.
func (s *Store) listObjects(ctx context.Context, root, dir string) ([]track.File, error) {
	all, err := s.options.Objects.List(ctx, track.JoinRoot(root, dir))
	if err != nil {
		return nil, err
	}
	var list []track.File
	seen := map[string]bool{}
	for _, o := range all {
		first, _, deeper := strings.Cut(o.Path, "/")
		f := track.File{Path: path.Join(dir, first), Dir: deeper}
		if !deeper {
			f.Size = o.Size
		}
		if !seen[f.Path] {
			seen[f.Path] = true
			list = append(list, f)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Path < list[j].Path })
	return list, nil
}

// DeleteArtifact implements track.Artifacts.
func (s *Store) DeleteArtifact(ctx context.Context, root, name string) error {
	op := "remove artifact '" + name + "'"
	p, err := s.place(op, root, name)
	switch {
	case err != nil:
		return err
	case p.local:
		return s.files.DeleteArtifact(ctx, root, name)
	case p.object:
		return &track.Error{Op: op, Err: track.ErrUnsupported}
	}
	if _, ok, err := s.stat(ctx, root, name); err != nil || !ok {
		return err
	}
	_, err = s.repeat(ctx, op, false, func(ctx context.Context) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodDelete, p.at(), nil)
		if err != nil {
			return nil, err
		}
		res, err := s.send(req)
		if err != nil {
			return nil, err
		}
		return nil, res.Body.Close()
	})
	return err
}
