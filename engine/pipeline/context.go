package pipeline

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/flowrepro/flow/internal/yaml12"
)

// The values that templates see form a tree that is never changed once built:
// merging copies the maps on the way to what it adds. So thousands of stages
// with their own vars share one tree.

// value is a node of the tree.
type value struct {
	scalar any
	list   []*value
	dict   *dict
	// source is the file or the vars entry that defined it.
	source string
	// date is set when it is or holds a date, which templates cannot use.
	date bool
}

// dict is a map with string keys in order.
type dict struct {
	keys []string
	m    map[string]*value
}

// wrap makes a tree of a plain value. Keys that are no strings cannot be
// reached by templates and are dropped.
func wrap(v any, source string) *value {
	w := &value{source: source}
	switch v := v.(type) {
	case []any:
		w.list = make([]*value, len(v))
		for i, e := range v {
			w.list[i] = wrap(e, source)
			w.date = w.date || w.list[i].date
		}
	case *yaml12.Map:
		w.dict = &dict{m: make(map[string]*value, v.Len())}
		for _, it := range v.Items {
			if key, ok := it.Key.(string); ok {
				e := wrap(it.Value, source)
				w.dict.add(key, e)
				w.date = w.date || e.date
			}
		}
	case yaml12.Timestamp:
		w.scalar, w.date = v, true
	default:
		w.scalar = v
	}
	return w
}

func (d *dict) add(key string, v *value) {
	if _, ok := d.m[key]; !ok {
		d.keys = append(d.keys, key)
	}
	d.m[key] = v
}

// plain is the inverse of wrap.
func (v *value) plain() any {
	switch {
	case v.list != nil:
		list := make([]any, len(v.list))
		for i, e := range v.list {
			list[i] = e.plain()
		}
		return list
	case v.dict != nil:
		m := &yaml12.Map{Items: make([]yaml12.Item, len(v.dict.keys))}
		for i, k := range v.dict.keys {
			m.Items[i] = yaml12.Item{Key: k, Value: v.dict.m[k].plain()}
		}
		return m
	}
	return v.scalar
}

func (v *value) isScalar() bool { return v.list == nil && v.dict == nil }

func (v *value) typeName() string {
	switch {
	case v.list != nil:
		return "list"
	case v.dict != nil:
		return "dict"
	}
	return typeName(v.scalar)
}

// merge returns into with the entries of from. Maps merge; anything else that
// both have is an error, since values cannot be redefined.
func merge(into, from *dict, prefix string) (*dict, error) {
	if into == nil || len(into.keys) == 0 {
		return from, nil
	}
	out := &dict{keys: into.keys[:len(into.keys):len(into.keys)], m: make(map[string]*value, len(into.m)+len(from.m))}
	for k, v := range into.m {
		out.m[k] = v
	}
	for _, k := range from.keys {
		v := from.m[k]
		old, dup := into.m[k]
		switch {
		case !dup:
			out.add(k, v)
		case old.dict != nil && v.dict != nil:
			sub, err := merge(old.dict, v.dict, prefix+k+".")
			if err != nil {
				return nil, err
			}
			out.m[k] = &value{dict: sub, source: old.source, date: old.date || v.date}
		default:
			return nil, fmt.Errorf("cannot redefine '%s' from '%s' as it already exists in '%s'",
				prefix+k, v.source, old.source)
		}
	}
	return out, nil
}

// scope is what one stage's templates see.
type scope struct {
	root *dict
	// imports are the parameter files loaded so far: nil keys for a whole one.
	imports map[string][]string
	// temp holds item and key inside foreach and matrix; they hide values of
	// those names and cannot be redefined. names keeps their order.
	temp  map[string]*value
	names []string
}

// with returns a scope with item and perhaps key added.
func (s *scope) with(item *value, key *value) *scope {
	t := *s
	t.temp = map[string]*value{"item": item}
	t.names = []string{"item"}
	if key != nil {
		t.temp["key"] = key
		t.names = append(t.names, "key")
	}
	return &t
}

// top returns a top-level value.
func (s *scope) top(name string) *value {
	if v := s.temp[name]; v != nil {
		return v
	}
	if s.root == nil {
		return nil
	}
	return s.root.m[name]
}

// lookup finds the value of an expression. When there is none, hint suggests
// another one.
func (s *scope) lookup(expr string) (v *value, hint string) {
	words := components(expr)
	if v = s.top(words[0]); v == nil {
		return nil, didYouMean(words[0], s.topNames())
	}
	for i, w := range words[1:] {
		done := strings.Join(words[:i+1], ".")
		switch {
		case v.dict != nil:
			next := v.dict.m[w]
			if next == nil {
				if near := nearest(w, v.dict.keys); near != "" {
					return nil, didYouMeanExactly(done + "." + near)
				}
				if len(v.dict.keys) > 0 {
					return nil, fmt.Sprintf("'%s' has %s", done, quoteList(v.dict.keys))
				}
				return nil, fmt.Sprintf("'%s' is empty", done)
			}
			v = next
		case v.list != nil:
			n, err := strconv.Atoi(w)
			if err != nil {
				return nil, fmt.Sprintf("'%s' is a list: use an index, as in ${%s[0]}", done, done)
			}
			if n < 0 {
				n += len(v.list)
			}
			if n < 0 || n >= len(v.list) {
				return nil, fmt.Sprintf("'%s' has %d elements", done, len(v.list))
			}
			v = v.list[n]
		default:
			return nil, fmt.Sprintf("'%s' is a single value", done)
		}
	}
	return v, ""
}

func didYouMeanExactly(s string) string { return "did you mean " + strconv.Quote(s) + "?" }

// quoteList names up to eight words.
func quoteList(words []string) string {
	const most = 8
	more := ""
	if len(words) > most {
		more = fmt.Sprintf(" and %d more", len(words)-most)
		words = words[:most]
	}
	return "'" + strings.Join(words, "', '") + "'" + more
}

func (s *scope) topNames() []string {
	names := append([]string(nil), s.names...)
	if s.root != nil {
		names = append(names, s.root.keys...)
	}
	return names
}

// extend merges values into the scope. item names what was loaded, for the
// message about reserved names; it is "" for inline values.
func (s *scope) extend(d *dict, item string) error {
	var taken []string
	for _, n := range s.names {
		if _, ok := d.m[n]; ok {
			taken = append(taken, n)
		}
	}
	if len(taken) > 0 {
		keys := "key"
		if len(taken) > 1 {
			keys = "keys"
		}
		msg := fmt.Sprintf("attempted to modify reserved %s %s", keys, strings.Join(taken, " and "))
		if item != "" {
			msg += " in '" + item + "'"
		}
		return &varsError{msg: msg}
	}
	root, err := merge(s.root, d, "")
	if err != nil {
		return &varsError{msg: err.Error(), block: true}
	}
	s.root = root
	return nil
}

// imported tells what to do about a file already loaded: skip it, fail, or go
// on.
func (s *scope) imported(path, item string, keys []string) (skip bool, err error) {
	loaded, ok := s.imports[path]
	switch {
	case !ok:
		return false, nil
	case len(keys) == 0 && loaded == nil:
		return true, nil
	case len(keys) == 0:
		return false, &varsError{msg: fmt.Sprintf("cannot load '%s' as it's partially loaded already", item), block: true, vars: true}
	case loaded == nil:
		return false, &varsError{msg: fmt.Sprintf("cannot partially load '%s' as it's already loaded.", item), block: true, vars: true}
	}
	for _, k := range keys {
		for _, l := range loaded {
			if k == l {
				return false, &varsError{msg: fmt.Sprintf("cannot load '%s' as it's partially loaded already", item), block: true, vars: true}
			}
		}
	}
	return false, nil
}

// note records a loaded file.
func (s *scope) note(path string, keys []string) {
	m := make(map[string][]string, len(s.imports)+1)
	for k, v := range s.imports {
		m[k] = v
	}
	if old := m[path]; old != nil {
		keys = append(old[:len(old):len(old)], keys...)
	}
	m[path] = keys
	s.imports = m
}

// varsError is a fault in vars. block puts the reason on a line of its own, as
// DVC does for some; vars tells that the fault is the entry's alone.
type varsError struct {
	msg, hint   string
	block, vars bool
}

func (e *varsError) Error() string { return e.msg }
