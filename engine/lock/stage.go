package lock

import (
	"cmp"
	"slices"

	"github.com/flowrepro/flow/internal/yaml12"
)

// defaultParams is the parameter file that comes first in a lock.
const defaultParams = "params.yaml"

// Equal reports whether both record the same, types of parameter values
// included; the order of entries does not count.
func (s *Stage) Equal(o *Stage) bool {
	if s == nil || o == nil {
		return s == o
	}
	return s.Version == o.Version && yaml12.Identical(s.Cmd, o.Cmd) &&
		slices.EqualFunc(byPath(s.Deps), byPath(o.Deps), equalEntries) &&
		slices.EqualFunc(byPath(s.Outs), byPath(o.Outs), equalEntries) &&
		slices.EqualFunc(byFile(s.Params), byFile(o.Params), equalParams)
}

func equalParams(a, b ParamFile) bool {
	return a.Path == b.Path && yaml12.Identical(a.Values, b.Values)
}

func equalEntries(a, b Entry) bool {
	return a.Path == b.Path && a.Hash == b.Hash && a.Digest == b.Digest && a.Size == b.Size &&
		a.Files == b.Files && a.Exec == b.Exec && yaml12.Identical(a.Extra, b.Extra)
}

// byPath returns the entries sorted by path, the slice itself if it is.
func byPath(list []Entry) []Entry {
	order := func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) }
	if slices.IsSortedFunc(list, order) {
		return list
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, order)
	return list
}

// byFile returns the parameter files with params.yaml first, then by path.
func byFile(list []ParamFile) []ParamFile {
	order := func(a, b ParamFile) int {
		if first := a.Path == defaultParams; first != (b.Path == defaultParams) {
			if first {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Path, b.Path)
	}
	if slices.IsSortedFunc(list, order) {
		return list
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, order)
	return list
}

// Map returns the stage as the lock holds it, in its order: cmd, deps, params,
// outs, without those that are empty.
func (s *Stage) Map() *yaml12.Map {
	m := &yaml12.Map{Items: make([]yaml12.Item, 0, 5)}
	add(m, "cmd", s.Cmd)
	if s.Version != "" {
		add(m, "version", s.Version)
	}
	if len(s.Deps) > 0 {
		add(m, "deps", entryMaps(s.Deps))
	}
	if len(s.Params) > 0 {
		files := &yaml12.Map{Items: make([]yaml12.Item, 0, len(s.Params))}
		for _, p := range byFile(s.Params) {
			add(files, p.Path, byKey(p.Values))
		}
		add(m, "params", files)
	}
	if len(s.Outs) > 0 {
		add(m, "outs", entryMaps(s.Outs))
	}
	return m
}

func add(m *yaml12.Map, key string, value any) {
	m.Items = append(m.Items, yaml12.Item{Key: key, Value: value})
}

// byKey returns the values with their keys sorted, those of nested maps not.
func byKey(values *yaml12.Map) *yaml12.Map {
	if values == nil {
		return &yaml12.Map{}
	}
	order := func(a, b yaml12.Item) int {
		x, _ := a.Key.(string)
		y, _ := b.Key.(string)
		return cmp.Compare(x, y)
	}
	if slices.IsSortedFunc(values.Items, order) {
		return values
	}
	items := slices.Clone(values.Items)
	slices.SortStableFunc(items, order)
	return &yaml12.Map{Items: items}
}

func entryMaps(list []Entry) []any {
	list = byPath(list)
	maps := make([]any, len(list))
	for i := range list {
		maps[i] = list[i].lockMap()
	}
	return maps
}

// lockMap returns the entry in the order of dvc.lock. A checksum of another
// kind stands where the digest would.
func (e *Entry) lockMap() *yaml12.Map {
	m := &yaml12.Map{Items: make([]yaml12.Item, 0, 6)}
	add(m, "path", e.Path)
	if e.Hash != "" {
		add(m, "hash", e.Hash)
	}
	e.addContent(m)
	if e.Extra != nil {
		for _, it := range e.Extra.Items {
			if !isChecksum(it.Key) {
				m.Items = append(m.Items, it)
			}
		}
	}
	return m
}

// addContent adds digest or checksum, size, number of files and execute bit.
func (e *Entry) addContent(m *yaml12.Map) {
	if e.Digest != "" && !e.Listed {
		add(m, e.digestKey(), e.Digest)
	}
	if e.Extra != nil {
		for _, it := range e.Extra.Items {
			if isChecksum(it.Key) {
				m.Items = append(m.Items, it)
			}
		}
	}
	if e.Size >= 0 && !e.Listed {
		add(m, "size", e.Size)
	}
	if e.Files >= 0 && !e.Listed {
		add(m, "nfiles", e.Files)
	}
	if e.Exec {
		add(m, "isexec", true)
	}
}

// digestKey is the key under which the digest stands.
func (e *Entry) digestKey() string {
	if e.Hash == "" {
		return "md5"
	}
	return e.Hash
}

func isChecksum(key any) bool { return key == "etag" || key == "checksum" }
