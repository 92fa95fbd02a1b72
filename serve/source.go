package serve

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/zeebo/blake3"

	"github.com/flowrepro/flow/stages/model"
)

// Source is an address of a model, which may come to mean another model.
// It is used by one goroutine at a time.
type Source interface {
	// Resolve says what the address means now. It is cheap: it is called every
	// few seconds. An error that is ErrNotFound says that it means nothing.
	Resolve(ctx context.Context) (Version, error)
	// Fetch returns a directory of this machine that holds what Resolve
	// returned. It is not changed, but a later version may replace it.
	Fetch(ctx context.Context, v Version) (dir string, err error)
	// String is the address as the user gave it.
	String() string
}

// ErrNotFound is what an address means nothing is.
var ErrNotFound = errors.New("no such model")

// Version is what an address means at a time.
type Version struct {
	// Identity is the same as long as the address means the same model.
	Identity string
	// Name is that of the model, Number its version in a registry, RunID the
	// run that made it; the last two may be "".
	Name, Number, RunID string
	// Handle is the source's own.
	Handle any
}

// Directory is the source of models that are written to one directory.
type Directory string

// maxHeader bounds what is read of a header to tell whether it changed.
const maxHeader = 64 << 20

// Resolve reads the model's header, which has the digests of all else.
func (d Directory) Resolve(context.Context) (Version, error) {
	f, err := os.Open(filepath.Join(string(d), model.HeaderFile))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = &missingError{string(d)}
		}
		return Version{}, err
	}
	defer f.Close()
	h := blake3.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxHeader)); err != nil {
		return Version{}, fmt.Errorf("read header of model %s: %w", string(d), err)
	}
	name := filepath.Base(string(d))
	if abs, err := filepath.Abs(string(d)); err == nil {
		name = filepath.Base(abs)
	}
	return Version{Identity: hex.EncodeToString(h.Sum(nil)), Name: name}, nil
}

// Fetch returns the directory.
func (d Directory) Fetch(context.Context, Version) (string, error) { return string(d), nil }

// String returns the directory.
func (d Directory) String() string { return string(d) }

type missingError struct{ dir string }

func (e *missingError) Error() string { return fmt.Sprintf("no model in %s", e.dir) }

func (e *missingError) Is(target error) bool { return target == ErrNotFound }

// Hint says what to do.
func (e *missingError) Hint() string {
	return "`flow repro` trains it; --wait starts the server without it"
}
