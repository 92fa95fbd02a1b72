package lock

import (
	"fmt"

	"github.com/flowrepro/flow/internal/yaml12"
)

// Encode returns the file's text: of a parsed file its source with only those
// values changed that are no longer the same, keys that are new behind the
// others of their entry; else what DVC writes.
func (f *DataFile) Encode() ([]byte, error) {
	now := f.fields()
	if f.was == nil {
		return yaml12.Emit(now), nil
	}
	was := f.was.fields()
	out := f.source
	var err error
	for _, it := range was.Items {
		name, _ := it.Key.(string)
		if _, ok := now.Get(name); !ok {
			if out, err = yaml12.Delete(out, []any{name}); err != nil {
				return nil, fmt.Errorf("%s: %w", f.Path, err)
			}
		}
	}
	for _, it := range now.Items {
		name, _ := it.Key.(string)
		old, had := was.Get(name)
		switch {
		case had && yaml12.Identical(old, it.Value):
			continue
		case had && name == "deps" && sameEntries(f.was.Deps, f.Deps):
			out, err = setEntries(out, name, f.was.Deps, f.Deps)
		case had && name == "outs" && sameEntries(f.was.Outs, f.Outs):
			out, err = setEntries(out, name, f.was.Outs, f.Outs)
		default:
			out, err = yaml12.Set(out, []any{name}, it.Value)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	return out, nil
}

// sameEntries reports whether now begins with the entries that were in the
// source, in their order.
func sameEntries(was, now []DataEntry) bool {
	if len(now) < len(was) {
		return false
	}
	for i := range was {
		if now[i].origin != was[i].origin {
			return false
		}
	}
	return true
}

// setEntries changes the entries of a list, key by key, and appends new ones.
func setEntries(out []byte, list string, was, now []DataEntry) ([]byte, error) {
	var err error
	for i := range now {
		fresh := now[i].outMap()
		if i >= len(was) {
			if out, err = yaml12.Set(out, []any{list, i}, fresh); err != nil {
				return nil, err
			}
			continue
		}
		old := was[i].outMap()
		for _, it := range fresh.Items {
			if v, ok := old.Get(it.Key.(string)); ok && yaml12.Identical(v, it.Value) {
				continue
			}
			if out, err = yaml12.Set(out, []any{list, i, it.Key}, it.Value); err != nil {
				return nil, err
			}
		}
		for _, it := range old.Items {
			if _, ok := fresh.Get(it.Key.(string)); ok {
				continue
			}
			if out, err = yaml12.Delete(out, []any{list, i, it.Key}); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
