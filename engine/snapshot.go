package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/internal/yaml12"
)

// content is what is at a path: an entry, or nothing, or something unreadable.
type content struct {
	entry cache.Entry
	tree  *cache.Tree // nil for what is no directory
	err   error
	// legacy is set when the digest is the one of DVC 2.x, to be compared
	// with an entry that was recorded so.
	legacy bool
}

func (c content) missing() bool { return c.err != nil && missing(c.err) }

// paramState holds the current values of one parameter file as a stage sees it.
type paramState struct {
	file    pipeline.ParamFile
	values  *yaml12.Map // dotted key -> value
	absent  []string    // tracked keys that are not in the file
	missing bool        // the file itself is not there
}

// snapshot is the state of everything that goes into a stage, at one moment.
type snapshot struct {
	deps   []content // in the order of Stage.Deps
	params []paramState
	env    []envState
}

// envState is a declared environment variable, with its value's fingerprint.
type envState struct{ name, value string }

// inputs hashes what the stage depends on. A missing path is part of the
// snapshot; anything else that cannot be read is an error.
func (e *Engine) inputs(ctx context.Context, n *node, rec *lock.Stage) (*snapshot, error) {
	s := &snapshot{deps: make([]content, len(n.Deps))}
	for i, d := range n.Deps {
		if d.URL {
			return nil, hintError{
				fmt.Errorf("dependency '%s' is not a local path", d.Def),
				"this version tracks local dependencies only; fetch it in a stage of its own",
			}
		}
		s.deps[i] = e.look(ctx, d.Path, recordedDep(rec, d.Def))
		if err := s.deps[i].err; err != nil && !missing(err) {
			return nil, fmt.Errorf("dependency '%s': %w", d.Def, err)
		}
	}
	var err error
	if s.params, err = e.readParams(n); err != nil {
		return nil, err
	}
	s.env = environment(n)
	return s, nil
}

// look scans a path with the algorithm of the recorded entry.
func (e *Engine) look(ctx context.Context, place string, rec *lock.Entry) content {
	legacy := e.legacyEntry(rec)
	entry, tree, err := e.ws.scan(ctx, e.abs(place), legacy)
	return content{entry, tree, err, legacy}
}

// legacyEntry reports whether an entry has the digest of DVC 2.x.
func (e *Engine) legacyEntry(rec *lock.Entry) bool {
	return rec != nil && rec.Hash == "" && rec.Digest != "" && e.legacyAllowed()
}

func (e *Engine) legacyAllowed() bool { return e.opt.Project.Format.Hash == cache.MD5 }

// readParams reads the parameters a stage tracks.
func (e *Engine) readParams(n *node) ([]paramState, error) {
	list := make([]paramState, 0, len(n.Params))
	for _, p := range n.Params {
		st := paramState{file: p}
		values, absent, err := e.values.Read(p.Path, p.Keys)
		switch {
		case err != nil && errors.Is(err, fs.ErrNotExist):
			st.missing, st.absent = true, p.Keys
		case err != nil:
			return nil, err
		default:
			st.values, st.absent = values, absent
			st.missing = len(absent) > 0 && values.Len() == 0 && !exists(e.abs(p.Path))
		}
		if st.values == nil {
			st.values = new(yaml12.Map)
		}
		list = append(list, st)
	}
	return list, nil
}

// checkRunnable returns the error that a stage with absent inputs runs into.
func (e *Engine) checkRunnable(n *node, s *snapshot) error {
	for i, d := range n.Deps {
		if s.deps[i].missing() {
			return hintError{noSuchFile(e.abs(d.Path)),
				fmt.Sprintf("'%s' is a dependency that no stage produces and that is not there; create it, or restore it with `flow checkout`", d.Def)}
		}
	}
	for _, p := range s.params {
		if p.missing && p.file.Keys == nil {
			return fmt.Errorf("dependency '%s' does not exist", p.file.Def)
		}
		if len(p.absent) > 0 {
			return hintError{
				fmt.Errorf("Parameters '%s' are missing from '%s'.", strings.Join(p.absent, ", "), p.file.Def), //nolint:staticcheck,revive // DVC's words
				fmt.Sprintf("add them to '%s' or take them out of the stage's params", p.file.Def),
			}
		}
	}
	return nil
}

// recorded finds the entry of a path among a lock entry's; paths that name the same
// place (./x, x, x/) are the same.
func recorded(list []lock.Entry, def string) *lock.Entry {
	for i := range list {
		if list[i].Path == def {
			return &list[i]
		}
	}
	want := path.Clean(def)
	for i := range list {
		if path.Clean(list[i].Path) == want {
			return &list[i]
		}
	}
	return nil
}

func recordedDep(rec *lock.Stage, def string) *lock.Entry {
	if rec == nil {
		return nil
	}
	return recorded(rec.Deps, def)
}

func recordedOut(rec *lock.Stage, def string) *lock.Entry {
	if rec == nil {
		return nil
	}
	return recorded(rec.Outs, def)
}

// matches reports whether what is there is what was recorded.
func (c content) matches(rec *lock.Entry) bool {
	if c.err != nil || rec == nil || rec.Digest == "" {
		return false
	}
	if (rec.Hash == "") != c.legacy && rec.Hash == "" {
		return false
	}
	if rec.Hash != "" && c.entry.Digest.Hash().Name != rec.Hash {
		return false
	}
	return c.entry.Digest.String() == rec.Digest
}

// lockEntry is the form in which a path's content is recorded. An entry that
// was recorded in the form of DVC 2.x and has not changed stays as it is.
func (e *Engine) lockEntry(ctx context.Context, def, place string, c content, rec *lock.Entry) (lock.Entry, error) {
	if c = e.current(ctx, place, c, rec); c.legacy {
		return *rec, nil
	}
	if c.err != nil {
		return lock.Entry{}, c.err
	}
	le := newEntry(def, c.entry)
	if c.matches(rec) {
		keepCloud(&le, rec)
	}
	return le, nil
}

// keepCloud takes over where a cloud-versioned remote has what has not changed.
func keepCloud(le *lock.Entry, rec *lock.Entry) {
	if len(rec.CloudFiles()) > 0 {
		le.Extra, le.Listed = rec.Extra, rec.Listed
	}
}

// current is content in the form in which it is to be recorded: an entry of DVC
// 2.x stays one until its content changes.
func (e *Engine) current(ctx context.Context, place string, c content, rec *lock.Entry) content {
	if !c.legacy || c.matches(rec) {
		return c
	}
	entry, tree, err := e.ws.scan(ctx, e.abs(place), false)
	return content{entry: entry, tree: tree, err: err}
}

func newEntry(def string, c cache.Entry) lock.Entry {
	le := lock.Entry{
		Path: def, Hash: c.Digest.Hash().Name, Digest: c.Digest.String(),
		Size: c.Size, Files: -1, Exec: c.Exec,
	}
	if c.Digest.Hash() == cache.MD5Text {
		le.Hash = "" // which is how DVC 2.x's are told apart
	}
	if c.Digest.IsDir() {
		le.Files = int64(c.Files)
	}
	return le
}

// cacheEntry reads a recorded entry back into the cache's terms. The zero
// digest and no error mean that nothing is recorded.
func (e *Engine) cacheEntry(rec *lock.Entry) (cache.Entry, error) {
	if rec == nil || rec.Digest == "" {
		return cache.Entry{}, nil
	}
	h, err := cache.RecordedHash(rec.Hash)
	if err != nil {
		return cache.Entry{}, fmt.Errorf("recorded entry of '%s': %w", rec.Path, err)
	}
	d, err := cache.ParseDigest(h, rec.Digest)
	if err != nil {
		return cache.Entry{}, fmt.Errorf("recorded entry of '%s': %w", rec.Path, err)
	}
	return cache.Entry{Digest: d, Size: max(rec.Size, 0), Files: int(max(rec.Files, 0)), Exec: rec.Exec}, nil
}

// lockParams is the form in which parameters are recorded: params.yaml first,
// then by path; keys sorted.
func lockParams(params []paramState) []lock.ParamFile {
	var list []lock.ParamFile
	for _, p := range params {
		values := &yaml12.Map{Items: append([]yaml12.Item(nil), p.values.Items...)}
		sort.SliceStable(values.Items, func(i, j int) bool {
			return fmt.Sprint(values.Items[i].Key) < fmt.Sprint(values.Items[j].Key)
		})
		list = append(list, lock.ParamFile{Path: p.file.Def, Values: values})
	}
	sort.SliceStable(list, func(i, j int) bool {
		if (list[i].Path == defaultParams) != (list[j].Path == defaultParams) {
			return list[i].Path == defaultParams
		}
		return list[i].Path < list[j].Path
	})
	return list
}

const defaultParams = "params.yaml"
