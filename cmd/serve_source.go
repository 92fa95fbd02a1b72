package cmd

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/zeebo/blake3"

	"github.com/flowrepro/flow/serve"
	"github.com/flowrepro/flow/track"
)

// What is served when nothing is said.
const (
	defaultModel    = "models:/sentiment@production"
	defaultModelDir = "models/sentiment"
)

// sources opens the addresses of models. The registry is opened for the first
// address that needs it.
type sources struct {
	app      *app
	state    string
	tracking *tracking
	objects  objectStorage
}

// sources keeps downloads in a directory, "" for the user's cache.
func (a *app) sources(state string) *sources {
	if state == "" {
		state = filepath.Join(os.TempDir(), "flow-models")
		if dir, err := os.UserCacheDir(); err == nil {
			state = filepath.Join(dir, "flow", "models")
		}
	}
	return &sources{app: a, state: state}
}

func (s *sources) close() error {
	if s.tracking == nil {
		return nil
	}
	return s.tracking.Close()
}

// model opens the address of the model to serve; "" stands for what is in
// production, else what was trained last.
func (s *sources) model(ctx context.Context, address string) (serve.Source, error) {
	if address != "" {
		return s.open(address)
	}
	registered, err := s.open(defaultModel)
	if err == nil {
		if _, err = registered.Resolve(ctx); err == nil || errors.Is(err, track.ErrUnavailable) {
			return registered, nil
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	dir, err := s.open(defaultModelDir)
	if err != nil {
		return nil, err
	}
	if _, err := dir.Resolve(ctx); err != nil {
		return nil, &noModelError{err}
	}
	return dir, nil
}

type noModelError struct{ err error }

func (e *noModelError) Error() string {
	return fmt.Sprintf("nothing to serve: no version of %s, and %v", defaultModel, e.err)
}
func (e *noModelError) Unwrap() error { return e.err }

// Hint says what to do.
func (e *noModelError) Hint() string {
	return "`flow repro` trains a model, `flow model promote` puts it in production; or say which by --model"
}

func (s *sources) open(address string) (serve.Source, error) {
	u, err := track.ParseModelURI(address)
	if err != nil {
		return nil, err
	}
	if u.Local() {
		return serve.Directory(u.Dir), nil
	}
	r, err := s.resolver(u)
	if err != nil {
		return nil, err
	}
	return &registrySource{r, u}, nil
}

// resolver finds what an address means. One in object storage needs no registry.
func (s *sources) resolver(u track.ModelURI) (*track.Resolver, error) {
	if u.Remote != "" {
		return &track.Resolver{Objects: &s.objects, Cache: s.state}, nil
	}
	if s.tracking == nil {
		t, err := s.app.openTracking()
		if err != nil {
			return nil, err
		}
		s.tracking = t
	}
	return &track.Resolver{Store: s.tracking.Store, Objects: &s.objects, Base: s.tracking.root, Cache: s.state}, nil
}

// memory names the file that remembers the last good model of a source, which is
// an address in one registry. A directory needs none.
func (s *sources) memory(source serve.Source) string {
	if _, ok := source.(serve.Directory); ok {
		return ""
	}
	registry := ""
	if s.tracking != nil {
		registry = s.tracking.Location()
	}
	sum := blake3.Sum256([]byte(registry + " " + source.String()))
	return filepath.Join(s.state, "serve-"+hex.EncodeToString(sum[:8])+".json")
}

// registrySource is an address that the registry resolves.
type registrySource struct {
	resolver *track.Resolver
	uri      track.ModelURI
}

func (s *registrySource) Resolve(ctx context.Context) (serve.Version, error) {
	r, err := s.resolver.Resolve(ctx, s.uri)
	if err != nil {
		if errors.Is(err, track.ErrNotFound) {
			err = &absentError{err}
		}
		return serve.Version{}, err
	}
	v := serve.Version{Identity: r.Identity, Name: r.Name, RunID: r.RunID, Handle: r}
	if r.Version > 0 {
		v.Number = strconv.Itoa(r.Version)
	}
	return v, nil
}

func (s *registrySource) Fetch(ctx context.Context, v serve.Version) (string, error) {
	r, ok := v.Handle.(track.Resolved)
	if !ok {
		return "", fmt.Errorf("fetch %s: it was not resolved here", s.uri)
	}
	return s.resolver.Fetch(ctx, r)
}

func (s *registrySource) String() string { return s.uri.String() }

// absentError is what the server and the registry both call not found.
type absentError struct{ err error }

func (e *absentError) Error() string        { return e.err.Error() }
func (e *absentError) Unwrap() error        { return e.err }
func (e *absentError) Is(target error) bool { return target == serve.ErrNotFound }
