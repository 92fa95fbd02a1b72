package cmd

import (
	"cmp"
	"slices"

	"github.com/flowrepro/flow/internal/yaml12"
)

// keepNotes takes over, from the stage that a new one replaces, what no flag of
// `stage add` can say: the description unless there is a new one, meta, and for
// outputs of the same paths their descriptions, labels, types, meta, remotes and
// push. So does DVC. data is the text of dvc.yaml.
func keepNotes(stage *yaml12.Map, data []byte, name string) {
	doc, err := yaml12.Decode("dvc.yaml", data)
	if err != nil {
		return // told when the file is edited
	}
	old := entry(entry(doc, "stages"), name)
	if _, ok := stage.Get("desc"); !ok {
		if desc, ok := old.Get("desc"); ok {
			stage.Items = append([]yaml12.Item{{Key: "desc", Value: desc}}, stage.Items...)
		}
	}
	if meta, ok := old.Get("meta"); ok {
		stage.Set("meta", meta)
	}
	notes := map[string]*yaml12.Map{}
	for _, section := range []string{"outs", "metrics", "plots"} {
		list, _ := old.Get(section)
		items, _ := list.([]any)
		for _, o := range items {
			if m, ok := o.(*yaml12.Map); ok && m.Len() == 1 {
				if path, ok := m.Items[0].Key.(string); ok {
					notes[path] = entry(m, path)
				}
			}
		}
	}
	for _, section := range []string{"outs", "metrics", "plots"} {
		list, _ := stage.Get(section)
		items, _ := list.([]any)
		for i, o := range items {
			items[i] = annotated(o, notes)
		}
	}
	reorder(stage, old)
}

// reorder brings the keys of a stage into the order of the one that it replaces.
// New keys come last.
func reorder(stage, old *yaml12.Map) {
	place := func(it yaml12.Item) int {
		i := slices.IndexFunc(old.Items, func(o yaml12.Item) bool { return o.Key == it.Key })
		return cmp.Or(i+1, len(old.Items)+1)
	}
	slices.SortStableFunc(stage.Items, func(a, b yaml12.Item) int { return cmp.Compare(place(a), place(b)) })
}

// annotated is an output of a stage's list with the notes on its path.
func annotated(out any, notes map[string]*yaml12.Map) any {
	path, ok := out.(string)
	flags := new(yaml12.Map)
	if m, isMap := out.(*yaml12.Map); isMap && m.Len() == 1 {
		path, ok = m.Items[0].Key.(string)
		flags = entry(m, path)
	}
	if !ok || notes[path] == nil {
		return out
	}
	all := new(yaml12.Map)
	for _, note := range notes[path].Items {
		switch note.Key {
		case "desc", "type", "labels", "meta", "remote", "push":
			all.Items = append(all.Items, note)
		}
	}
	if all.Len() == 0 {
		return out
	}
	all.Items = append(all.Items, flags.Items...)
	one := new(yaml12.Map)
	one.Set(path, all)
	return one
}

// entry is the map under a key of a map; empty where there is none.
func entry(v any, key string) *yaml12.Map {
	if m, ok := v.(*yaml12.Map); ok && m != nil {
		if e, _ := m.Get(key); e != nil {
			if found, ok := e.(*yaml12.Map); ok {
				return found
			}
		}
	}
	return new(yaml12.Map)
}
