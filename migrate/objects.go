package migrate

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/flowrepro/flow/cache"
)

// objects converts all files of the cache.
func (m *Migration) objects(ctx context.Context) error {
	var list []cache.Digest
	var bytes int64
	m.report.Objects, m.report.Bytes = 0, 0
	err := m.o.Store.Walk(ctx, func(d cache.Digest, size int64, _ time.Time) error {
		m.report.Objects++
		m.report.Bytes += size
		if d.IsDir() {
			return nil
		}
		if e, ok := m.done.entry(d); ok {
			m.known[d] = e
			m.report.Resumed++
			return nil
		}
		list = append(list, d)
		bytes += size
		return nil
	})
	if err != nil {
		return fmt.Errorf("list the cache: %w", err)
	}
	m.o.Progress(Progress{MoreObjects: int64(len(list)), MoreBytes: bytes})
	var mu sync.Mutex
	return m.parallel(ctx, len(list), func(ctx context.Context, i int) error {
		c, err := m.o.Store.Convert(ctx, list[i], m.o.To.Hash, func(n int64) { m.o.Progress(Progress{Bytes: n}) })
		m.o.Progress(Progress{Objects: 1})
		mu.Lock()
		defer mu.Unlock()
		var damaged *cache.CorruptError
		switch {
		case errors.As(err, &damaged):
			m.report.Damaged = append(m.report.Damaged, list[i].String())
			return nil
		case errors.Is(err, cache.ErrNotFound):
			return nil // removed meanwhile
		case err != nil:
			return err
		}
		if c.Linked {
			m.report.Linked++
		} else {
			m.report.Copied++
		}
		m.known[list[i]] = cache.Entry{Digest: c.Digest, Size: c.Size}
		return m.done.add(list[i], c.Digest, c.Size)
	})
}

// parallel calls fn for 0 to n-1; the first error ends it.
func (m *Migration) parallel(ctx context.Context, n int, fn func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(cmp.Or(m.o.Workers, runtime.NumCPU()))
	for i := range n {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return fn(ctx, i)
		})
	}
	return g.Wait()
}

// manifests rewrites the manifests of all directories in the cache whose members
// are all there.
func (m *Migration) manifests(ctx context.Context) error {
	var dirs []cache.Digest
	err := m.o.Store.Walk(ctx, func(d cache.Digest, _ int64, _ time.Time) error {
		if d.IsDir() {
			dirs = append(dirs, d)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list the cache: %w", err)
	}
	for _, d := range dirs {
		if err := ctx.Err(); err != nil {
			return err
		}
		was, err := m.o.Store.Manifest(d)
		var damaged *cache.CorruptError
		if errors.As(err, &damaged) {
			m.report.Damaged = append(m.report.Damaged, d.String())
			continue
		}
		if errors.Is(err, cache.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		now, ok := m.manifest(was, m.executable(d, nil))
		if !ok {
			m.report.Incomplete = append(m.report.Incomplete, d.String())
			continue
		}
		e, err := m.target.PutManifest(now)
		if err != nil {
			return err
		}
		m.known[d] = e
		m.noteExec(e.Digest, was)
	}
	return nil
}

// executable tells which members of a directory are executable: as noted, or as
// seen in the workspace.
func (m *Migration) executable(d cache.Digest, seen *cache.Manifest) func(b *cache.Member) bool {
	noted, ok := m.notes.Exec[d.String()]
	if !ok && seen == nil {
		return func(b *cache.Member) bool { return b.Exec }
	}
	set := map[string]bool{}
	for _, p := range noted {
		set[p] = true
	}
	if !ok {
		for i := range seen.Members {
			set[seen.Members[i].Path] = seen.Members[i].Exec
		}
	}
	return func(b *cache.Member) bool { return set[b.Path] }
}

// noteExec keeps the execute bits that DVC's manifests have no place for.
func (m *Migration) noteExec(converted cache.Digest, was *cache.Manifest) {
	if m.o.To.Hash == cache.BLAKE3 {
		return
	}
	var list []string
	for i := range was.Members {
		if was.Members[i].Exec {
			list = append(list, was.Members[i].Path)
		}
	}
	if list != nil {
		m.notes.Exec[converted.String()] = list
	}
}

// manifest returns a manifest with the new digests of its members; ok is false
// when one of them is not known.
func (m *Migration) manifest(was *cache.Manifest, exec func(*cache.Member) bool) (*cache.Manifest, bool) {
	now := &cache.Manifest{Members: make([]cache.Member, len(was.Members))}
	for i := range was.Members {
		b := &was.Members[i]
		e, ok := m.known[b.Digest]
		if !ok {
			return nil, false
		}
		now.Members[i] = cache.Member{Path: b.Path, Digest: e.Digest, Size: e.Size, Exec: exec(b)}
	}
	return now, true
}

// doneLog remembers which objects were converted, so that an interrupted
// conversion does not read them again: a line for each with the old and the new
// digest and the size. A line that is damaged is as good as none.
type doneLog struct {
	was map[string]cache.Entry
	f   *os.File
	w   *bufio.Writer
}

func openDoneLog(dir string, target *cache.Store) (*doneLog, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("remember what is converted: %w", err)
	}
	name := filepath.Join(dir, "objects")
	l := &doneLog{was: map[string]cache.Entry{}}
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remember what is converted: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) != 4 || f[3] != "." {
			continue
		}
		d, err := cache.ParseDigest(target.Hash(), f[1])
		size, serr := strconv.ParseInt(f[2], 10, 64)
		if got, there := target.SizeOf(d); err == nil && serr == nil && there && got == size {
			l.was[f[0]] = cache.Entry{Digest: d, Size: size}
		}
	}
	if l.f, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666); err != nil {
		return nil, fmt.Errorf("remember what is converted: %w", err)
	}
	l.w = bufio.NewWriterSize(l.f, 16<<10)
	if len(data) > 0 && data[len(data)-1] != '\n' {
		l.w.WriteByte('\n') //nolint:errcheck // told by the next flush
	}
	return l, nil
}

// flushFrom is the size from which reading an object again costs more than
// writing a line at once.
const flushFrom = 1 << 20

// doneName names an object and its algorithm.
func doneName(d cache.Digest) string { return d.Hash().Name + ":" + d.String() }

func (l *doneLog) entry(d cache.Digest) (cache.Entry, bool) {
	e, ok := l.was[doneName(d)]
	return e, ok
}

func (l *doneLog) add(old, now cache.Digest, size int64) error {
	_, err := fmt.Fprintf(l.w, "%s %s %d .\n", doneName(old), now, size)
	if err == nil && size >= flushFrom {
		err = l.w.Flush()
	}
	if err != nil {
		return fmt.Errorf("remember what is converted: %w", err)
	}
	return nil
}

func (l *doneLog) close() error {
	if err := errors.Join(l.w.Flush(), l.f.Close()); err != nil {
		return fmt.Errorf("remember what is converted: %w", err)
	}
	return nil
}
