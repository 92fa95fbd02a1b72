package cache

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// VerifyOptions modify Verify.
type VerifyOptions struct {
	// Progress is told the number of objects and bytes read since the last
	// call; it may be nil. It is called from several goroutines.
	Progress func(objects, bytes int64)
}

// VerifyReport is what Verify found.
type VerifyReport struct {
	// Checked counts the objects read, Bytes their content.
	Checked, Bytes int64
	// Corrupt are the objects that had another content than their name says.
	// They are in quarantine now and count as missing.
	Corrupt []Digest
	// Unreadable are objects that could not be read, with the reason.
	Unreadable map[Digest]error
	// Incomplete are the directories of which a member is missing.
	Incomplete []Digest
	// BadRecords counts records that were not what their name says and were
	// deleted.
	BadRecords int
	// Swept counts stale temporary files that were deleted.
	Swept int
	// TornPacks counts packs that were not what their indexes say. They are in
	// quarantine now; what was in them counted as missing before.
	TornPacks int
}

// OK reports whether everything was found to be as it should be.
func (r *VerifyReport) OK() bool {
	return len(r.Corrupt)+len(r.Unreadable)+len(r.Incomplete)+r.BadRecords+r.TornPacks == 0
}

// Verify reads every object and record of the store. Memo and modes are not
// relied on. It may run while others use the store.
func (s *Store) Verify(ctx context.Context, opt VerifyOptions) (VerifyReport, error) {
	var r VerifyReport
	swept, err := s.Sweep(ctx)
	if err != nil {
		return r, err
	}
	r.Swept = swept
	v := verifier{s: s, opt: opt, report: &r, bad: make(map[Digest]struct{})}
	if s.hash == BLAKE3 {
		if err := v.verifyPacks(ctx); err != nil {
			return r, err
		}
	}
	var all []Digest
	err = s.walkAlone(ctx, func(d Digest, _ int64, _ time.Time) error {
		all = append(all, d)
		return nil
	})
	if err != nil {
		return r, err
	}
	scratches := make([]scratch, workerCount(s.workers))
	err = parallel(ctx, s.workers, len(all), func(w, i int) error {
		return v.object(ctx, &scratches[w], all[i])
	})
	if err != nil {
		return r, err
	}
	r.Corrupt = distinct(r.Corrupt)
	for _, d := range all {
		if _, bad := v.bad[d]; bad || !d.dir {
			continue
		}
		missing, err := s.Missing(ctx, d)
		if err != nil {
			if ctx.Err() != nil {
				return r, err
			}
			v.unreadable(d, err)
			continue
		}
		if len(missing) > 0 {
			r.Incomplete = append(r.Incomplete, d)
		}
	}
	r.Incomplete = distinct(r.Incomplete)
	r.BadRecords, err = s.verifyRecords(ctx)
	return r, err
}

type verifier struct {
	s      *Store
	opt    VerifyOptions
	mu     sync.Mutex
	report *VerifyReport
	bad    map[Digest]struct{}
}

func (v *verifier) unreadable(d Digest, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.report.Unreadable == nil {
		v.report.Unreadable = make(map[Digest]error)
	}
	v.report.Unreadable[d] = err
	v.bad[d] = struct{}{}
}

func (v *verifier) object(ctx context.Context, sc *scratch, d Digest) error {
	path := v.s.Path(d) // not in a pack
	var progress func(int64)
	if v.opt.Progress != nil {
		progress = func(n int64) { v.opt.Progress(0, n) }
	}
	r, err := sc.hashPath(ctx, d.Hash(), path, time.Now, progress)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // collected meanwhile
	}
	if err != nil {
		v.unreadable(d, err)
		return nil
	}
	got := r.digest
	got.dir = d.dir
	if got != d {
		if q := v.s.quarantineAlone(d); q.Quarantine == "" {
			v.unreadable(d, q)
		}
	} else if info, err := os.Stat(path); err == nil && info.Mode().Perm() != 0o444 {
		_ = os.Chmod(path, 0o444) // now that it is known to be good; others' files stay
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Checked++
	v.report.Bytes += r.info.Size
	if got != d {
		v.report.Corrupt = append(v.report.Corrupt, d)
		v.bad[d] = struct{}{}
	}
	if v.opt.Progress != nil {
		v.opt.Progress(1, 0)
	}
	return nil
}

// sweepAge is how old a temporary file must be to be taken for abandoned: no
// write of one file takes that long between two changes of it.
const sweepAge = time.Hour

// Sweep deletes temporary files that a crashed process left in the store, and
// returns their number.
func (s *Store) Sweep(ctx context.Context) (int, error) {
	dirs := []string{s.dir, s.root(s.hash)}
	for _, h := range s.algorithms() {
		list, err := s.prefixDirs(h)
		if err != nil {
			return 0, err
		}
		dirs = append(dirs, list...)
	}
	records, err := s.recordDirs()
	if err != nil {
		return 0, err
	}
	dirs = append(dirs, records...)
	n, now := 0, time.Now()
	for _, dir := range dirs {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		n += sweepDir(dir, now)
	}
	return n + s.sweepPacks(now), nil
}

// sweepDir deletes what is temporary and abandoned in dir. It is housekeeping:
// what cannot be deleted stays for another time.
func sweepDir(dir string, now time.Time) int {
	names, err := readNames(dir)
	if err != nil {
		return 0
	}
	n := 0
	for _, name := range names {
		if !strings.HasPrefix(name, TempPrefix) {
			continue
		}
		path := filepath.Join(dir, name)
		info, err := os.Lstat(path)
		if err != nil || now.Sub(info.ModTime()) < sweepAge {
			continue
		}
		if os.RemoveAll(path) == nil {
			n++
		}
	}
	return n
}
