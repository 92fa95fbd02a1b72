package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/flowrepro/flow/internal/atomicfile"
)

const (
	// Packs of less than packSmallBytes and packSmallObjects are put together when
	// there are more than packSmallFrom of them.
	packSmallBytes   = PackBytes / 8
	packSmallObjects = PackObjects / 8
	packSmallFrom    = 16
)

func (p *pack) small() bool { return p.size < packSmallBytes && p.n < packSmallObjects }

// walkPacks calls fn for every object in packs, pack by pack as they lie.
func (s *Store) walkPacks(ctx context.Context, fn func(Digest, int64, time.Time) error) error {
	if err := s.packs.refresh(); err != nil {
		return fmt.Errorf("list packs: %w", err)
	}
	for _, p := range s.packs.all() {
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, i := range p.byOffset() {
			if err := fn(p.digest(i), p.at(i).length, time.Unix(0, p.mod)); err != nil {
				return err
			}
		}
	}
	return nil
}

// removePacked sees to it that no pack has what is doomed, and puts many small
// packs together.
func (s *Store) removePacked(ctx context.Context, doomed map[Digest]struct{}) error {
	s.rewriting.Lock()
	defer s.rewriting.Unlock()
	if err := s.packs.refresh(); err != nil {
		return fmt.Errorf("list packs: %w", err)
	}
	var gone, change, small []*pack
	for _, p := range s.packs.all() {
		n := 0
		for i := range p.n {
			if _, ok := doomed[p.digest(i)]; ok {
				n++
			}
		}
		switch {
		case n == p.n:
			gone = append(gone, p)
		case n > 0:
			change = append(change, p)
		case p.small():
			small = append(small, p)
		}
	}
	if len(small) > packSmallFrom {
		change = append(change, small...)
	}
	if err := s.removePacks(gone); err != nil {
		return err
	}
	r := rewrite{s: s, drop: doomed}
	err := r.run(ctx, change)
	for _, d := range r.bad {
		s.moved.Delete(d) // nobody asks where it is
	}
	return err
}

// rewrite writes packs anew.
type rewrite struct {
	s *Store
	// drop are the objects to leave out, corrupt those to take for corrupted
	// without reading them.
	drop, corrupt map[Digest]struct{}
	// bad are the objects that went to quarantine.
	bad []Digest
}

// run writes what is in the packs into new ones, and removes the old. What turns
// out to be corrupted goes to quarantine. The new packs are on disk before the
// old are removed: what is in them may have been safe for long. s.rewriting is
// held.
func (r *rewrite) run(ctx context.Context, list []*pack) error {
	if len(list) == 0 {
		return nil
	}
	n, newest := 0, int64(0)
	for _, p := range list {
		n += p.n
		newest = max(newest, p.mod)
	}
	k := &packer{s: r.s, limit: PackBytes, seen: make(map[Digest]struct{}, n), old: time.Unix(0, newest)}
	var done []*pack
	var sc scratch
	var err error
	for _, p := range list {
		err = r.copy(ctx, &sc, k, p)
		if errors.Is(err, errPackGone) {
			r.s.packs.lose(p) // another process was faster
			err = nil
			continue
		}
		if err != nil {
			break
		}
		done = append(done, p)
	}
	if err != nil {
		k.abandon()
		return fmt.Errorf("write packs anew: %w", err)
	}
	if err := k.finish(); err != nil {
		return fmt.Errorf("write packs anew: %w", err)
	}
	if len(k.made) > 0 {
		if err := atomicfile.SyncDir(r.s.packs.dir); err != nil {
			return fmt.Errorf("write packs anew: %w", err)
		}
	}
	made := make(map[string]bool, len(k.made))
	for _, p := range k.made {
		made[p.name] = true
	}
	var old []*pack
	for _, p := range done {
		if !made[p.name] {
			old = append(old, p)
		}
	}
	return r.s.removePacks(old)
}

// copy puts the objects of a pack into another.
func (r *rewrite) copy(ctx context.Context, sc *scratch, k *packer, p *pack) error {
	for _, i := range p.byOffset() {
		if err := ctx.Err(); err != nil {
			return err
		}
		d, at := p.digest(i), p.at(i)
		if _, ok := r.drop[d]; ok {
			continue
		}
		data := sc.space(int(at.length))[:at.length]
		if err := r.s.packs.readAt(p, data, at.offset); err != nil {
			return err
		}
		_, bad := r.corrupt[d]
		if bad || sc.sum(BLAKE3, data) != d {
			if err := r.quarantine(d, data); err != nil {
				return err
			}
			continue
		}
		if err := k.put(d, data); err != nil {
			return err
		}
	}
	return nil
}

// quarantine makes a file in the quarantine of what is in the place of an object.
func (r *rewrite) quarantine(d Digest, data []byte) error {
	path, err := r.s.quarantinePath(BLAKE3, d.String())
	if err != nil {
		return err
	}
	if _, err := writeSmall(path, data, 0o444, false); err != nil {
		return err
	}
	r.bad = append(r.bad, d)
	r.s.moved.Store(d, path)
	return nil
}

// abandon ends a packer without making the last pack.
func (k *packer) abandon() {
	if b := k.cur; b != nil {
		b.writing.Wait()
		b.t.discard()
		k.cur = nil
	}
}

// removePacks removes packs: the indexes first, so that nothing says of what is
// not there that it is.
func (s *Store) removePacks(list []*pack) error {
	s.packs.drop(list...)
	var errs []error
	remove := func(path string) bool {
		err := os.Remove(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
			return false
		}
		return true
	}
	for _, p := range list {
		if remove(s.packs.indexPath(p.name)) {
			remove(p.path)
		}
	}
	return errors.Join(errs...)
}

// quarantinePacked moves the object d out of its pack into the quarantine, and
// returns where it is then, if it was the one in the pack that is corrupted. What
// else is corrupted there goes with it: where one object is, others often are.
func (s *Store) quarantinePacked(d Digest) (path string, done bool) {
	if !packable(d) {
		return "", false
	}
	s.rewriting.Lock()
	defer s.rewriting.Unlock()
	at, ok := s.packs.find(&d)
	if !ok {
		if path, ok := s.moved.LoadAndDelete(d); ok {
			return path.(string), true // with another that was found earlier
		}
		return "", false
	}
	if st, err := statPath(s.Path(d), true); err == nil && st.mode.IsRegular() {
		// One of the two is corrupted.
		var sc scratch
		if data, ok, err := s.readPacked(d, sc.space); err != nil || !ok || sc.sum(BLAKE3, data) == d {
			return "", false
		}
	}
	r := rewrite{s: s, corrupt: map[Digest]struct{}{d: {}}}
	if err := r.run(context.Background(), []*pack{at.p}); err != nil {
		return "", true
	}
	if path, ok := s.moved.LoadAndDelete(d); ok {
		return path.(string), true
	}
	return "", true
}

// verifyPacks reads every object in packs.
func (v *verifier) verifyPacks(ctx context.Context) error {
	if err := v.s.packs.refresh(); err != nil {
		return fmt.Errorf("list packs: %w", err)
	}
	scratches := make([]scratch, workerCount(v.s.workers))
	for _, p := range v.s.packs.all() {
		if err := v.pack(ctx, scratches, p); err != nil {
			return err
		}
	}
	var err error
	v.report.TornPacks, err = v.s.quarantineTorn()
	return err
}

// pack reads every object in a pack, which is written anew without what is
// corrupted.
func (v *verifier) pack(ctx context.Context, scratches []scratch, p *pack) error {
	order := p.byOffset()
	corrupt := make([]bool, len(order))
	err := parallel(ctx, v.s.workers, chunks(len(order)), func(w, c int) error {
		lo, hi := chunk(c, len(order))
		var n int64
		for k := lo; k < hi; k++ {
			at := p.at(order[k])
			data := scratches[w].space(int(at.length))[:at.length]
			if err := v.s.packs.readAt(p, data, at.offset); err != nil {
				return err
			}
			corrupt[k] = scratches[w].sum(BLAKE3, data) != p.digest(order[k])
			n += at.length
		}
		if v.opt.Progress != nil {
			v.opt.Progress(int64(hi-lo), n)
		}
		return nil
	})
	if errors.Is(err, errPackGone) {
		v.s.packs.lose(p)
		return nil // collected meanwhile
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		for i := range p.n {
			v.unreadable(p.digest(i), err)
		}
		return nil
	}
	v.report.Checked += int64(p.n)
	v.report.Bytes += p.size
	bad := make(map[Digest]struct{})
	for k := range corrupt {
		if corrupt[k] {
			bad[p.digest(order[k])] = struct{}{}
		}
	}
	if len(bad) == 0 {
		return nil
	}
	v.s.rewriting.Lock()
	defer v.s.rewriting.Unlock()
	r := rewrite{s: v.s, corrupt: bad}
	err = r.run(ctx, []*pack{p})
	for d := range bad {
		v.s.moved.Delete(d) // it is told here
		if err != nil {
			v.unreadable(d, err)
		}
		v.report.Corrupt = append(v.report.Corrupt, d)
		v.bad[d] = struct{}{}
	}
	return ctx.Err()
}

// quarantineTorn moves packs that are not what their index says, or have an index
// that is not what its name says, to the quarantine, and returns their number.
// Nothing in them was there.
func (s *Store) quarantineTorn() (int, error) {
	names, err := readNames(s.packs.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n := 0
	for name, parts := range packNames(names) {
		if parts != packWhole {
			continue
		}
		p, err := s.packs.read(name)
		if err != nil {
			return n, err
		}
		if p != nil {
			continue
		}
		moved := false
		for _, file := range []string{s.packs.indexPath(name), s.packs.bodyPath(name)} {
			to, err := s.quarantinePath(BLAKE3, filepath.Base(file))
			if err == nil {
				err = os.Rename(file, to)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return n, err
			}
			moved = moved || err == nil
		}
		if moved {
			n++
		}
	}
	return n, nil
}

// sweepPacks deletes parts of packs that a crashed process left, and returns
// their number.
func (s *Store) sweepPacks(now time.Time) int {
	n := sweepDir(s.packs.dir, now)
	names, err := readNames(s.packs.dir)
	if err != nil {
		return n
	}
	for name, parts := range packNames(names) {
		if parts == packWhole {
			continue
		}
		path := s.packs.bodyPath(name)
		if parts == packHasIndex {
			path = s.packs.indexPath(name)
		}
		info, err := os.Lstat(path)
		if err == nil && now.Sub(info.ModTime()) >= sweepAge && os.Remove(path) == nil {
			n++
		}
	}
	return n
}
