package cmd

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/project"
	"github.com/flowrepro/flow/remote"
	"github.com/flowrepro/flow/remote/dir"
	"github.com/flowrepro/flow/remote/s3"
)

// openRemote is a remote in use.
type openRemote struct {
	name    string
	store   remote.Store
	metrics *remote.Metrics
	// jobs is how many objects move at once.
	jobs int
	// packs keeps small objects together; nil in DVC's format.
	packs *remote.Packs
	// versions is set for a cloud-versioned remote, which has files at their own
	// paths: it must be told of what is read.
	versions *remote.Versions
}

// tell makes known where a cloud-versioned remote has the files of outputs.
func (o *openRemote) tell(outs []engine.Recorded) {
	if o.versions == nil {
		return
	}
	for _, r := range outs {
		if r.Manifest != nil {
			o.versions.AddManifest(r.Entry.Digest, r.Manifest)
		}
		for _, f := range r.Cloud {
			d, err := cache.ParseDigest(cache.MD5, f.Digest)
			if err == nil && f.Remote == o.name {
				o.versions.Add(d, remote.Version{Name: path.Join(r.Path, f.Path), ID: f.Version})
			}
		}
	}
}

// notVersioned refuses what cannot be done with a cloud-versioned remote.
func (o *openRemote) notVersioned(verb, hint string) error {
	if o.versions == nil {
		return nil
	}
	return &hinted{&project.ConfigError{Msg: fmt.Sprintf("'%s' is unsupported for cloud versioned remotes, such as '%s' (version_aware, worktree)", verb, o.name)}, hint}
}

// noRemoteError says that no remote was named and there is no default. It is
// no mistake in the configuration: most projects begin without one.
type noRemoteError struct{ root string }

func (e *noRemoteError) Error() string {
	return fmt.Sprintf("config file error: no remote specified in %s. Create a default remote with\n    flow remote add -d <remote name> <remote url>", e.root)
}

// How patient a verb is with a remote: one that is there for the transfer tries
// longer than repro, which can do without.
const (
	patientAttempts = 8
	briefAttempts   = 3
)

// openRemote opens a remote by name, "" for the default. Nothing is connected
// before it is used.
func (s *session) openRemote(name string, jobs, attempts int) (*openRemote, error) {
	c := s.project.Config
	if name == "" {
		var ok bool
		if name, ok = c.DefaultRemote(); !ok {
			return nil, &noRemoteError{s.project.Root}
		}
	}
	r, err := c.Remote(name)
	if err != nil {
		return nil, err
	}
	o := &openRemote{name: r.Name, metrics: new(remote.Metrics), jobs: jobs}
	if o.jobs == 0 {
		o.jobs = r.Int("jobs", 0)
	}
	store, err := openBare(&r, o, attempts)
	if err != nil {
		return nil, fmt.Errorf("remote '%s': %w", r.Name, err)
	}
	if s.project.Format == project.Native {
		o.packs = s.packs(r.Name)
	}
	var bandwidth int64
	if text, ok := c.Get("flow", "bandwidth"); ok {
		if bandwidth, err = parseBytes(text); err != nil {
			return nil, &project.ConfigError{Msg: fmt.Sprintf("flow.bandwidth = %s: %v", text, err)}
		}
	}
	store = remote.Observe(store, o.metrics.Add)
	store = remote.Limit(store, remote.LimitOptions{Bandwidth: bandwidth})
	o.store = remote.Retry(store, remote.NewRetrier(remote.RetryOptions{Attempts: attempts}))
	return o, nil
}

// packs keeps small objects on a remote together.
func (s *session) packs(name string) *remote.Packs {
	return &remote.Packs{
		Dir: filepath.Join(s.project.StateDir(), "packs"), ReadOnly: !s.project.Config.Bool("flow", "packs", true),
		Denied: func(err error) {
			s.warn(fmt.Sprintf("the packs of remote '%s' are not seen, and what they hold counts as missing: %v", name, err))
		},
	}
}

// smallTransfers is how many objects move at once to and from servers: each is
// mostly waiting.
const smallTransfers = 64

func openBare(r *project.Remote, o *openRemote, attempts int) (remote.Store, error) {
	versioned := r.Bool("version_aware", false) || r.Bool("worktree", false)
	scheme, rest, ok := strings.Cut(r.URL, "://")
	switch {
	case versioned && scheme != "s3":
		return nil, &hinted{errors.New("a cloud-versioned remote (version_aware, worktree) that is not on S3 cannot be read"), "bring the data with `dvc pull`"}
	case !ok, runtime.GOOS == "windows" && len(scheme) == 1:
		return openDir(r, o, r.URL)
	case scheme == "file":
		return openDir(r, o, rest)
	case scheme == "s3":
		so, err := s3.Parse(r.URL, r.Options)
		if err != nil {
			return nil, err
		}
		if o.jobs == 0 {
			o.jobs = smallTransfers
		}
		so.Connections = o.jobs + 16
		so.Retry = remote.NewRetrier(remote.RetryOptions{Attempts: attempts})
		store, err := s3.New(so)
		if err != nil || !versioned {
			return store, err
		}
		o.versions = remote.NewVersions(store)
		return o.versions, nil
	}
	return nil, &hinted{fmt.Errorf("%s:// is not supported", scheme), "flow knows s3:// and directories; DVC can move the same objects to the others"}
}

func openDir(r *project.Remote, o *openRemote, place string) (remote.Store, error) {
	if o.jobs == 0 {
		o.jobs = 4 * runtime.NumCPU()
	}
	return dir.New(dir.Options{Path: place, Shared: r.Options["shared"] == "group"})
}

// transfer is what moves objects between the cache and the remote.
func (o *openRemote) transfer(s *session, progress func(remote.Progress)) *remote.Transfer {
	return &remote.Transfer{Remote: o.store, Cache: s.store, Jobs: o.jobs, Packs: o.packs, Progress: progress}
}
