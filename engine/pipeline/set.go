package pipeline

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
)

// Set is what was loaded: files in the order they were found, stages in file
// order and then as declared. It is read-only.
type Set struct {
	Files    []*File
	Stages   []*Stage
	Warnings []string

	root   string
	byPath map[string]*File
}

func (s *Set) add(f *File) {
	s.Files = append(s.Files, f)
	s.Stages = append(s.Stages, f.Stages...)
	s.byPath[f.Path] = f
}

// File returns the loaded file of that root-relative path.
func (s *Set) File(rel string) (*File, bool) {
	f, ok := s.byPath[rel]
	return f, ok
}

// Stage returns a stage by the root-relative path of its file and its final
// name, which is empty for a .dvc file.
func (s *Set) Stage(file, name string) (*Stage, bool) {
	f, ok := s.byPath[file]
	switch {
	case !ok:
		return nil, false
	case f.IsData():
		if name != "" || len(f.Stages) == 0 {
			return nil, false
		}
		return f.Stages[0], true
	}
	return f.Stage(name)
}

// TargetError says that a target names nothing.
type TargetError struct {
	// Target is as the user wrote it.
	Target string
	// File is the pipeline file it was looked for in, relative to the current
	// directory; NoFile is set when there is no such file.
	File   string
	NoFile bool
	msg    string
	hint   string
}

func (e *TargetError) Error() string { return e.msg }

// Hint returns advice, "" if there is none.
func (e *TargetError) Hint() string { return e.hint }

// Resolve returns the stages that a target of repro means, seen from the
// directory cwd (root-relative or absolute): a stage name, a group of foreach
// or matrix stages, a dvc.yaml or .dvc file, or a file and a name joined by a
// colon. With glob the name is a pattern. An empty target is the dvc.yaml of
// cwd. Errors are *TargetError.
func (s *Set) Resolve(target, cwd string, glob bool) ([]*Stage, error) {
	dir := s.dir(cwd)
	file, name := "", ""
	switch {
	case target == "":
	case glob:
		if i := strings.LastIndexByte(target, ':'); i >= 0 {
			file, name = target[:i], target[i+1:]
		} else {
			name = target
		}
	default:
		// A name of the local file goes first: it may look like anything.
		if f := s.byPath[join(dir, fileName)]; f != nil && !isPipelineFile(target) {
			if list := f.named(target); list != nil {
				return list, nil
			}
		}
		file, name = splitTarget(target)
		if path.Base(filepath.ToSlash(file)) == lockName {
			return nil, &TargetError{Target: target, File: file,
				msg: fmt.Sprintf("Did you mean: `%s`?", strings.Replace(target, ".lock", ".yaml", 1))}
		}
	}
	if file == "" {
		file = fileName
	}
	rel := newPlace(s.root, ".").clean(join(dir, filepath.ToSlash(file)))
	shown := relative(dir, rel)
	f := s.byPath[rel]
	if f == nil {
		return nil, s.noFile(target, rel, shown)
	}
	switch {
	case f.IsData(), name == "":
		return f.Stages, nil
	case glob:
		if _, group := f.Groups[name]; !group {
			var list []*Stage
			for _, st := range f.Stages {
				if fnmatch(name, st.Name) {
					list = append(list, st)
				}
			}
			if list == nil {
				return nil, &TargetError{Target: target, File: shown,
					msg: fmt.Sprintf("no stage of '%s' matches '%s'", shown, name)}
			}
			return list, nil
		}
	}
	if list := f.named(name); list != nil {
		return list, nil
	}
	return nil, s.noStage(target, name, f, shown, dir)
}

// dir returns cwd relative to the root.
func (s *Set) dir(cwd string) string {
	if cwd == "" {
		return "."
	}
	return newPlace(s.root, ".").clean(filepath.ToSlash(cwd))
}

// named returns a stage or the stages of a group, nil when there is none. The
// list of an empty group is empty and not nil.
func (f *File) named(name string) []*Stage {
	if names, ok := f.Groups[name]; ok {
		list := make([]*Stage, 0, len(names))
		for _, n := range names {
			if st := f.byName[n]; st != nil {
				list = append(list, st)
			}
		}
		return list
	}
	if st := f.byName[name]; st != nil {
		return []*Stage{st}
	}
	return nil
}

// splitTarget separates file and name. The name is what follows the last colon
// before any '@', unless it holds a slash; without a colon a text that is no
// file name is a name.
func splitTarget(target string) (file, name string) {
	head, key, generated := strings.Cut(target, "@")
	i := strings.LastIndexByte(head, ':')
	if i < 0 || strings.ContainsAny(head[i+1:], `/\`) {
		if isPipelineFile(target) || path.Base(filepath.ToSlash(head)) == lockName {
			return target, ""
		}
		return "", target
	}
	file, name = head[:i], head[i+1:]
	if generated && key != "" && name != "" {
		name += "@" + key
	}
	return file, name
}

func (s *Set) noFile(target, rel, shown string) error {
	abs := rel
	if !isAbs(rel) {
		abs = filepath.Join(s.root, filepath.FromSlash(rel))
	}
	e := &TargetError{Target: target, File: shown, NoFile: true, msg: fmt.Sprintf("'%s' does not exist", abs)}
	if !isPipelineFile(rel) {
		e.msg = fmt.Sprintf("bad DVC file name '%s'. DVC files should be named 'dvc.yaml' or have a '.dvc' suffix (e.g. '%s.dvc').",
			shown, path.Base(rel))
		if s.byPath[path.Join(rel, fileName)] != nil {
			e.hint = "did you mean " + strings.Replace(target, shown, path.Join(shown, fileName), 1) + "?"
		}
		return e
	}
	var known []string
	for _, f := range s.Files {
		if strings.HasSuffix(f.Path, "/"+rel) {
			e.hint = "did you mean " + f.Path + "?"
			return e
		}
		known = append(known, f.Path)
	}
	e.hint = didYouMean(rel, known)
	return e
}

func (s *Set) noStage(target, name string, f *File, shown, dir string) error {
	e := &TargetError{Target: target, File: shown,
		msg: fmt.Sprintf("Stage '%s' not found inside '%s' file", name, shown)}
	for _, st := range s.Stages {
		switch {
		case st.Name == name || st.Group == name && name != "":
			e.hint = "did you mean " + address(st, dir) + "?"
		case st.IsData() && len(st.Outs) > 0 && st.Outs[0].Path == join(dir, target):
			e.hint = "did you mean " + address(st, dir) + "?"
		case !st.IsData():
			for _, o := range st.Outs {
				if o.Path == join(dir, target) {
					e.hint = fmt.Sprintf("'%s' is an output: name its stage, %s", target, address(st, dir))
				}
			}
		}
		if e.hint != "" {
			return e
		}
	}
	names := append([]string(nil), f.GroupNames...)
	for _, st := range f.Stages {
		names = append(names, st.Name)
	}
	e.hint = didYouMean(name, names)
	return e
}

// ResolveOutput returns the stages with an output that is the path, or a
// directory that holds it. The path is relative to cwd or absolute.
func (s *Set) ResolveOutput(name, cwd string) ([]*Stage, bool) {
	where := name
	if !isURL(name) {
		where = newPlace(s.root, ".").clean(join(s.dir(cwd), filepath.ToSlash(name)))
	}
	var list []*Stage
	for _, st := range s.Stages {
		for _, o := range st.Outs {
			if o.Path == where || !o.URL && strings.HasPrefix(where, o.Path+"/") {
				list = append(list, st)
				break
			}
		}
	}
	return list, list != nil
}

// ResolveDir returns the stages of all files in or below a directory, seen from
// cwd.
func (s *Set) ResolveDir(name, cwd string) []*Stage {
	dir := newPlace(s.root, ".").clean(join(s.dir(cwd), filepath.ToSlash(name)))
	var list []*Stage
	for _, st := range s.Stages {
		if dir == "." || strings.HasPrefix(st.File, dir+"/") {
			list = append(list, st)
		}
	}
	return list
}
