package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// packsDir is the directory of packs, below the store's.
const packsDir = "packs"

// packFilesKept is how many packs are kept open for reading.
const packFilesKept = 64

// packs are the packs of a store: what this process knows of them. Other
// processes make packs, and take them away, at any time. A pack that is made is
// noticed when an object is not found, one that is gone when it is read.
//
// It is safe for concurrent use.
type packs struct {
	dir string

	loading sync.Mutex // held while the directory is read
	// stamp is that of the directory when it was read; stale makes that be done
	// again whatever it is.
	stamp FileInfoKey
	stale bool

	mu     sync.RWMutex
	loaded bool
	list   map[string]*pack
	order  []*pack // what slots count from; nil for one that is gone
	// slots is a hash table of all objects by eight bytes of their digests:
	// the pack, counted from 1, and the number in its index, below packSlotBits.
	slots []uint64
	used  int

	open atomic.Int32 // packs that are kept open
}

const packSlotBits = 16

func (ps *packs) bodyPath(name string) string {
	return ps.dir + string(filepath.Separator) + name + PackSuffix
}

func (ps *packs) indexPath(name string) string {
	return ps.dir + string(filepath.Separator) + name + PackIndexSuffix
}

// find tells where the object d lies, as far as is known. Nothing is looked for.
func (ps *packs) find(d *Digest) (place, bool) {
	ps.mu.RLock()
	defer ps.mu.RUnlock()
	return ps.findLocked(d)
}

func (ps *packs) findLocked(d *Digest) (place, bool) {
	if len(ps.slots) == 0 || !packable(*d) {
		return place{}, false
	}
	mask := uint64(len(ps.slots) - 1)
	for at := binary.LittleEndian.Uint64(d.sum[8:]) & mask; ; at = (at + 1) & mask {
		slot := ps.slots[at]
		if slot == 0 {
			return place{}, false
		}
		p := ps.order[slot>>packSlotBits-1]
		if p == nil {
			continue
		}
		sum, offset, length := packEntryAt(p.index, int(slot&(1<<packSlotBits-1)))
		if [32]byte(sum) == d.sum {
			return place{p, offset, length}, true
		}
	}
}

// packable reports whether an object can be in a pack by what its digest is of.
func packable(d Digest) bool { return d.id == BLAKE3.id && !d.dir }

// known reports whether packs have been looked for.
func (ps *packs) known() bool {
	ps.mu.RLock()
	defer ps.mu.RUnlock()
	return ps.loaded
}

// all returns the packs that are known, by name.
func (ps *packs) all() []*pack {
	ps.mu.RLock()
	defer ps.mu.RUnlock()
	list := make([]*pack, 0, len(ps.list))
	for _, p := range ps.list {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *pack) int { return strings.Compare(a.name, b.name) })
	return list
}

// add makes a pack known.
func (ps *packs) add(p *pack) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if old := ps.list[p.name]; old != nil {
		old.close(ps) // its file was replaced, by what is the same
		return
	}
	if ps.list == nil {
		ps.list = make(map[string]*pack)
	}
	ps.list[p.name] = p
	ps.order = append(ps.order, p)
	if want := 2 * (ps.used + p.n); want > len(ps.slots) {
		ps.rebuild(want)
		return
	}
	ps.enter(len(ps.order), p)
}

// enter adds the objects of a pack, the k-th counted from 1, to the table.
func (ps *packs) enter(k int, p *pack) {
	mask := uint64(len(ps.slots) - 1)
	for i := range p.n {
		sum, _, _ := packEntryAt(p.index, i)
		at := binary.LittleEndian.Uint64(sum[8:]) & mask
		for ps.slots[at] != 0 {
			at = (at + 1) & mask
		}
		ps.slots[at] = uint64(k)<<packSlotBits | uint64(i)
	}
	ps.used += p.n
}

// rebuild makes the table anew, with at least so many slots.
func (ps *packs) rebuild(slots int) {
	size := 1024
	for size < slots {
		size *= 2
	}
	ps.slots, ps.used = make([]uint64, size), 0
	ps.order = slices.DeleteFunc(ps.order, func(p *pack) bool { return p == nil })
	for k, p := range ps.order {
		ps.enter(k+1, p)
	}
}

// drop forgets packs.
func (ps *packs) drop(list ...*pack) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range list {
		if ps.list[p.name] == p {
			delete(ps.list, p.name)
		}
		if k := slices.Index(ps.order, p); k >= 0 {
			ps.order[k] = nil
		}
		p.close(ps)
		p.mu.Lock()
		p.gone = true
		p.mu.Unlock()
	}
}

// lose forgets a pack that turned out not to be there, so that the directory is
// read again.
func (ps *packs) lose(p *pack) {
	ps.drop(p)
	ps.loading.Lock()
	ps.stale = true
	ps.loading.Unlock()
}

// packRacy is how old the last change of the directory must be for the next to
// be sure to have another time.
const packRacy = 100 * time.Millisecond

// refresh makes known what packs there are now. It does not look where the
// directory is as it was.
func (ps *packs) refresh() error {
	ps.loading.Lock()
	defer ps.loading.Unlock()
	st, err := statPath(ps.dir, true)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	known := ps.known()
	if known && !ps.stale && st.key == ps.stamp {
		return nil
	}
	began := time.Now()
	if err := ps.load(); err != nil {
		return err
	}
	ps.mu.Lock()
	ps.loaded = true
	ps.mu.Unlock()
	ps.stamp = st.key
	ps.stale = began.UnixNano()-max(st.key.MTime, st.key.CTime) < int64(packRacy)
	return nil
}

// load reads the directory, and the indexes that are not known yet.
func (ps *packs) load() error {
	names, err := readNames(ps.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	there := packNames(names)
	var gone []*pack
	for _, p := range ps.all() {
		if there[p.name] != packWhole {
			gone = append(gone, p)
		}
		delete(there, p.name)
	}
	ps.drop(gone...)
	for name, parts := range there {
		if parts != packWhole {
			continue
		}
		p, err := ps.read(name)
		if err != nil {
			return err
		}
		if p != nil {
			ps.add(p)
		}
	}
	return nil
}

// What there is of a pack.
const (
	packHasBody = 1 << iota
	packHasIndex
	packWhole = packHasBody | packHasIndex
)

// packNames tells what there is of which packs.
func packNames(files []string) map[string]int {
	there := make(map[string]int)
	for _, file := range files {
		name, part := strings.TrimSuffix(file, PackIndexSuffix), packHasIndex
		if name == file {
			name, part = strings.TrimSuffix(file, PackSuffix), packHasBody
		}
		if name != file && isPackName(name) {
			there[name] |= part
		}
	}
	return there
}

func isPackName(name string) bool {
	var sum [32]byte
	return len(name) == 2*len(sum) && decodeHex(sum[:], name)
}

// packTries is how often an object is looked for that other processes move.
const packTries = 5

// readPacked reads the object d, if it is in a pack, into the buffer that space
// gives. Content is not verified.
func (s *Store) readPacked(d Digest, space func(n int) []byte) (data []byte, ok bool, err error) {
	for range packTries {
		at, ok := s.packs.find(&d)
		if !ok {
			return nil, false, nil
		}
		buf := space(int(at.length))[:at.length]
		err := s.packs.readAt(at.p, buf, at.offset)
		if err == nil {
			return buf, true, nil
		}
		if !errors.Is(err, errPackGone) {
			return nil, false, fmt.Errorf("object %s: %w", d, err)
		}
		s.packs.lose(at.p)
		if err := s.packs.refresh(); err != nil {
			return nil, false, fmt.Errorf("object %s: %w", d, err)
		}
	}
	return nil, false, nil
}

// locate finds the object d: in a pack, or else by itself, where at.p is nil.
// The error wraps fs.ErrNotExist when it is nowhere.
func (s *Store) locate(d Digest) (at place, st fileStat, err error) {
	if s.packs.known() {
		if at, ok := s.packs.find(&d); ok {
			return at, st, nil
		}
	}
	st, err = statPath(s.Path(d), true)
	if !packable(d) || !errors.Is(err, fs.ErrNotExist) {
		return place{}, st, err
	}
	if rerr := s.packs.refresh(); rerr != nil {
		return place{}, st, rerr
	}
	// Also where it has not looked: another goroutine may have, meanwhile.
	if at, ok := s.packs.find(&d); ok {
		return at, st, nil
	}
	return place{}, st, err
}

// packPath is what a pack's directory is called in the store at dir.
func packPath(dir string) string {
	return filepath.Join(dir, packsDir, BLAKE3.Name)
}
