package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

// editorOf returns what changes a parameter file of that name and leaves the
// rest of its bytes alone.
func editorOf(name string) func([]byte, edit) ([]byte, error) {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".json":
		return editJSON
	case ".toml":
		return editTOML
	case ".py":
		return editPython
	}
	return func(data []byte, e edit) ([]byte, error) {
		if e.remove {
			return yaml12.Delete(data, e.path)
		}
		return yaml12.Set(data, e.path, e.value)
	}
}

// splice replaces data[from:to].
func splice(data []byte, from, to int, text []byte) []byte {
	out := make([]byte, 0, len(data)+len(text))
	out = append(out, data[:from]...)
	out = append(out, text...)
	return append(out, data[to:]...)
}

// nest wraps a value into maps for the keys.
func nest(keys []any, v any) any {
	for i := len(keys) - 1; i >= 0; i-- {
		v = &yaml12.Map{Items: []yaml12.Item{{Key: fmt.Sprint(keys[i]), Value: v}}}
	}
	return v
}

// within returns a copy of v with the value at the path replaced.
func within(v any, rest []any, value any) any {
	if len(rest) == 0 {
		return value
	}
	switch v := v.(type) {
	case *yaml12.Map:
		m := &yaml12.Map{Items: append([]yaml12.Item(nil), v.Items...)}
		old, _ := child(v, fmt.Sprint(rest[0]))
		key := fmt.Sprint(rest[0])
		for i, it := range m.Items {
			if python.Str(it.Key) == key {
				m.Items[i].Value = within(old, rest[1:], value)
				return m
			}
		}
		m.Set(key, nest(rest[1:], value))
		return m
	case []any:
		list := append([]any(nil), v...)
		if i, ok := rest[0].(int); ok && i < len(list) {
			list[i] = within(list[i], rest[1:], value)
		}
		return list
	}
	return value
}

// jsonSpan is a value of a JSON text with its place.
type jsonSpan struct {
	key, start, end int // key is start for elements of lists
	names           []string
	sub             []jsonSpan
	isMap           bool
}

func scanJSON(dec *json.Decoder, data []byte) (jsonSpan, error) {
	next := func() int {
		at := int(dec.InputOffset())
		for at < len(data) && strings.IndexByte(" \t\r\n,:", data[at]) >= 0 {
			at++
		}
		return at
	}
	s := jsonSpan{start: next()}
	s.key = s.start
	t, err := dec.Token()
	if err != nil {
		return s, err
	}
	if d, ok := t.(json.Delim); ok {
		s.isMap = d == '{'
		for dec.More() {
			key := next()
			if s.isMap {
				k, err := dec.Token()
				if err != nil {
					return s, err
				}
				name, _ := k.(string)
				s.names = append(s.names, name)
			}
			e, err := scanJSON(dec, data)
			if err != nil {
				return s, err
			}
			e.key = key
			s.sub = append(s.sub, e)
		}
		if _, err := dec.Token(); err != nil {
			return s, err
		}
	}
	s.end = int(dec.InputOffset())
	return s, nil
}

// find returns the index of a child, -1 if there is none. Of equal keys the
// last one counts.
func (s *jsonSpan) find(step any) int {
	if i, ok := step.(int); ok && !s.isMap && i < len(s.sub) {
		return i
	}
	for i := len(s.names) - 1; i >= 0; i-- {
		if s.names[i] == step {
			return i
		}
	}
	return -1
}

func editJSON(data []byte, e edit) ([]byte, error) {
	s, err := scanJSON(json.NewDecoder(bytes.NewReader(data)), data)
	if err != nil {
		return nil, err
	}
	for i, step := range e.path {
		n := s.find(step)
		switch {
		case n < 0 && (e.remove || !s.isMap):
			return nil, errors.New("not found")
		case n < 0:
			return s.insert(data, fmt.Sprint(step), nest(e.path[i+1:], e.value)), nil
		case e.remove && i == len(e.path)-1:
			return s.cut(data, n), nil
		}
		s = s.sub[n]
	}
	return splice(data, s.start, s.end, python.JSON(e.value)), nil
}

// insert adds an entry behind the last one, laid out like the first one.
func (s *jsonSpan) insert(data []byte, key string, v any) []byte {
	text := append(python.AppendJSONString(nil, key), ": "...)
	text = python.AppendJSON(text, v)
	if len(s.sub) == 0 {
		return splice(data, s.start, s.end, append(append([]byte{'{'}, text...), '}'))
	}
	lead := ", "
	if gap := data[s.start+1 : s.sub[0].key]; bytes.IndexByte(gap, '\n') >= 0 {
		lead = "," + string(gap)
	}
	last := s.sub[len(s.sub)-1]
	return splice(data, last.end, last.end, append([]byte(lead), text...))
}

// cut removes the n-th entry with its comma.
func (s *jsonSpan) cut(data []byte, n int) []byte {
	switch {
	case n > 0:
		return splice(data, s.sub[n-1].end, s.sub[n].end, nil)
	case len(s.sub) > 1:
		return splice(data, s.sub[0].key, s.sub[1].key, nil)
	}
	return splice(data, s.start+1, s.end-1, nil)
}

// errForm is a change that the editor of a file cannot make.
var errForm = errors.New("only values that are there can be changed in this kind of file")

// editTOML replaces the value of the key that holds the path.
func editTOML(data []byte, e edit) ([]byte, error) {
	if e.remove || !e.exists {
		return nil, errForm
	}
	top, err := decodeTOML("", data)
	if err != nil {
		return nil, err
	}
	var table []any
	elements := map[string]int{}
	p := unstable.Parser{}
	p.Reset(data)
	for p.NextExpression() {
		x := p.Expression()
		var keys []any
		end := 0
		if x.Kind != unstable.Comment {
			for it := x.Key(); it.Next(); {
				keys = append(keys, string(it.Node().Data))
				end = int(it.Node().Raw.Offset + it.Node().Raw.Length)
			}
		}
		switch x.Kind {
		case unstable.Table:
			table = tablePath(keys, elements)
		case unstable.ArrayTable:
			name := fmt.Sprintf("%q", keys)
			elements[name]++
			table = tablePath(keys, elements)
		case unstable.KeyValue:
			full := append(table[:len(table):len(table)], keys...)
			if len(full) > len(e.path) || fmt.Sprintf("%#v", full) != fmt.Sprintf("%#v", e.path[:len(full)]) {
				continue
			}
			from := end + bytes.IndexByte(data[end:], '=') + 1
			for from < len(data) && (data[from] == ' ' || data[from] == '\t') {
				from++
			}
			to := int(x.Raw.Offset + x.Raw.Length)
			if to <= from {
				return nil, errForm
			}
			old, _ := descend(top, edit{path: full}.names())
			text, err := tomlText(within(old, e.path[len(full):], e.value))
			if err != nil {
				return nil, err
			}
			return splice(data, from, to, []byte(text)), nil
		}
	}
	return nil, errForm
}

// tablePath adds to the name of a table the indexes of the arrays of tables on
// the way.
func tablePath(keys []any, elements map[string]int) []any {
	var path []any
	for i, k := range keys {
		path = append(path, k)
		if n := elements[fmt.Sprintf("%q", keys[:i+1])]; n > 0 {
			path = append(path, n-1)
		}
	}
	return path
}

// tomlText writes a value in one line.
func tomlText(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", errors.New("TOML has no null")
	case *big.Int:
		return "", errors.New("TOML has no integers of more than 64 bits")
	case yaml12.Timestamp:
		return string(v), nil
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			var err error
			if parts[i], err = tomlText(e); err != nil {
				return "", err
			}
		}
		return "[" + strings.Join(parts, ", ") + "]", nil
	case *yaml12.Map:
		parts := make([]string, len(v.Items))
		for i, it := range v.Items {
			key, err := tomlText(python.Str(it.Key))
			if err != nil {
				return "", err
			}
			value, err := tomlText(it.Value)
			if err != nil {
				return "", err
			}
			parts[i] = key + " = " + value
		}
		return "{" + strings.Join(parts, ", ") + "}", nil
	}
	b, err := toml.Marshal(map[string]any{"v": v})
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(strings.TrimPrefix(string(b), "v = ")), nil
}

// editPython replaces the literal that holds the path.
func editPython(data []byte, e edit) ([]byte, error) {
	if e.remove || !e.exists {
		return nil, errForm
	}
	sites := map[string]pySite{}
	top, err := parsePython(string(data), sites)
	if err != nil {
		return nil, err
	}
	names := e.names()
	for n := len(names); n > 0; n-- {
		site, ok := sites[strings.Join(names[:n], ".")]
		if !ok {
			continue
		}
		old, _ := descend(top, names[:n])
		return splice(data, site.start, site.end, []byte(python.Repr(within(old, e.path[n:], e.value)))), nil
	}
	return nil, errForm
}
