package page

import (
	"fmt"
	"io"
	"reflect"
	"text/template/parse"
)

// HTML is text that is written as it is.
type HTML string

// Raw is HTML in a buffer of the caller's.
type Raw []byte

// Funcs are the functions of a template, by name: each has a result, and may
// have an error after it.
type Funcs map[string]any

// Template is a parsed template. It does not change.
type Template struct {
	name  string
	root  *parse.ListNode
	funcs map[string]reflect.Value
}

// New parses a template.
func New(name, source string, funcs Funcs) (*Template, error) {
	t := &Template{name: name, funcs: map[string]reflect.Value{
		"eq": reflect.ValueOf(equal), "index": reflect.ValueOf(index), "printf": reflect.ValueOf(fmt.Sprintf),
	}}
	known := map[string]any{"eq": true, "index": true, "printf": true}
	for n, f := range funcs {
		t.funcs[n], known[n] = reflect.ValueOf(f), true
	}
	trees, err := parse.Parse(name, source, "", "", known)
	if err != nil {
		return nil, fmt.Errorf("parse page: %w", err)
	}
	t.root = trees[name].Root
	if _, err := outside.list(t.root); err != nil {
		return nil, fmt.Errorf("parse page %s: %w", name, err)
	}
	return t, nil
}

// Must is for templates that are part of the program.
func Must(t *Template, err error) *Template {
	if err != nil {
		panic(err)
	}
	return t
}

// EscapeString escapes text for HTML, within quoted attributes too.
func EscapeString(s string) string {
	if plainEnd(s) == len(s) {
		return s
	}
	return string(AppendEscaped(nil, s))
}

// AppendEscaped appends text that is escaped as by [EscapeString].
func AppendEscaped(dst []byte, s string) []byte {
	for {
		n := plainEnd(s)
		dst = append(dst, s[:n]...)
		if n == len(s) {
			return dst
		}
		dst = append(dst, escapes[s[n]]...)
		s = s[n+1:]
	}
}

// plainEnd returns the length of what stays as it is at the start of a text.
func plainEnd(s string) int {
	for i := range len(s) {
		if escapes[s[i]] != "" {
			return i
		}
	}
	return len(s)
}

// escapes are for the characters that html/template replaces.
var escapes = [256]string{0: "\uFFFD", '"': "&#34;", '&': "&amp;", '\'': "&#39;", '+': "&#43;", '<': "&lt;", '>': "&gt;"}

// Execute writes the page for data, nothing after an error of the template.
func (t *Template) Execute(w io.Writer, data any) error {
	out, err := t.Append(nil, data)
	if err != nil {
		return err
	}
	_, err = w.Write(out)
	return err
}

// Append appends the page for data to dst, nothing after an error.
func (t *Template) Append(dst []byte, data any) ([]byte, error) {
	e := &evaluation{t: t, out: dst, vars: []variable{{"$", reflect.ValueOf(data)}}}
	if err := e.list(reflect.ValueOf(data), t.root); err != nil {
		return dst, fmt.Errorf("page %s: %w", t.name, err)
	}
	return e.out, nil
}

func equal(a, b any) bool { return a == b }

func index(list any, i int) (any, error) {
	v := reflect.ValueOf(list)
	if k := v.Kind(); k != reflect.Slice && k != reflect.Array && k != reflect.String || i < 0 || i >= v.Len() {
		return nil, fmt.Errorf("no element %d of %T", i, list)
	}
	return v.Index(i).Interface(), nil
}
