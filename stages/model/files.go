package model

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"
)

// readBlock is how much of a file is read before it is hashed, while it is
// still in the processor's cache.
const readBlock = 256 << 10

// readHeader reads and checks the header of a model.
func readHeader(root *os.Root) (*header, error) {
	fi, err := root.Stat(HeaderFile)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxHeader {
		return nil, fmt.Errorf("%s: not a file of at most %d bytes", HeaderFile, maxHeader)
	}
	f, err := root.Open(HeaderFile)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	data, err := io.ReadAll(io.LimitReader(f, maxHeader+1))
	if err != nil {
		return nil, err
	}
	h, err := decodeHeader(data)
	var corrupt *CorruptError
	if err != nil && !errors.As(err, &corrupt) {
		err = fmt.Errorf("%s: %w", HeaderFile, err)
	}
	return h, err
}

// readFiles reads the files that keep names, or maps them, and verifies all,
// several at a time.
func readFiles(root *os.Root, files []headerFile, keep map[string]bool, mapped bool) (map[string][]byte, error) {
	// The largest first: they decide when the last one is done.
	order := slices.Clone(files)
	slices.SortStableFunc(order, func(a, b headerFile) int { return cmp.Compare(b.Size, a.Size) })
	kept := make([][]byte, len(order))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range order {
		g.Go(func() error {
			data, err := readFile(root, f, keep[f.Path], mapped)
			kept[i] = data
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	byPath := make(map[string][]byte, len(keep))
	for i, f := range order {
		if keep[f.Path] {
			byPath[f.Path] = kept[i]
		}
	}
	return byPath, nil
}

// readFile verifies a file and returns its content when keep is set.
func readFile(root *os.Root, want headerFile, keep, mapped bool) ([]byte, error) {
	fi, err := root.Stat(want.Path)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", want.Path)
	}
	// The size first: nothing is allocated on the word of a header alone.
	if fi.Size() != want.Size {
		return nil, &CorruptError{Path: want.Path, Want: want.BLAKE3}
	}
	f, err := root.Open(want.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	data, have, err := readSum(f, int(want.Size), keep, mapped)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &CorruptError{Path: want.Path, Want: want.BLAKE3}
	case err != nil:
		return nil, err
	case have != want.BLAKE3:
		return nil, &CorruptError{Path: want.Path, Want: want.BLAKE3, Have: have}
	}
	return data, nil
}

// readSum returns the content of a file, when keep is set, and its digest.
func readSum(f *os.File, size int, keep, mapped bool) (data []byte, digest string, err error) {
	sum := blake3.New()
	if keep && mapped && size > 0 {
		if data, err = mapFile(f, size); err == nil {
			_, _ = sum.Write(data) // never fails
			return data, hex.EncodeToString(sum.Sum(nil)), nil
		}
	}
	if keep {
		data = make([]byte, size)
	}
	var buffer []byte
	for done := 0; done < size; {
		n := min(readBlock, size-done)
		var block []byte
		if keep {
			block = data[done : done+n]
		} else {
			if buffer == nil {
				buffer = make([]byte, n)
			}
			block = buffer[:n]
		}
		if _, err := io.ReadFull(f, block); err != nil {
			return nil, "", err
		}
		_, _ = sum.Write(block) // never fails
		done += n
	}
	return data, hex.EncodeToString(sum.Sum(nil)), nil
}
