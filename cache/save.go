package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/flowrepro/flow/internal/atomicfile"
	"github.com/flowrepro/flow/internal/plainfile"
)

// SaveOptions modify Save.
type SaveOptions struct {
	// Relink turns the saved workspace files into links of the store's
	// preferred type, when that is a hard or symbolic link, and the other way
	// round.
	Relink bool
	// Progress is told the number of files and bytes that were dealt with
	// since the last call; it may be nil. It is called from several goroutines.
	Progress func(files, bytes int64)
}

// Save stores the file or directory at the absolute path, which was found to
// be e, and m when e is a directory. Objects that are there are left alone,
// unless they turn out to be corrupted.
//
// What is stored is verified to be what e and m say, on the bytes that were
// stored: a file edited meanwhile gives an error that wraps ErrChanged, never
// an object with a wrong name. Members are stored before the manifest.
//
// The workspace keeps its bytes whatever happens. Objects never share writable
// bytes with it: without Relink they are cloned or copied; with Relink and hard
// or symbolic links preferred, the workspace file itself is made read-only and
// becomes the object.
func (s *Store) Save(ctx context.Context, path string, e Entry, m *Manifest, opt SaveOptions) error {
	if e.Digest.IsZero() {
		return fmt.Errorf("save %s: no digest", path)
	}
	if e.Digest.IsDir() {
		return s.saveDir(ctx, path, e, m, opt)
	}
	if m != nil {
		return fmt.Errorf("save %s: a manifest for a file", path)
	}
	var sc scratch
	b := Member{Digest: e.Digest, Size: e.Size, Exec: e.Exec}
	if err := s.saveFile(ctx, &sc, path, b, opt); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return nil
}

func (s *Store) saveDir(ctx context.Context, path string, e Entry, m *Manifest, opt SaveOptions) error {
	if m == nil {
		return fmt.Errorf("save %s: a directory without its manifest", path)
	}
	h := e.Digest.Hash()
	if got := m.Entry(h).Digest; got != e.Digest {
		return fmt.Errorf("save %s: the manifest has digest %s, not %s", path, got, e.Digest)
	}
	for i := range m.Members {
		if err := checkPath(m.Members[i].Path); err != nil {
			return fmt.Errorf("save %s: %w", path, err)
		}
	}
	scratches := make([]scratch, workerCount(s.workers))
	each := func(fn func(sc *scratch, abs string, b Member) error) error {
		return parallel(ctx, s.workers, len(m.Members), func(w, i int) error {
			b := m.Members[i]
			abs := path + string(filepath.Separator) + filepath.FromSlash(b.Path)
			if err := fn(&scratches[w], abs, b); err != nil {
				return fmt.Errorf("save %s: %w", abs, err)
			}
			return nil
		})
	}
	packer, err := s.packerFor(ctx, h, m)
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	if packer != nil {
		// What is in a pack is there when that is complete.
		err := each(func(sc *scratch, abs string, b Member) error {
			if b.Size < 0 || b.Size >= PackedLimit {
				return nil
			}
			return s.packFile(sc, packer, abs, b)
		})
		if ferr := packer.finish(); err == nil {
			err = ferr
		}
		if err != nil {
			return err
		}
	}
	err = each(func(sc *scratch, abs string, b Member) error {
		return s.saveFile(ctx, sc, abs, b, opt)
	})
	if err != nil {
		return err
	}
	if _, err := s.putManifest(h, m); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return nil
}

// packerFor returns a packer for what of a directory is small and not there, or
// nil when that is not to be packed.
func (s *Store) packerFor(ctx context.Context, h *Hash, m *Manifest) (*packer, error) {
	var small []Digest
	for i := range m.Members {
		if b := &m.Members[i]; b.Size >= 0 && b.Size < PackedLimit && packable(b.Digest) {
			small = append(small, b.Digest)
		}
	}
	if !s.packing(h, len(small)) {
		return nil, nil
	}
	there, err := s.present(ctx, small)
	if err != nil {
		return nil, err
	}
	n := 0
	for i := range there {
		if !there[i] {
			n++
		}
	}
	if n < s.packFrom {
		return nil, nil
	}
	return s.packer(n)
}

// packFile stores a small file of the workspace in a pack, unless it is there.
func (s *Store) packFile(sc *scratch, k *packer, abs string, b Member) error {
	there, err := k.there(b.Digest, b.Size)
	if err != nil || there {
		return err
	}
	data, err := s.readMember(sc, abs, b)
	if err != nil {
		return err
	}
	return k.put(b.Digest, data)
}

func (s *Store) saveFile(ctx context.Context, sc *scratch, abs string, b Member, opt SaveOptions) error {
	state, err := s.check(b.Digest, b.Size)
	if err != nil {
		return err
	}
	if state != present {
		if err := s.ingest(ctx, sc, abs, b, opt.Relink); err != nil {
			return err
		}
	}
	if opt.Relink && s.relinkNeeded(abs, b.Digest, b.Exec, b.Size) {
		if err := s.relink(ctx, sc, abs, b); err != nil {
			return err
		}
	}
	if opt.Progress != nil {
		opt.Progress(1, max(0, b.Size))
	}
	return nil
}

// ingest makes the object of a workspace file.
func (s *Store) ingest(ctx context.Context, sc *scratch, abs string, b Member, relink bool) error {
	if relink {
		if l := s.preferred(b.Exec, b.Size == 0); l == Hardlink || l == Symlink {
			done, err := s.adopt(ctx, sc, abs, b.Digest)
			if done || err != nil {
				return err
			}
		}
	}
	if b.Size >= 0 && b.Size < smallFile {
		return s.ingestSmall(sc, abs, b)
	}
	src, err := plainfile.Open(abs, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if err != nil {
		return err
	}
	defer src.Close() //nolint:errcheck // only read
	return s.ingestLarge(ctx, sc, src, b.Digest)
}

// ingestSmall verifies in memory first, so that what is wrong is never
// written.
func (s *Store) ingestSmall(sc *scratch, abs string, b Member) error {
	data, err := s.readMember(sc, abs, b)
	if err != nil {
		return err
	}
	return s.putBytes(b.Digest, data)
}

// readMember reads a small file of the workspace, and verifies it. The data is
// sc's.
func (s *Store) readMember(sc *scratch, abs string, b Member) ([]byte, error) {
	buf := sc.space(int(b.Size) + 1)[:b.Size+1]
	n, _, err := readSmall(abs, buf)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if err != nil {
		return nil, err
	}
	if int64(n) != b.Size {
		return nil, fmt.Errorf("size is not %d: %w", b.Size, ErrChanged)
	}
	if sc.sum(b.Digest.Hash(), buf[:n]) != b.Digest {
		return nil, ErrChanged
	}
	return buf[:n], nil
}

func (s *Store) ingestLarge(ctx context.Context, sc *scratch, src *os.File, d Digest) error {
	dir := filepath.Dir(s.Path(d))
	if err := s.mkdir(dir); err != nil {
		return err
	}
	t, err := s.createTemp(dir)
	if err != nil {
		return err
	}
	defer t.discard()
	got, _, err := s.intake(ctx, sc, d.Hash(), t.f, src, nil)
	if err != nil {
		return err
	}
	if got != d {
		return ErrChanged
	}
	return s.commit(t, d)
}

// intake gives the empty file dst the content of src, by cloning where that
// works, and returns the digest of what dst has then and its size.
func (s *Store) intake(ctx context.Context, sc *scratch, h *Hash, dst, src *os.File, progress func(int64)) (Digest, int64, error) {
	if s.reflinks() {
		if reflink(dst, src) == nil {
			return sc.content(ctx, h, dst, sizeOf(dst), progress)
		}
		s.broken.Store(Reflink, struct{}{})
	}
	return sc.copyContent(ctx, h, dst, src, sizeOf(src), progress)
}

// reflinks reports whether reflinks are wanted and may work.
func (s *Store) reflinks() bool {
	if !s.usable(Reflink) {
		return false
	}
	for _, l := range s.links {
		if l == Reflink {
			return true
		}
	}
	return false
}

// adopt makes the workspace file itself the object, by a hard link, having
// made it read-only and read it. It reports false, and has changed nothing,
// where the two cannot be linked: on two file systems, or through a symbolic
// link.
func (s *Store) adopt(ctx context.Context, sc *scratch, abs string, d Digest) (bool, error) {
	info, err := os.Lstat(abs)
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() || links(info) > 1 {
		return false, nil // another name could be written through
	}
	path := s.Path(d)
	dir := filepath.Dir(path)
	if err := s.mkdir(dir); err != nil {
		return false, err
	}
	tmp := tempName(dir)
	if err := os.Link(abs, tmp); err != nil {
		return false, nil //nolint:nilerr // the caller copies instead
	}
	restore := func() {
		_ = os.Chmod(tmp, info.Mode().Perm()) // best effort: content is unharmed
		_ = os.Remove(tmp)
	}
	if err := os.Chmod(tmp, 0o444); err != nil {
		restore()
		return false, nil //nolint:nilerr // not our file; the caller copies
	}
	r, err := sc.hashPath(ctx, d.Hash(), tmp, time.Now, nil)
	if err == nil && r.digest != d {
		err = ErrChanged
	}
	if err == nil {
		// Linking, unlike renaming, does not replace the object that another
		// file of the same content has become meanwhile, and may be linked to.
		if err = os.Link(tmp, path); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	if err != nil {
		restore()
		return false, err
	}
	_ = os.Remove(tmp) // one name too many at worst; swept later
	s.learn(abs, d)
	return true, nil
}

// relink replaces a workspace file, whose content is the object b.Digest, by
// one made in the preferred way. The old file is there until the new one takes
// its name.
func (s *Store) relink(ctx context.Context, sc *scratch, abs string, b Member) error {
	return s.staged(filepath.Dir(abs), func(tmp string) error {
		return s.relinkBy(ctx, sc, tmp, abs, b)
	})
}

func (s *Store) relinkBy(ctx context.Context, sc *scratch, tmp, abs string, b Member) error {
	p, err := s.materialize(ctx, sc, tmp, b.Digest, b.Size, b.Exec, false)
	if err != nil {
		return err
	}
	if p.link == Reflink || p.link == Copy {
		if info, err := os.Stat(abs); err == nil {
			// The file stays the same to whoever compares times.
			_ = os.Chtimes(tmp, info.ModTime(), info.ModTime())
		}
	}
	if err := atomicfile.Rename(tmp, abs); err != nil {
		_ = os.Remove(tmp) // the first error is the one to tell
		return err
	}
	s.learn(abs, b.Digest)
	return nil
}

// learn records in the memo that the workspace file has digest d.
func (s *Store) learn(abs string, d Digest) {
	if s.memo == nil {
		return
	}
	if st, err := statPath(abs, true); err == nil {
		s.memo.own(abs, st.key, d)
	}
}
