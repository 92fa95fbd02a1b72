package stages

import (
	"fmt"
	"sort"
	"strings"

	"github.com/flowrepro/flow/internal/yaml12"
)

// Params are the parameters a stage declares, by full dotted key. The zero
// Params holds none. Params are immutable and safe for concurrent use.
type Params struct {
	values *yaml12.Map
}

// NewParams returns the parameters of a map from dotted key to value. A value
// may be a mapping, when the pipeline declares a whole section. The map must
// not be changed afterwards.
func NewParams(values *yaml12.Map) Params { return Params{values: values} }

// ParamError reports a parameter that does not fit what a stage expects.
type ParamError struct {
	// Key is the full dotted key.
	Key string
	// Msg says what is wrong.
	Msg string
	// Known are the keys the stage knows, when Key is not one of them.
	Known []string
}

func (e *ParamError) Error() string { return fmt.Sprintf("parameter %s: %s", e.Key, e.Msg) }

// Hint names the parameters that exist, when the key is unknown.
func (e *ParamError) Hint() string {
	if len(e.Known) == 0 {
		return ""
	}
	return "known parameters: " + strings.Join(e.Known, ", ")
}

// Decode fills into, a pointer to a struct, with the parameters below prefix;
// an empty prefix means all of them. A field takes the key of its
// `param:"name"` tag; nested structs are nested keys, embedded ones without a
// tag lend their fields. Fields whose key is not
// declared keep the value they have, which is how defaults are given; with
// `param:"name,required"` a missing key is an error.
//
// Fields may be booleans, integers, floats, strings, pointers to these,
// slices, maps from string, nested structs and any. An integer is accepted
// for a float; null sets the zero value. All other mixtures, unknown keys and
// numbers out of range are errors; all of them are reported at once, each a
// *ParamError.
func (p Params) Decode(prefix string, into any) error {
	tree, err := p.section(prefix)
	if err != nil {
		return err
	}
	return decodeStruct(prefix, tree, into)
}

// Keys returns the declared keys in order.
func (p Params) Keys() []string {
	if p.values == nil {
		return nil
	}
	keys := make([]string, 0, len(p.values.Items))
	for _, it := range p.values.Items {
		keys = append(keys, keyText(it.Key))
	}
	return keys
}

// Param is a parameter by its full dotted key.
type Param struct {
	Key   string
	Value any
}

// All returns the declared parameters in order, the keys of mappings dotted
// and lists as they are.
func (p Params) All() []Param {
	var list []Param
	var walk func(key string, value any)
	walk = func(key string, value any) {
		m, ok := value.(*yaml12.Map)
		if !ok {
			list = append(list, Param{key, value})
			return
		}
		for _, it := range m.Items {
			walk(join(key, keyText(it.Key)), it.Value)
		}
	}
	if p.values != nil {
		walk("", p.values)
	}
	return list
}

// section gathers what lies below prefix as one nested mapping. The pipeline
// may declare a section whole ("train"), key by key ("train.c") or both.
func (p Params) section(prefix string) (*yaml12.Map, error) {
	tree := new(yaml12.Map)
	if p.values == nil {
		return tree, nil
	}
	items := make([]yaml12.Item, 0, len(p.values.Items))
	items = append(items, p.values.Items...)
	// Shorter keys first: a section before the keys inside it.
	sort.SliceStable(items, func(i, j int) bool { return len(keyText(items[i].Key)) < len(keyText(items[j].Key)) })
	for _, it := range items {
		key := keyText(it.Key)
		rest, ok := below(prefix, key)
		if !ok {
			continue
		}
		if rest == "" {
			m, isMap := it.Value.(*yaml12.Map)
			if it.Value == nil {
				continue
			}
			if !isMap {
				return nil, &ParamError{Key: key, Msg: "want a mapping, have " + describe(it.Value)}
			}
			for _, sub := range m.Items {
				tree.Set(keyText(sub.Key), sub.Value)
			}
			continue
		}
		if err := graft(tree, prefix, strings.Split(rest, "."), it.Value); err != nil {
			return nil, err
		}
	}
	return tree, nil
}

// below reports whether key is prefix or lies below it, and what remains.
func below(prefix, key string) (rest string, ok bool) {
	switch {
	case prefix == "":
		return key, true
	case key == prefix:
		return "", true
	case strings.HasPrefix(key, prefix+"."):
		return key[len(prefix)+1:], true
	}
	return "", false
}

// graft sets a value at a path, copying the mappings on the way, since those
// belong to the caller.
func graft(tree *yaml12.Map, prefix string, path []string, value any) error {
	at := prefix
	for len(path) > 1 {
		at = join(at, path[0])
		old, ok := tree.Get(path[0])
		next := new(yaml12.Map)
		if ok && old != nil {
			m, isMap := old.(*yaml12.Map)
			if !isMap {
				return &ParamError{Key: at, Msg: "is both a value and a section"}
			}
			next.Items = append(next.Items, m.Items...)
		}
		tree.Set(path[0], next)
		tree, path = next, path[1:]
	}
	tree.Set(path[0], value)
	return nil
}

func join(prefix, key string) string {
	if prefix == "" {
		return key
	}
	return prefix + "." + key
}

func keyText(key any) string {
	if s, ok := key.(string); ok {
		return s
	}
	return fmt.Sprint(key)
}

// describe names a value for a message: its type and, when short, its text.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("the string %q", shorten(v))
	case bool:
		return fmt.Sprintf("the boolean %t", v)
	case []any:
		return "a list"
	case *yaml12.Map:
		return "a mapping"
	default:
		return shorten(fmt.Sprint(v))
	}
}

func shorten(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
