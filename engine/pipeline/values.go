package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

// Values reads parameter files, each again only when it changed. It is safe for concurrent use. The
// values it returns are shared: do not change them.
type Values struct {
	place place
	mu    sync.Mutex
	files map[string]*paramFile
}

// paramFile is one parsed file.
type paramFile struct {
	once  sync.Once
	stamp fileStamp
	// root holds the values; other is the type of a top level that is no map.
	root  *yaml12.Map
	other string
	top   any
	err   error
}

// NewValues returns a reader for the project at root.
func NewValues(root string) *Values {
	return &Values{place: newPlace(root, "."), files: map[string]*paramFile{}}
}

// Read returns parameters by dotted key: those in keys that the file has, in
// that order, and the names of the missing ones. nil keys mean all top-level
// keys. When the file is absent all keys are missing; without keys the error
// is fs.ErrNotExist. The path is absolute or relative to the root.
//
// The type of file follows the suffix: .json, .toml, .py, else YAML. A key is
// a path through maps and lists; its parts may be patterns as long as only one
// value matches.
func (v *Values) Read(name string, keys []string) (*yaml12.Map, []string, error) {
	_, where, _ := v.place.at(filepath.ToSlash(name))
	f, err := v.file(where)
	switch {
	case errors.Is(err, fs.ErrNotExist) && keys != nil:
		return &yaml12.Map{}, dedupe(keys), nil
	case err != nil:
		return nil, nil, err
	}
	if keys == nil {
		if f.other != "" {
			return nil, nil, fmt.Errorf("read parameters of '%s': expected a dictionary, got '%s'", name, f.other)
		}
		all := &yaml12.Map{Items: make([]yaml12.Item, 0, f.root.Len())}
		for _, it := range f.root.Items {
			all.Items = append(all.Items, yaml12.Item{Key: python.Str(it.Key), Value: it.Value})
		}
		return all, nil, nil
	}
	found := &yaml12.Map{}
	var missing []string
	for _, k := range dedupe(keys) {
		value, ok, err := lookup(f.top, k)
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("read parameter '%s' of '%s': %w", k, name, err)
		case ok:
			found.Items = append(found.Items, yaml12.Item{Key: k, Value: value})
		default:
			missing = append(missing, k)
		}
	}
	return found, missing, nil
}

// dedupe drops repeated keys and keeps the order.
func dedupe(keys []string) []string {
	seen := make(map[string]bool, len(keys))
	out := make([]string, 0, len(keys))
	for _, k := range keys {
		if !seen[k] {
			seen[k] = true
			out = append(out, k)
		}
	}
	return out
}

// stamp tells one version of a file from another.
func (v *Values) stamp(where string) fileStamp {
	abs := filepath.FromSlash(where)
	if !isAbs(where) {
		abs = filepath.Join(v.place.root, abs)
	}
	fi, err := os.Stat(abs)
	if err != nil {
		return fileStamp{size: -1}
	}
	return fileStamp{fi.Size(), fi.ModTime()}
}

type fileStamp struct {
	size int64
	mod  time.Time
}

// file returns a parsed file by root-relative or absolute path.
func (v *Values) file(where string) (*paramFile, error) {
	// A stage may write a parameter file that later stages read.
	now := v.stamp(where)
	v.mu.Lock()
	f := v.files[where]
	if f == nil || f.stamp != now {
		f = &paramFile{stamp: now}
		v.files[where] = f
	}
	v.mu.Unlock()
	f.once.Do(func() { f.load(v.place.root, where) })
	return f, f.err
}

func (f *paramFile) load(root, where string) {
	abs := filepath.FromSlash(where)
	if !isAbs(where) {
		abs = filepath.Join(root, abs)
	}
	fi, err := os.Stat(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.err = fmt.Errorf("parameters file '%s' does not exist: %w", where, fs.ErrNotExist)
		return
	case err == nil && fi.IsDir():
		f.err = fmt.Errorf("'%s' is a directory, expected a parameters file", where)
		return
	}
	data, err := os.ReadFile(abs)
	if err != nil {
		f.err = fmt.Errorf("read parameters: %w", err)
		return
	}
	f.top, f.err = decodeParams(where, data)
	if f.err != nil {
		return
	}
	switch m := f.top.(type) {
	case *yaml12.Map:
		f.root = m
	default:
		if fromValue(m, &node{}).truthy() {
			f.other = typeName(m)
			return
		}
		f.root = &yaml12.Map{} // an empty file of any kind is no values
	}
}

// DecodeValues parses a file of values, such as parameters or metrics, as
// [Values.Read] does: .json, .toml and .py by their suffix, all else as YAML.
func DecodeValues(name string, data []byte) (any, error) { return decodeParams(name, data) }

// decodeParams parses a parameter file by its suffix.
func decodeParams(name string, data []byte) (any, error) {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".json":
		return decodeJSON(name, data)
	case ".toml":
		return decodeTOML(name, data)
	case ".py":
		return decodePython(name, data)
	}
	return yaml12.Decode(name, data)
}

// errSeveral is a pattern that matches more than one value.
var errSeveral = errors.New("the pattern matches more than one parameter")

// lookup finds the value of a dotted key.
func lookup(v any, key string) (any, bool, error) {
	parts := strings.Split(key, ".")
	if found, ok := descend(v, parts); ok || !strings.ContainsAny(key, "*?[") {
		return found, ok, nil
	}
	g := glob{}
	g.walk(v, parts)
	if g.count > 1 {
		return nil, false, errSeveral
	}
	return g.value, g.count == 1, nil
}

func descend(v any, parts []string) (any, bool) {
	for _, part := range parts {
		next, ok := child(v, part)
		if !ok {
			return nil, false
		}
		v = next
	}
	return v, true
}

// child is an element of a map or list.
func child(v any, name string) (any, bool) {
	switch v := v.(type) {
	case *yaml12.Map:
		if e, ok := v.Get(name); ok {
			return e, true
		}
		for _, it := range v.Items {
			if _, isText := it.Key.(string); !isText && python.Str(it.Key) == name {
				return it.Value, true
			}
		}
	case []any:
		n, err := strconv.Atoi(strings.TrimSpace(name))
		if err != nil {
			return nil, false
		}
		if n < 0 {
			n += len(v)
		}
		if n >= 0 && n < len(v) {
			return v[n], true
		}
	}
	return nil, false
}

// glob counts the values that a pattern matches, up to two.
type glob struct {
	value any
	count int
	steps int
}

// maxGlobSteps bounds the work: patterns of many "**" over deep values would
// take exponential time.
const maxGlobSteps = 1 << 16

func (g *glob) walk(v any, parts []string) {
	g.steps++
	if g.steps > maxGlobSteps {
		g.count = 2
	}
	if g.count > 1 {
		return
	}
	if len(parts) == 0 {
		g.value = v
		g.count++
		return
	}
	if parts[0] == "**" {
		g.walk(v, parts[1:])
		each(v, func(_ string, e any) { g.walk(e, parts) })
		return
	}
	each(v, func(key string, e any) {
		if key == parts[0] || fnmatch(parts[0], key) {
			g.walk(e, parts[1:])
		}
	})
}

// each calls f for the elements of a map or list.
func each(v any, f func(key string, e any)) {
	switch v := v.(type) {
	case *yaml12.Map:
		for _, it := range v.Items {
			f(python.Str(it.Key), it.Value)
		}
	case []any:
		for i, e := range v {
			f(strconv.Itoa(i), e)
		}
	}
}
