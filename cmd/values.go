package cmd

import (
	"context"
	"errors"
	"io/fs"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

// valueFile is a file of metrics or parameters at a revision.
type valueFile struct {
	path string // as it is shown
	data any    // what counts of its content; nil if there is none
	err  error
}

// readValues reads files of values; keep says what counts of each.
func (r *revision) readValues(ctx context.Context, paths []string, keep func(rel string, v any) any) ([]valueFile, error) {
	var list []valueFile
	for _, rel := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f := valueFile{path: r.show(rel)}
		data, err := r.read(ctx, rel)
		if err == nil {
			var v any
			if v, err = pipeline.DecodeValues(rel, data); err == nil {
				f.data = keep(rel, v)
			}
		}
		f.err = err
		list = append(list, f)
	}
	return list, nil
}

// leaf is a value with its dotted key.
type leaf struct {
	key   string
	value any
}

// leaves flattens maps, in order of the keys.
func leaves(v any) []leaf {
	var list []leaf
	var walk func(prefix string, v any)
	walk = func(prefix string, v any) {
		m, ok := v.(*yaml12.Map)
		if !ok {
			list = append(list, leaf{prefix, v})
			return
		}
		for _, it := range m.Items {
			key := python.Str(it.Key)
			if prefix != "" {
				key = prefix + "." + key
			}
			walk(key, it.Value)
		}
	}
	if v != nil {
		walk("", v)
	}
	slices.SortStableFunc(list, func(a, b leaf) int { return strings.Compare(a.key, b.key) })
	return list
}

// change is a value at two revisions.
type change struct {
	path, key      string
	old, new       any
	hasOld, hasNew bool
}

// same reports whether the values are equal; 1, 1.0 and true are, as in
// Python.
func (c change) same() bool {
	if c.hasOld != c.hasNew {
		return false
	}
	if d, ok := c.difference(); ok {
		switch d := d.(type) {
		case int64:
			return d == 0
		case float64:
			return d == 0
		}
	}
	return yaml12.Identical(c.old, c.new)
}

// difference is new minus old, for numbers.
func (c change) difference() (any, bool) {
	a, okA := toNumber(c.old)
	b, okB := toNumber(c.new)
	if !c.hasOld || !c.hasNew || !okA || !okB {
		return nil, false
	}
	ia, intA := a.(int64)
	ib, intB := b.(int64)
	if intA && intB {
		return ib - ia, true
	}
	return toFloat(b) - toFloat(a), true
}

func toNumber(v any) (any, bool) {
	switch v := v.(type) {
	case int64, float64:
		return v, true
	case bool:
		if v {
			return int64(1), true
		}
		return int64(0), true
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f, true
	}
	return nil, false
}

func toFloat(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return 0
}

// compareValues pairs the values of two revisions, by file and key. Without
// all only those that differ.
func compareValues(was, now []valueFile, all bool) []change {
	type place struct{ path, key string }
	at := map[place]int{}
	var list []change
	add := func(files []valueFile, set func(c *change, v any)) {
		for _, f := range files {
			for _, l := range leaves(f.data) {
				p := place{f.path, l.key}
				i, ok := at[p]
				if !ok {
					i = len(list)
					at[p] = i
					list = append(list, change{path: f.path, key: l.key})
				}
				set(&list[i], l.value)
			}
		}
	}
	add(was, func(c *change, v any) { c.old, c.hasOld = v, true })
	add(now, func(c *change, v any) { c.new, c.hasNew = v, true })
	slices.SortStableFunc(list, func(a, b change) int {
		if n := strings.Compare(a.path, b.path); n != 0 {
			return n
		}
		return strings.Compare(a.key, b.key)
	})
	if !all {
		list = slices.DeleteFunc(list, change.same)
	}
	return list
}

// changesJSON has DVC's shape: by file and key old, new and, of numbers, diff.
func changesJSON(list []change) *yaml12.Map {
	out := new(yaml12.Map)
	for _, c := range list {
		file, ok := out.Get(c.path)
		if !ok {
			file = new(yaml12.Map)
			out.Set(c.path, file)
		}
		one := new(yaml12.Map)
		one.Set("old", plainValue(c.old))
		one.Set("new", plainValue(c.new))
		if d, ok := c.difference(); ok {
			one.Set("diff", d)
		}
		file.(*yaml12.Map).Set(c.key, one)
	}
	return out
}

// plainValue makes text of a list, as DVC does.
func plainValue(v any) any {
	if list, ok := v.([]any); ok {
		return python.Repr(list)
	}
	return v
}

// changesTable has DVC's columns. With numeric it has the differences.
func changesTable(list []change, title, before, after string, numeric, noPath bool, precision int) table {
	t := table{head: []string{title, before, after}}
	if numeric {
		t.head = append(t.head, "Change")
	}
	for _, c := range list {
		row := []string{c.key, cell(c.old, precision), cell(c.new, precision)}
		if numeric {
			d, _ := c.difference()
			row = append(row, cell(d, precision))
		}
		t.rows = append(t.rows, row)
	}
	if !noPath {
		t.head = append([]string{"Path"}, t.head...)
		for i, c := range list {
			t.rows[i] = append([]string{c.path}, t.rows[i]...)
		}
	}
	return t
}

// cell writes a value into a table: floats rounded to precision digits after
// the point, what is missing as "-".
func cell(v any, precision int) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case float64:
		if precision >= 0 {
			if f, err := strconv.ParseFloat(strconv.FormatFloat(v, 'f', precision, 64), 64); err == nil {
				v = f
			}
		}
		return python.FloatRepr(v)
	case string:
		return strings.NewReplacer("\n", " ", "\r", " ", "\t", " ", "\x1b", "").Replace(v)
	}
	return python.Str(v)
}

// failures warns of files that could not be read, in DVC's words, and with the
// reasons.
func (a *app) failures(what string, r *revision, files []valueFile, missingIsFine bool) {
	var names []string
	for _, f := range files {
		if f.err == nil || missingIsFine && errors.Is(f.err, fs.ErrNotExist) {
			continue
		}
		names = append(names, firstLine(f.err.Error()))
	}
	if len(names) == 0 {
		return
	}
	a.warn("failed to load some " + what + " of '" + r.name + "':\n\t" + strings.Join(names, "\n\t"))
}
