package stages

import (
	"fmt"
	"path"
	"strings"
)

// PathError reports a path that a stage asked for and its pipeline entry does
// not declare, or declares more than once.
type PathError struct {
	// Kind is "dependency" or "output".
	Kind string
	// Name is what was asked for.
	Name string
	// Declared are the declared paths, or those that match when several do.
	Declared []string
	// Ambiguous tells that several declared paths match.
	Ambiguous bool
}

func (e *PathError) Error() string {
	switch {
	case e.Ambiguous:
		return fmt.Sprintf("%s %q: several declared paths match: %s", e.Kind, e.Name, strings.Join(e.Declared, ", "))
	case len(e.Declared) == 0:
		return fmt.Sprintf("%s %q: not declared; the stage declares none", e.Kind, e.Name)
	default:
		return fmt.Sprintf("%s %q: not declared; declared are %s", e.Kind, e.Name, strings.Join(e.Declared, ", "))
	}
}

// Hint says how to repair the pipeline file.
func (e *PathError) Hint() string {
	section := "deps"
	if e.Kind == "output" {
		section = "outs"
	}
	if e.Ambiguous {
		return "declare the path once, or ask for more of its trailing components"
	}
	return fmt.Sprintf("add %q to the %s of the stage in dvc.yaml", e.Name, section)
}

// Dep returns the absolute path of a declared dependency. The name is the
// declared path or its trailing components, as long as only one declared
// path ends in them: "train.csv" finds "data/raw/train.csv".
func (c *Call) Dep(name string) (string, error) { return find("dependency", c.Deps, name) }

// Out returns the absolute path of a declared output, looked up like Dep.
func (c *Call) Out(name string) (string, error) { return find("output", c.Outs, name) }

// find prefers an exact match to a match of trailing components. A path that
// is declared twice is one path.
func find(kind string, list []Path, name string) (string, error) {
	want := clean(name)
	if want == "" {
		return "", &PathError{Kind: kind, Name: name, Declared: names(list)}
	}
	var tail []Path
	for _, p := range list {
		have := clean(p.Name)
		if have == want {
			return p.File, nil
		}
		if strings.HasSuffix(have, "/"+want) && !contains(tail, p.File) {
			tail = append(tail, p)
		}
	}
	switch len(tail) {
	case 1:
		return tail[0].File, nil
	case 0:
		return "", &PathError{Kind: kind, Name: name, Declared: names(list)}
	default:
		return "", &PathError{Kind: kind, Name: name, Declared: names(tail), Ambiguous: true}
	}
}

func contains(list []Path, file string) bool {
	for _, p := range list {
		if p.File == file {
			return true
		}
	}
	return false
}

func names(list []Path) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = p.Name
	}
	return out
}

// clean makes declared paths comparable: slashes, no "./", no trailing slash.
func clean(name string) string {
	if name == "" {
		return ""
	}
	return path.Clean(strings.ReplaceAll(name, `\`, "/"))
}
