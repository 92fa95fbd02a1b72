package remote

import (
	"context"
	"errors"
	"fmt"
)

// Records reads the records of results on the remote, DVC's or native ones, that
// have tells are not here, and calls fn for each, one at a time. A listing that
// names more than most is refused, and records of more than limit bytes are
// passed over. What a record says is for the caller to check.
func (t *Transfer) Records(ctx context.Context, dvc bool, most int, limit int64,
	have func(key, value string) bool, fn func(key, value string, data []byte) error,
) error {
	prefix := recordsPrefix
	if dvc {
		prefix = runsPrefix
	}
	type entry struct{ name, key, value string }
	var list []entry
	n := 0
	for info, err := range t.Remote.List(ctx, prefix) {
		if err != nil {
			return err
		}
		if n++; n > most {
			return &Error{Op: "list", Name: prefix, Kind: Corrupt, Err: fmt.Errorf("more than %d records", most)}
		}
		e := entry{name: info.Name}
		var ok bool
		if dvc {
			e.key, e.value, ok = parseRunName(info.Name)
		} else {
			e.key, ok = parseRecordName(info.Name)
		}
		if ok && info.Size <= limit && !have(e.key, e.value) {
			list = append(list, e)
		}
	}
	one := make(chan struct{}, 1)
	return FirstError(t.each(ctx, "read", len(list), func(ctx context.Context, i int) error {
		data, err := ReadAll(ctx, t.Remote, list[i].name, limit)
		if errors.Is(err, ErrNotFound) || KindOf(err) == Corrupt {
			return nil
		}
		if err != nil {
			return err
		}
		one <- struct{}{}
		defer func() { <-one }()
		return fn(list[i].key, list[i].value, data)
	}))
}

// RecordsOf returns the records of one computation, named by its key in hex: the
// native one, or those of DVC's run cache, the newest first and no more than
// most. What they say is for the caller to check.
func RecordsOf(ctx context.Context, s Store, dvc bool, key string, most int, limit int64) ([][]byte, error) {
	if !isKey(key) {
		return nil, &Error{Op: "get", Name: key, Kind: Setup, Err: errBadName}
	}
	if !dvc {
		data, err := ReadAll(ctx, s, RecordName(key), limit)
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return [][]byte{data}, nil
	}
	var infos []Info
	n := 0
	for info, err := range s.List(ctx, RunsPrefix(key)) {
		if err != nil {
			return nil, err
		}
		if _, _, ok := parseRunName(info.Name); ok && info.Size <= limit {
			infos = append(infos, info)
		}
		if n++; n > 100*most {
			break // nobody has that many results of one computation
		}
	}
	newestFirst(infos)
	var list [][]byte
	for _, info := range infos[:min(len(infos), most)] {
		data, err := ReadAll(ctx, s, info.Name, limit)
		if errors.Is(err, ErrNotFound) || KindOf(err) == Corrupt {
			continue
		}
		if err != nil {
			return list, err
		}
		list = append(list, data)
	}
	return list, nil
}
