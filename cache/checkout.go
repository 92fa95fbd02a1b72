package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// CheckoutOptions modify Checkout.
type CheckoutOptions struct {
	// Force lets workspace content go that is not in the cache.
	Force bool
	// Verify reads every object that is put into the workspace.
	Verify bool
	// Relink also replaces files that have the right content but are not
	// linked as the store prefers.
	Relink bool
	// Current is what the workspace is known to have; nil means not known.
	Current *Entry
	// Keep is called, when set, with the absolute path of every workspace file
	// that would be deleted or replaced and whose content is not in the cache,
	// before anything is changed. It may save the file, or ask; an error stops
	// the checkout. When set, such files need no Force.
	Keep func(path string) error
	// Ignore tells what in the workspace is none of the checkout's business; it
	// may be nil. See Scanner.
	Ignore func(abs string, dir bool) bool
	// Progress is told the number of files that were put into the workspace
	// and their bytes since the last call; it may be nil. It is called from
	// several goroutines.
	Progress func(files, bytes int64)
}

// Changes are the files that a checkout changed, by slash-separated path
// relative to the one checked out; "." is that path itself, when it is a file.
// The lists are sorted.
type Changes struct {
	Added, Modified, Deleted []string
}

// Empty reports whether nothing changed.
func (c *Changes) Empty() bool { return len(c.Added)+len(c.Modified)+len(c.Deleted) == 0 }

// Checkout makes the workspace at the absolute path have the content e. Of a
// directory only those files are touched that differ.
//
// Before anything is touched, all objects are found to be there, else the
// error is a *MissingError, and all content that is going to be replaced or
// deleted is found to be in the cache, else, without Force or Keep, the error
// is an *UnsavedError. Files are made under a temporary name and renamed, a
// directory that is not there yet as a whole, so that at any moment a file is
// either the old one, or the new one, or absent with its content in the cache.
//
// Nothing is written outside path: symbolic links inside a directory, or in
// its place, are replaced, never followed.
func (s *Store) Checkout(ctx context.Context, path string, e Entry, opt CheckoutOptions) (Changes, error) {
	c := checkout{s: s, root: filepath.Clean(path), e: e, opt: opt}
	ch, err := c.run(ctx)
	if s.unstage(err) {
		c = checkout{s: s, root: c.root, e: e, opt: opt}
		c.opt.Current = nil
		_, err = c.run(ctx) // what the first try did belongs to its changes
	}
	if err != nil {
		var missing *MissingError
		var unsaved *UnsavedError
		if !errors.As(err, &missing) && !errors.As(err, &unsaved) {
			err = fmt.Errorf("checkout %s: %w", path, err)
		}
		return ch, err
	}
	return ch, nil
}

// checkout is one run of Checkout.
type checkout struct {
	s    *Store
	root string
	e    Entry
	opt  CheckoutOptions

	have []item // sorted by rel
	sc   *Scanner
	// mark is that of have when it is a directory of many files.
	mark mark
	// link is set when root is a symbolic link to a directory.
	link bool
	// dir is set when root is a directory, not through a link.
	dir bool

	place []target // to be made
	chmod []target // to get another mode only
	drop  []item   // to be deleted
	// relinked are those of place that are no change of content.
	ch Changes
}

// target is a file as it should be.
type target struct {
	rel    string
	digest Digest
	size   int64 // negative when not known
	exec   bool
	key    FileInfoKey
	link   LinkType
}

func (c *checkout) abs(rel string) string {
	if rel == "" {
		return c.root
	}
	return c.root + string(filepath.Separator) + filepath.FromSlash(rel)
}

func (c *checkout) run(ctx context.Context) (Changes, error) {
	if c.e.Digest.IsZero() {
		return Changes{}, errors.New("no digest")
	}
	if cur := c.opt.Current; cur != nil && !c.opt.Relink && cur.Digest == c.e.Digest &&
		(c.e.Digest.dir || cur.Exec == c.e.Exec) {
		return Changes{}, nil
	}
	same, err := c.survey(ctx)
	if same || err != nil {
		return Changes{}, err
	}
	want, err := c.targets()
	if err != nil {
		return Changes{}, err
	}
	known, err := c.hash(ctx)
	if err != nil {
		return Changes{}, err
	}
	c.compare(want)
	if len(c.place)+len(c.chmod)+len(c.drop) == 0 && (c.dir || !c.e.Digest.dir || c.link) {
		if known {
			c.s.memo.addTree(c.root, c.mark, c.e.Digest)
		}
		return Changes{}, nil
	}
	if err := c.checkObjects(ctx); err != nil {
		return Changes{}, err
	}
	if err := c.checkUnsaved(ctx); err != nil {
		return Changes{}, err
	}
	return c.ch, c.apply(ctx)
}

// targets lists what should be there, sorted by path.
func (c *checkout) targets() ([]target, error) {
	d := c.e.Digest
	if !d.dir {
		return []target{{digest: d, size: c.e.Size, exec: c.e.Exec}}, nil
	}
	m, err := c.s.Manifest(d)
	if errors.Is(err, ErrNotFound) {
		missing := &MissingError{Path: c.root, Digests: []Digest{d}}
		var bad *CorruptError
		if errors.As(err, &bad) {
			missing.Corrupt = missing.Digests
		}
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	list := make([]target, len(m.Members))
	for i, b := range m.Members {
		// Manifests come from other machines, and those kept in memory were
		// not parsed; whatever their origin, no path gets past this line.
		if err := checkPath(b.Path); err != nil {
			return nil, err
		}
		list[i] = target{rel: b.Path, digest: b.Digest, size: b.Size}
		// DVC's manifests do not record it; one that was just scanned must not
		// make a difference.
		list[i].exec = b.Exec && recordsExec(d.Hash())
	}
	return list, nil
}

// anew reports whether a directory is made that is not there at all.
func (c *checkout) anew() bool { return c.e.Digest.dir && !c.dir && len(c.have) == 0 && !c.link }

// survey finds out what is there, and reports whether a directory is known to be
// as it should be without its files' digests.
func (c *checkout) survey(ctx context.Context) (same bool, err error) {
	c.sc = &Scanner{Hash: c.e.Digest.Hash(), Memo: c.s.memo, Workers: c.s.workers, Ignore: c.opt.Ignore}
	st, err := statPath(c.root, false)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if st.mode&fs.ModeSymlink != 0 {
		if target, err := statPath(c.root, true); err == nil && target.mode.IsDir() {
			c.link = true
		}
	}
	c.dir = st.mode.IsDir()
	if !c.dir && !c.link {
		it := item{abs: c.root}
		it.bad = it.look(nil, st.mode)
		c.have = []item{it}
		return false, nil
	}
	if c.have, err = c.sc.walk(ctx, c.root, true); err != nil {
		return false, err
	}
	bad := func(it item) bool { return it.bad != nil }
	if len(c.have) < manyFiles || !c.e.Digest.dir || slices.ContainsFunc(c.have, bad) {
		return false, nil
	}
	if c.mark, err = c.sc.mark(ctx, c.have); err != nil {
		return false, err
	}
	d, ok := c.s.memo.tree(c.sc.Hash, c.root, c.mark)
	return ok && d == c.e.Digest && !c.opt.Relink, nil
}

// hash finds the digests of what is there, and reports whether all of them were
// known.
func (c *checkout) hash(ctx context.Context) (known bool, err error) {
	todo, err := c.sc.unknown(ctx, c.have)
	if err != nil || len(todo) == 0 {
		return err == nil, err
	}
	return false, c.sc.hashAll(ctx, c.have, todo, true)
}

// compare decides what to do, by walking both sorted lists.
func (c *checkout) compare(want []target) {
	if c.link {
		if c.sameAs(want) && !c.opt.Relink {
			return
		}
		// What the link leads to stays as it is; a directory takes the link's
		// place.
		c.have = nil
	}
	if len(c.have) == 0 && len(want) > 0 {
		// All is to be made.
		c.place = want
		c.ch.Added = make([]string, len(want))
		for i := range want {
			c.ch.Added[i] = shown(want[i].rel)
		}
		return
	}
	i, j := 0, 0
	for i < len(want) || j < len(c.have) {
		var order int
		switch {
		case i == len(want):
			order = 1
		case j == len(c.have):
			order = -1
		default:
			order = strings.Compare(want[i].rel, c.have[j].rel)
		}
		switch {
		case order < 0:
			c.place = append(c.place, want[i])
			c.ch.Added = append(c.ch.Added, shown(want[i].rel))
			i++
		case order > 0:
			c.drop = append(c.drop, c.have[j])
			c.ch.Deleted = append(c.ch.Deleted, shown(c.have[j].rel))
			j++
		default:
			c.both(want[i], &c.have[j])
			i++
			j++
		}
	}
}

// both compares a file with what it should be.
func (c *checkout) both(t target, it *item) {
	if t.rel != "" && !recordsExec(t.digest.Hash()) {
		t.exec = it.bad == nil && !it.link && it.exec() // not recorded: what is there stays
	}
	same := it.bad == nil && it.digest == t.digest
	t.size = c.sizeOf(t, it, same)
	switch {
	case !same:
		c.place = append(c.place, t)
		c.ch.Modified = append(c.ch.Modified, shown(t.rel))
	case c.opt.Relink && c.s.relinkNeeded(it.abs, t.digest, t.exec, t.size):
		c.place = append(c.place, t)
	case it.exec() == t.exec || !execMatters:
	case it.link || c.s.linkOf(it.abs, t.digest) == Hardlink:
		// Its mode is the object's: it must become a file of its own.
		if t.exec {
			c.place = append(c.place, t)
			c.ch.Modified = append(c.ch.Modified, shown(t.rel))
		}
	default:
		c.chmod = append(c.chmod, t)
		c.ch.Modified = append(c.ch.Modified, shown(t.rel))
	}
}

func (c *checkout) sizeOf(t target, it *item, same bool) int64 {
	if t.size < 0 && same {
		return it.key.Size
	}
	return t.size
}

func (c *checkout) sameAs(want []target) bool {
	return slices.EqualFunc(want, c.have, func(t target, it item) bool {
		return it.bad == nil && t.rel == it.rel && t.digest == it.digest
	})
}

func shown(rel string) string {
	if rel == "" {
		return "."
	}
	return rel
}

// checkObjects refuses to begin when not everything that is needed is there.
// The objects of a directory that is made anew, where nothing is replaced, are
// only found to exist; what is wrong with one is found when it is read, before
// the directory gets its name.
func (c *checkout) checkObjects(ctx context.Context) error {
	states := make([]presence, len(c.place))
	var err error
	if c.anew() {
		ds := make([]Digest, len(c.place))
		for i := range ds {
			ds[i] = c.place[i].digest
		}
		var there []bool
		there, err = c.s.present(ctx, ds)
		for i := range there {
			if there[i] {
				states[i] = present
			}
		}
	} else {
		err = parallel(ctx, c.s.workers, len(c.place), func(_, i int) error {
			var err error
			states[i], err = c.s.check(c.place[i].digest, c.place[i].size)
			return err
		})
	}
	if err != nil {
		return err
	}
	var missing MissingError
	for i, st := range states {
		if d := c.place[i].digest; st != present {
			missing.Digests = append(missing.Digests, d)
			if st == corrupt {
				missing.Corrupt = append(missing.Corrupt, d)
			}
		}
	}
	if len(missing.Digests) == 0 {
		return nil
	}
	missing.Path = c.root
	missing.Digests = distinct(missing.Digests)
	missing.Corrupt = distinct(missing.Corrupt)
	return &missing
}

// checkUnsaved refuses to begin, or has kept, what would be lost.
func (c *checkout) checkUnsaved(ctx context.Context) error {
	if c.opt.Force && c.opt.Keep == nil {
		return nil
	}
	var going []item
	going = append(going, c.drop...)
	// place and have are both sorted by rel.
	j := 0
	for _, t := range c.place {
		for j < len(c.have) && c.have[j].rel < t.rel {
			j++
		}
		if j < len(c.have) && c.have[j].rel == t.rel && c.have[j].digest != t.digest {
			going = append(going, c.have[j])
		}
	}
	lost := make([]bool, len(going))
	err := parallel(ctx, c.s.workers, len(going), func(_, i int) error {
		it := &going[i]
		if it.bad != nil {
			lost[i] = !c.s.ours(it.abs)
			return nil //nolint:nilerr // what cannot be hashed can still be lost, which is all that is asked
		}
		st, err := c.s.check(it.digest, it.key.Size)
		lost[i] = st != present
		return err
	})
	if err != nil {
		return err
	}
	var paths []string
	for i := range going {
		if lost[i] {
			paths = append(paths, going[i].abs)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	slices.Sort(paths)
	if c.opt.Keep == nil {
		return &UnsavedError{Paths: paths}
	}
	for _, p := range paths {
		if err := c.opt.Keep(p); err != nil {
			return err
		}
	}
	return nil
}

func distinct(ds []Digest) []Digest {
	slices.SortFunc(ds, Digest.Compare)
	return slices.Compact(ds)
}
