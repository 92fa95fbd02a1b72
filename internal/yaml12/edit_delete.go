package yaml12

import (
	"bytes"
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"
)

func (e *editor) delete(path []any) error {
	p, rest, err := e.find(path)
	if err != nil {
		return err
	}
	if len(rest) > 0 || p.parent == nil {
		return fmt.Errorf("no entry %v", pathText(path))
	}
	width := 1 // of an entry in its parent's Content
	if p.key != nil {
		width = 2
	}
	if len(p.parent.Content) == width {
		parent, _, err := e.find(path[:len(path)-1])
		if err != nil {
			return err
		}
		if p.key != nil {
			return e.replace(parent, &Map{})
		}
		return e.replace(parent, []any{})
	}
	if p.flow {
		return e.deleteFlow(p, width)
	}
	return e.deleteBlock(p, width)
}

// deleteBlock removes the lines of an entry, or, when it stands behind a dash
// on its line, what is between it and the next one.
func (e *editor) deleteBlock(p place, width int) error {
	first := p.parent.Content[p.index]
	at, err := e.offset(first)
	if err != nil {
		return err
	}
	if p.key == nil {
		if at, err = e.introducer(p); err != nil {
			return err
		}
		at-- // the dash
	}
	end, err := e.end(p.node)
	if err != nil {
		return err
	}
	if p.key != nil {
		after, err := e.introducer(p)
		if err != nil {
			return err
		}
		end = max(end, after)
	} else {
		end = max(end, at+1)
	}
	start := e.lineStart(at)
	if len(bytes.Trim(e.data[start:at], " ")) > 0 {
		return e.deleteBehindDash(p, width, at, end)
	}
	e.splice(e.ownComments(start, at-start), e.lineEnd(end-1), "")
	return nil
}

// deleteBehindDash pulls the next entry up to the place of the one removed, or
// the comments above it, which are about it.
func (e *editor) deleteBehindDash(p place, width, at, end int) error {
	if p.index != 0 {
		return errEdit
	}
	next, err := e.offset(p.parent.Content[width])
	if err != nil {
		return err
	}
	if p.parent.Kind == yaml.SequenceNode {
		for next > 0 && e.data[next-1] != '-' {
			next--
		}
		next--
	}
	if next <= at {
		return errEdit
	}
	if below := e.lineEnd(end - 1); below < next {
		blank := len(e.data[below:next]) - len(bytes.TrimLeft(e.data[below:next], " \t\r\n"))
		if below+blank < next && e.data[below+blank] == '#' {
			next = below + blank
		}
	}
	e.splice(at, next, "")
	return nil
}

// ownComments returns the start of the comment lines directly above a line
// that have its indentation.
func (e *editor) ownComments(start, indent int) int {
	for start > 0 {
		above := e.lineStart(start - 1)
		line := e.data[above:start]
		text := bytes.TrimLeft(line, " ")
		if len(line)-len(text) != indent || len(text) == 0 || text[0] != '#' {
			break
		}
		start = above
	}
	return start
}

// deleteFlow removes an entry of brackets with the comma behind or before it.
func (e *editor) deleteFlow(p place, width int) error {
	from, err := e.offset(p.parent.Content[p.index])
	if err != nil {
		return err
	}
	if next := p.index + width; next < len(p.parent.Content) {
		to, err := e.offset(p.parent.Content[next])
		if err != nil {
			return err
		}
		e.splice(from, to, "")
		return nil
	}
	to, err := e.end(p.node)
	if err != nil {
		return err
	}
	if from, err = e.end(p.parent.Content[p.index-1]); err != nil {
		return err
	}
	e.splice(from, max(to, from), "")
	return nil
}

// What an edit means for the value.

// normalDeep returns a value of this package's types that shares nothing with
// v.
func normalDeep(v any) any {
	switch v := normal(v).(type) {
	case *Map:
		m := &Map{Items: make([]Item, len(v.Items))}
		for i, it := range v.Items {
			m.Items[i] = Item{normal(it.Key), normalDeep(it.Value)}
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = normalDeep(v[i])
		}
		return list
	default:
		return v
	}
}

func setIn(v any, path []any, value any) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	switch step := path[0].(type) {
	case string:
		m, ok := v.(*Map)
		if !ok && v != nil {
			return nil, fmt.Errorf("%v is no map entry", step)
		}
		out := &Map{}
		if m != nil {
			out.Items = slices.Clone(m.Items)
		}
		old, _ := m.Get(step)
		sub, err := setIn(old, path[1:], value)
		out.Set(step, sub)
		return out, err
	case int:
		list, ok := v.([]any)
		if !ok && v != nil || step < 0 || step > len(list) {
			return nil, fmt.Errorf("no place for item %d", step)
		}
		list = slices.Clone(list)
		if step == len(list) {
			list = append(list, nil)
		}
		sub, err := setIn(list[step], path[1:], value)
		list[step] = sub
		return list, err
	}
	return nil, fmt.Errorf("step %v is neither key nor index", path[0])
}

func deleteIn(v any, path []any) (any, error) {
	last := len(path) == 1
	switch step := path[0].(type) {
	case string:
		m, _ := v.(*Map)
		for i := range m.Len() {
			if m.Items[i].Key != step {
				continue
			}
			out := &Map{Items: slices.Clone(m.Items)}
			if last {
				out.Items = slices.Delete(out.Items, i, i+1)
				return out, nil
			}
			sub, err := deleteIn(out.Items[i].Value, path[1:])
			out.Items[i].Value = sub
			return out, err
		}
	case int:
		list, _ := v.([]any)
		if step >= 0 && step < len(list) {
			list = slices.Clone(list)
			if last {
				return slices.Delete(list, step, step+1), nil
			}
			sub, err := deleteIn(list[step], path[1:])
			list[step] = sub
			return list, err
		}
	}
	return nil, fmt.Errorf("no entry %v", path[0])
}
