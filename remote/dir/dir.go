package dir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/flowrepro/flow/internal/atomicfile"
	"github.com/flowrepro/flow/remote"
)

// Options say where the store is.
type Options struct {
	// Path is the directory, which the first write makes.
	Path string
	// Shared makes directories writable for, and inherited by, the group.
	Shared bool
}

// Store is a remote.Store in a directory. It is safe for concurrent use, and
// for use by several processes.
type Store struct {
	root   string
	shared bool
	made   sync.Map // directory -> struct{}
}

var _ remote.Store = (*Store)(nil)

// tempPrefix begins the names of files that are not complete.
const tempPrefix = ".flow-tmp-"

// New returns the store in o.Path. It creates nothing.
func New(o Options) (*Store, error) {
	if o.Path == "" {
		return nil, errors.New("open remote: no directory")
	}
	abs, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, fmt.Errorf("open remote: %w", err)
	}
	return &Store{root: abs, shared: o.Shared}, nil
}

// String returns the directory.
func (s *Store) String() string { return s.root }

func (s *Store) path(name string) string { return filepath.Join(s.root, filepath.FromSlash(name)) }

// wrap gives an error of the file system its kind.
func wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	e := &remote.Error{Op: op, Name: name, Err: err}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		e.Kind = remote.NotFound
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		e.Kind = remote.Denied
	case full(err):
		e.Kind = remote.Full
	}
	return e
}

// Stat implements remote.Store.
func (s *Store) Stat(ctx context.Context, name string) (remote.Info, error) {
	if err := errors.Join(remote.CheckName("stat", name), ctx.Err()); err != nil {
		return remote.Info{}, err
	}
	fi, err := os.Stat(s.path(name))
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("not a file: %w", fs.ErrNotExist)
	}
	if err != nil {
		return remote.Info{}, wrap("stat", name, err)
	}
	return remote.Info{Name: name, Size: fi.Size(), Modified: fi.ModTime()}, nil
}

// Get implements remote.Store.
func (s *Store) Get(ctx context.Context, name string, r remote.Range) (io.ReadCloser, error) {
	if err := errors.Join(remote.CheckName("get", name), ctx.Err()); err != nil {
		return nil, err
	}
	f, err := os.Open(s.path(name))
	if err != nil {
		return nil, wrap("get", name, err)
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("not a file: %w", fs.ErrNotExist)
	}
	if err != nil {
		f.Close()
		return nil, wrap("get", name, err)
	}
	length := fi.Size() - r.Offset
	if r.Length > 0 {
		length = min(length, r.Length)
	}
	return &reader{io.NewSectionReader(f, r.Offset, max(length, 0)), f, ctx}, nil
}

// reader reads a part of a file until its context ends.
type reader struct {
	io.Reader
	f   *os.File
	ctx context.Context
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

func (r *reader) Close() error { return r.f.Close() }

// Put implements remote.Store.
func (s *Store) Put(ctx context.Context, name string, b remote.Body) error {
	if err := errors.Join(remote.CheckName("put", name), ctx.Err()); err != nil {
		return err
	}
	return wrap("put", name, s.put(ctx, name, b))
}

func (s *Store) put(ctx context.Context, name string, b remote.Body) (err error) {
	to := s.path(name)
	if err := s.mkdir(filepath.Dir(to)); err != nil {
		return err
	}
	tmp := filepath.Join(s.root, tempPrefix+strconv.FormatUint(rand.Uint64(), 36))
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o444)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()      // the error at hand matters more
			_ = os.Remove(tmp) // at worst a stray temporary file
		}
	}()
	src := io.NewSectionReader(b, 0, b.Size())
	buf := make([]byte, min(max(b.Size(), 1), 1<<20))
	for {
		n, rerr := src.Read(buf)
		if _, err := f.Write(buf[:n]); err != nil {
			return err
		}
		if errors.Is(rerr, io.EOF) {
			break
		}
		if rerr == nil {
			rerr = ctx.Err()
		}
		if rerr != nil {
			return rerr
		}
	}
	if err := b.Check(); err != nil {
		return err
	}
	if fi, err := f.Stat(); err == nil && fi.Mode().Perm() != 0o444 {
		if err := f.Chmod(0o444); err != nil {
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	err = atomicfile.Rename(tmp, to)
	if errors.Is(err, fs.ErrNotExist) {
		// Somebody removed the empty directory since it was made.
		s.made.Delete(filepath.Dir(to))
		if err := s.mkdir(filepath.Dir(to)); err != nil {
			return err
		}
		err = atomicfile.Rename(tmp, to)
	}
	return err
}

func (s *Store) mkdir(dir string) error {
	if _, ok := s.made.Load(dir); ok {
		return nil
	}
	if !s.shared {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
	} else if err := mkdirShared(dir); err != nil {
		return err
	}
	s.made.Store(dir, struct{}{})
	return nil
}

// mkdirShared makes a directory, and those above it that do not exist, for the
// whole group.
func mkdirShared(dir string) error {
	if fi, err := os.Stat(dir); err == nil && fi.IsDir() {
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := mkdirShared(parent); err != nil {
			return err
		}
	}
	err := os.Mkdir(dir, 0o777)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Chmod(dir, 0o775|fs.ModeSetgid)
}

// List implements remote.Store.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[remote.Info, error] {
	return func(yield func(remote.Info, error) bool) {
		top, _ := path.Split(prefix)
		if top = strings.TrimSuffix(top, "/"); top != "" {
			if err := remote.CheckName("list", top); err != nil {
				yield(remote.Info{}, err)
				return
			}
		}
		l := &lister{s: s, ctx: ctx, prefix: prefix, yield: yield}
		l.dir(top)
	}
}

type lister struct {
	s      *Store
	ctx    context.Context
	prefix string
	yield  func(remote.Info, error) bool
}

// dir yields what is in a directory, given by its name, and below; it returns
// false when the listing is over.
func (l *lister) dir(dir string) bool {
	entries, err := os.ReadDir(l.s.path(dir))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return true
	}
	if err == nil {
		err = l.ctx.Err()
	}
	if err != nil {
		l.yield(remote.Info{}, wrap("list", dir, err))
		return false
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), tempPrefix) || !strings.HasPrefix(name, l.prefix) && !strings.HasPrefix(l.prefix, name+"/") {
			continue
		}
		if e.IsDir() {
			if !l.dir(name) {
				return false
			}
			continue
		}
		fi, err := os.Stat(l.s.path(name))
		if err != nil || !fi.Mode().IsRegular() {
			continue // gone meanwhile, or nothing of ours
		}
		if !strings.HasPrefix(name, l.prefix) {
			continue
		}
		if !l.yield(remote.Info{Name: name, Size: fi.Size(), Modified: fi.ModTime()}, nil) {
			return false
		}
	}
	return true
}

// Remove implements remote.Store.
func (s *Store) Remove(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := errors.Join(remote.CheckName("remove", name), ctx.Err()); err != nil {
			return err
		}
		if err := os.Remove(s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return wrap("remove", name, err)
		}
	}
	return nil
}
