package stages

import (
	"context"
	"testing"
)

func TestRegistry(t *testing.T) {
	run := func(context.Context, *Call) error { return nil }
	r := NewRegistry(Stage{Name: "b", Version: "1", Run: run}, Stage{Name: "a", Version: "2", Run: run})
	if s, ok := r.Lookup("a"); !ok || s.Version != "2" {
		t.Errorf("Lookup: %+v, %t", s, ok)
	}
	if l := r.List(); len(l) != 2 || l[0].Name != "a" || l[1].Name != "b" {
		t.Errorf("List: %+v", l)
	}
	var none *Registry
	if _, ok := none.Lookup("a"); ok || none.List() != nil {
		t.Error("a nil registry is not empty")
	}
	for name, s := range map[string]Stage{
		"no name": {Version: "1", Run: run}, "no version": {Name: "c", Run: run}, "no function": {Name: "c", Version: "1"},
		"twice": {Name: "a", Version: "1", Run: run},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			r.Add(s)
		}()
	}
}
