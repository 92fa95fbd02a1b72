package cache

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
)

// pack is a pack whose index was found to be right.
type pack struct {
	name  string
	path  string // of the body
	index []byte
	n     int
	size  int64
	mod   int64 // when the body was last modified, in nanoseconds since 1970

	mu   sync.RWMutex
	file *os.File
	gone bool // no file is kept any more
}

// place is where an object lies: in a pack.
type place struct {
	p              *pack
	offset, length int64
}

// errPackGone says that a pack is not there any more, or not all of it.
var errPackGone = errors.New("pack is gone")

func (p *pack) at(i int) place {
	_, offset, length := packEntryAt(p.index, i)
	return place{p, offset, length}
}

// digest returns that of the i-th object by digest.
func (p *pack) digest(i int) Digest {
	d := Digest{id: BLAKE3.id}
	sum, _, _ := packEntryAt(p.index, i)
	copy(d.sum[:], sum)
	return d
}

// byOffset returns the numbers of the objects in the order in which they lie.
func (p *pack) byOffset() []int {
	order := make([]int, p.n)
	for i := range order {
		order[i] = i
	}
	place := func(i int) uint64 {
		_, offset, length := packEntryAt(p.index, i)
		return packPlace(uint64(offset), uint64(length))
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(place(i), place(j)) })
	return order
}

// read reads a pack's index. What is not a pack, or not all of one, is none.
func (ps *packs) read(name string) (*pack, error) {
	index, err := readPackIndex(ps.indexPath(name))
	if errors.Is(err, fs.ErrNotExist) || index == nil && err == nil || err == nil && PackName(index) != name {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n, size, err := checkPackIndex(index)
	if err != nil {
		return nil, nil //nolint:nilerr // what it tells of is not there
	}
	st, err := statPath(ps.bodyPath(name), true)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!st.mode.IsRegular() || st.key.Size != size) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &pack{name: name, path: ps.bodyPath(name), index: index, n: n, size: size, mod: st.key.MTime}, nil
}

// readPackIndex reads what should be an index: nil when it is too large for one.
func readPackIndex(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() < int64(PackIndexLeast) || info.Size() > int64(PackIndexLimit) {
		return nil, nil
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, nil
		}
		return nil, err
	}
	return data, nil
}

// close closes the file that is kept.
func (p *pack) close(ps *packs) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file != nil {
		_ = p.file.Close() // it was only read
		p.file = nil
		ps.open.Add(-1)
	}
}

// readAt fills buf from the offset. The error is errPackGone when there is
// nothing to read, or less than there should be.
func (ps *packs) readAt(p *pack, buf []byte, off int64) error {
	for {
		p.mu.RLock()
		if f := p.file; f != nil {
			err := readPart(f, buf, off)
			p.mu.RUnlock()
			return err
		}
		p.mu.RUnlock()
		f, err := p.openBody()
		if err != nil {
			return err
		}
		if !ps.keep(p, f) {
			err := readPart(f, buf, off)
			_ = f.Close() // it was only read
			return err
		}
	}
}

// keep keeps an open file for further reading, if it may, or closes it when
// another is kept already.
func (ps *packs) keep(p *pack, f *os.File) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file != nil {
		_ = f.Close() // it was not used
		return true
	}
	if p.gone || ps.open.Load() >= packFilesKept {
		return false
	}
	p.file = f
	ps.open.Add(1)
	return true
}

// openBody opens the pack's file.
func (p *pack) openBody() (*os.File, error) {
	f, err := os.Open(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errPackGone
	}
	return f, err
}

func readPart(f *os.File, buf []byte, off int64) error {
	_, err := f.ReadAt(buf, off)
	if errors.Is(err, io.EOF) {
		return errPackGone
	}
	return err
}
