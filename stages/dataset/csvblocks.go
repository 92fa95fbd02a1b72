package dataset

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"

	"github.com/flowrepro/flow/stages/internal/parallel"
)

// sizes are about how much of a table one goroutine reads at once, and how
// much is read from the source before they begin.
type sizes struct{ block, wave int }

var csvSizes = sizes{block: 128 << 10, wave: 2 << 20}

// blockReader reads the rows of a quoted table in blocks, in parallel. It knows
// only one kind of row: whole, with a known label, nothing to remark. A wave of
// blocks that has another is left to the reader of single rows, with all that
// follows it. As every block begins where a row does, and no block ends inside
// of a quotation, both read the same.
type blockReader struct {
	comma   rune
	sizes   sizes
	columns columns
	// record bounds the size of a row.
	record int64
	b      *builder
}

// read adds rows until there is something to remark or nothing left. It
// returns the part of the source that is left, nil for none, and what was
// before it. The buffer is the beginning of the source, where a row begins.
func (k *blockReader) read(ctx context.Context, buffer []byte, r io.Reader) (rest io.Reader, read progress, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, read, err
		}
		var end bool
		if buffer, end, err = k.sizes.fill(buffer, r); err != nil {
			return nil, read, err
		}
		ends := k.sizes.split(buffer, end)
		parts := make([][]Row, len(ends))
		remark := len(ends) == 0 && len(buffer) > 0
		if !remark {
			err := parallel.Blocks(ctx, len(ends), 1, 0, func(i, _ int) error {
				start := 0
				if i > 0 {
					start = ends[i-1]
				}
				var ok bool
				if parts[i], ok = k.block(buffer[start:ends[i]]); !ok {
					return errRemark
				}
				return nil
			})
			if err != nil && !errors.Is(err, errRemark) {
				return nil, read, err
			}
			remark = err != nil
		}
		if remark {
			return io.MultiReader(bytes.NewReader(buffer), r), read, nil
		}
		done := 0
		for i, part := range parts {
			for _, row := range part {
				k.b.stats.keep(row.Label)
			}
			k.b.rows = append(k.b.rows, part...)
			read.rows += len(part)
			done = ends[i]
		}
		read.lines += bytes.Count(buffer[:done], []byte{'\n'})
		if end {
			return nil, read, nil
		}
		buffer = append(buffer[:0], buffer[done:]...)
	}
}

// errRemark stops a wave.
var errRemark = errors.New("a row to remark on")

// fill reads until the buffer has a wave, or the source ends.
func (s sizes) fill(buffer []byte, r io.Reader) (full []byte, end bool, err error) {
	if cap(buffer) < s.wave {
		buffer = append(make([]byte, 0, s.wave), buffer...)
	}
	// Not io.ReadFull, which makes a source that was cut short one that ends.
	for len(buffer) < s.wave {
		n, err := r.Read(buffer[len(buffer):s.wave])
		buffer = buffer[:len(buffer)+n]
		if errors.Is(err, io.EOF) {
			return buffer, true, nil
		}
		if err != nil {
			return nil, false, err
		}
	}
	return buffer, false, nil
}

// split returns where blocks of whole rows end. After the last one is the
// beginning of a row that goes on beyond the buffer, unless the source ends.
func (s sizes) split(buffer []byte, end bool) (ends []int) {
	at := 0
	for at+s.block < len(buffer) {
		next := at + s.block
		quoted := bytes.Count(buffer[at:next], []byte{'"'})%2 == 1
		size := rowEnd(buffer[next:], quoted)
		if size == 0 {
			break
		}
		at = next + size
		ends = append(ends, at)
	}
	if end && at < len(buffer) {
		return append(ends, len(buffer))
	}
	last := at
	for size := rowEnd(buffer[last:], false); size > 0; size = rowEnd(buffer[last:], false) {
		last += size
	}
	if last > at {
		ends = append(ends, last)
	}
	return ends
}

// rowEnd returns where the row ends in whose middle, inside of a quotation or
// not, the data begins: 0 when it does not end there.
func rowEnd(data []byte, quoted bool) int {
	for i, c := range data {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '\n' && !quoted:
			return i + 1
		}
	}
	return 0
}

// block reads rows that lie in memory. ok is false when there is anything to
// remark.
func (k *blockReader) block(data []byte) (rows []Row, ok bool) {
	cr := csv.NewReader(bytes.NewReader(data))
	cr.Comma, cr.ReuseRecord, cr.FieldsPerRecord = k.comma, true, k.columns.width
	b := &builder{source: k.b.source, labels: k.b.labels}
	for start := int64(0); ; start = cr.InputOffset() {
		record, err := cr.Read()
		if errors.Is(err, io.EOF) {
			return b.rows, true
		}
		if err != nil || cr.InputOffset()-start > k.record {
			return nil, false
		}
		if err := b.add("", k.columns.textOf(record), record[k.columns.label]); err != nil || b.stats.Skipped+b.stats.Bad > 0 {
			return nil, false
		}
	}
}

// csvHeader reads the first record of a table, of which data is the beginning,
// and returns its size in bytes. ok is false when it is not whole.
func csvHeader(data []byte, comma rune) (header []string, size int, ok bool) {
	cr := csv.NewReader(bytes.NewReader(data))
	cr.Comma = comma
	header, err := cr.Read()
	size = int(cr.InputOffset())
	return header, size, err == nil && size < len(data)
}
