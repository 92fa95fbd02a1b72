package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flowrepro/flow/internal/atomicfile"
)

// apply changes the workspace as decided.
func (c *checkout) apply(ctx context.Context) error {
	if c.link {
		if err := os.Remove(c.root); err != nil {
			return err
		}
		c.dir = false
	}
	if err := c.delete(); err != nil {
		return err
	}
	for _, t := range c.chmod {
		if err := setExec(c.abs(t.rel), t.exec); err != nil {
			return err
		}
		c.s.learn(c.abs(t.rel), t.digest)
	}
	var err error
	switch {
	case !c.e.Digest.dir:
		err = c.placeFile(ctx)
	case !c.dir:
		err = c.placeTree(ctx)
	default:
		err = c.placeMembers(ctx)
	}
	if err != nil {
		return err
	}
	return c.remember(ctx)
}

// delete removes files, and the directories that this leaves empty.
func (c *checkout) delete() error {
	parents := make(map[string]struct{})
	for i := range c.drop {
		it := &c.drop[i]
		if err := os.Remove(it.abs); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for dir := filepath.Dir(it.abs); len(dir) > len(c.root); dir = filepath.Dir(dir) {
			if _, ok := parents[dir]; ok {
				break
			}
			parents[dir] = struct{}{}
		}
	}
	removeEmpty(parents)
	if !c.e.Digest.dir && c.dir {
		// Only empty directories may be left in the file's way.
		if err := removeEmptyTree(c.root); err != nil {
			return fmt.Errorf("a file takes the place of a directory with files that are not tracked: %w", err)
		}
		c.dir = false
	}
	return nil
}

// removeEmpty removes those directories that are empty, deepest first.
func removeEmpty(dirs map[string]struct{}) {
	list := make([]string, 0, len(dirs))
	for d := range dirs {
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b string) int { return len(b) - len(a) })
	for _, d := range list {
		_ = os.Remove(d) // fails when it is not empty, which is what we want
	}
}

// removeEmptyTree removes a directory that has nothing but directories in it.
func removeEmptyTree(root string) error {
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeEmptyTree(filepath.Join(root, e.Name())); err != nil {
				return err
			}
		}
	}
	return os.Remove(root)
}

// setExec adds or takes execute permission: added for the owner, taken from
// everyone.
func setExec(path string, exec bool) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	mode := info.Mode().Perm() &^ 0o111
	if exec {
		mode = info.Mode().Perm() | 0o100
	}
	return os.Chmod(path, mode)
}

// staging makes a place for temporary files on root's file system, so that none
// ever shows up inside it.
func (c *checkout) staging() (string, error) {
	parent := filepath.Dir(c.root)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return "", err
	}
	if to := c.s.staging(parent); to != parent {
		parent = to
	} else {
		sweepDir(parent, time.Now())
	}
	dir := tempName(parent)
	return dir, os.Mkdir(dir, 0o777)
}

// placeFile makes the one file that the output is.
func (c *checkout) placeFile(ctx context.Context) error {
	if len(c.place) == 0 {
		return nil
	}
	parent := filepath.Dir(c.root)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return err
	}
	var sc scratch
	dir := c.s.staging(parent)
	return c.each(ctx, func(_ int, t *target) error {
		return c.one(ctx, &sc, t, tempName(dir))
	})
}

// placeTree makes a directory that is not there, whole, and gives it its name
// in the end.
func (c *checkout) placeTree(ctx context.Context) (err error) {
	stage, err := c.staging()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(stage) // what remains is swept later
		}
	}()
	last := ""
	for i := range c.place {
		dir := dirOf(c.place[i].rel)
		if dir == last {
			continue
		}
		last = dir
		if err := os.MkdirAll(filepath.Join(stage, filepath.FromSlash(dir)), 0o777); err != nil {
			return err
		}
	}
	scratches := make([]scratch, workerCount(c.s.workers))
	anew := c.anew()
	err = c.each(ctx, func(w int, t *target) error {
		path := stage + string(filepath.Separator) + filepath.FromSlash(t.rel)
		if anew {
			done, err := c.small(&scratches[w], path, t)
			if done || err != nil {
				return err
			}
			// This was left to now.
			state, err := c.s.check(t.digest, t.size)
			switch {
			case err != nil:
				return err
			case state == corrupt:
				return &CorruptError{Digest: t.digest}
			case state == absent:
				return fmt.Errorf("object %s: %w", t.digest, ErrNotFound)
			}
		}
		p, err := c.s.materialize(ctx, &scratches[w], path, t.digest, t.size, t.exec, c.opt.Verify)
		t.key, t.link = p.key, p.link
		return err
	})
	if err != nil {
		return err
	}
	return os.Rename(stage, c.root)
}

// smallBuffer is what is read of an object whose size is not known.
const smallBuffer = 64 << 10

// small makes a small file, where files are copied. It reports false, and has
// made nothing, when the object is large, or is not as an intact one looks.
func (c *checkout) small(sc *scratch, path string, t *target) (bool, error) {
	empty := isEmpty(t.digest, t.size)
	if t.size >= smallFile || !c.s.copies(t.exec, empty, true) {
		return false, nil
	}
	data, ok := c.read(sc, t, !c.s.copies(t.exec, empty, false))
	if !ok {
		return false, nil
	}
	if c.opt.Verify {
		if err := c.s.compare(t.digest, sc.sum(t.digest.Hash(), data)); err != nil {
			return false, err
		}
	}
	made, err := writeSmall(path, data, createMode(t.exec), true)
	t.key, t.link = made.key, Copy
	return err == nil, err
}

// read reads a small object, packed says of a pack only. It reports false where that
// fails, or it is not as an intact one looks, see Store.check.
func (c *checkout) read(sc *scratch, t *target, packed bool) ([]byte, bool) {
	if data, ok, err := c.s.readPacked(t.digest, sc.space); ok || err != nil || packed {
		return data, ok && (t.size < 0 || int64(len(data)) == t.size)
	}
	space := smallBuffer
	if t.size >= 0 {
		space = int(t.size) + 1
	}
	buf := sc.space(space)[:space]
	n, st, err := readSmall(c.s.Path(t.digest), buf)
	ok := err == nil && n < len(buf) && st.mode == 0o444 && int64(n) == st.key.Size &&
		(t.size < 0 || int64(n) == t.size) && (n > 0 || isEmpty(t.digest, -1))
	return buf[:n], ok
}

// placeMembers makes single files of a directory that is there.
func (c *checkout) placeMembers(ctx context.Context) error {
	if len(c.place) == 0 {
		return nil
	}
	stage, err := c.staging()
	if err != nil {
		return err
	}
	defer os.RemoveAll(stage) //nolint:errcheck // what remains is swept later
	last := ""
	for i := range c.place {
		if dir := dirOf(c.place[i].rel); dir != last {
			last = dir
			if err := c.ensureDir(dir); err != nil {
				return err
			}
		}
	}
	scratches := make([]scratch, workerCount(c.s.workers))
	inside := sameDevice(stage, c.root)
	return c.each(ctx, func(w int, t *target) error {
		dir := stage
		if !inside {
			dir = filepath.Dir(c.abs(t.rel))
		}
		return c.one(ctx, &scratches[w], t, tempName(dir))
	})
}

// each runs fn for all that is to be placed, and turns objects found to be
// corrupted or missing on the way into one error.
func (c *checkout) each(ctx context.Context, fn func(worker int, t *target) error) error {
	var bad MissingError
	broken := make([]error, len(c.place))
	one := func(w, i int) error {
		t := &c.place[i]
		err := fn(w, t)
		if errors.Is(err, ErrNotFound) {
			broken[i] = err // the others can go on
			return nil
		}
		if err == nil && c.opt.Progress != nil {
			c.opt.Progress(1, max(0, t.size))
		}
		return err
	}
	parts := c.parts()
	err := parallel(ctx, c.s.workers, len(parts), func(w, p int) error {
		for i := parts[p].from; i < parts[p].to; i++ {
			if err := one(w, i); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, err := range broken {
		if err == nil {
			continue
		}
		d := c.place[i].digest
		bad.Digests = append(bad.Digests, d)
		var corrupted *CorruptError
		if errors.As(err, &corrupted) {
			bad.Corrupt = append(bad.Corrupt, d)
		}
	}
	if len(bad.Digests) == 0 {
		return nil
	}
	bad.Path = c.root
	bad.Digests, bad.Corrupt = distinct(bad.Digests), distinct(bad.Corrupt)
	return &bad
}

// part is a range of what is to be placed.
type part struct{ from, to int }

// parts divides what is to be placed among the workers: by directory, because
// the kernel lets only one at a time make files in a directory, as long as no
// directory has so much that the others would wait for its end.
func (c *checkout) parts() []part {
	most := max(1, len(c.place)/(16*workerCount(c.s.workers)))
	var list []part
	for i := 0; i < len(c.place); {
		dir := dirOf(c.place[i].rel)
		j := i + 1
		for j < len(c.place) && j-i < most && c.place[j].size < smallFile && dirOf(c.place[j].rel) == dir {
			j++
		}
		list = append(list, part{i, j})
		i = j
	}
	return list
}

// one makes a file under the name tmp and then renames it.
func (c *checkout) one(ctx context.Context, sc *scratch, t *target, tmp string) error {
	p, err := c.s.materialize(ctx, sc, tmp, t.digest, t.size, t.exec, c.opt.Verify)
	if err != nil {
		return err
	}
	t.key, t.link = p.key, p.link
	abs := c.abs(t.rel)
	err = atomicfile.Rename(tmp, abs)
	if err != nil {
		// An empty directory may be in the way; one with files in it stays.
		if info, serr := os.Lstat(abs); serr == nil && info.IsDir() && removeEmptyTree(abs) == nil {
			err = atomicfile.Rename(tmp, abs)
		}
	}
	// Renaming one hard link of a file over another does nothing at all.
	if err != nil || p.link == Hardlink {
		_ = os.Remove(tmp) // usually gone
	}
	if err == nil && t.link != Hardlink && t.link != Symlink {
		t.key, err = renamed(abs, t.key)
	}
	return err
}

// renamed returns the key of a file that was just renamed, which changes the
// change time on some file systems.
func renamed(abs string, key FileInfoKey) (FileInfoKey, error) {
	st, err := statPath(abs, false)
	if err != nil {
		return key, err
	}
	if st.key.Inode == key.Inode && st.key.Size == key.Size && st.key.MTime == key.MTime {
		key.CTime = st.key.CTime
	}
	return key, nil
}

// ensureDir makes the directory rel of root. What is in the way and is not a
// directory goes when it is a symbolic link, which holds no data; a file that
// is there is ignored and not ours to delete.
func (c *checkout) ensureDir(rel string) error {
	if rel == "" {
		return nil
	}
	abs := c.root
	for rest, more := rel, true; more; {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		abs += string(filepath.Separator) + part
		st, err := statPath(abs, false)
		if err == nil && st.mode&fs.ModeSymlink != 0 {
			if err := os.Remove(abs); err != nil {
				return err
			}
			err = fs.ErrNotExist
		}
		switch {
		case err == nil && st.mode.IsDir():
			continue
		case err == nil && st.mode&fs.ModeSymlink == 0:
			return fmt.Errorf("%s is in the way: not a directory", abs)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		}
		if err := os.Mkdir(abs, 0o777); err != nil {
			return err
		}
	}
	return nil
}

// remember tells the memo what is now there.
func (c *checkout) remember(ctx context.Context) error {
	if c.s.memo == nil {
		return nil
	}
	c.s.memo.reserve(len(c.place))
	return parallel(ctx, c.s.workers, len(c.place), func(_, i int) error {
		t := &c.place[i]
		abs := c.abs(t.rel)
		switch t.link {
		case Hardlink, Symlink:
			// The change time of a linked object moved with every link made.
			c.s.learn(abs, t.digest)
		default:
			c.s.memo.own(abs, t.key, t.digest)
		}
		return nil
	})
}

func dirOf(rel string) string {
	if i := strings.LastIndexByte(rel, '/'); i >= 0 {
		return rel[:i]
	}
	return ""
}
