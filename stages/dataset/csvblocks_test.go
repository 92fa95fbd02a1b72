package dataset

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// oneByOne reads a table as readTable does, a row at a time.
func oneByOne(data string, b *builder) error {
	limit := &recordLimit{r: strings.NewReader(data), max: b.source.Limits.withDefaults().Record}
	cr := csv.NewReader(limit)
	cr.ReuseRecord, cr.FieldsPerRecord = true, -1
	c, err := b.readHeader(cr)
	if err != nil {
		return err
	}
	return b.readRecords(context.Background(), cr, c, limit, progress{})
}

// Whatever a table looks like and wherever blocks end, the rows, what is wrong
// with them and in which lines are those of reading row after row.
func TestBlocksAreRows(t *testing.T) {
	whole, left := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		var data strings.Builder
		data.WriteString(rapid.SampledFrom([]string{"review,sentiment\n", "sentiment,\"a\nb\",review\r\n", "review,sentiment", "\n\nreview,sentiment\n"}).Draw(r, "header"))
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab,\"\n\r é")), 0, 30, -1)
		odd := rapid.SampledFrom([]int{0, 0, 20}).Draw(r, "one in so many is odd")
		for range rapid.IntRange(0, 40).Draw(r, "rows") {
			s := text.Draw(r, "text")
			if odd > 0 && rapid.IntRange(0, odd).Draw(r, "odd") == 0 {
				data.WriteString(rapid.SampledFrom([]string{s, s + "\n", "a\"b,1\n", "\"never closed,1\n", "\x00,1\n", "\xff,0\n", "a,2\n", "a\n"}).Draw(r, "as it is"))
				continue
			}
			s = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
			label := rapid.SampledFrom([]string{"0", "1", `"1"`}).Draw(r, "label")
			if strings.HasPrefix(data.String(), "sentiment") {
				fmt.Fprintf(&data, "%s,x,%s%s", label, s, rapid.SampledFrom([]string{"\n", "\r\n", "\n\n"}).Draw(r, "end"))
			} else {
				fmt.Fprintf(&data, "%s,%s\n", s, label)
			}
		}
		s := data.String()
		if rapid.Bool().Draw(r, "no end of line") {
			s = strings.TrimRight(s, "\r\n")
		}
		source := &Source{Strict: rapid.Bool().Draw(r, "strict")}
		want, got := newBuilder(source, false), newBuilder(source, false)
		wantErr := oneByOne(s, want)
		size := sizes{block: rapid.IntRange(1, 60).Draw(r, "block"), wave: rapid.IntRange(1, 400).Draw(r, "wave")}
		gotErr := readTable(context.Background(), strings.NewReader(s), table{',', true, size}, got)
		if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			r.Fatalf("%q: error %v, want %v", s, gotErr, wantErr)
		}
		if wantErr != nil {
			left++
			return
		}
		whole++
		if d := cmp.Diff(want.rows, got.rows); d != "" {
			r.Fatalf("%q: rows (-want +got):\n%s", s, d)
		}
		if d := cmp.Diff(want.stats, got.stats); d != "" {
			r.Fatalf("%q: stats (-want +got):\n%s", s, d)
		}
		if d := cmp.Diff(want.unknown, got.unknown); d != "" {
			r.Fatalf("%q: unknown labels (-want +got):\n%s", s, d)
		}
	})
	if whole == 0 || left == 0 {
		t.Errorf("%d tables without error, %d with", whole, left)
	}
}

// The size of the largest row is bounded, in blocks as well.
func TestBlocksBoundRows(t *testing.T) {
	var data bytes.Buffer
	data.WriteString("review,sentiment\n")
	for range 1000 {
		fmt.Fprintf(&data, "%s,1\n", strings.Repeat("a", 100))
	}
	fmt.Fprintf(&data, "%s,1\n", strings.Repeat("a", 100_000))
	b := newBuilder(&Source{Limits: Limits{Record: 1000}}, false)
	err := readTable(context.Background(), &data, table{',', true, csvSizes}, b)
	if err == nil || !strings.Contains(err.Error(), "after 1000 others is longer than 1000 bytes") {
		t.Errorf("error %v", err)
	}
}

func TestWriteIsCSV(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var rows []Row
		for range rapid.IntRange(0, 600).Draw(r, "rows") {
			review := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.RuneFrom([]rune("a,\"\n\r \u2003\\.")), 0, 6, -1)).Draw(r, "review")
			rows = append(rows, Row{Review: review, Label: rapid.IntRange(0, 1).Draw(r, "label")})
		}
		var want, got bytes.Buffer
		w := csv.NewWriter(&want)
		_ = w.Write([]string{"review", "sentiment"}) // Flush reports what fails
		for _, row := range rows {
			_ = w.Write([]string{row.Review, fmt.Sprint(row.Label)})
		}
		w.Flush()
		if err := Write(context.Background(), &got, rows); err != nil || w.Error() != nil {
			r.Fatal(err, w.Error())
		}
		if d := cmp.Diff(want.String(), got.String()); d != "" {
			r.Fatal(d)
		}
	})
}
