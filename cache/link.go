package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/flowrepro/flow/internal/plainfile"
)

// LinkType is a way to make an object appear in the workspace.
type LinkType string

// The link types. Reflinks and copies are ordinary writable files that share
// no writable bytes with the store; hard and symbolic links are read-only.
const (
	Reflink  LinkType = "reflink"
	Hardlink LinkType = "hardlink"
	Symlink  LinkType = "symlink"
	Copy     LinkType = "copy"
)

func (l LinkType) valid() bool {
	return l == Reflink || l == Hardlink || l == Symlink || l == Copy
}

// errUnsupported is what reflink returns where it cannot work.
var errUnsupported = errors.New("not supported here")

// usable reports whether a link type has not failed before.
func (s *Store) usable(l LinkType) bool {
	_, broken := s.broken.Load(l)
	return !broken
}

// linksFor returns the link types to try for an object, in order. What has an
// execute bit, and what is empty, is never linked: the mode would be the
// object's too, and an empty file saves nothing.
func (s *Store) linksFor(exec, empty bool) []LinkType {
	list := make([]LinkType, 0, len(s.links)+1)
	for _, l := range s.links {
		if l == Copy {
			break
		}
		if s.suits(l, exec, empty) {
			list = append(list, l)
		}
	}
	return append(list, Copy)
}

// copies reports whether the preferred type is Copy, for an object that is packed
// or not: blocks of a pack cannot be shared.
func (s *Store) copies(exec, empty, packed bool) bool {
	for _, l := range s.links {
		if l == Copy {
			break
		}
		if s.suits(l, exec, empty) && !(packed && l == Reflink) {
			return false
		}
	}
	return true
}

func (s *Store) suits(l LinkType, exec, empty bool) bool {
	return s.usable(l) && (l == Reflink || !exec) && (l != Hardlink || !empty)
}

// preferred is the link type that a file of the workspace should be, the first
// that may work.
func (s *Store) preferred(exec, empty bool) LinkType { return s.linksFor(exec, empty)[0] }

// isEmpty reports whether a file's object is. The members of a DVC directory come
// without their sizes (negative), so that the digest must tell.
func isEmpty(d Digest, size int64) bool {
	return size == 0 || size < 0 && nothing()[d]
}

// nothing are the digests of no bytes.
var nothing = sync.OnceValue(func() map[Digest]bool {
	set := map[Digest]bool{}
	for _, h := range hashes {
		set[NewDigest(h, h.New().Sum(nil), false)] = true
	}
	return set
})

// placed is a file that materialize made.
type placed struct {
	link LinkType
	// key is that of a reflink or copy; those of links change as more are
	// made, and must be looked up in the end.
	key FileInfoKey
}

// materialize makes the object d appear as the new file path. With verify the
// content is read on the way; a corrupted object goes to quarantine and the
// error is a *CorruptError. On error nothing is left at path.
func (s *Store) materialize(ctx context.Context, sc *scratch, path string, d Digest, size int64, exec, verify bool) (placed, error) {
	object := s.Path(d)
	at, _, err := s.locate(d)
	if errors.Is(err, fs.ErrNotExist) {
		return placed{}, fmt.Errorf("object %s: %w", d, ErrNotFound)
	}
	if err != nil {
		return placed{}, err
	}
	for _, l := range s.linksFor(exec, isEmpty(d, size)) {
		var key FileInfoKey
		var err error
		switch l {
		case Hardlink, Symlink:
			if at.p != nil {
				if err := s.unpack(d); err != nil {
					return placed{}, err
				}
				at.p = nil
			}
			if verify {
				if err := s.verify(ctx, sc, d, object); err != nil {
					return placed{}, err
				}
			}
			if l == Hardlink {
				err = os.Link(object, path)
			} else {
				err = os.Symlink(object, path)
			}
		case Reflink:
			if at.p != nil {
				continue // its blocks cannot be shared
			}
			key, err = s.clone(ctx, sc, path, d, object, exec, verify)
		default:
			if at.p != nil {
				key, err = s.copyPacked(sc, path, d, exec, verify)
				break
			}
			key, err = s.copyOut(ctx, sc, path, d, object, exec, verify)
		}
		if err == nil {
			return placed{l, key}, nil
		}
		if errors.Is(err, fs.ErrNotExist) && !s.Has(d) {
			return placed{}, fmt.Errorf("object %s: %w", d, ErrNotFound)
		}
		var bad *CorruptError
		if l == Copy || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) ||
			errors.As(err, &bad) || ctx.Err() != nil {
			return placed{}, err
		}
		if !tooManyLinks(err) {
			s.broken.Store(l, struct{}{})
		}
	}
	return placed{}, errUnsupported // not reached: Copy comes last
}

// copyPacked makes the new file path of what is in a pack.
func (s *Store) copyPacked(sc *scratch, path string, d Digest, exec, verify bool) (FileInfoKey, error) {
	data, ok, err := s.readPacked(d, sc.space)
	if err != nil {
		return FileInfoKey{}, err
	}
	if !ok {
		return FileInfoKey{}, &fs.PathError{Op: "open", Path: s.Path(d), Err: fs.ErrNotExist}
	}
	if verify {
		if err := s.compare(d, sc.sum(d.Hash(), data)); err != nil {
			return FileInfoKey{}, err
		}
	}
	st, err := writeSmall(path, data, createMode(exec), true)
	return st.key, err
}

// unpack makes a file of its own of the object d, unless there is one.
func (s *Store) unpack(d Digest) error {
	if st, err := statPath(s.Path(d), true); err == nil && st.mode == 0o444 {
		return nil
	}
	var sc scratch
	data, ok, err := s.readPacked(d, sc.space)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("object %s: %w", d, ErrNotFound)
	}
	if err := s.compare(d, sc.sum(d.Hash(), data)); err != nil {
		return err
	}
	return s.putBytes(d, data)
}

// verify reads the object d.
func (s *Store) verify(ctx context.Context, sc *scratch, d Digest, object string) error {
	f, err := plainfile.Open(object, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	got, _, err := sc.content(ctx, d.Hash(), f, sizeOf(f), nil)
	_ = f.Close() // it was only read
	if err != nil {
		return err
	}
	return s.compare(d, got)
}

// compare quarantines the object d when its content's digest is another.
func (s *Store) compare(d, got Digest) error {
	got.dir = d.dir
	if got != d {
		return s.quarantine(d)
	}
	return nil
}

func sizeOf(f *os.File) int64 {
	info, err := f.Stat()
	if err != nil {
		return -1
	}
	return info.Size()
}

// createMode is what the umask is applied to when a workspace file is made.
func createMode(exec bool) fs.FileMode {
	if exec {
		return 0o766
	}
	return 0o666
}

// writeFile creates the file path and lets fill fill it.
func writeFile(path string, exec bool, fill func(*os.File) error) (key FileInfoKey, err error) {
	f, err := plainfile.Open(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, createMode(exec))
	if err != nil {
		return key, err
	}
	err = fill(f)
	if err == nil {
		var info fs.FileInfo
		if info, err = f.Stat(); err == nil {
			key = StatKey(info)
		}
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(path) // the first error is the one to tell
	}
	return key, err
}

func (s *Store) clone(ctx context.Context, sc *scratch, path string, d Digest, object string, exec, verify bool) (FileInfoKey, error) {
	src, err := plainfile.Open(object, os.O_RDONLY, 0)
	if err != nil {
		return FileInfoKey{}, err
	}
	defer src.Close() //nolint:errcheck // only read
	return writeFile(path, exec, func(f *os.File) error {
		if err := reflink(f, src); err != nil || !verify {
			return err
		}
		got, _, err := sc.content(ctx, d.Hash(), f, sizeOf(f), nil)
		if err != nil {
			return err
		}
		return s.compare(d, got)
	})
}

func (s *Store) copyOut(ctx context.Context, sc *scratch, path string, d Digest, object string, exec, verify bool) (FileInfoKey, error) {
	src, err := plainfile.Open(object, os.O_RDONLY, 0)
	if err != nil {
		return FileInfoKey{}, err
	}
	defer src.Close() //nolint:errcheck // only read
	return writeFile(path, exec, func(f *os.File) error {
		size := sizeOf(src)
		if !verify {
			if size >= smallFile {
				return copyAll(ctx, f, src)
			}
			_, err := sc.feed(ctx, f, src, size, nil)
			return err
		}
		got, _, err := sc.copyContent(ctx, d.Hash(), f, src, size, nil)
		if err != nil {
			return err
		}
		return s.compare(d, got)
	})
}

// copyAll copies in the kernel where that can be done, in steps that let ctx
// end it.
func copyAll(ctx context.Context, dst, src *os.File) error {
	const step = 256 << 20
	for {
		n, err := io.CopyN(dst, src, step)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n < step {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// linkOf tells how the workspace file relates to the store. Reflinks cannot be
// told from copies.
func (s *Store) linkOf(abs string, d Digest) LinkType {
	info, err := os.Lstat(abs)
	if err != nil {
		return Copy
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return Symlink
	}
	if links(info) > 1 {
		if object, err := os.Lstat(s.Path(d)); err == nil && os.SameFile(info, object) {
			return Hardlink
		}
	}
	return Copy
}

// relinkNeeded reports whether the file must be replaced to be as preferred.
func (s *Store) relinkNeeded(abs string, d Digest, exec bool, size int64) bool {
	want := s.preferred(exec, isEmpty(d, size))
	if want == Reflink {
		want = Copy // the bytes are already private; cloning again gains little
	}
	is := s.linkOf(abs, d)
	if is == Symlink && want == Copy && !s.ours(abs) {
		return false // the user's own link
	}
	if is == Symlink && want == Symlink {
		target, err := os.Readlink(abs)
		return err != nil || target != s.Path(d)
	}
	return is != want
}

// ours reports whether abs is a symbolic link into the store: deleting it, even
// when it is broken, destroys nothing.
func (s *Store) ours(abs string) bool {
	target, err := os.Readlink(abs)
	return err == nil && strings.HasPrefix(target, s.dir+string(filepath.Separator))
}
