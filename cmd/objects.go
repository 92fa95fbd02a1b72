package cmd

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/flowrepro/flow/remote"
	"github.com/flowrepro/flow/remote/s3"
	"github.com/flowrepro/flow/track"
)

// objectStorage reads the directories of models in S3: s3://BUCKET/PREFIX.
// Where the server is and who asks is said by the AWS_* variables and files, as
// for AWS's own tools. It is safe for concurrent use.
type objectStorage struct {
	mu     sync.Mutex
	stores map[string]remote.Store
}

// store opens the directory at an address; nothing is connected before it is used.
func (o *objectStorage) store(uri string) (remote.Store, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s := o.stores[uri]; s != nil {
		return s, nil
	}
	options, err := s3.Parse(strings.TrimSuffix(uri, "/"), nil)
	if err != nil {
		return nil, err
	}
	bare, err := s3.New(options)
	if err != nil {
		return nil, err
	}
	s := remote.Retry(bare, remote.NewRetrier(remote.RetryOptions{Attempts: briefAttempts}))
	if o.stores == nil {
		o.stores = map[string]remote.Store{}
	}
	o.stores[uri] = s
	return s, nil
}

// List implements track.Objects. A version is when the object was stored, to
// the second as S3 tells it, and its size.
func (o *objectStorage) List(ctx context.Context, uri string) ([]track.Object, error) {
	s, err := o.store(uri)
	if err != nil {
		return nil, err
	}
	var list []track.Object
	for info, err := range s.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		if len(list) == track.MaxModelFiles {
			return nil, fmt.Errorf("'%s' holds more than %d objects", uri, track.MaxModelFiles)
		}
		list = append(list, track.Object{
			Path: info.Name, Size: info.Size, Version: fmt.Sprintf("%s %d", info.Modified.UTC().Format(time.RFC3339Nano), info.Size),
		})
	}
	return list, nil
}

// Open implements track.Objects.
func (o *objectStorage) Open(ctx context.Context, uri, path string) (io.ReadCloser, error) {
	s, err := o.store(uri)
	if err != nil {
		return nil, err
	}
	return s.Get(ctx, path, remote.Range{})
}
