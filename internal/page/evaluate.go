package page

import (
	"fmt"
	"reflect"
	"sync"
	"text/template/parse"
)

type variable struct {
	name  string
	value reflect.Value
}

// evaluation is a page that is being made.
type evaluation struct {
	t    *Template
	out  []byte
	vars []variable
}

func (e *evaluation) list(dot reflect.Value, list *parse.ListNode) error {
	if list == nil {
		return nil
	}
	for _, n := range list.Nodes {
		if err := e.node(dot, n); err != nil {
			return err
		}
	}
	return nil
}

func (e *evaluation) node(dot reflect.Value, n parse.Node) error {
	switch n := n.(type) {
	case *parse.TextNode:
		e.out = append(e.out, n.Text...)
	case *parse.ActionNode:
		v, err := e.pipe(dot, n.Pipe)
		if err != nil || len(n.Pipe.Decl) > 0 {
			return err
		}
		e.write(v)
	case *parse.IfNode:
		return e.branch(dot, &n.BranchNode, false)
	case *parse.WithNode:
		return e.branch(dot, &n.BranchNode, true)
	case *parse.RangeNode:
		return e.loop(dot, n)
	}
	return nil
}

var (
	htmlType   = reflect.TypeFor[HTML]()
	rawType    = reflect.TypeFor[Raw]()
	stringType = reflect.TypeFor[string]()
)

func (e *evaluation) write(v reflect.Value) {
	if v = inner(v); !v.IsValid() {
		return
	}
	// What is frequent is not copied into an interface.
	switch v.Type() {
	case htmlType:
		e.out = append(e.out, v.String()...)
	case rawType:
		e.out = append(e.out, v.Bytes()...)
	case stringType:
		e.out = AppendEscaped(e.out, v.String())
	default:
		e.out = AppendEscaped(e.out, fmt.Sprint(v.Interface()))
	}
}

func (e *evaluation) branch(dot reflect.Value, n *parse.BranchNode, with bool) error {
	defer e.scope(len(e.vars))
	v, err := e.pipe(dot, n.Pipe)
	switch {
	case err != nil:
		return err
	case !truth(v):
		return e.list(dot, n.ElseList)
	case with:
		return e.list(v, n.List)
	}
	return e.list(dot, n.List)
}

func (e *evaluation) loop(dot reflect.Value, n *parse.RangeNode) error {
	defer e.scope(len(e.vars))
	decl := n.Pipe.Decl
	n2 := *n.Pipe
	n2.Decl = nil
	v, err := e.pipe(dot, &n2)
	if err != nil {
		return err
	}
	if v = inner(v); !v.IsValid() || v.Kind() != reflect.Slice && v.Kind() != reflect.Array {
		return fmt.Errorf("%s: not a list", n.Pipe)
	}
	if v.Len() == 0 {
		return e.list(dot, n.ElseList)
	}
	outer := len(e.vars)
	for i := range v.Len() {
		switch len(decl) {
		case 1:
			e.vars = append(e.vars, variable{decl[0].Ident[0], v.Index(i)})
		case 2:
			e.vars = append(e.vars, variable{decl[0].Ident[0], reflect.ValueOf(i)}, variable{decl[1].Ident[0], v.Index(i)})
		}
		if err := e.list(v.Index(i), n.List); err != nil {
			return err
		}
		e.scope(outer)
	}
	return nil
}

func (e *evaluation) scope(n int) { e.vars = e.vars[:n] }

func (e *evaluation) pipe(dot reflect.Value, p *parse.PipeNode) (reflect.Value, error) {
	if len(p.Cmds) != 1 {
		return reflect.Value{}, fmt.Errorf("%s: pipelines are not supported", p)
	}
	v, err := e.command(dot, p.Cmds[0])
	if err == nil && len(p.Decl) == 1 {
		e.vars = append(e.vars, variable{p.Decl[0].Ident[0], v})
	}
	return v, err
}

func (e *evaluation) command(dot reflect.Value, c *parse.CommandNode) (reflect.Value, error) {
	name, ok := c.Args[0].(*parse.IdentifierNode)
	if !ok {
		if len(c.Args) > 1 {
			return reflect.Value{}, fmt.Errorf("%s: only functions take arguments", c)
		}
		return e.operand(dot, c.Args[0])
	}
	f := e.t.funcs[name.Ident]
	args := make([]reflect.Value, 0, len(c.Args)-1)
	for i, a := range c.Args[1:] {
		v, err := e.operand(dot, a)
		if err != nil {
			return v, err
		}
		t := parameter(f.Type(), i)
		if v = inner(v); t == nil || !v.IsValid() || !v.Type().AssignableTo(t) {
			return v, fmt.Errorf("%s: argument %d does not fit", c, i+1)
		}
		args = append(args, v)
	}
	if n := f.Type().NumIn(); len(args) < n && !f.Type().IsVariadic() {
		return reflect.Value{}, fmt.Errorf("%s: %d arguments for %d", c, len(args), n)
	}
	out := f.Call(args)
	if len(out) == 2 && !out[1].IsNil() {
		return out[0], fmt.Errorf("%s: %w", c, out[1].Interface().(error)) //nolint:errcheck,forcetypeassert // Funcs says so
	}
	return out[0], nil
}

// parameter is the type of a function's i-th parameter, nil if it has none.
func parameter(f reflect.Type, i int) reflect.Type {
	switch last := f.NumIn() - 1; {
	case f.IsVariadic() && i >= last:
		return f.In(last).Elem()
	case i <= last:
		return f.In(i)
	}
	return nil
}

func (e *evaluation) operand(dot reflect.Value, n parse.Node) (reflect.Value, error) {
	switch n := n.(type) {
	case *parse.DotNode:
		return dot, nil
	case *parse.FieldNode:
		return fields(dot, n.Ident)
	case *parse.VariableNode:
		for i := len(e.vars) - 1; i >= 0; i-- {
			if e.vars[i].name == n.Ident[0] {
				return fields(e.vars[i].value, n.Ident[1:])
			}
		}
	case *parse.StringNode:
		return reflect.ValueOf(n.Text), nil
	case *parse.NumberNode:
		if n.IsInt {
			return reflect.ValueOf(int(n.Int64)), nil
		}
	}
	return reflect.Value{}, fmt.Errorf("%s is not supported", n)
}

func fields(v reflect.Value, names []string) (reflect.Value, error) {
	for _, name := range names {
		v = inner(v)
		switch {
		case v.IsValid() && v.Kind() == reflect.Struct:
			f := field(v, name)
			if !f.IsValid() || !f.CanInterface() {
				return f, fmt.Errorf("no field %s in %s", name, v.Type())
			}
			v = f
		case v.IsValid() && v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
			v = v.MapIndex(reflect.ValueOf(name))
		default:
			return reflect.Value{}, fmt.Errorf("no field %s in nothing", name)
		}
	}
	return v, nil
}

// fieldKey is a field of a type of structures, places where it is: looking one up
// by its name costs more than all else of writing it. There are as many as
// templates name.
type fieldKey struct {
	t    reflect.Type
	name string
}

var places sync.Map // of fieldKey to []int, nil where there is no such field

func field(v reflect.Value, name string) reflect.Value {
	key := fieldKey{v.Type(), name}
	index, ok := places.Load(key)
	if !ok {
		f, _ := key.t.FieldByName(name)
		index, _ = places.LoadOrStore(key, f.Index)
	}
	at := index.([]int) //nolint:errcheck,forcetypeassert // the map has nothing else
	switch len(at) {
	case 0:
		return reflect.Value{}
	case 1:
		return v.Field(at[0])
	}
	return v.FieldByIndex(at)
}

// inner is what pointers point to and interfaces hold; invalid for nil.
func inner(v reflect.Value) reflect.Value {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem()
	}
	return v
}

// truth reports whether a value is not that which its type begins with, or
// empty.
func truth(v reflect.Value) bool {
	if !v.IsValid() {
		return false
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String, reflect.Array:
		return v.Len() > 0
	case reflect.Interface, reflect.Pointer:
		return !v.IsNil() && (v.Kind() == reflect.Pointer || truth(v.Elem()))
	case reflect.Struct:
		return true
	}
	return !v.IsZero()
}
