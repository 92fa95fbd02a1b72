package lock

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/flowrepro/flow/internal/atomicfile"
	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

// RunCache is DVC's store of results by what made them: a file for each
// result, <key[:2]>/<key>/<value>, with the text of a lock entry. It is safe
// for concurrent use, by several processes too.
type RunCache struct {
	// Dir is <cache>/runs.
	Dir string
}

// sizes are the keys that don't count in the hashes, at any depth. That they
// don't count among parameters either is DVC's mistake, against which Lookup
// guards.
var sizes = map[string]bool{"size": true, "nfiles": true}

// RunKey returns the hash, in hex, of what makes the outputs: command,
// dependencies, parameters and the outputs' paths.
func RunKey(s *Stage) string {
	m := s.Map()
	paths := make([]any, 0, len(s.Outs))
	for _, o := range byPath(s.Outs) {
		paths = append(paths, o.Path)
	}
	m.Set("outs", paths)
	return hashOf(m)
}

// RunValue returns the hash, in hex, of the whole entry.
func RunValue(s *Stage) string { return hashOf(s.Map()) }

func hashOf(m *yaml12.Map) string {
	sum := sha256.Sum256(python.JSON(without(m, sizes)))
	return hex.EncodeToString(sum[:])
}

func (c *RunCache) dir(key string) string { return filepath.Join(c.Dir, key[:2], key) }

// Save stores a stage's result unless it is there. The entry appears with its
// content or not at all; it is not flushed to disk, as losing it costs a run.
func (c *RunCache) Save(s *Stage) error {
	dir := c.dir(RunKey(s))
	path := filepath.Join(dir, RunValue(s))
	if _, err := c.read(path); err == nil {
		return nil
	}
	// The directories above are there, nearly always.
	err := os.Mkdir(dir, 0o777)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.MkdirAll(dir, 0o777)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("save run: %w", err)
	}
	err = atomicfile.Create(path, 0o666, func(w io.Writer) error {
		_, err := w.Write(EncodeRun(s))
		return err
	})
	if err != nil {
		return fmt.Errorf("save run: %w", err)
	}
	return nil
}

// read returns the entry of a file; one that is no lock entry is removed.
func (c *RunCache) read(path string) (*Stage, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := parseRun(path, data)
	if err == nil {
		return s, nil
	}
	_ = os.Remove(path)
	return nil, fmt.Errorf("corrupted cache file '%s': %w", path, err)
}

// EncodeRun returns the text of an entry of the run cache.
func EncodeRun(s *Stage) []byte { return yaml12.Emit(s.Map()) }

// ParseRun reads an entry of the run cache.
func ParseRun(data []byte) (*Stage, error) { return parseRun("run cache entry", data) }

func parseRun(name string, data []byte) (*Stage, error) {
	doc, err := yaml12.Parse(name, data)
	if err != nil {
		return nil, err
	}
	if doc.Root == nil {
		return nil, errors.New("empty run cache entry")
	}
	d := &decoder{doc: doc}
	s := d.stage(doc.Root)
	return s, d.errs.Err()
}

// SameRun reports whether r is a result of what makes s: see Lookup.
func SameRun(s, r *Stage) bool { return sameInputs(s, r) }

// Walk calls fn for every entry, with its key, its value and its path.
func (c *RunCache) Walk(fn func(key, value, path string) error) error {
	files, err := filepath.Glob(filepath.Join(c.Dir, "??", "*", "*"))
	if err != nil {
		return fmt.Errorf("list runs: %w", err)
	}
	for _, f := range files {
		key, value := filepath.Base(filepath.Dir(f)), filepath.Base(f)
		if !isHash(key) || !isHash(value) {
			continue
		}
		if err := fn(key, value, f); err != nil {
			return err
		}
	}
	return nil
}

// Lookup returns the results of what makes s, newest first; of the outputs of
// s only the paths count. Results are only those whose command, dependencies
// and parameters equal those of s, types included, whatever the hash says.
// Corrupt entries are removed and left out. No entry is no error.
func (c *RunCache) Lookup(s *Stage) ([]*Stage, error) {
	dir := c.dir(RunKey(s))
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up run: %w", err)
	}
	type file struct {
		path string
		mod  time.Time
	}
	var files []file
	for _, de := range list {
		fi, err := de.Info()
		if err != nil || !fi.Mode().IsRegular() || !isHash(de.Name()) {
			continue
		}
		files = append(files, file{filepath.Join(dir, de.Name()), fi.ModTime()})
	}
	sort.SliceStable(files, func(i, j int) bool { return files[i].mod.After(files[j].mod) })
	var found []*Stage
	for _, f := range files {
		r, err := c.read(f.path)
		if err == nil && sameInputs(s, r) {
			found = append(found, r)
		}
	}
	return found, nil
}

// isHash tells entries from temporary files.
func isHash(name string) bool {
	return len(name) == 2*sha256.Size && strings.Trim(name, "0123456789abcdef") == ""
}

// sameInputs reports whether both stages run the same command on the same
// content with the same parameters and declare the same outputs.
func sameInputs(a, b *Stage) bool {
	if !yaml12.Identical(a.Cmd, b.Cmd) || len(a.Deps) != len(b.Deps) ||
		len(a.Outs) != len(b.Outs) || len(a.Params) != len(b.Params) {
		return false
	}
	x, y := byPath(a.Deps), byPath(b.Deps)
	for i := range x {
		// Sizes follow from content and may be missing in old entries.
		p, q := x[i], y[i]
		p.Size, p.Files, q.Size, q.Files = -1, -1, -1, -1
		if !equalEntries(p, q) {
			return false
		}
	}
	x, y = byPath(a.Outs), byPath(b.Outs)
	for i := range x {
		if x[i].Path != y[i].Path {
			return false
		}
	}
	f, g := byFile(a.Params), byFile(b.Params)
	for i := range f {
		if !equalParams(f[i], g[i]) {
			return false
		}
	}
	return true
}

// Prune removes the entries that keep refuses, and returns how many those are;
// with dry it only counts.
func (c *RunCache) Prune(keep func(*Stage) bool, dry bool) (int, error) {
	files, err := filepath.Glob(filepath.Join(c.Dir, "??", "*", "*"))
	if err != nil {
		return 0, fmt.Errorf("list runs: %w", err)
	}
	gone := 0
	for _, f := range files {
		if !isHash(filepath.Base(f)) {
			continue
		}
		s, err := c.read(f)
		if err != nil || keep(s) {
			continue
		}
		gone++
		if dry {
			continue
		}
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return gone, fmt.Errorf("remove run: %w", err)
		}
		_ = os.Remove(filepath.Dir(f)) // only goes when it is empty
	}
	return gone, nil
}
