package cache

import (
	"sync"
	"time"

	"github.com/zeebo/blake3"
)

// Memo remembers the digests of files that were hashed, by path, algorithm and
// FileInfoKey, so that what did not change is not read again. It only ever
// saves time: an absent, damaged or outdated memo costs hashing, never a wrong
// answer.
//
// A Memo is safe for concurrent use. Several processes may use one file; the
// last to save wins, having merged what the others saved before. Nothing is
// read before the first Lookup and nothing is written before Save. A nil Memo
// remembers nothing.
type Memo struct {
	path string
	now  func() time.Time

	mu    sync.RWMutex
	load  func() *memoTable // what the file held at the first look
	fresh map[memoKey]memoValue
	// used holds old entries that were used again, for Save to stamp anew.
	used map[memoKey]struct{}
	// dirs is what is remembered of directories as a whole, in a file beside;
	// nil in that one itself.
	dirs *Memo
}

// OpenMemo returns the memo that is kept in the file path. It never fails.
func OpenMemo(path string, now func() time.Time) *Memo {
	if now == nil {
		now = time.Now
	}
	m := openMemo(path, now)
	m.dirs = openMemo(path+dirsSuffix, now)
	return m
}

// dirsSuffix is what the name of the file about directories ends with.
const dirsSuffix = ".dirs"

func openMemo(path string, now func() time.Time) *Memo {
	m := &Memo{
		path: path, now: now,
		fresh: make(map[memoKey]memoValue),
		used:  make(map[memoKey]struct{}),
	}
	m.load = sync.OnceValue(func() *memoTable { return readMemo(path) })
	return m
}

// memoKey stands for a path and an algorithm. Fixed size makes the file a
// plain table; 128 bits of BLAKE3 make two paths with one key out of reach.
type memoKey [16]byte

// memoValue is what is known of the file under a key.
type memoValue struct {
	info FileInfoKey
	sum  [32]byte
	// day is when the entry was last made or used, in days since 1970.
	day uint32
}

const (
	// memoLife is how long, in days, an entry is kept without being used: long
	// enough for a branch that is visited once a season.
	memoLife = 120
	// memoStamp is how old, in days, a stamp may be before using the entry
	// renews it. Runs that find everything in the memo write it only then.
	memoStamp = 30
)

func makeMemoKey(h *Hash, path string) memoKey {
	var stack [512]byte
	buf := append(stack[:0], h.id)
	buf = append(buf, path...)
	sum := blake3.Sum256(buf)
	return memoKey(sum[:16])
}

func (m *Memo) today() uint32 { return uint32(m.now().Unix() / 86400) }

// Lookup returns the digest that the file at the absolute path, which is now
// as info says, was found to have.
func (m *Memo) Lookup(h *Hash, path string, info FileInfoKey) (Digest, bool) {
	if m == nil {
		return Digest{}, false
	}
	return m.lookup(h, path, info, false)
}

// lookup is Lookup by any name. With fresh, an entry whose stamp is to be renewed
// is not found.
func (m *Memo) lookup(h *Hash, name string, info FileInfoKey, fresh bool) (Digest, bool) {
	k := makeMemoKey(h, name)
	m.mu.RLock()
	v, ok := m.fresh[k]
	load := m.load
	m.mu.RUnlock()
	if !ok {
		if v, ok = load().find(k); !ok {
			return Digest{}, false
		}
		if v.info == info && v.day+memoStamp < m.today() {
			if fresh {
				return Digest{}, false
			}
			m.mu.Lock()
			m.used[k] = struct{}{}
			m.mu.Unlock()
		}
	}
	if v.info != info {
		return Digest{}, false
	}
	return Digest{id: h.id, sum: v.sum}, true
}

// preload reads what was saved of the files below the directory at path, which a
// Lookup would have to wait for, unless the directory is known as a whole.
func (m *Memo) preload(h *Hash, path string) {
	if m == nil || m.dirs != nil && m.dirs.knows(h, treeName(path)) {
		return
	}
	m.mu.RLock()
	load := m.load
	m.mu.RUnlock()
	load()
}

// reserve makes room for n more entries.
func (m *Memo) reserve(n int) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.fresh) == 0 {
		m.fresh = make(map[memoKey]memoValue, n)
	}
}

// knows reports whether the file at the absolute path was ever hashed, whatever
// has become of it since.
func (m *Memo) knows(h *Hash, path string) bool {
	if m == nil {
		return false
	}
	k := makeMemoKey(h, path)
	m.mu.RLock()
	_, ok := m.fresh[k]
	load := m.load
	m.mu.RUnlock()
	if !ok {
		_, ok = load().find(k)
	}
	return ok
}

// Add remembers that the file at the absolute path had digest d while it was
// as info says. hashed is when reading it began. A file that had changed so
// shortly before that a later change might not show is not remembered; hash it
// again later.
func (m *Memo) Add(path string, info FileInfoKey, d Digest, hashed time.Time) {
	if m == nil || hashed.UnixNano() < info.settled() {
		return
	}
	m.own(path, info, d)
}

// own remembers a file that the store has made itself under a temporary name:
// nobody else had it while it was written.
func (m *Memo) own(path string, info FileInfoKey, d Digest) {
	if m == nil || d.IsZero() || d.dir {
		return
	}
	k := makeMemoKey(d.Hash(), path)
	v := memoValue{info: info, sum: d.sum, day: m.today()}
	m.mu.Lock()
	m.fresh[k] = v
	m.mu.Unlock()
}

// Save writes what was learned, if anything, merged with what other processes
// saved meanwhile. The file is replaced atomically and carries its own
// checksum, so it is not synced to disk: losing it costs time only. A saved
// Memo can be used and saved again.
func (m *Memo) Save() error {
	if m == nil {
		return nil
	}
	if err := m.dirs.Save(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.fresh) == 0 && len(m.used) == 0 {
		return nil
	}
	today := m.today()
	old := readMemo(m.path)
	merged := old.merge(m.fresh, m.used, today)
	if err := writeMemo(m.path, merged); err != nil {
		return err
	}
	m.load = func() *memoTable { return merged }
	clear(m.fresh)
	clear(m.used)
	return nil
}
