package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"time"

	"github.com/flowrepro/flow/internal/atomicfile"
)

const ignoreFile = ".dvcignore"

// TempPrefix begins the name of every temporary file and directory that this
// package makes, in the store and beside outputs. What bears it is never data:
// scans pass over it, and it may be deleted when it is older than an hour.
const TempPrefix = atomicfile.Prefix

// Scanner finds out what is in the workspace. It may be used from several
// goroutines at once.
type Scanner struct {
	Hash *Hash
	// Memo spares reading files that did not change; it may be nil.
	Memo *Memo
	// Workers is the number of files looked at at a time; 0 means one per
	// processor.
	Workers int
	// Ignore tells what to leave out, by absolute path; it may be nil. It is
	// called from several goroutines.
	Ignore func(abs string, dir bool) bool
	// Progress is told how many files were finished and bytes hashed since the
	// last call; it may be nil. It is called from several goroutines.
	Progress func(files, bytes int64)
}

// Scan hashes what is at the absolute path: a file, or a directory with all
// its files, for which it also returns the manifest. The error wraps
// fs.ErrNotExist when there is nothing.
//
// Symbolic links to files count as files; those to directories, as well as
// empty directories, do not count. A broken link, anything that is neither
// file nor directory, a name that is not UTF-8 and a .dvcignore file inside
// are errors.
func (s *Scanner) Scan(ctx context.Context, path string) (Entry, *Manifest, error) {
	items, dir, err := s.items(ctx, path)
	if err != nil {
		return Entry{}, nil, err
	}
	if err := s.digest(ctx, items, false); err != nil {
		return Entry{}, nil, err
	}
	if !dir {
		return items[0].entry(), nil, nil
	}
	m := manifestOf(items)
	return m.Entry(s.Hash), m, nil
}

// items finds the one file at path, or all files of the directory there.
func (s *Scanner) items(ctx context.Context, path string) (items []item, dir bool, err error) {
	st, err := statPath(path, true)
	if err != nil {
		return nil, false, err
	}
	switch {
	case st.mode.IsDir():
		items, err = s.walk(ctx, path, false)
		return items, true, err
	case !st.mode.IsRegular():
		return nil, false, special(path, st.mode)
	}
	return []item{{abs: path, fileStat: st}}, false, nil
}

func manifestOf(items []item) *Manifest {
	m := &Manifest{Members: make([]Member, len(items))}
	for i := range items {
		m.Members[i] = items[i].member()
	}
	return m
}

// item is a file found in the workspace.
type item struct {
	abs string
	rel string // slash-separated; "" for the path that was asked for itself
	fileStat
	link   bool  // a symbolic link; fileStat is that of its target
	bad    error // why it has no digest; only in a lenient walk
	digest Digest
}

func (it *item) exec() bool { return it.mode&0o111 != 0 }

func (it *item) member() Member {
	return Member{Path: it.rel, Digest: it.digest, Size: it.key.Size, Exec: it.exec()}
}

func (it *item) entry() Entry {
	return Entry{Digest: it.digest, Size: it.key.Size, Exec: it.exec()}
}

func special(path string, mode fs.FileMode) error {
	what := "neither a file nor a directory"
	switch {
	case mode&fs.ModeNamedPipe != 0:
		what = "a named pipe"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	}
	return fmt.Errorf("scan %s: is %s, which cannot be tracked", path, what)
}

// errVanished marks a file that was deleted between being listed and being
// looked at.
var errVanished = errors.New("vanished")

// look fills in what stat tells, by way of dir when that is open. A link to a
// directory is left with that mode.
func (it *item) look(dir *openDir, typ fs.FileMode) (err error) {
	it.fileStat, err = dir.stat(it.abs)
	if errors.Is(err, fs.ErrNotExist) {
		it.bad = errVanished
		return nil
	}
	if err == nil && it.mode&fs.ModeSymlink != 0 {
		it.link = true
		target, terr := statPath(it.abs, true)
		if terr != nil {
			if errors.Is(terr, fs.ErrNotExist) {
				return fmt.Errorf("scan %s: broken symbolic link", it.abs)
			}
			return terr
		}
		it.fileStat = target
		if it.mode.IsDir() {
			return nil
		}
	}
	if err == nil && it.mode.IsDir() && typ&fs.ModeSymlink == 0 {
		// It became a directory since it was listed.
		return fmt.Errorf("scan %s: %w", it.abs, errUnstable)
	}
	if err == nil && !it.mode.IsRegular() {
		err = special(it.abs, it.mode)
	}
	return err
}

// Work on many files is handed out in chunks, so that taking one costs little
// beside doing it.
const chunkSize = 128

func chunks(n int) int { return (n + chunkSize - 1) / chunkSize }

func chunk(c, n int) (lo, hi int) { return c * chunkSize, min(n, (c+1)*chunkSize) }

// digest fills in the digests of items, from the memo or by reading. A file
// that has meanwhile changed gets the stat that belongs to its digest. When
// lenient, unreadable files become bad.
func (s *Scanner) digest(ctx context.Context, items []item, lenient bool) error {
	todo, err := s.unknown(ctx, items)
	if err != nil || len(todo) == 0 {
		return err
	}
	return s.hashAll(ctx, items, todo, lenient)
}

// unknown fills in the digests that the memo has, and returns the indices of
// the other items, in the order in which they are best read.
func (s *Scanner) unknown(ctx context.Context, items []item) ([]int, error) {
	known := make([]bool, chunks(len(items)))
	err := parallel(ctx, s.Workers, chunks(len(items)), func(_, c int) error {
		lo, hi := chunk(c, len(items))
		known[c] = true
		var done int64
		for i := lo; i < hi; i++ {
			it := &items[i]
			d, ok := Digest{}, false
			if it.bad == nil {
				d, ok = s.Memo.Lookup(s.Hash, it.abs, it.key)
			}
			if ok {
				it.digest = d
				done++
			} else {
				known[c] = false
			}
		}
		if s.Progress != nil && done > 0 {
			s.Progress(done, 0)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var todo []int
	for c, ok := range known {
		if ok {
			continue
		}
		lo, hi := chunk(c, len(items))
		for i := lo; i < hi; i++ {
			if items[i].bad == nil && items[i].digest.IsZero() {
				todo = append(todo, i)
			}
		}
	}
	if len(todo) == 0 {
		return nil, ctx.Err()
	}
	// The biggest first, so that none is left to one worker at the end.
	slices.SortStableFunc(todo, func(a, b int) int {
		return int(min(1, max(-1, items[b].key.Size/smallFile-items[a].key.Size/smallFile)))
	})
	s.settle(ctx, items, todo)
	return todo, ctx.Err()
}

func (s *Scanner) hashAll(ctx context.Context, items []item, todo []int, lenient bool) error {
	scratches := make([]scratch, workerCount(s.Workers))
	return parallel(ctx, s.Workers, len(todo), func(w, t int) error {
		it := &items[todo[t]]
		err := s.hash(ctx, &scratches[w], it)
		if err != nil && lenient && ctx.Err() == nil {
			it.bad = err
			return nil
		}
		return err
	})
}

// hash reads an item.
func (s *Scanner) hash(ctx context.Context, sc *scratch, it *item) error {
	var progress func(int64)
	if s.Progress != nil {
		progress = func(n int64) { s.Progress(0, n) }
	}
	r, err := sc.hashPath(ctx, s.Hash, it.abs, s.now(), progress)
	if err != nil {
		return err
	}
	it.digest, it.key = r.digest, r.info
	it.mode = it.mode&^0o111 | execBits(r.exec)
	s.Memo.Add(it.abs, r.info, r.digest, r.began)
	if s.Progress != nil {
		s.Progress(1, 0)
	}
	return nil
}

func execBits(exec bool) fs.FileMode {
	if exec {
		return 0o111
	}
	return 0
}

func (s *Scanner) now() func() time.Time {
	if s.Memo != nil {
		return s.Memo.now
	}
	return time.Now
}

// settle waits until the files to hash are old enough for the memo to keep
// them, when that is sooner than hashing them again the next time would take.
func (s *Scanner) settle(ctx context.Context, items []item, todo []int) {
	if s.Memo == nil {
		return
	}
	const perFile, bytesPerNano = 20_000, 1 // what hashing costs, in ns
	now := s.Memo.now().UnixNano()
	var cost, wait int64
	for _, i := range todo {
		if w := items[i].key.settled() - now; w > 0 && w <= fineTick {
			wait = max(wait, w)
			cost += perFile + items[i].key.Size/bytesPerNano
		}
	}
	if cost/int64(runtime.GOMAXPROCS(0)) <= wait {
		return
	}
	select {
	case <-time.After(time.Duration(wait)):
	case <-ctx.Done():
	}
}
