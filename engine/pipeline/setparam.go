package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/flowrepro/flow/internal/atomicfile"
	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

// ParamError says why a parameter cannot be set.
type ParamError struct {
	// Arg is as the user wrote it.
	Arg  string
	msg  string
	hint string
}

func (e *ParamError) Error() string {
	return fmt.Sprintf("Invalid `--set-param` value '%s': %s", e.Arg, e.msg)
}

// Hint returns advice, "" if there is none.
func (e *ParamError) Hint() string { return e.hint }

// change is one parsed argument.
type change struct {
	arg  string
	file string
	// add allows keys that are not there; must forbids those that are.
	add, must, remove bool
	path              []string
	value             any
}

// SetParam changes one parameter in its file and returns the file, relative to
// the root. The argument is [file:]key=value for a parameter that exists,
// +key=value for a new one, ++key=value for either, ~key to remove one; the
// file is params.yaml by default, relative to the root. Values are typed: null,
// true, numbers, 'text', [lists], {maps: 1}, and anything else is text. A map
// given for a map is merged into it.
//
// Everything else in the file stays as it is, comments included. Python files
// and new or removed parameters of TOML files cannot be changed this way. The
// file is replaced atomically.
func SetParam(root, arg string) (file string, err error) {
	c, err := parseChange(arg)
	if err != nil {
		return "", err
	}
	rel := newPlace(root, ".").clean(filepath.ToSlash(c.file))
	abs := filepath.FromSlash(rel)
	if !isAbs(rel) {
		abs = filepath.Join(root, abs)
	}
	data, err := os.ReadFile(abs)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", &ParamError{Arg: arg, msg: fmt.Sprintf("'%s' does not exist", rel)}
		}
		return "", fmt.Errorf("set parameter: %w", err)
	}
	top, err := decodeParams(rel, data)
	if err != nil {
		return "", err
	}
	edits, err := c.edits(top)
	if err != nil {
		return "", err
	}
	edit := editorOf(rel)
	for _, e := range edits {
		if data, err = edit(data, e); err != nil {
			return "", fmt.Errorf("set parameter '%s' of '%s': %w", strings.Join(c.path, "."), rel, err)
		}
	}
	// What was written must read as meant.
	after, err := decodeParams(rel, data)
	if err != nil {
		return "", fmt.Errorf("set parameter '%s' of '%s': the result cannot be read: %w", strings.Join(c.path, "."), rel, err)
	}
	for _, e := range edits {
		got, ok := descend(after, e.names())
		if ok == e.remove || ok && !same(got, e.value) {
			return "", fmt.Errorf("set parameter '%s' of '%s': the file's form does not allow it", strings.Join(c.path, "."), rel)
		}
	}
	if err := atomicfile.Write(abs, data, atomicfile.Options{Sync: true}); err != nil {
		return rel, fmt.Errorf("write parameters: %w", err)
	}
	return rel, nil
}

// same is typed equality that also holds for NaN.
func same(a, b any) bool { return yaml12.Identical(a, b) || python.Repr(a) == python.Repr(b) }

// parseChange reads an argument.
func parseChange(arg string) (*change, error) {
	c := &change{arg: arg, file: defaultParams}
	fail := func(msg, hint string) (*change, error) { return nil, &ParamError{arg, msg, hint} }
	head, text, hasValue := strings.Cut(arg, "=")
	if i := strings.IndexByte(head, ':'); i >= 0 {
		c.file, head = head[:i], head[i+1:]
	}
	switch {
	case strings.HasPrefix(head, "++"):
		c.add, head = true, head[2:]
	case strings.HasPrefix(head, "+"):
		c.add, c.must, head = true, true, head[1:]
	case strings.HasPrefix(head, "~"):
		c.remove, head = true, head[1:]
	}
	head = strings.TrimSpace(head)
	if head == "" || c.file == "" {
		return fail("a parameter is missing", "write key=value")
	}
	c.path = strings.Split(head, ".")
	for _, p := range c.path {
		if p == "" {
			return fail("a part of the key is empty", "")
		}
	}
	if c.remove {
		if hasValue {
			return fail("a removal takes no value", "write ~"+head)
		}
		return c, nil
	}
	if !hasValue {
		return fail("a value is missing", "write "+head+"=value")
	}
	p := overrideParser{s: text}
	v, err := p.all()
	if err != nil {
		return fail(err.Error(), "quote the value to make it text: "+head+"='"+text+"'")
	}
	c.value = v
	return c, nil
}

// edit is one change of a file: a value to put at a path, or to remove.
type edit struct {
	path   []any // string keys, int indexes
	value  any
	remove bool
	exists bool
}

func (e edit) names() []string {
	names := make([]string, len(e.path))
	for i, p := range e.path {
		names[i] = fmt.Sprint(p)
	}
	return names
}

// edits checks a change against the file's values and splits it into single
// ones, so that the rest of a map that is given keeps its form.
func (c *change) edits(top any) ([]edit, error) {
	if top == nil {
		top = &yaml12.Map{}
	}
	if _, ok := top.(*yaml12.Map); !ok {
		return nil, &ParamError{Arg: c.arg, msg: fmt.Sprintf("expected a dictionary in the file, got '%s'", typeName(top))}
	}
	return c.below(top, nil, c.path, c.value)
}

func (c *change) below(v any, done []any, rest []string, value any) ([]edit, error) {
	missing := func(name string) error {
		e := &ParamError{Arg: c.arg, msg: fmt.Sprintf("'%s' is not in the file", strings.Join(append(edit{path: done}.names(), name), "."))}
		if m, ok := v.(*yaml12.Map); ok {
			var keys []string
			for _, it := range m.Items {
				keys = append(keys, python.Str(it.Key))
			}
			e.hint = didYouMean(name, keys)
		}
		if e.hint == "" && !c.remove {
			e.hint = "write +" + strings.Join(c.path, ".") + "=… to add it"
		}
		return e
	}
	if len(rest) > 0 {
		name := rest[0]
		var step any = name
		switch list := v.(type) {
		case *yaml12.Map:
			if _, ok := list.Get(name); !ok {
				if !c.add {
					return nil, missing(name)
				}
				for _, r := range rest {
					done = append(done, r)
				}
				return []edit{{path: done, value: value}}, nil
			}
		case []any:
			n, err := strconv.Atoi(name)
			if err != nil || n < -len(list) || n >= len(list) {
				return nil, missing(name)
			}
			step = (n + len(list)) % len(list)
		default:
			return nil, &ParamError{Arg: c.arg, msg: fmt.Sprintf("'%s' is a single value", strings.Join(edit{path: done}.names(), "."))}
		}
		next, _ := child(v, fmt.Sprint(step))
		return c.below(next, append(done[:len(done):len(done)], step), rest[1:], value)
	}
	if c.remove {
		return []edit{{path: done, remove: true, exists: true}}, nil
	}
	given, isMap := value.(*yaml12.Map)
	if _, ok := v.(*yaml12.Map); ok && isMap {
		var list []edit
		for _, it := range given.Items {
			more, err := c.below(v, done, []string{python.Str(it.Key)}, it.Value)
			if err != nil {
				return nil, err
			}
			list = append(list, more...)
		}
		return list, nil
	}
	if c.must {
		return nil, &ParamError{Arg: c.arg, msg: fmt.Sprintf("'%s' is in the file already", strings.Join(c.path, ".")),
			hint: "leave out the + to change it, or write ++"}
	}
	return []edit{{path: done, value: value, exists: true}}, nil
}
