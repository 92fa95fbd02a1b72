package lock

import (
	"crypto/md5" //nolint:gosec // DVC's checksum of definitions; it protects nothing.
	"encoding/hex"
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

// DataFile is a .dvc file: tracked data, or data imported from elsewhere.
type DataFile struct {
	// Path is the name that errors carry.
	Path string
	// Wdir is the directory that paths are relative to, itself relative to
	// the file's; "" or "." for the file's own.
	Wdir, Desc string
	// MD5 is the recorded Checksum of an import, "" when there is none.
	MD5                   string
	Frozen, AlwaysChanged bool
	Deps, Outs            []DataEntry
	// Meta is the user's data (see yaml12.Map), nil if there is none.
	Meta any

	// source is the text that was parsed, was what it said.
	source []byte
	was    *DataFile
	// keys are the top-level keys of the source.
	keys map[string]bool
}

// DataEntry is a dependency or output of a .dvc file. Its Extra also holds
// fs_config, type, labels, meta and db.
type DataEntry struct {
	Entry
	// Cache and Push are true unless the file says otherwise.
	Cache, Push, Persist bool
	Remote, Desc         string
	// Repo is the repository that an import comes from (url, rev, rev_lock,
	// config, remote), nil for other entries.
	Repo *yaml12.Map

	// origin is the entry's index in the source plus one, 0 for a new one;
	// keys are the keys it has there.
	origin int
	keys   map[string]bool
}

// NewData returns the .dvc file of new outputs.
func NewData(path string, outs ...DataEntry) *DataFile {
	return &DataFile{Path: path, Outs: outs}
}

// NewSource returns the dependency of an import, of which only the path is known.
func NewSource(path string) DataEntry {
	return DataEntry{Entry: Entry{Path: path, Size: -1, Files: -1}, Cache: true, Push: true}
}

// ParseData reads a .dvc file; name is for errors, which are yaml12.Errors.
func ParseData(name string, data []byte) (*DataFile, error) {
	doc, err := yaml12.Parse(name, data)
	if err != nil {
		return nil, err
	}
	d := &decoder{doc: doc}
	f := d.dataFile()
	if err := d.errs.Err(); err != nil {
		return nil, err
	}
	f.Path, f.source = name, slices.Clone(data)
	was := *f
	was.Deps, was.Outs = slices.Clone(f.Deps), slices.Clone(f.Outs)
	f.was = &was
	return f, nil
}

func (d *decoder) dataFile() *DataFile {
	f := &DataFile{keys: map[string]bool{}}
	if d.doc.Root == nil || d.value(d.doc.Root) == nil {
		return f
	}
	pairs, _ := d.pairs(d.doc.Root, "a .dvc file")
	for _, p := range pairs {
		f.keys[p.name] = true
		d.at(p.name, func() {
			switch p.name {
			case "md5":
				f.MD5 = d.digest(p.value, p.name)
			case "wdir":
				if d.value(p.value) != nil {
					f.Wdir = d.text(p.value, p.name)
				}
			case "desc":
				f.Desc = d.text(p.value, p.name)
			case "frozen", "locked":
				f.Frozen = d.boolean(p.value, p.name) || f.Frozen
			case "always_changed":
				f.AlwaysChanged = d.boolean(p.value, p.name)
			case "meta":
				f.Meta = d.value(p.value)
			case "deps":
				f.Deps = d.dataEntries(p.value, true)
			case "outs":
				f.Outs = d.dataEntries(p.value, false)
			default:
				d.fail(p.key, "unknown key %q", p.name)
			}
		})
	}
	return f
}

func (d *decoder) dataEntries(n *yaml.Node, deps bool) []DataEntry {
	if d.value(n) == nil {
		return nil
	}
	var list []DataEntry
	for i, item := range d.list(n, d.path[len(d.path)-1]) {
		d.at(fmt.Sprint(i), func() {
			entry, rest, ok := d.entry(item)
			if !ok {
				return
			}
			e := DataEntry{Entry: entry, Cache: true, Push: true, origin: i + 1, keys: map[string]bool{}}
			all, _ := d.pairs(item, "an entry")
			for _, p := range all {
				e.keys[p.name] = true
			}
			for _, p := range rest {
				d.at(p.name, func() { d.dataField(&e, p, deps) })
			}
			list = append(list, e)
		})
	}
	return list
}

// dataField reads a key that only entries of .dvc files have.
func (d *decoder) dataField(e *DataEntry, p pair, dep bool) {
	keep := func(v any) {
		if e.Extra == nil {
			e.Extra = new(yaml12.Map)
		}
		add(e.Extra, p.name, v)
	}
	switch {
	case p.name == "persist":
		e.Persist = d.boolean(p.value, p.name)
	case p.name == "fs_config":
		m, ok := d.value(p.value).(*yaml12.Map)
		if !ok {
			d.fail(p.value, "fs_config must be a map")
		}
		keep(m)
	case dep && p.name == "repo":
		m, ok := d.value(p.value).(*yaml12.Map)
		if url, _ := m.Get("url"); !ok || url == nil {
			d.fail(p.value, "repo must be a map with a url")
		}
		e.Repo = m
	case dep && p.name == "db":
		keep(d.value(p.value))
	case !dep && p.name == "cache":
		e.Cache = d.boolean(p.value, p.name)
	case !dep && p.name == "push":
		e.Push = d.boolean(p.value, p.name)
	case !dep && p.name == "remote":
		e.Remote = d.text(p.value, p.name)
	case !dep && p.name == "desc":
		e.Desc = d.text(p.value, p.name)
	case !dep && (p.name == "type" || p.name == "labels" || p.name == "meta"):
		keep(d.value(p.value))
	default:
		d.fail(p.key, "unknown key %q", p.name)
	}
}

// outMap returns the entry in the order of .dvc files. Keys that the source
// states although they have their default value stay.
func (e *DataEntry) outMap() *yaml12.Map {
	m := &yaml12.Map{Items: make([]yaml12.Item, 0, 6)}
	extra := func(names ...string) {
		for _, name := range names {
			if v, ok := e.Extra.Get(name); ok {
				add(m, name, v)
			}
		}
	}
	e.addContent(m)
	if e.keys["isexec"] && !e.Exec {
		add(m, "isexec", false)
	}
	extra("version_id", "cloud")
	if e.Hash != "" {
		add(m, "hash", e.Hash)
	}
	add(m, "path", e.Path)
	if e.Repo != nil {
		add(m, "repo", e.Repo)
	}
	extra("db", "dataset", "fs_config")
	if e.Desc != "" || e.keys["desc"] {
		add(m, "desc", e.Desc)
	}
	extra("type", "labels", "meta")
	flag := func(name string, value, standard bool) {
		if value != standard || e.keys[name] {
			add(m, name, value)
		}
	}
	flag("cache", e.Cache, true)
	flag("persist", e.Persist, false)
	if e.Remote != "" || e.keys["remote"] {
		add(m, "remote", e.Remote)
	}
	flag("push", e.Push, true)
	extra("files")
	return m
}

// fields returns the file's content in DVC's order, stated defaults included.
func (f *DataFile) fields() *yaml12.Map {
	m := &yaml12.Map{}
	text := func(name, value string) {
		if value != "" {
			add(m, name, value)
		}
	}
	text("desc", f.Desc)
	text("md5", f.MD5)
	if f.Wdir != "." || f.keys["wdir"] {
		text("wdir", f.Wdir)
	}
	frozen := "frozen"
	if f.keys["locked"] && !f.keys["frozen"] {
		frozen = "locked"
	}
	if f.Frozen || f.keys[frozen] {
		add(m, frozen, f.Frozen)
	}
	for _, list := range []struct {
		name    string
		entries []DataEntry
	}{{"deps", f.Deps}, {"outs", f.Outs}} {
		if len(list.entries) == 0 {
			continue
		}
		maps := make([]any, len(list.entries))
		for i := range list.entries {
			maps[i] = list.entries[i].outMap()
		}
		add(m, list.name, maps)
	}
	if f.AlwaysChanged || f.keys["always_changed"] {
		add(m, "always_changed", f.AlwaysChanged)
	}
	if f.Meta != nil {
		add(m, "meta", f.Meta)
	}
	return m
}

// notInChecksum are the keys that don't count in a Checksum at any depth.
var notInChecksum = map[string]bool{
	"desc": true, "type": true, "labels": true, "meta": true, "locked": true, "frozen": true,
	"metric": true, "persist": true, "isexec": true, "size": true, "nfiles": true,
}

// Checksum returns the MD5, in hex, that DVC records of an import's
// definition: of its JSON without what describes it only.
func (f *DataFile) Checksum() string {
	plain := *f
	plain.MD5, plain.Meta, plain.keys = "", nil, nil
	plain.Deps, plain.Outs = slices.Clone(f.Deps), slices.Clone(f.Outs)
	for _, list := range [][]DataEntry{plain.Deps, plain.Outs} {
		for i := range list {
			list[i].keys = nil
		}
	}
	sum := md5.Sum(python.JSON(without(plain.fields(), notInChecksum))) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

// without returns v with the keys removed from all maps in it.
func without(v any, keys map[string]bool) any {
	switch v := v.(type) {
	case *yaml12.Map:
		m := &yaml12.Map{Items: make([]yaml12.Item, 0, v.Len())}
		if v == nil {
			return m
		}
		for _, it := range v.Items {
			if name, ok := it.Key.(string); !ok || !keys[name] {
				m.Items = append(m.Items, yaml12.Item{Key: it.Key, Value: without(it.Value, keys)})
			}
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = without(v[i], keys)
		}
		return list
	}
	return v
}

// IsNew reports whether the file was made and not parsed.
func (f *DataFile) IsNew() bool { return f.was == nil }

// Source is the dependency of an import, which has one and makes one output; nil
// for other data.
func (f *DataFile) Source() *DataEntry {
	if len(f.Deps) != 1 || len(f.Outs) != 1 {
		return nil
	}
	return &f.Deps[0]
}

// Tag returns the checksum that the source of an import had, where it is not a
// digest: the server's etag, or what else its "checksum" is.
func (e *DataEntry) Tag() (tag string, ok bool) {
	for _, key := range []string{"etag", "checksum"} {
		if v, has := e.Extra.Get(key); has {
			tag, ok = v.(string)
			return tag, ok
		}
	}
	return "", false
}

// IsKnown reports whether the dependency says which version of the source it is: by
// its commit, its tag or its digest.
func (e *DataEntry) IsKnown() bool {
	if e.Repo != nil {
		_, ok := e.Repo.Get("rev_lock")
		return ok
	}
	_, tagged := e.Tag()
	return tagged || e.Digest != ""
}

// Keep makes e the new state of an entry of a parsed file: Encode changes that
// entry then instead of writing it anew, with its comments and order of keys.
func (e *DataEntry) Keep(old *DataEntry) { e.origin, e.keys = old.origin, old.keys }
