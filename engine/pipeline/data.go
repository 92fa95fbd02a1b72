package pipeline

import (
	"path"
	"path/filepath"

	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/internal/yaml12"
)

// readData loads a .dvc file as a stage without a name.
func (l *loader) readData(f *File, data []byte) {
	doc, err := yaml12.Parse(f.Path, data)
	if err != nil {
		l.addError(f.Path, err)
		return
	}
	f.Doc = doc
	d, err := lock.ParseData(f.Path, data)
	if err != nil {
		l.addError(f.Path, err)
		return
	}
	root, err := convert(doc)
	if err != nil {
		l.addError(f.Path, err)
		return
	}
	dir := path.Dir(f.Path)
	wdir := join(dir, filepath.ToSlash(d.Wdir))
	pl := newPlace(l.o.Root, wdir)
	s := &Stage{
		File: f.Path, Wdir: pl.inProject(wdir), WdirDef: d.Wdir, Frozen: d.Frozen,
		AlwaysChanged: d.AlwaysChanged, Desc: d.Desc, Meta: d.Meta, Data: d,
		Pos: Position{f.Path, 1, 1},
	}
	// at is the place of the path of the i-th entry of a list.
	at := func(list string, i int) Position {
		if n := root.get(list); n != nil && i < len(n.vals) {
			if p := n.vals[i].get("path"); p != nil {
				return Position{f.Path, p.line, p.col}
			}
			return Position{f.Path, n.vals[i].line, n.vals[i].col}
		}
		return s.Pos
	}
	for i, e := range d.Deps {
		dep := Dependency{Def: e.Path, Pos: at("deps", i)}
		if e.Repo != nil || e.Path == "" {
			// A path in another repository is nothing in this workspace.
			dep.Path, dep.URL = e.Path, true
		} else {
			dep.Def, dep.Path, dep.URL = pl.at(e.Path)
		}
		s.Deps = append(s.Deps, dep)
	}
	for i, e := range d.Outs {
		o := Output{Cache: e.Cache, Persist: e.Persist, Push: e.Push, Remote: e.Remote, Pos: at("outs", i)}
		o.Def, o.Path, o.URL = pl.at(e.Path)
		if !o.URL && isPipelineFile(o.Path) {
			l.errs = append(l.errs, &yaml12.Error{Kind: yaml12.Graph, File: f.Path, Line: o.Pos.Line,
				Column: o.Pos.Column, Msg: "DVC file '" + e.Path + "' cannot be an output."})
			return
		}
		s.Outs = append(s.Outs, o)
	}
	f.Stages = []*Stage{s}
}
