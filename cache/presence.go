package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flowrepro/flow/internal/plainfile"
)

const (
	// listFrom is how many objects must be asked for before listing
	// directories is considered instead of asking for each.
	listFrom = 2048
	// listCost is how many listed names take as long as one question. Listing
	// pays as long as the store does not hold many more objects than asked for.
	listCost = 8
)

// Missing returns those of the objects ds, and of the members of those that
// are directories, that are not in the store: sorted, each once. A directory
// whose manifest is missing or corrupted counts as one. Only presence is
// looked at; content is not.
func (s *Store) Missing(ctx context.Context, ds ...Digest) ([]Digest, error) {
	var missing, ask []Digest
	for _, d := range ds {
		if !d.dir {
			if !d.IsZero() {
				ask = append(ask, d)
			}
			continue
		}
		m, err := s.Manifest(d)
		if errors.Is(err, ErrNotFound) {
			missing = append(missing, d)
			continue
		}
		if err != nil {
			return nil, err
		}
		// It may be known without being there.
		ask = slices.Grow(ask, len(m.Members)+1)
		ask = append(ask, d)
		for i := range m.Members {
			if member := m.Members[i].Digest; !member.IsZero() {
				ask = append(ask, member)
			}
		}
	}
	there, err := s.present(ctx, ask)
	if err != nil {
		return nil, err
	}
	for i, d := range ask {
		if !there[i] {
			missing = append(missing, d)
		}
	}
	return distinct(missing), nil
}

// present tells for each of ds whether it is there.
func (s *Store) present(ctx context.Context, ds []Digest) ([]bool, error) {
	if len(ds) < packedFirst || !slices.ContainsFunc(ds, packable) {
		return s.presentAlone(ctx, ds)
	}
	if err := s.packs.refresh(); err != nil {
		return nil, fmt.Errorf("list packs: %w", err)
	}
	there := make([]bool, len(ds))
	var rest []Digest
	var at []int
	for i := range ds {
		if _, there[i] = s.packs.find(&ds[i]); !there[i] {
			rest, at = append(rest, ds[i]), append(at, i)
		}
	}
	if len(rest) == 0 {
		return there, nil
	}
	some, err := s.presentAlone(ctx, rest)
	for k, i := range at {
		there[i] = some[k]
	}
	return there, err
}

// packedFirst is from how many objects on packs are looked at first.
const packedFirst = 64

// presentAlone is present, with a look at each object, or at directories.
func (s *Store) presentAlone(ctx context.Context, ds []Digest) ([]bool, error) {
	there := make([]bool, len(ds))
	if len(ds) >= listFrom && s.listingPays(ds) {
		return there, s.listPresent(ctx, ds, there)
	}
	err := parallel(ctx, s.workers, chunks(len(ds)), func(_, c int) error {
		lo, hi := chunk(c, len(ds))
		for i := lo; i < hi; i++ {
			there[i] = s.Has(ds[i])
		}
		return nil
	})
	return there, err
}

// listingPays estimates the number of objects in the store from one of the
// 256 directories they are spread over evenly.
func (s *Store) listingPays(ds []Digest) bool {
	names, err := readNames(filepath.Dir(s.Path(ds[0])))
	if err != nil {
		return true // empty, quite likely
	}
	return len(names)*256 <= listCost*len(ds)
}

func readNames(dir string) ([]string, error) {
	f, err := plainfile.Open(dir, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	return f.Readdirnames(-1)
}

func (s *Store) listPresent(ctx context.Context, ds []Digest, there []bool) error {
	// Digests are grouped by the directory they would be in: algorithm and
	// first byte.
	const spread = 256
	groupOf := func(d Digest) int { return int(d.id-1)*spread + int(d.sum[0]) }
	starts := make([]int32, len(hashes)*spread+1)
	for _, d := range ds {
		starts[groupOf(d)+1]++
	}
	for g := range len(starts) - 1 {
		starts[g+1] += starts[g]
	}
	order := make([]int32, len(ds))
	next := slices.Clone(starts)
	for i, d := range ds {
		g := groupOf(d)
		order[next[g]] = int32(i)
		next[g]++
	}
	return parallel(ctx, s.workers, len(starts)-1, func(_, g int) error {
		want := order[starts[g]:starts[g+1]]
		if len(want) == 0 {
			return nil
		}
		return s.listGroup(ds, want, there)
	})
}

// listGroup lists the directory that all of the digests with indices want
// would be in.
func (s *Store) listGroup(ds []Digest, want []int32, there []bool) error {
	dir := filepath.Dir(s.Path(ds[want[0]]))
	entries, err := readDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// The digests that are asked for, by eight of their bytes.
	part := func(d *Digest) uint64 { return binary.NativeEndian.Uint64(d.sum[1:]) }
	first := make(map[uint64]int, len(want))
	next := make([]int, len(want)) // of the same part, from 1
	for w, i := range want {
		p := part(&ds[i])
		next[w] = first[p]
		first[p] = w + 1
	}
	h := ds[want[0]].Hash()
	d := Digest{id: h.id}
	d.sum[0] = ds[want[0]].sum[0]
	for _, e := range entries {
		digits := e.name
		d.dir = strings.HasSuffix(digits, dirSuffix)
		if d.dir {
			digits = digits[:len(digits)-len(dirSuffix)]
		}
		if len(digits) != 2*(h.Size-1) || !decodeHex(d.sum[1:h.Size], digits) {
			continue
		}
		for w := first[part(&d)]; w > 0; w = next[w-1] {
			if i := want[w-1]; ds[i] == d {
				there[i] = true
			}
		}
	}
	return nil
}

// decodeHex reads lower-case digits into all of dst.
func decodeHex(dst []byte, digits string) bool {
	for i := range dst {
		hi, lo := hexValue[digits[2*i]], hexValue[digits[2*i+1]]
		if hi|lo > 15 {
			return false
		}
		dst[i] = hi<<4 | lo
	}
	return true
}

// hexValue is what a digit stands for, 255 for anything else.
var hexValue = func() (t [256]byte) {
	for i := range t {
		t[i] = 255
	}
	for i, c := range []byte("0123456789abcdef") {
		t[c] = byte(i)
	}
	return t
}()

// Walk calls fn for every object in the store, those of DVC 2.x included when
// the store's algorithm is MD5, with its size and modification time. The order
// is not specified; fn is not called concurrently. Objects that vanish
// meanwhile may be missed. What is in a pack has the pack's time. An object that is
// there twice is told of twice. An error from fn ends the walk.
func (s *Store) Walk(ctx context.Context, fn func(d Digest, size int64, mod time.Time) error) error {
	if s.hash == BLAKE3 {
		if err := s.walkPacks(ctx, fn); err != nil {
			return err
		}
	}
	return s.walkAlone(ctx, fn)
}

// walkAlone is Walk for the objects that lie by themselves.
func (s *Store) walkAlone(ctx context.Context, fn func(d Digest, size int64, mod time.Time) error) error {
	for _, h := range s.algorithms() {
		if err := s.walkHash(ctx, h, fn); err != nil {
			return err
		}
	}
	return nil
}

// algorithms are those whose objects belong to the store.
func (s *Store) algorithms() []*Hash {
	if s.hash == MD5 {
		return []*Hash{MD5, MD5Text}
	}
	return []*Hash{s.hash}
}

func (s *Store) walkHash(ctx context.Context, h *Hash, fn func(Digest, int64, time.Time) error) error {
	dirs, err := s.prefixDirs(h)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	return parallel(ctx, s.workers, len(dirs), func(_, i int) error {
		names, err := readNames(dirs[i])
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		prefix := filepath.Base(dirs[i])
		slices.Sort(names)
		for _, name := range names {
			d, err := ParseDigest(h, prefix+name)
			if err != nil {
				continue // none of ours, or temporary
			}
			st, err := statPath(dirs[i]+string(filepath.Separator)+name, true)
			if err != nil || !st.mode.IsRegular() {
				continue
			}
			mu.Lock()
			err = ctx.Err()
			if err == nil {
				err = fn(d, st.key.Size, time.Unix(0, st.key.MTime))
			}
			mu.Unlock()
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// prefixDirs lists the directories that hold objects of an algorithm.
func (s *Store) prefixDirs(h *Hash) ([]string, error) {
	root := s.root(h)
	names, err := readNames(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var dirs []string
	for _, name := range names {
		if len(name) == 2 && strings.Trim(name, "0123456789abcdef") == "" {
			dirs = append(dirs, filepath.Join(root, name))
		}
	}
	return dirs, nil
}

// Remove deletes objects, in the order that is given as far as they lie by
// themselves, and then those in packs: packs of which nothing is left go, others
// are written anew without them. It is no error when there is none.
func (s *Store) Remove(ctx context.Context, ds ...Digest) error {
	var errs []error
	doomed := make(map[Digest]struct{})
	for _, d := range ds {
		if err := ctx.Err(); err != nil {
			return err
		}
		if d.IsZero() {
			return errors.New("remove object: no digest")
		}
		s.forget(d)
		if packable(d) {
			doomed[d] = struct{}{}
		}
		if err := os.Remove(s.Path(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if s.hash == BLAKE3 || len(doomed) > 0 {
		errs = append(errs, s.removePacked(ctx, doomed))
	}
	return errors.Join(errs...)
}
