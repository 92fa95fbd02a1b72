package model

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"

	"github.com/flowrepro/flow/internal/blake3wide"
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

// readFiles reads the files that keep names, or maps them, and verifies all, on
// all processors. Large files are hashed in pieces.
func readFiles(root *os.Root, files []headerFile, keep map[string]bool, mapped bool) (map[string][]byte, error) {
	// The largest first: they decide when the last one is done.
	order := slices.Clone(files)
	slices.SortStableFunc(order, func(a, b headerFile) int { return cmp.Compare(b.Size, a.Size) })
	kept := make([][]byte, len(order))
	var large []*largeFile
	defer func() {
		for _, l := range large {
			_ = l.file.Close() // opened for reading
		}
	}()
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, want := range order {
		if !keep[want.Path] || want.Size < wideFrom || !blake3wide.Available() {
			g.Go(func() error {
				data, err := readFile(root, want, keep[want.Path], mapped)
				kept[i] = data
				return err
			})
			continue
		}
		l, err := openLarge(root, want, mapped)
		if err != nil {
			_ = g.Wait() // this error is as good as another
			return nil, err
		}
		large = append(large, l)
		kept[i] = l.data
		for n := range l.pieces {
			g.Go(func() error { return l.read(n) })
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, l := range large {
		if err := l.verify(); err != nil {
			return nil, err
		}
	}
	byPath := make(map[string][]byte, len(keep))
	for i, f := range order {
		if keep[f.Path] {
			byPath[f.Path] = kept[i]
		}
	}
	return byPath, nil
}

// wideFrom is the size from which a file is worth several processors.
const wideFrom = 2 << 20

// largeFile is a file that is read and hashed in pieces, by any goroutine.
type largeFile struct {
	want   headerFile
	file   *os.File
	data   []byte
	mapped bool
	pieces []blake3wide.ChainingValue
}

func openLarge(root *os.Root, want headerFile, mapped bool) (*largeFile, error) {
	f, err := openFile(root, want)
	if err != nil {
		return nil, err
	}
	l := &largeFile{want: want, file: f, pieces: make([]blake3wide.ChainingValue, blake3wide.Pieces(want.Size))}
	if mapped {
		l.data, err = mapFile(f, int(want.Size))
		l.mapped = err == nil
	}
	if !l.mapped {
		l.data = make([]byte, want.Size)
		preferHuge(l.data)
	}
	return l, nil
}

// read reads and hashes a piece.
func (l *largeFile) read(n int) (err error) {
	start := int64(n) * blake3wide.PieceSize
	piece := l.data[start:min(start+blake3wide.PieceSize, l.want.Size)]
	if l.mapped {
		// A file that was cut meanwhile is an error as well.
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		defer func() {
			if r := recover(); r != nil {
				if _, fault := r.(interface{ Addr() uintptr }); !fault {
					panic(r)
				}
				err = &CorruptError{Path: l.want.Path, Want: l.want.BLAKE3}
			}
		}()
	} else if k, err := l.file.ReadAt(piece, start); k < len(piece) {
		if errors.Is(err, io.EOF) {
			err = &CorruptError{Path: l.want.Path, Want: l.want.BLAKE3}
		}
		return err
	}
	l.pieces[n] = blake3wide.Piece(piece, int64(n))
	return nil
}

func (l *largeFile) verify() error {
	sum := blake3wide.Root(l.pieces)
	if have := hex.EncodeToString(sum[:]); have != l.want.BLAKE3 {
		return &CorruptError{Path: l.want.Path, Want: l.want.BLAKE3, Have: have}
	}
	return nil
}

// openFile opens a regular file of the size that is wanted: nothing is
// allocated on the word of a header alone.
func openFile(root *os.Root, want headerFile) (*os.File, error) {
	fi, err := root.Stat(want.Path)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", want.Path)
	}
	if fi.Size() != want.Size {
		return nil, &CorruptError{Path: want.Path, Want: want.BLAKE3}
	}
	return root.Open(want.Path)
}

// readFile verifies a file and returns its content when keep is set.
func readFile(root *os.Root, want headerFile, keep, mapped bool) ([]byte, error) {
	f, err := openFile(root, want)
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
