package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/flowrepro/flow/internal/atomicfile"
)

// packFrom is from how many small files on that come at once a pack is made,
// where Options.PackFrom does not say.
const packFrom = 256

// packBlock is how much of a pack is written at once.
const packBlock = 512 << 10

// packing reports whether n small objects of an algorithm are worth a pack. They
// are not where files of the workspace should be links to them, or share their
// blocks.
func (s *Store) packing(h *Hash, n int) bool {
	if h != BLAKE3 || s.packFrom < 0 || n < s.packFrom {
		return false
	}
	for _, l := range s.links {
		switch {
		case l == Copy:
			return true
		case l == Reflink:
			if s.cloning() {
				return false
			}
		case s.usable(l):
			return false
		}
	}
	return true
}

// cloning reports whether files of the store can be reflinked at all.
func (s *Store) cloning() bool {
	s.cloneOnce.Do(func() {
		if !s.usable(Reflink) {
			return
		}
		if s.mkdir(s.dir) != nil {
			return // told by whoever writes
		}
		from, err := s.createTemp(s.dir)
		if err != nil {
			return
		}
		defer from.discard()
		to, err := s.createTemp(s.dir)
		if err != nil {
			return
		}
		defer to.discard()
		if _, err := from.f.Write(make([]byte, 4<<10)); err != nil {
			return
		}
		if reflink(to.f, from.f) != nil {
			s.broken.Store(Reflink, struct{}{})
		}
	})
	return s.usable(Reflink)
}

// packer stores many small objects in packs. A pack exists from when its index
// has its name, which it gets when the pack is full, or at the end.
//
// A packer is safe for concurrent use, but for finish, which ends it.
type packer struct {
	s     *Store
	limit int64 // bytes in a pack
	// loose tells what need not be packed.
	loose loose
	// old is when the content is of, for packs that replace others; they are
	// synced to disk, since what they replace is lost then.
	old time.Time

	mu   sync.Mutex
	seen map[Digest]struct{}
	cur  *packBody
	made []*pack
	free [][]byte
	err  error
}

// packBody is a pack in the making.
type packBody struct {
	t     *temp
	index PackIndex
	buf   []byte
	begin int64 // where buf belongs
	// writing are those blocks that are being written.
	writing sync.WaitGroup
	err     error // of a write, guarded by packer.mu
}

// packer returns a packer for some n objects.
func (s *Store) packer(n int) (*packer, error) {
	if err := s.packs.refresh(); err != nil {
		return nil, fmt.Errorf("list packs: %w", err)
	}
	return &packer{
		s: s, limit: PackBytes, seen: make(map[Digest]struct{}, n),
		loose: loose{s: s, h: BLAKE3, many: n},
	}, nil
}

// add stores data, which has digest d and is smaller than PackedLimit, unless it
// is there. If not, it is after finish.
func (k *packer) add(d Digest, data []byte) error {
	there, err := k.there(d, int64(len(data)))
	if err != nil || there {
		return err
	}
	return k.put(d, data)
}

// there reports whether the object d, of the given size, is in the store.
func (k *packer) there(d Digest, size int64) (bool, error) {
	if at, ok := k.s.packs.find(&d); ok && at.length == size {
		return true, nil
	}
	if maybe, err := k.loose.has(d); err != nil || !maybe {
		return false, err
	}
	state, err := k.s.check(d, size)
	return state == present, err
}

// put is add without looking whether it is there.
func (k *packer) put(d Digest, data []byte) error {
	k.mu.Lock()
	if k.err != nil {
		defer k.mu.Unlock()
		return k.err
	}
	if _, dup := k.seen[d]; dup {
		k.mu.Unlock()
		return nil
	}
	k.seen[d] = struct{}{}
	var full *packBody
	if b := k.cur; b != nil && (len(b.index.Objects) == PackObjects || b.index.Size+int64(len(data)) > k.limit) {
		full, k.cur = b, nil
	}
	if k.cur == nil {
		if k.cur, k.err = k.begin(); k.err != nil {
			defer k.mu.Unlock()
			return k.err
		}
	}
	b := k.cur
	b.index.Add(d, int64(len(data)))
	var block []byte
	var at int64
	if len(b.buf)+len(data) > packBlock {
		block, at = b.buf, b.begin
		b.begin += int64(len(block))
		b.buf = k.block()
		b.writing.Add(1)
	}
	b.buf = append(b.buf, data...)
	k.mu.Unlock()
	if block != nil {
		_, err := b.t.f.WriteAt(block, at)
		k.mu.Lock()
		if err != nil && b.err == nil {
			b.err = err
		}
		k.free = append(k.free, block[:0])
		k.mu.Unlock()
		b.writing.Done()
	}
	if full != nil {
		return k.publish(full)
	}
	return nil
}

// begin begins a pack. k.mu is held.
func (k *packer) begin() (*packBody, error) {
	if err := k.s.mkdir(k.s.packs.dir); err != nil {
		return nil, err
	}
	t, err := k.s.createTemp(k.s.packs.dir)
	if err != nil {
		return nil, err
	}
	return &packBody{t: t, buf: k.block()}, nil
}

// block returns an empty buffer. k.mu is held.
func (k *packer) block() []byte {
	if n := len(k.free); n > 0 {
		b := k.free[n-1]
		k.free = k.free[:n-1]
		return b
	}
	return make([]byte, 0, packBlock)
}

// publish completes a pack: from then on what it holds is in the store.
func (k *packer) publish(b *packBody) error {
	err := k.complete(b)
	if err != nil {
		b.t.discard()
		k.mu.Lock()
		if k.err == nil {
			k.err = err
		}
		k.mu.Unlock()
		return fmt.Errorf("write pack: %w", err)
	}
	return nil
}

func (k *packer) complete(b *packBody) error {
	b.writing.Wait()
	if b.err != nil {
		return b.err
	}
	if _, err := b.t.f.WriteAt(b.buf, b.begin); err != nil {
		return err
	}
	s := k.s
	info, err := b.t.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != b.index.Size {
		return fmt.Errorf("%d bytes were written, not %d", info.Size(), b.index.Size)
	}
	index, name := b.index.Encode()
	p := &pack{name: name, path: s.packs.bodyPath(name), index: index, n: len(b.index.Objects), size: b.index.Size, mod: info.ModTime().UnixNano()}
	if !k.old.IsZero() {
		p.mod = k.old.UnixNano()
		if err := os.Chtimes(b.t.path, k.old, k.old); err != nil {
			return err
		}
	}
	if err := k.name(b.t, p.path); err != nil {
		return err
	}
	t, err := s.createTemp(s.packs.dir)
	if err != nil {
		return err
	}
	defer t.discard()
	if _, err := t.f.Write(index); err != nil {
		return err
	}
	if err := k.name(t, s.packs.indexPath(name)); err != nil {
		return err
	}
	s.packs.add(p)
	k.mu.Lock()
	k.made = append(k.made, p)
	k.mu.Unlock()
	return nil
}

// name completes a file and gives it its name.
func (k *packer) name(t *temp, path string) error {
	if err := k.s.protect(t.f); err != nil {
		return err
	}
	if !k.old.IsZero() {
		if err := t.f.Sync(); err != nil {
			return err
		}
	}
	if err := t.f.Close(); err != nil {
		return err
	}
	if err := atomicfile.Rename(t.path, path); err != nil {
		return err
	}
	t.done = true
	return nil
}

// finish makes the last pack. It is called also after an error elsewhere: what
// is complete need not be made again.
func (k *packer) finish() error {
	b := k.cur
	if k.cur = nil; b == nil {
		return k.err
	}
	if k.err != nil {
		b.writing.Wait()
		b.t.discard()
		return k.err
	}
	return k.publish(b)
}

// loose tells which objects of an algorithm lie by themselves, for those who ask
// for many of them: it lists directories where that is cheaper than asking.
type loose struct {
	s    *Store
	h    *Hash
	many int // how many will be asked for
	at   [256]looseDir
}

type looseDir struct {
	once sync.Once
	// ask is set where each object must be asked for; names are those there are
	// otherwise.
	ask   bool
	names map[string]struct{}
	err   error
}

// has reports whether there may be something under the name of d.
func (l *loose) has(d Digest) (bool, error) {
	at := &l.at[d.sum[0]]
	at.once.Do(func() {
		names, err := readNames(filepath.Dir(l.s.Path(d)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			at.err = err
		case len(names)*256 > listCost*l.many:
			at.ask = true
		default:
			at.names = make(map[string]struct{}, len(names))
			for _, name := range names {
				at.names[name] = struct{}{}
			}
		}
	})
	if at.err != nil || at.ask || len(at.names) == 0 {
		return at.ask, at.err
	}
	_, ok := at.names[filepath.Base(l.s.Path(d))]
	return ok, nil
}
