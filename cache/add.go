package cache

import (
	"context"
	"fmt"
	"os"

	"github.com/flowrepro/flow/internal/plainfile"
)

// Add finds out what is at the absolute path, as sc.Scan does, and stores it, as
// Save does, but reads what is new only once. sc must have the algorithm that
// the objects are to have.
func (s *Store) Add(ctx context.Context, sc *Scanner, path string, opt SaveOptions) (Entry, *Manifest, error) {
	if l := s.preferred(false, false); opt.Relink && (l == Hardlink || l == Symlink) {
		// The workspace files become the objects.
		e, m, err := sc.Scan(ctx, path)
		if err != nil {
			return e, m, err
		}
		return e, m, s.Save(ctx, path, e, m, opt)
	}
	items, dir, err := sc.items(ctx, path)
	if err != nil {
		return Entry{}, nil, err
	}
	todo, err := sc.unknown(ctx, items)
	if err != nil {
		return Entry{}, nil, err
	}
	a := adder{s: s, sc: sc, opt: opt, batch: s.batch(sc.Hash)}
	if err := a.all(ctx, items, todo); err != nil {
		return Entry{}, nil, err
	}
	if !dir {
		return items[0].entry(), nil, nil
	}
	m := manifestOf(items)
	e, err := s.putManifest(sc.Hash, m)
	if err != nil {
		return Entry{}, nil, fmt.Errorf("save %s: %w", path, err)
	}
	return e, m, nil
}

// adder is one run of Add.
type adder struct {
	s     *Store
	sc    *Scanner
	opt   SaveOptions
	batch *batch
	// packer stores what is small instead; nil when files are to be objects.
	packer *packer
}

// all stores the items: those in todo are to be read, of the others the digest
// is known.
func (a *adder) all(ctx context.Context, items []item, todo []int) error {
	scratches := make([]scratch, workerCount(a.sc.Workers))
	known := make([]bool, len(items))
	for i := range known {
		known[i] = true
	}
	for _, i := range todo {
		known[i] = false
	}
	a.sc.Memo.reserve(len(todo))
	var err error
	small := 0
	for _, i := range todo {
		if items[i].key.Size < PackedLimit {
			small++
		}
	}
	if a.s.packing(a.sc.Hash, small) {
		if a.packer, err = a.s.packer(small); err != nil {
			return err
		}
	}
	err = parallel(ctx, a.sc.Workers, len(todo), func(w, t int) error {
		return a.read(ctx, &scratches[w], &items[todo[t]])
	})
	if ferr := a.batch.finish(); err == nil {
		err = ferr
	}
	if a.packer != nil {
		if ferr := a.packer.finish(); err == nil {
			err = ferr
		}
	}
	if err != nil {
		return err
	}
	return parallel(ctx, a.sc.Workers, len(items), func(w, i int) error {
		it := &items[i]
		if known[i] {
			return a.save(ctx, &scratches[w], it)
		}
		return a.relink(ctx, &scratches[w], it)
	})
}

// save stores an item whose digest is known.
func (a *adder) save(ctx context.Context, sc *scratch, it *item) error {
	b := it.member()
	if err := a.s.saveFile(ctx, sc, it.abs, b, a.opt); err != nil {
		return fmt.Errorf("save %s: %w", it.abs, err)
	}
	return nil
}

// relink makes a stored file what is preferred, if it is not.
func (a *adder) relink(ctx context.Context, sc *scratch, it *item) error {
	if !a.opt.Relink || !it.link && it.names == 1 {
		return nil // a file of its own, which is what copying prefers
	}
	if !a.s.relinkNeeded(it.abs, it.digest, it.exec(), it.key.Size) {
		return nil
	}
	if err := a.s.relink(ctx, sc, it.abs, it.member()); err != nil {
		return fmt.Errorf("save %s: %w", it.abs, err)
	}
	return nil
}

// read hashes and stores an item. What it cannot do in one go it leaves to
// hashing first and storing then.
func (a *adder) read(ctx context.Context, sc *scratch, it *item) error {
	var done bool
	var err error
	switch {
	case it.key.Size < smallFile:
		done, err = a.small(sc, it)
	case !a.sc.Memo.knows(a.sc.Hash, it.abs):
		// A file that is new here is quite likely new to the store as well.
		done, err = a.large(ctx, sc, it)
	}
	if err != nil {
		return fmt.Errorf("save %s: %w", it.abs, err)
	}
	if !done {
		if err := a.sc.hash(ctx, sc, it); err != nil {
			return err
		}
		return a.save(ctx, sc, it)
	}
	if a.opt.Progress != nil {
		a.opt.Progress(1, it.key.Size)
	}
	return nil
}

// small reads a file into memory. It reports false when the file is not as it
// was found.
func (a *adder) small(sc *scratch, it *item) (bool, error) {
	began := a.sc.now()()
	buf := sc.space(int(it.key.Size) + 1)[:it.key.Size+1]
	n, st, err := readSmall(it.abs, buf)
	if err != nil {
		return false, nil //nolint:nilerr // told by the second try
	}
	if int64(n) != it.key.Size || st.key != it.key || !st.mode.IsRegular() {
		return false, nil
	}
	d := sc.sum(a.sc.Hash, buf[:n])
	if a.packer != nil && n < PackedLimit {
		err = a.packer.add(d, buf[:n])
	} else {
		err = a.batch.put(d, buf[:n])
	}
	if err != nil {
		return false, err
	}
	it.digest = d
	a.sc.Memo.Add(it.abs, it.key, d, began)
	return true, nil
}

// large copies a file into the store and hashes what was copied. It reports
// false when the file is not as it was found.
func (a *adder) large(ctx context.Context, sc *scratch, it *item) (bool, error) {
	root := a.s.root(a.sc.Hash)
	if err := a.s.mkdir(root); err != nil {
		return false, err
	}
	began := a.sc.now()()
	src, err := plainfile.Open(it.abs, os.O_RDONLY, 0)
	if err != nil {
		return false, nil //nolint:nilerr // told by the second try
	}
	defer src.Close() //nolint:errcheck // only read
	t, err := a.s.createTemp(root)
	if err != nil {
		return false, err
	}
	defer t.discard()
	var progress func(int64)
	if a.sc.Progress != nil {
		progress = func(n int64) { a.sc.Progress(0, n) }
	}
	d, n, err := a.s.intake(ctx, sc, a.sc.Hash, t.f, src, progress)
	if err != nil {
		return false, err
	}
	info, err := src.Stat()
	if err != nil {
		return false, err
	}
	if n != it.key.Size || StatKey(info) != it.key {
		return false, nil
	}
	state, err := a.s.check(d, n)
	if err == nil && state != present {
		err = a.s.commit(t, d)
	}
	if err != nil {
		return false, err
	}
	it.digest = d
	a.sc.Memo.Add(it.abs, it.key, d, began)
	return true, nil
}
