package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"sync"

	"github.com/flowrepro/flow/cache"
)

// VersionReader reads versions of names: what a name had before it was replaced.
// The version "" is the latest. Errors are as those of Store.
type VersionReader interface {
	StatVersion(ctx context.Context, name, version string) (Info, error)
	GetVersion(ctx context.Context, name, version string, r Range) (io.ReadCloser, error)
	String() string
}

// Version is one version of a name.
type Version struct{ Name, ID string }

// Versions is a Store that can only be read: what a cloud-versioned remote holds,
// under the names that objects have elsewhere. Such a remote has files at the
// paths that they have in the project, and lock files tell the versions. It knows
// what it is told of by Add and AddManifest.
type Versions struct {
	from VersionReader

	mu        sync.RWMutex
	objects   map[string]Version
	manifests map[string][]byte
}

// NewVersions returns a store without objects.
func NewVersions(from VersionReader) *Versions {
	return &Versions{from: from, objects: map[string]Version{}, manifests: map[string][]byte{}}
}

// Add tells where an object is.
func (s *Versions) Add(d cache.Digest, at Version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[ObjectName(d)] = at
}

// AddManifest tells the manifest of a directory, which is nowhere on the remote.
func (s *Versions) AddManifest(d cache.Digest, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.manifests[ObjectName(d)] = data
}

func (s *Versions) find(op, name string) (at Version, manifest []byte, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if data, ok := s.manifests[name]; ok {
		return at, data, nil
	}
	at, ok := s.objects[name]
	if !ok {
		return at, nil, &Error{Op: op, Name: name, Kind: NotFound, Err: ErrNotFound}
	}
	return at, nil, nil
}

// Stat implements Store.
func (s *Versions) Stat(ctx context.Context, name string) (Info, error) {
	at, manifest, err := s.find("stat", name)
	if err != nil {
		return Info{}, err
	}
	if manifest != nil {
		return Info{Name: name, Size: int64(len(manifest))}, nil
	}
	info, err := s.from.StatVersion(ctx, at.Name, at.ID)
	info.Name = name
	return info, err
}

// Get implements Store.
func (s *Versions) Get(ctx context.Context, name string, r Range) (io.ReadCloser, error) {
	at, manifest, err := s.find("get", name)
	if err != nil {
		return nil, err
	}
	if manifest == nil {
		return s.from.GetVersion(ctx, at.Name, at.ID, r)
	}
	part := manifest[min(r.Offset, int64(len(manifest))):]
	if r.Length > 0 {
		part = part[:min(r.Length, int64(len(part)))]
	}
	return io.NopCloser(bytes.NewReader(part)), nil
}

var errReadOnly = errors.New("a cloud-versioned remote is only read")

// Put implements Store: it refuses.
func (s *Versions) Put(_ context.Context, name string, _ Body) error {
	return &Error{Op: "put", Name: name, Kind: Setup, Err: errReadOnly}
}

// List implements Store: there are no objects under such names.
func (s *Versions) List(context.Context, string) iter.Seq2[Info, error] {
	return func(func(Info, error) bool) {}
}

// Remove implements Store: it refuses.
func (s *Versions) Remove(_ context.Context, names ...string) error {
	if len(names) == 0 {
		return nil
	}
	return &Error{Op: "remove", Name: names[0], Kind: Setup, Err: errReadOnly}
}

// String implements Store.
func (s *Versions) String() string { return s.from.String() }
