package plots

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

// Definition says what a plot shows.
type Definition struct {
	ID       string
	Template string // "" for linear
	// Title is the ID when empty, the labels are the fields.
	Title, XLabel, YLabel string
	// X are one source or as many as there are of Y; none means the number
	// of the row.
	X []Source
	// Y are the sources; one without field means the file's last.
	Y []Source
	// NoHeader tells that CSV files have no line of names.
	NoHeader bool
}

// Source is a field of a file, by its path from the project's root.
type Source struct{ File, Field string }

// The names of what is added to rows, as DVC calls them.
const (
	revField   = "rev"
	stepField  = "step"
	fileField  = "filename"
	nameField  = "field"
	unifiedX   = "dvc_inferred_x_value"
	unifiedY   = "dvc_inferred_y_value"
	noTemplate = "linear"
)

// NewDefinition makes a definition of the properties that a pipeline file
// gives a plot. id is its name, file its path from the root where the name is
// one, and locate makes a path from the root of one in the pipeline file. Wrong
// properties are errors.
func NewDefinition(id, file string, props *yaml12.Map, locate func(string) string) (Definition, error) {
	d := Definition{ID: id}
	text := func(key string, to *string) error {
		v, ok := props.Get(key)
		if !ok || v == nil {
			return nil
		}
		s, ok := v.(string)
		if !ok {
			return fmt.Errorf("plot '%s': %s is not a text", id, key)
		}
		*to = s
		return nil
	}
	for key, to := range map[string]*string{"template": &d.Template, "title": &d.Title, "x_label": &d.XLabel, "y_label": &d.YLabel} {
		if err := text(key, to); err != nil {
			return d, err
		}
	}
	if v, ok := props.Get("header"); ok && v == false {
		d.NoHeader = true
	}
	y, _ := props.Get("y")
	x, _ := props.Get("x")
	var err error
	if d.Y, err = sources(id, "y", y, []string{file}, locate); err != nil {
		return d, err
	}
	if len(d.Y) == 0 {
		d.Y = []Source{{File: file}}
	}
	if x == nil {
		return d, nil
	}
	var files []string
	for _, s := range d.Y {
		files = append(files, s.File)
	}
	if d.X, err = sources(id, "x", x, files, locate); err != nil {
		return d, err
	}
	if n := len(d.X); n > 1 && n != len(d.Y) {
		return d, fmt.Errorf("plot '%s': %d sources of x and %d of y: want one x, or one for each y", id, n, len(d.Y))
	}
	return d, nil
}

// sources reads a field, a list of fields, or a map from file to these. Fields
// without a file are of each of files.
func sources(id, axis string, v any, files []string, locate func(string) string) ([]Source, error) {
	wrong := fmt.Errorf("plot '%s': %s: want a field, a list of fields or a map from file to fields", id, axis)
	fields := func(v any) ([]string, error) {
		switch v := v.(type) {
		case string:
			return []string{v}, nil
		case []any:
			var list []string
			for _, e := range v {
				s, ok := e.(string)
				if !ok {
					return nil, wrong
				}
				list = append(list, s)
			}
			return list, nil
		}
		return nil, wrong
	}
	var list []Source
	switch v := v.(type) {
	case nil:
		return nil, nil
	case *yaml12.Map:
		for _, it := range v.Items {
			names, err := fields(it.Value)
			if err != nil {
				return nil, err
			}
			for _, n := range names {
				list = append(list, Source{locate(python.Str(it.Key)), n})
			}
		}
	default:
		names, err := fields(v)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			for _, n := range names {
				list = append(list, Source{f, n})
			}
		}
	}
	return list, nil
}

// Files returns the files that the definition needs, each once.
func (d Definition) Files() []string {
	var files []string
	for _, s := range append(slices.Clone(d.Y), d.X...) {
		if !slices.Contains(files, s.File) {
			files = append(files, s.File)
		}
	}
	return files
}

// Revision has the rows of a definition's files at a revision.
type Revision struct {
	Name string
	Rows map[string][]Row
}

// Plot is a definition joined with data.
type Plot struct {
	ID, Title, Template string
	XLabel, YLabel      string
	// X and Y are fields of the rows.
	X, Y string
	// Revisions that have rows, in order.
	Revisions []string
	// Rows have the fields of the data and the revision; where the plot has
	// several files or fields of Y also which one.
	Rows []Row
	// Problems are why revisions are left out, though they have the files.
	Problems []error

	severalFiles, severalFields bool
}

// Build joins a definition with the data of revisions. Those that lack a file
// are left out, and so are those whose data does not fit, with a problem. It is
// an error when none is left.
func Build(d Definition, revisions []Revision) (*Plot, error) {
	p := &Plot{ID: d.ID, Title: d.Title, Template: d.Template, XLabel: d.XLabel, YLabel: d.YLabel}
	if p.Title == "" {
		p.Title = d.ID
	}
	if p.Template == "" {
		p.Template = noTemplate
	}
	if !slices.Contains(templateNames, p.Template) {
		return nil, fmt.Errorf("plot '%s': unknown template '%s': want one of %s", d.ID, p.Template, strings.Join(templateNames, ", "))
	}
	for _, r := range revisions {
		if err := p.add(d, r); err != nil {
			p.Problems = append(p.Problems, fmt.Errorf("plot '%s' at '%s': %w", d.ID, r.Name, err))
		}
	}
	switch {
	case len(p.Rows) == 0 && len(p.Problems) > 0:
		return nil, p.Problems[0]
	case len(p.Rows) == 0:
		return nil, fmt.Errorf("plot '%s' has no data", d.ID)
	}
	if p.XLabel == "" {
		p.XLabel = label(d.X, stepField, "x")
	}
	if p.YLabel == "" {
		p.YLabel = p.Y
		if p.Y == unifiedY {
			p.YLabel = "y"
		}
	}
	return p, nil
}

// label is the one field of sources.
func label(s []Source, none, several string) string {
	if len(s) == 0 {
		return none
	}
	for _, o := range s {
		if o.Field != s[0].Field {
			return several
		}
	}
	return s[0].Field
}

// add appends the rows of one revision.
func (p *Plot) add(d Definition, r Revision) error {
	ys := slices.Clone(d.Y)
	for i := range ys {
		rows, ok := r.Rows[ys[i].File]
		if !ok || len(rows) == 0 {
			return nil
		}
		if ys[i].Field == "" {
			ys[i].Field = python.Str(rows[0].Items[len(rows[0].Items)-1].Key)
		}
	}
	for _, y := range ys[1:] {
		p.severalFiles = p.severalFiles || y.File != ys[0].File
		p.severalFields = p.severalFields || y.Field != ys[0].Field
	}
	p.Y, p.X = label(ys, "", unifiedY), label(d.X, stepField, unifiedX)
	short := commonDir(ys)
	var found []Row
	for i, y := range ys {
		rows := r.Rows[y.File]
		if err := has(rows, y); err != nil {
			return err
		}
		x, from := Source{}, rows
		if len(d.X) > 0 {
			x = d.X[min(i, len(d.X)-1)]
			if from = r.Rows[x.File]; len(from) != len(rows) {
				return fmt.Errorf("cannot join '%s' of '%s' and '%s' of '%s': they have %d and %d rows", x.Field, x.File, y.Field, y.File, len(from), len(rows))
			}
			if err := has(from, x); err != nil {
				return err
			}
		}
		for k, row := range rows {
			out := &yaml12.Map{Items: slices.Clone(row.Items)}
			if p.Y == unifiedY {
				v, _ := row.Get(y.Field)
				out.Set(unifiedY, v)
			}
			if len(d.X) == 0 {
				out.Set(stepField, int64(k))
			} else {
				v, _ := from[k].Get(x.Field)
				out.Set(p.X, v)
			}
			out.Set(revField, r.Name)
			if p.severalFiles {
				out.Set(fileField, strings.TrimPrefix(y.File, short))
			}
			if p.severalFields {
				out.Set(nameField, y.Field)
			}
			found = append(found, out)
		}
	}
	p.Rows = append(p.Rows, found...)
	p.Revisions = append(p.Revisions, r.Name)
	return nil
}

// has fails when rows lack a field.
func has(rows []Row, s Source) error {
	if _, ok := rows[0].Get(s.Field); ok {
		return nil
	}
	var names []string
	for _, it := range rows[0].Items {
		names = append(names, python.Str(it.Key))
	}
	return fmt.Errorf("'%s' has no field '%s', only %s", s.File, s.Field, strings.Join(names, ", "))
}

// commonDir is the directory, with a slash behind, that all files are in.
func commonDir(s []Source) string {
	dir := path.Dir(s[0].File)
	for _, o := range s {
		for dir != "." && dir != "/" && !strings.HasPrefix(o.File, dir+"/") {
			dir = path.Dir(dir)
		}
	}
	if dir == "." || len(s) == 1 {
		return ""
	}
	return dir + "/"
}
