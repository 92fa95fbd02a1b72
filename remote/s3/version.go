package s3

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/flowrepro/flow/remote"
)

var _ remote.VersionReader = (*Store)(nil)

// StatVersion implements remote.VersionReader.
func (s *Store) StatVersion(ctx context.Context, name, version string) (remote.Info, error) {
	x, err := s.beginObject(ctx, "stat", name)
	if err != nil {
		return remote.Info{}, err
	}
	answer, err := x.send(ctx, http.MethodHead, object{key: *s.key(name), version: version})
	if err != nil {
		return remote.Info{}, s.explain(ctx, x, name, version, err)
	}
	_ = answer.Body.Close() // it is empty
	modified, _ := http.ParseTime(answer.Header.Get("Last-Modified"))
	return remote.Info{Name: name, Size: answer.ContentLength, Modified: modified, Tag: trimTag(answer.Header.Get("ETag"))}, nil
}

// GetVersion implements remote.VersionReader.
func (s *Store) GetVersion(ctx context.Context, name, version string, r remote.Range) (io.ReadCloser, error) {
	x, err := s.beginObject(ctx, "get", name)
	if err != nil {
		return nil, err
	}
	span := ""
	switch {
	case r.Length > 0:
		span = fmt.Sprintf("bytes=%d-%d", r.Offset, r.Offset+r.Length-1)
	case r.Offset > 0:
		span = fmt.Sprintf("bytes=%d-", r.Offset)
	}
	answer, err := x.send(ctx, http.MethodGet, object{*s.key(name), version, span})
	if err != nil {
		return nil, s.wrap(ctx, "get", name, err)
	}
	if span != "" && answer.Header.Get("Content-Range") == "" {
		// A server that passes over the range sends everything.
		if _, err := io.CopyN(io.Discard, answer.Body, r.Offset); err != nil {
			_ = answer.Body.Close() // the first error is the one to tell
			return nil, s.wrap(ctx, "get", name, err)
		}
	}
	return &body{answer.Body, s, ctx, name}, nil
}
