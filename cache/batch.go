package cache

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flowrepro/flow/internal/atomicfile"
	"github.com/flowrepro/flow/internal/plainfile"
)

// batch stores many small objects of one algorithm. Those whose directory of
// the store does not exist yet are made in a temporary one, under their final
// names, and get into the store with its renaming, all at once: that spares
// renaming each. Into a directory that exists they go one by one. Either way an
// object is under its name only when it is complete.
//
// A batch is safe for concurrent use, but for finish, which ends it.
type batch struct {
	s    *Store
	h    *Hash
	made sync.Once
	dir  string // the temporary directory
	err  error
	at   [256]batchDir
	// failed is set when an object may be incomplete.
	failed atomic.Bool
	// touched is when dir was last kept from being taken for abandoned, in
	// seconds since 1970.
	touched atomic.Int64
}

// batchDir is one of the directories that objects are spread over by the first
// byte of their digests.
type batchDir struct {
	once   sync.Once
	staged string // where its objects are made; empty when it exists
	err    error
}

func (s *Store) batch(h *Hash) *batch {
	if h == BLAKE3 {
		_ = s.packs.refresh() // what is not seen is stored once more
	}
	return &batch{s: s, h: h}
}

// final is where the objects of a first byte belong.
func (b *batch) final(first byte) string {
	return b.s.root(b.h) + string(filepath.Separator) + hex.EncodeToString([]byte{first})
}

func (b *batch) place(first byte) (*batchDir, error) {
	p := &b.at[first]
	p.once.Do(func() {
		_, err := statPath(b.final(first), true)
		if !errors.Is(err, fs.ErrNotExist) {
			return // it exists; what is wrong with it is told by its use
		}
		b.made.Do(func() {
			root := b.s.root(b.h)
			if b.err = b.s.mkdir(root); b.err == nil {
				b.dir = tempName(root)
				b.err = os.Mkdir(b.dir, 0o777)
			}
			b.touched.Store(time.Now().Unix())
		})
		if p.err = b.err; p.err != nil {
			return
		}
		staged := b.dir + string(filepath.Separator) + hex.EncodeToString([]byte{first})
		if b.s.shared {
			p.err = b.s.mkdirShared(staged)
		} else {
			p.err = os.Mkdir(staged, 0o777)
		}
		p.staged = staged
	})
	return p, p.err
}

// put stores data, which has digest d.
func (b *batch) put(d Digest, data []byte) error {
	if _, packed := b.s.packs.find(&d); packed {
		if state, err := b.s.check(d, int64(len(data))); err != nil || state == present {
			return err
		}
	}
	p, err := b.place(d.sum[0])
	if err != nil {
		return err
	}
	if p.staged == "" {
		state, err := b.s.check(d, int64(len(data)))
		if err != nil || state == present {
			return err
		}
		return b.s.putBytes(d, data)
	}
	if now := time.Now(); now.Unix()-b.touched.Load() > int64(sweepAge/time.Second)/4 {
		b.touched.Store(now.Unix())
		_ = os.Chtimes(b.dir, now, now) // an hour is left to try again
	}
	path := p.staged + string(filepath.Separator) + d.String()[2:]
	err = b.write(path, data)
	if errors.Is(err, fs.ErrExist) {
		return nil // another file with this content
	}
	if err != nil {
		b.failed.Store(true)
	}
	return err
}

func (b *batch) write(path string, data []byte) error {
	if b.s.mask.Load() == maskKeeps {
		_, err := writeSmall(path, data, 0o444, false)
		return err
	}
	f, err := plainfile.Open(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = b.s.protect(f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(path) // the first error is the one to tell
	}
	return err
}

// finish moves what was made to its place. It is called also after an error
// elsewhere: what is complete need not be made again.
func (b *batch) finish() error {
	if b.dir == "" {
		return nil
	}
	defer func() { _ = os.RemoveAll(b.dir) }() // what remains is swept later
	if b.failed.Load() {
		return nil // the failure is being told
	}
	for i := range b.at {
		from := b.at[i].staged
		if from == "" || b.at[i].err != nil {
			continue
		}
		to := b.final(byte(i))
		if os.Rename(from, to) != nil {
			// Somebody made it meanwhile.
			if err := b.move(from, to); err != nil {
				return fmt.Errorf("store objects: %w", err)
			}
		}
		b.s.made.Store(to, struct{}{})
	}
	return nil
}

// move moves the objects one by one.
func (b *batch) move(from, to string) error {
	if err := b.s.mkdir(to); err != nil {
		return err
	}
	names, err := readNames(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		err := atomicfile.Rename(from+string(filepath.Separator)+name, to+string(filepath.Separator)+name)
		if err != nil {
			return err
		}
	}
	return nil
}
