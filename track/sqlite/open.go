package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite" // also registers the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/flowrepro/flow/track"
	"github.com/flowrepro/flow/track/internal/localfiles"
)

// FileName is the store's name in a project's root, as MLflow's own default.
const FileName = "mlflow.db"

// artifactDir is where artifacts lie, relative to the root.
const artifactDir = "mlruns"

// busyTimeout is how long a process waits for another one's lock.
const busyTimeout = 20 * time.Second

// Options say where a store is.
type Options struct {
	// File is the database.
	File string
	// Root is the directory that relative artifact roots start from; "" is the
	// database's own.
	Root string
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// Store is an embedded store. It implements track.Store and is safe for
// concurrent use.
type Store struct {
	localfiles.Files // relative to the project's root

	file string
	now  func() time.Time

	mu sync.Mutex
	db *sql.DB // nil until it is needed
	// empty stands for a file that does not exist yet, for readers.
	empty *sql.DB
}

// Open returns a store. The file is opened at the first use and made by the
// first write; until then it reads as one without runs and models.
func Open(o Options) (*Store, error) {
	file, err := filepath.Abs(o.File)
	if err != nil {
		return nil, fmt.Errorf("open store '%s': %w", o.File, err)
	}
	s := &Store{Files: localfiles.Files{Base: filepath.Dir(file)}, file: file, now: o.Now}
	if o.Root != "" {
		if s.Base, err = filepath.Abs(o.Root); err != nil {
			return nil, fmt.Errorf("open store '%s': %w", o.File, err)
		}
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// Location is the store's URI, as MLflow takes it.
func (s *Store) Location() string {
	return "sqlite:///" + filepath.ToSlash(s.file)
}

// File is the database's path.
func (s *Store) File() string { return s.file }

// Close closes the file. The store can be used again after it.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, db := range []*sql.DB{s.db, s.empty} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	s.db, s.empty = nil, nil
	return errors.Join(errs...)
}

// open returns the database. Without a file, readers get an empty one in memory.
func (s *Store) open(ctx context.Context, write bool) (*sql.DB, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db != nil {
		return s.db, nil
	}
	_, err := os.Stat(s.file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !write:
		if s.empty == nil {
			db, err := connect(":memory:?x=1")
			if err != nil {
				return nil, err
			}
			db.SetMaxOpenConns(1) // each connection would be a database of its own
			if err := initialize(ctx, db, s.now()); err != nil {
				_ = db.Close() // the first error counts
				return nil, err
			}
			s.empty = db
		}
		return s.empty, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	db, err := connect((&url.URL{Scheme: "file", OmitHost: true, Path: slashPath(s.file)}).String() + "?")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	if err = check(ctx, db); errors.Is(err, errEmpty) {
		err = initialize(ctx, db, s.now())
	}
	if err != nil {
		_ = db.Close() // the first error counts
		return nil, err
	}
	s.db = db
	return db, nil
}

func connect(name string) (*sql.DB, error) {
	return sql.Open("sqlite", fmt.Sprintf("%s&_txlock=immediate&_pragma=busy_timeout(%d)&_pragma=foreign_keys(1)",
		name, busyTimeout.Milliseconds()))
}

// slashPath is an absolute path as URIs have it: C:\x is /C:/x.
func slashPath(file string) string {
	p := filepath.ToSlash(file)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	return p
}

// read calls f with the database.
func (s *Store) read(ctx context.Context, op string, f func(db *sql.DB) error) error {
	db, err := s.open(ctx, false)
	if err == nil {
		err = f(db)
	}
	return s.failure(op, err)
}

// write calls f in a transaction that has the write lock.
func (s *Store) write(ctx context.Context, op string, f func(tx *sql.Tx) error) error {
	return s.failure(op, s.transact(ctx, f))
}

func (s *Store) transact(ctx context.Context, f func(tx *sql.Tx) error) error {
	db, err := s.open(ctx, true)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// failure makes an error of the store one of track's kinds.
func (s *Store) failure(op string, err error) error {
	var known *track.Error
	var code *sqlite.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", op, err)
	case errors.Is(err, sql.ErrNoRows):
		return track.NotFound(op)
	case errors.Is(err, errOld):
		return &track.Error{Op: op, Err: fmt.Errorf("'%s': %w", s.file, err),
			Advice: "bring it up to date with: mlflow db upgrade " + s.Location()}
	case errors.As(err, &code) && (code.Code()&0xff == sqlite3.SQLITE_BUSY || code.Code()&0xff == sqlite3.SQLITE_LOCKED):
		return &track.Error{Op: op, Err: fmt.Errorf("%w: '%s' is locked by another process", track.ErrUnavailable, s.file)}
	case errors.As(err, &code) && (code.Code()&0xff == sqlite3.SQLITE_NOTADB || code.Code()&0xff == sqlite3.SQLITE_CORRUPT):
		return &track.Error{Op: op, Err: fmt.Errorf("'%s' is damaged or no database: %w", s.file, err)}
	}
	return &track.Error{Op: op, Err: err}
}
