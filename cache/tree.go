package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/zeebo/blake3"
)

// manyFiles is from how many files on a directory is remembered as a whole.
const manyFiles = 1024

// mark is a digest of what the file system tells of a set of files or
// directories. As long as it stays the same none of them changed; see
// FileInfoKey. The zero mark stands for none.
type mark [16]byte

// Tree is a directory that was scanned. It is safe for concurrent use.
type Tree struct {
	entry Entry
	sc    *Scanner

	mu       sync.Mutex
	manifest *Manifest
	items    []item // what the manifest is made of when it is asked for
}

// TreeOf is the tree of a directory whose manifest is known.
func TreeOf(e Entry, m *Manifest) *Tree { return &Tree{entry: e, manifest: m} }

// Manifest returns the files of the directory as they were when it was scanned.
// The error is ErrChanged when what a file held then cannot be told any more.
func (t *Tree) Manifest(ctx context.Context) (*Manifest, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.manifest != nil {
		return t.manifest, nil
	}
	if err := t.sc.digest(ctx, t.items, false); err != nil {
		return nil, err
	}
	m := manifestOf(t.items)
	if m.Entry(t.sc.Hash).Digest != t.entry.Digest {
		return nil, ErrChanged
	}
	t.manifest, t.items = m, nil
	return m, nil
}

// ScanTree is Scan for those who may not need the manifest. The tree is nil for
// a file. A directory of many files in which nothing changed since all of them
// were found in the memo is known by one look at each, without their digests.
func (s *Scanner) ScanTree(ctx context.Context, path string) (Entry, *Tree, error) {
	items, dir, err := s.items(ctx, path)
	if err != nil {
		return Entry{}, nil, err
	}
	var now mark
	if dir && s.Memo != nil && len(items) >= manyFiles {
		if now, err = s.mark(ctx, items); err != nil {
			return Entry{}, nil, err
		}
		if d, ok := s.Memo.tree(s.Hash, path, now); ok {
			if s.Progress != nil {
				s.Progress(int64(len(items)), 0)
			}
			e := entryOf(d, items)
			return e, &Tree{entry: e, sc: s, items: items}, nil
		}
	}
	todo, err := s.unknown(ctx, items)
	if err == nil && len(todo) > 0 {
		err = s.hashAll(ctx, items, todo, false)
	}
	if err != nil {
		return Entry{}, nil, err
	}
	if !dir {
		return items[0].entry(), nil, nil
	}
	m := manifestOf(items)
	e := m.Entry(s.Hash)
	if len(todo) == 0 {
		s.Memo.addTree(path, now, e.Digest)
	}
	return e, TreeOf(e, m), nil
}

// entryOf is the entry of the directory with digest d that items are all of.
func entryOf(d Digest, items []item) Entry {
	e := Entry{Digest: d, Files: len(items)}
	for i := range items {
		e.Size += items[i].key.Size
	}
	return e
}

// mark sums up everything about items that their directory's digest depends on,
// given that files which look the same have the same content.
func (s *Scanner) mark(ctx context.Context, items []item) (mark, error) {
	parts := make([][32]byte, chunks(len(items)))
	err := parallel(ctx, s.Workers, len(parts), func(_, c int) error {
		lo, hi := chunk(c, len(items))
		const typical = 64 // bytes an item
		buf := make([]byte, 0, chunkSize*typical)
		for i := lo; i < hi; i++ {
			it := &items[i]
			buf = binary.AppendUvarint(buf, uint64(len(it.rel)))
			buf = append(buf, it.rel...)
			buf = it.key.append(buf)
			exec := byte(0)
			if it.exec() {
				exec = 1
			}
			buf = append(buf, exec)
		}
		parts[c] = blake3.Sum256(buf)
		return nil
	})
	if err != nil {
		return mark{}, err
	}
	h := blake3.New()
	for i := range parts {
		_, _ = h.Write(parts[i][:]) // never fails
	}
	return mark(h.Sum(nil)[:16]), nil
}

func (k FileInfoKey) append(buf []byte) []byte {
	le := binary.LittleEndian
	buf = le.AppendUint64(buf, uint64(k.Size))
	buf = le.AppendUint64(buf, uint64(k.MTime))
	buf = le.AppendUint64(buf, uint64(k.CTime))
	return le.AppendUint64(buf, k.Inode)
}

// HoldsTree reports whether the store holds the object of the directory t and
// those of all of its files, as Missing would find. When it did once and nothing
// was put into the directories of the store or taken from them since, it is not
// looked for again.
func (s *Store) HoldsTree(ctx context.Context, t *Tree) (bool, error) {
	d := t.entry.Digest
	var now mark
	if s.memo != nil && t.entry.Files >= manyFiles {
		now = s.mark(d.Hash())
		if now != (mark{}) && s.memo.held(s.dir, d, now) {
			return true, nil
		}
	}
	if !s.Has(d) {
		return false, nil
	}
	m, err := t.Manifest(ctx)
	if err != nil {
		return false, err
	}
	ds := make([]Digest, len(m.Members))
	for i := range ds {
		ds[i] = m.Members[i].Digest
	}
	lost, err := s.Missing(ctx, ds...)
	if err != nil || len(lost) > 0 {
		return false, err
	}
	if now != (mark{}) {
		s.memo.addHeld(s.dir, d, now)
	}
	return true, nil
}

// mark sums up the directories that objects of the algorithm lie in: any object
// that comes or goes changes one of them. There is none while one changed so
// lately that a further change might not show.
func (s *Store) mark(h *Hash) mark {
	const spread = 256
	root := s.root(h)
	at := newOpenDir(root)
	defer at.close()
	now := s.memo.now().UnixNano()
	buf := make([]byte, 0, (spread+2)*40)
	look := func(dir *openDir, path string) bool {
		st, err := dir.stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			buf = append(buf, 0)
			return true
		}
		// Without a change time nothing is sure: FAT does not even keep the other.
		if err != nil || !st.mode.IsDir() || st.key.CTime == 0 || st.key.settled() > now {
			return false
		}
		buf = st.key.append(append(buf, 1))
		return true
	}
	if !look(nil, root) || !look(nil, s.packs.dir) {
		return mark{}
	}
	for i := range spread {
		name := strconv.FormatUint(uint64(i+spread), 16)[1:]
		if !look(at, root+string(filepath.Separator)+name) {
			return mark{}
		}
	}
	sum := blake3.Sum256(buf)
	return mark(sum[:16])
}

// Directories are remembered in a table of their own, which is small, in
// records like those of files: the mark is in place of change time and inode.

func (k mark) info() FileInfoKey {
	le := binary.LittleEndian
	return FileInfoKey{CTime: int64(le.Uint64(k[:])), Inode: le.Uint64(k[8:])}
}

func treeName(path string) string { return "tree\x00" + path }

// heldName stands for a directory's object and all of its files' in a store.
func heldName(store string, d Digest) string { return "held\x00" + store + "\x00" + d.String() }

// tree returns the digest of the directory at the absolute path when its files
// are as they were. One that was not confirmed for long is not known, so that
// the entries of its files are found to be of use, too.
func (m *Memo) tree(h *Hash, path string, now mark) (Digest, bool) {
	if m == nil || m.dirs == nil {
		return Digest{}, false
	}
	d, ok := m.dirs.lookup(h, treeName(path), now.info(), true)
	d.dir = true
	return d, ok
}

func (m *Memo) addTree(path string, now mark, d Digest) {
	if m == nil || m.dirs == nil || now == (mark{}) {
		return
	}
	d.dir = false // only files are remembered
	m.dirs.own(treeName(path), now.info(), d)
}

// held reports whether the directory d was found to be in the store with all of
// its files while the store was as now.
func (m *Memo) held(store string, d Digest, now mark) bool {
	_, ok := m.dirs.lookup(d.Hash(), heldName(store, d), now.info(), false)
	return ok
}

func (m *Memo) addHeld(store string, d Digest, now mark) {
	name := heldName(store, d)
	d.dir = false
	m.dirs.own(name, now.info(), d)
}
