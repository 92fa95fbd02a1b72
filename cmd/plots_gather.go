package cmd

import (
	"context"
	"path"
	"slices"

	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/internal/yaml12"
	"github.com/flowrepro/flow/plots"
)

// gathered collects what is drawn of several revisions.
type gathered struct {
	s        *session
	f        *plotFlags
	items    []plots.Item
	problems []plotProblem
}

// wanted is a plot by its definition, or an image file.
type wanted struct {
	id    string
	image string // path from the root
	def   plots.Definition
}

// gather finds the plots of the revisions and reads their data. What a
// revision lacks is a problem, not an error, and of the second and later
// revisions not even that: plots come and go.
func (g *gathered) gather(ctx context.Context, revs []*revision) error {
	var all []wanted
	seen := map[string]bool{}
	for _, r := range revs {
		list, err := g.wanted(ctx, r)
		if err != nil {
			return err
		}
		for _, w := range list {
			if !seen[w.id] {
				seen[w.id] = true
				all = append(all, w)
			}
		}
	}
	for _, w := range all {
		if w.image != "" {
			g.addImage(ctx, w, revs)
			continue
		}
		if err := g.addPlot(ctx, w, revs); err != nil {
			return err
		}
	}
	sortedItems(g.items)
	return nil
}

func (g *gathered) problem(id string, r *revision, source string, err error) {
	g.problems = append(g.problems, plotProblem{id, r.name, source, err})
}

func (g *gathered) addImage(ctx context.Context, w wanted, revs []*revision) {
	it := plots.Item{ID: w.id}
	var failed *plotProblem
	for _, r := range revs {
		data, err := r.read(ctx, w.image)
		if err != nil {
			if failed == nil {
				failed = &plotProblem{w.id, r.name, w.image, err}
			}
			continue
		}
		it.Images = append(it.Images, plots.Image{Revision: r.name, Name: w.image, Data: data})
	}
	if len(it.Images) == 0 && failed != nil {
		g.problems = append(g.problems, *failed)
		return
	}
	g.items = append(g.items, it)
}

func (g *gathered) addPlot(ctx context.Context, w wanted, revs []*revision) error {
	var data []plots.Revision
	var failed *plotProblem
	for _, r := range revs {
		rev := plots.Revision{Name: r.name, Rows: map[string][]plots.Row{}}
		for _, file := range w.def.Files() {
			content, err := r.read(ctx, file)
			if err == nil {
				rev.Rows[file], err = plots.Parse(file, content, !w.def.NoHeader, pipeline.DecodeValues)
			}
			if err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				delete(rev.Rows, file)
				if failed == nil {
					failed = &plotProblem{w.id, r.name, file, err}
				}
			}
		}
		data = append(data, rev)
	}
	p, err := plots.Build(w.def, data)
	switch {
	case err != nil && failed != nil:
		g.problems = append(g.problems, *failed)
	case err != nil:
		g.problem(w.id, &revision{}, "", err)
	default:
		g.items = append(g.items, plots.Item{ID: w.id, Plot: p})
		for _, err := range p.Problems {
			g.problem(w.id, &revision{}, "", err)
		}
	}
	return nil
}

// wanted returns the plots of a revision that are asked for. A target that no
// pipeline file names is a file.
func (g *gathered) wanted(ctx context.Context, r *revision) ([]wanted, error) {
	declared, err := g.declared(ctx, r)
	if err != nil {
		return nil, err
	}
	if len(g.f.targets) == 0 {
		return g.override(declared), nil
	}
	var list []wanted
	for _, t := range g.f.targets {
		rel := path.Clean(g.s.fromHere(t))
		found := false
		for _, w := range declared {
			if w.id == t || w.id == r.show(rel) || w.image == rel {
				list = append(list, w)
				found = true
			}
		}
		if found {
			continue
		}
		files, err := r.files(ctx, rel)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			w, err := g.file(r, file, nil)
			if err != nil {
				return nil, err
			}
			list = append(list, w)
		}
	}
	return g.override(list), nil
}

// override applies the flags.
func (g *gathered) override(list []wanted) []wanted {
	for i := range list {
		d := &list[i].def
		for _, o := range []struct {
			to   *string
			from string
		}{{&d.Template, g.f.template}, {&d.Title, g.f.title}, {&d.XLabel, g.f.xLabel}, {&d.YLabel, g.f.yLabel}} {
			if o.from != "" {
				*o.to = o.from
			}
		}
		d.NoHeader = d.NoHeader || g.f.noHeader
		if g.f.y != "" && len(d.Y) > 0 {
			d.Y = []plots.Source{{File: d.Y[0].File, Field: g.f.y}}
			d.X = d.X[:min(1, len(d.X))]
		}
		if g.f.x != "" && len(d.Y) > 0 {
			d.X = []plots.Source{{File: d.Y[0].File, Field: g.f.x}}
		}
	}
	return list
}

// file is the plot of a data file or image.
func (g *gathered) file(r *revision, rel string, props *yaml12.Map) (wanted, error) {
	id := r.show(rel)
	if plots.IsImage(rel) {
		return wanted{id: id, image: rel}, nil
	}
	d, err := plots.NewDefinition(id, rel, props, func(s string) string { return s })
	return wanted{id: id, def: d}, err
}

// declared returns the plots that the pipeline files of a revision name; the
// top-level definition of a file goes before its stage's.
func (g *gathered) declared(ctx context.Context, r *revision) ([]wanted, error) {
	var list []wanted
	add := func(w wanted) {
		i := slices.IndexFunc(list, func(o wanted) bool { return o.id == w.id })
		if i >= 0 {
			list[i] = w
			return
		}
		list = append(list, w)
	}
	addFiles := func(rel string, props *yaml12.Map) error {
		files, err := r.files(ctx, rel)
		if err != nil {
			return err
		}
		for _, file := range files {
			w, err := g.file(r, file, props)
			if err != nil {
				g.problem(r.show(file), r, file, err)
				continue
			}
			add(w)
		}
		return nil
	}
	for _, f := range r.set.Files {
		for _, st := range f.Stages {
			for _, o := range st.Outs {
				if o.Kind != pipeline.PlotOutput || o.URL {
					continue
				}
				props := new(yaml12.Map)
				for k, v := range o.Plot {
					props.Set(k, v)
				}
				if err := addFiles(o.Path, props); err != nil {
					return nil, err
				}
			}
		}
	}
	for _, f := range r.set.Files {
		for _, p := range f.Plots {
			if y, _ := p.Props.Get("y"); !isMap(y) {
				if err := addFiles(p.Path, p.Props); err != nil {
					return nil, err
				}
				continue
			}
			id := p.ID
			if f.Dir() != "." && slices.ContainsFunc(list, func(o wanted) bool { return o.id == id }) {
				id = r.show(f.Path) + "::" + id
			}
			d, err := plots.NewDefinition(id, "", p.Props, func(s string) string { return path.Join(f.Dir(), s) })
			if err != nil {
				g.problem(id, r, f.Path, err)
				continue
			}
			add(wanted{id: id, def: d})
		}
	}
	return list, nil
}

func isMap(v any) bool {
	_, ok := v.(*yaml12.Map)
	return ok
}
