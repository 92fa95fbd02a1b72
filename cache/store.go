package cache

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Options says where a store is and how it behaves.
type Options struct {
	// Dir is the cache directory.
	Dir string
	// Hash is the algorithm of the project. Objects of other algorithms can be
	// read and written by digest.
	Hash *Hash
	// Links are the ways to put an object into the workspace, in order of
	// preference; copying is always the last resort. Empty means reflink, copy.
	Links []LinkType
	// Shared makes directories writable for, and inherited by, the group.
	Shared bool
	// Workers is the number of files worked on at a time; 0 means one per
	// processor.
	Workers int
	// Memo learns what the store puts into the workspace; it may be nil.
	Memo *Memo
	// PackFrom is from how many small files on that come at once they are stored
	// together, in a pack; 0 means some hundred, less than that never. Only those
	// of BLAKE3 are, where files are copied into the workspace. Packs that are
	// there are read in any case.
	PackFrom int
	// Temp is where files and directories are made before they take their
	// names in the workspace. Where it is empty, or on another file system,
	// they are made beside their place.
	Temp string
}

// Store is a content-addressed store in a directory. It is safe for
// concurrent use, and for use by several processes.
type Store struct {
	dir     string // absolute
	hash    *Hash
	links   []LinkType
	shared  bool
	workers int
	memo    *Memo
	roots   []string // by algorithm, see rootOf

	temp     string
	tempOnce sync.Once
	near     sync.Map    // directory -> bool: on the file system of temp
	beside   atomic.Bool // temp turned out to be of no use

	packs     packs
	packFrom  int // never when negative
	cloneOnce sync.Once
	rewriting sync.Mutex // held while packs are written anew
	// moved has where corrupted objects of packs went.
	moved sync.Map // Digest -> string

	made sync.Map // directory -> struct{}: exists
	mask atomic.Int32
	// broken has the link types that turned out not to work here.
	broken sync.Map // LinkType -> struct{}

	mu        sync.Mutex
	manifests map[Digest]*Manifest
	kept      int // members of all manifests
}

// Open returns the store in o.Dir. It creates nothing: the first write does.
func Open(o Options) (*Store, error) {
	if o.Hash == nil {
		return nil, errors.New("open cache: no hash algorithm")
	}
	if o.Dir == "" {
		return nil, errors.New("open cache: no directory")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("open cache: %s is not a directory", dir)
	}
	links := o.Links
	if len(links) == 0 {
		links = []LinkType{Reflink, Copy}
	}
	for _, l := range links {
		if !l.valid() {
			return nil, fmt.Errorf("open cache: unknown link type %q", string(l))
		}
	}
	roots := make([]string, len(hashes))
	for i, h := range hashes {
		roots[i] = rootOf(dir, h)
	}
	from := o.PackFrom
	if from == 0 {
		from = packFrom
	}
	return &Store{
		roots: roots, packs: packs{dir: packPath(dir)}, packFrom: from,
		dir: dir, hash: o.Hash, links: links, shared: o.Shared, workers: o.Workers,
		memo: o.Memo, temp: o.Temp, manifests: make(map[Digest]*Manifest),
	}, nil
}

// Dir returns the absolute path of the store.
func (s *Store) Dir() string { return s.dir }

// Hash returns the algorithm of the store.
func (s *Store) Hash() *Hash { return s.hash }

// Path returns where the object d is, or would be, as a file of its own; it may
// be in a pack instead. The objects of DVC 2.x are right below the store's
// directory.
func (s *Store) Path(d Digest) string {
	if d.IsZero() {
		return filepath.Join(s.dir, "files", "none")
	}
	h := d.Hash()
	const sep = filepath.Separator
	var stack [320]byte
	buf := append(stack[:0], s.root(h)...)
	buf = append(buf, sep)
	buf = hex.AppendEncode(buf, d.sum[:1])
	buf = append(buf, sep)
	buf = hex.AppendEncode(buf, d.sum[1:h.Size])
	if d.dir {
		buf = append(buf, dirSuffix...)
	}
	return string(buf)
}

// root is the directory that holds the objects of an algorithm.
func (s *Store) root(h *Hash) string { return s.roots[h.id-1] }

// rootOf names the directory that holds the objects of an algorithm in the
// store at dir.
func rootOf(dir string, h *Hash) string {
	if h == MD5Text {
		return dir
	}
	return dir + string(filepath.Separator) + "files" + string(filepath.Separator) + h.Name
}

// Has reports whether the object d is there. It does not look at content, and
// for a directory not at its members; see Missing.
func (s *Store) Has(d Digest) bool {
	if d.IsZero() {
		return false
	}
	at, st, err := s.locate(d)
	return err == nil && (at.p != nil || st.mode.IsRegular())
}

// Put stores what r has as a file's object and returns its digest and size.
func (s *Store) Put(ctx context.Context, r io.Reader) (Digest, int64, error) {
	root := s.root(s.hash)
	if err := s.mkdir(root); err != nil {
		return Digest{}, 0, fmt.Errorf("put object: %w", err)
	}
	t, err := s.createTemp(root)
	if err != nil {
		return Digest{}, 0, fmt.Errorf("put object: %w", err)
	}
	defer t.discard()
	var sc scratch
	w := sc.hash(s.hash)
	n, err := sc.feed(ctx, io.MultiWriter(w, t.f), r, -1, nil)
	if err != nil {
		return Digest{}, 0, fmt.Errorf("put object: %w", err)
	}
	d := NewDigest(s.hash, w.Sum(nil), false)
	if err := s.commit(t, d); err != nil {
		return Digest{}, 0, fmt.Errorf("put object %s: %w", d, err)
	}
	return d, n, nil
}

// PutAs stores what r has under the digest d, of a file or a directory
// manifest, verifying it on the way: the error wraps ErrChanged, and nothing
// is stored, when the content is another.
func (s *Store) PutAs(ctx context.Context, d Digest, r io.Reader) (int64, error) {
	if d.IsZero() {
		return 0, errors.New("put object: no digest")
	}
	dir := filepath.Dir(s.Path(d))
	if err := s.mkdir(dir); err != nil {
		return 0, fmt.Errorf("put object %s: %w", d, err)
	}
	t, err := s.createTemp(dir)
	if err != nil {
		return 0, fmt.Errorf("put object %s: %w", d, err)
	}
	defer t.discard()
	var sc scratch
	w := sc.hash(d.Hash())
	n, err := sc.feed(ctx, io.MultiWriter(w, t.f), r, -1, nil)
	if err != nil {
		return 0, fmt.Errorf("put object %s: %w", d, err)
	}
	if got := NewDigest(d.Hash(), w.Sum(nil), d.dir); got != d {
		return 0, fmt.Errorf("put object %s: content has digest %s: %w", d, got, ErrChanged)
	}
	if err := s.commit(t, d); err != nil {
		return 0, fmt.Errorf("put object %s: %w", d, err)
	}
	return n, nil
}

// manifestsKept bounds the members of the manifests that a store keeps in
// memory.
const manifestsKept = 1 << 20

// Manifest returns the manifest with digest d. Its content is verified: an
// object that is not what its name says goes to quarantine and the error is a
// *CorruptError. The error wraps ErrNotFound also when there is none.
func (s *Store) Manifest(d Digest) (*Manifest, error) {
	if !d.dir {
		return nil, fmt.Errorf("read manifest: %q is not the digest of a directory", d)
	}
	s.mu.Lock()
	m := s.manifests[d]
	s.mu.Unlock()
	if m != nil {
		return m, nil
	}
	f, err := s.Open(d)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	_ = f.Close() // it was only read
	if err != nil {
		return nil, fmt.Errorf("object %s: %w", d, err)
	}
	if digestOf(d.Hash(), data, true) != d {
		return nil, s.quarantine(d)
	}
	if m, err = ParseManifest(d.Hash(), data); err != nil {
		return nil, fmt.Errorf("object %s: %w", d, err)
	}
	s.remember(d, m)
	return m, nil
}

// hashers are by algorithm: one for each small object would be most of what a
// transfer allocates.
var hashers = func() []sync.Pool {
	pools := make([]sync.Pool, len(hashes))
	for i, h := range hashes {
		pools[i].New = func() any { return h.New() }
	}
	return pools
}()

func digestOf(h *Hash, data []byte, dir bool) Digest {
	w := hashers[h.id-1].Get().(hash.Hash)
	defer hashers[h.id-1].Put(w)
	w.Reset()
	w.Write(data)
	return NewDigest(h, w.Sum(nil), dir)
}

func (s *Store) remember(d Digest, m *Manifest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept+len(m.Members) > manifestsKept {
		clear(s.manifests)
		s.kept = 0
	}
	if s.manifests[d] == nil {
		s.manifests[d] = m
		s.kept += len(m.Members) + 1
	}
}

func (s *Store) forget(d Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.manifests[d]; m != nil {
		s.kept -= len(m.Members) + 1
		delete(s.manifests, d)
	}
}

// PutManifest stores a manifest, whose members' digests tell the algorithm;
// that of an empty one is the store's. Store the members before it.
func (s *Store) PutManifest(m *Manifest) (Entry, error) {
	h := s.hash
	if len(m.Members) > 0 {
		h = m.Members[0].Digest.Hash()
	}
	return s.putManifest(h, m)
}

func (s *Store) putManifest(h *Hash, m *Manifest) (Entry, error) {
	data := m.Encode(h)
	e := m.entry(h, data)
	state, err := s.check(e.Digest, int64(len(data)))
	if err != nil {
		return e, fmt.Errorf("put manifest %s: %w", e.Digest, err)
	}
	if state != present {
		if err := s.putBytes(e.Digest, data); err != nil {
			return e, fmt.Errorf("put manifest %s: %w", e.Digest, err)
		}
	}
	s.remember(e.Digest, m)
	return e, nil
}

// presence is what check finds.
type presence int

const (
	absent presence = iota
	present
	corrupt // and gone to quarantine
)

// check looks at the object d. Following DVC, one of mode 0444 is taken to be
// intact, since that is set when it is complete; another is read, and either
// made 0444 or quarantined. In addition an object of another size than
// expected (negative when not known), or an empty one of content that is not,
// as a power failure leaves behind, is read.
func (s *Store) check(d Digest, size int64) (presence, error) {
	if d.IsZero() {
		return absent, errors.New("no digest")
	}
	path := s.Path(d)
	at, st, err := s.locate(d)
	if errors.Is(err, fs.ErrNotExist) {
		return absent, nil
	}
	if err != nil {
		return absent, err
	}
	if at.p != nil {
		if size < 0 || at.length == size {
			return present, nil
		}
		return s.reread(d)
	}
	if !st.mode.IsRegular() {
		return absent, fmt.Errorf("object %s: not a regular file", path)
	}
	suspect := st.mode.Perm() != 0o444 || size >= 0 && st.key.Size != size
	if st.key.Size == 0 && size != 0 {
		suspect = true // cheap to read
	}
	if !suspect {
		return present, nil
	}
	return s.rehash(d, path, st)
}

func (s *Store) rehash(d Digest, path string, st fileStat) (presence, error) {
	// The memo spares reading again and again what another user owns, and we
	// therefore cannot make 0444.
	plain := d
	plain.dir = false
	if got, ok := s.memo.Lookup(d.Hash(), path, st.key); ok && got == plain {
		return present, nil
	}
	var sc scratch
	r, err := sc.hashPath(context.Background(), d.Hash(), path, time.Now, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return absent, nil
	}
	if err != nil {
		return absent, err
	}
	got := r.digest
	got.dir = d.dir
	if got != d {
		if err := s.quarantineAlone(d); err.Quarantine == "" {
			return corrupt, err
		}
		return corrupt, nil
	}
	if st.mode.Perm() != 0o444 && os.Chmod(path, 0o444) != nil {
		s.memo.Add(path, r.info, plain, r.began)
	}
	return present, nil
}

// reread reads the packed object d.
func (s *Store) reread(d Digest) (presence, error) {
	var sc scratch
	data, ok, err := s.readPacked(d, sc.space)
	switch {
	case err != nil:
		return absent, err
	case !ok:
		return absent, nil
	case sc.sum(d.Hash(), data) == d:
		return present, nil
	}
	if err := s.quarantine(d); err.Quarantine == "" {
		return corrupt, err
	}
	return corrupt, nil
}

// Trusted reports whether the object d is there and may be used. An object
// that is not of mode 0444 is read for that, and moved to quarantine when it
// is corrupted.
func (s *Store) Trusted(d Digest) (ok bool, err error) {
	state, err := s.check(d, -1)
	if err != nil {
		return false, fmt.Errorf("check object %s: %w", d, err)
	}
	return state == present, nil
}

// quarantineDir is where corrupted objects go, below the store's directory.
const quarantineDir = "quarantine"

// quarantine moves a corrupted object away, so that it counts as missing but
// can still be looked at.
func (s *Store) quarantine(d Digest) *CorruptError {
	s.forget(d)
	if to, done := s.quarantinePacked(d); done {
		return &CorruptError{Digest: d, Quarantine: to}
	}
	return s.quarantineAlone(d)
}

// quarantineAlone is quarantine for an object that lies by itself.
func (s *Store) quarantineAlone(d Digest) *CorruptError {
	s.forget(d)
	to, err := s.quarantinePath(d.Hash(), d.String())
	if err != nil {
		return &CorruptError{Digest: d}
	}
	if err := os.Rename(s.Path(d), to); err != nil {
		return &CorruptError{Digest: d}
	}
	return &CorruptError{Digest: d, Quarantine: to}
}

// quarantinePath names a file in the quarantine.
func (s *Store) quarantinePath(h *Hash, name string) (string, error) {
	dir := filepath.Join(s.dir, quarantineDir, h.Name)
	return filepath.Join(dir, fmt.Sprintf("%s-%d", name, time.Now().UnixNano())), s.mkdir(dir)
}

// Know tells the store the manifest of e, as a Scanner returned both, so that
// it need not be read when asked about. Nothing is written.
func (s *Store) Know(e Entry, m *Manifest) {
	if e.Digest.dir && m != nil {
		s.remember(e.Digest, m)
	}
}
