package features

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/flowrepro/flow/stages/internal/output"
)

// Blocks is a matrix with labels that need not fit into memory: a directory of
// blocks of rows. Block 0 is block-00000.npz, which SciPy reads, with the labels
// block-00000.npy, which NumPy reads; blocks.json says how many there are. It is
// safe for concurrent use.
type Blocks struct {
	dir    string
	header blocksHeader
}

type blocksHeader struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Blocks  int    `json:"blocks"`
	Rows    int    `json:"rows"`
	Cols    int    `json:"cols"`
	NNZ     int    `json:"nnz"`
}

const (
	blocksFormat  = "flow.blocks"
	blocksVersion = 1
	blocksFile    = "blocks.json"
	maxBlocks     = 100000
)

func blockFiles(dir string, i int) (matrix, labels string) {
	name := filepath.Join(dir, fmt.Sprintf("block-%05d", i))
	return name + ".npz", name + ".npy"
}

// Labelled is a text with its label, 0 or 1.
type Labelled struct {
	Text  string
	Label int
}

// WriteBlocks turns a stream of texts into blocks in a directory, which is made
// and must have no blocks yet. In memory are the texts and rows of one block.
// The vectorizer is a hashing one, or one that was fitted to a sample. Values
// are stored as float32, which halves what each later pass has to read. The
// bytes depend on the texts and on rows, the number of rows of a block; workers
// and progress are those of [Fit]. blocks.json is written last: without it there
// is nothing to open.
func WriteBlocks(ctx context.Context, dir string, v *Union, texts iter.Seq2[Labelled, error], rows, workers int, progress func(n int)) (*Blocks, error) {
	b, err := writeBlocks(ctx, dir, v, texts, rows, workers, progress)
	if err != nil {
		return nil, fmt.Errorf("write blocks: %w", err)
	}
	return b, nil
}

func writeBlocks(ctx context.Context, dir string, v *Union, texts iter.Seq2[Labelled, error], rows, workers int, progress func(n int)) (*Blocks, error) {
	if rows < 1 || rows > math.MaxInt32 {
		return nil, fmt.Errorf("%d rows a block: want a positive number", rows)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // outputs are as readable as the umask allows
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Name() == blocksFile || strings.HasPrefix(e.Name(), "block-") {
			return nil, fmt.Errorf("%s has blocks already", dir)
		}
	}
	b := &Blocks{dir: dir, header: blocksHeader{Format: blocksFormat, Version: blocksVersion, Cols: v.Cols()}}
	docs, labels := make([]string, 0, rows), make([]int, 0, rows)
	flush := func() error {
		if b.header.Blocks == maxBlocks {
			return fmt.Errorf("more than %d blocks: take more rows a block", maxBlocks)
		}
		m, err := v.Transform(ctx, docs, workers, progress)
		if err != nil {
			return err
		}
		matrixFile, labelFile := blockFiles(dir, b.header.Blocks)
		err = errors.Join(
			output.File(matrixFile, func(w io.Writer) error { return writeNPZ(w, m, true) }),
			output.File(labelFile, func(w io.Writer) error { return WriteLabels(w, labels) }),
		)
		b.header.Blocks++
		b.header.Rows += m.Rows
		b.header.NNZ += m.NNZ()
		clear(docs)
		docs, labels = docs[:0], labels[:0]
		return err
	}
	for t, err := range texts {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if t.Label != 0 && t.Label != 1 {
			return nil, fmt.Errorf("text %d: label %d, want 0 or 1", b.header.Rows+len(docs), t.Label)
		}
		docs, labels = append(docs, t.Text), append(labels, t.Label)
		if len(docs) == rows {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	if len(docs) > 0 {
		if err := flush(); err != nil {
			return nil, err
		}
	}
	if b.header.Rows == 0 {
		return nil, errors.New("no texts")
	}
	return b, output.File(filepath.Join(dir, blocksFile), func(w io.Writer) error {
		return json.NewEncoder(w).Encode(b.header)
	})
}

// OpenBlocks opens what WriteBlocks wrote. Blocks are checked as they are read.
func OpenBlocks(dir string) (*Blocks, error) {
	f, err := os.Open(filepath.Join(dir, blocksFile)) //nolint:gosec // the path is the stage's declared dependency
	if err != nil {
		return nil, fmt.Errorf("open blocks: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	b := &Blocks{dir: dir}
	d := json.NewDecoder(io.LimitReader(f, 1<<16))
	d.DisallowUnknownFields()
	if err := d.Decode(&b.header); err != nil {
		return nil, fmt.Errorf("open blocks %s: %w", dir, err)
	}
	switch h := b.header; {
	case h.Format != blocksFormat || h.Version != blocksVersion:
		return nil, fmt.Errorf("open blocks %s: format %q version %d, want %q version %d", dir, h.Format, h.Version, blocksFormat, blocksVersion)
	case h.Blocks < 1 || h.Blocks > maxBlocks || h.Rows < h.Blocks || h.Cols < 1 || h.Cols > math.MaxInt32 || h.NNZ < 0:
		return nil, fmt.Errorf("open blocks %s: impossible sizes", dir)
	}
	return b, nil
}

// Len returns the number of blocks.
func (b *Blocks) Len() int { return b.header.Blocks }

// Rows returns the number of rows of all blocks.
func (b *Blocks) Rows() int { return b.header.Rows }

// Cols returns the number of columns.
func (b *Blocks) Cols() int { return b.header.Cols }

// NNZ returns the number of stored values of all blocks.
func (b *Blocks) NNZ() int { return b.header.NNZ }

// Read returns a block, from 0 to Len()-1, with its labels.
func (b *Blocks) Read(i int) (*CSR, []int, error) {
	matrixFile, labelFile := blockFiles(b.dir, i)
	m, err := OpenNPZ(matrixFile)
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open(labelFile) //nolint:gosec // beside the matrix
	if err != nil {
		return nil, nil, fmt.Errorf("read labels: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	labels, err := ReadLabels(f)
	if err != nil {
		return nil, nil, err
	}
	if len(labels) != m.Rows || m.Cols != b.header.Cols {
		return nil, nil, fmt.Errorf("block %d: %d rows, %d labels and %d columns, want %d columns", i, m.Rows, len(labels), m.Cols, b.header.Cols)
	}
	return m, labels, nil
}
