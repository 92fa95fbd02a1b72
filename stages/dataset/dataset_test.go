package dataset

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func read(s string) ([]Row, Stats, error) { return Read(context.Background(), strings.NewReader(s)) }

func TestRead(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     []Row
		skipped  int
	}{
		{"plain", "review,sentiment\ngood,positive\nbad,negative\n", []Row{{"good", 1}, {"bad", 0}}, 0},
		{"order and more columns", "id,sentiment,x,review\n1,0,,b\n2,1,,g\n", []Row{{"b", 0}, {"g", 1}}, 0},
		{"quoting", "review,sentiment\n\"He said \"\"no\"\",\nthen left\",negative\n", []Row{{"He said \"no\",\nthen left", 0}}, 0},
		{"byte order mark", "\ufeffreview,sentiment\ng,1\n", []Row{{"g", 1}}, 0},
		{"spaces around names", " review , sentiment\ng,1\n", []Row{{"g", 1}}, 0},
		{"other sentiments", "review,sentiment\ng,Positive\nh,neutral\ni,\nj,negative\n", []Row{{"j", 0}}, 3},
		{"no last newline", "review,sentiment\r\ng,positive", []Row{{"g", 1}}, 0},
		{"empty review", "review,sentiment\n,positive\n", []Row{{"", 1}}, 0},
		{"only a header", "review,sentiment\n", nil, 0},
	} {
		rows, stats, err := read(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, rows); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		positive := 0
		for _, r := range rows {
			positive += r.Label
		}
		stats.Faults = nil
		if diff := cmp.Diff(stats, Stats{Rows: len(rows), Skipped: tt.skipped, Positive: positive}); diff != "" {
			t.Errorf("%s: stats %+v", tt.name, stats)
		}
	}
}

func TestReadFaults(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", "empty"},
		{"no column", "text,label\na,1\n", `no column "review"; columns are ["text" "label"]`},
		{"broken quoting", "review,sentiment\n\"a,1\nb,0\n", "line 2"},
		{"NUL byte", "review,sentiment\na\x00,1\n", "line 2: review has a NUL byte"},
		{"UTF-16", "\xff\xfer\x00", "UTF-16"},
		{"stray quote", "review,sentiment\na \"b\" c,1\n", "line 2"},
		{"too few fields", "review,sentiment\na,1\nb\n", "line 3"},
		{"not UTF-8", "review,sentiment\na,1\nb\xe9,0\n", "line 3: review is not UTF-8"},
		{"broken gzip", "\x1f\x8bxx", "decompress"},
	} {
		if _, _, err := read(tt.in); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	fmt.Fprint(z, "review,sentiment\ngood,positive\n")
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "reviews.csv.gz")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	var done, total int64
	rows, _, err := ReadFile(context.Background(), path, func(d, n int64) { done, total = d, n })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Row{{"good", 1}}, rows); diff != "" {
		t.Error(diff)
	}
	if done != total || total != int64(b.Len()) {
		t.Errorf("progress %d of %d, want %d", done, total, b.Len())
	}
	if err := os.WriteFile(path, b.Bytes()[:b.Len()-9], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ReadFile(context.Background(), path, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("cut short: error %v", err)
	}
	if _, _, err := ReadFile(context.Background(), dir, nil); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("directory: error %v", err)
	}
	if _, _, err := ReadFile(context.Background(), filepath.Join(dir, "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: error %v", err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Read(ctx, strings.NewReader("review,sentiment\na,1\n")); !errors.Is(err, context.Canceled) {
		t.Errorf("Read: %v", err)
	}
	if err := Write(ctx, new(bytes.Buffer), []Row{{"a", 1}}); !errors.Is(err, context.Canceled) {
		t.Errorf("Write: %v", err)
	}
}

func numbered(n, positive int) []Row {
	rows := make([]Row, n)
	for i := range rows {
		rows[i].Review = fmt.Sprint(i)
		if i < positive {
			rows[i].Label = 1
		}
	}
	return rows
}

func sum(rows []Row) (n int) {
	for _, r := range rows {
		n += r.Label
	}
	return n
}

func TestSplitProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(4, 200).Draw(t, "rows")
		positive := rapid.IntRange(2, n-2).Draw(t, "positive")
		size := rapid.Float64Range(0.01, 0.99).Draw(t, "size")
		seed := rapid.Uint64().Draw(t, "seed")
		stratify := rapid.Bool().Draw(t, "stratify")
		rows := numbered(n, positive)
		train, test, err := Split(rows, size, seed, stratify)
		if err != nil {
			if want, _ := testRows(n, size); want != 0 {
				t.Fatal(err)
			}
			return
		}
		want, _ := testRows(n, size)
		if len(test) != want || len(train) != n-want {
			t.Fatalf("%d and %d rows, want %d and %d", len(train), len(test), n-want, want)
		}
		seen := map[Row]int{}
		for _, r := range append(append([]Row(nil), train...), test...) {
			seen[r]++
		}
		for _, r := range rows {
			if seen[r] != 1 {
				t.Fatalf("row %v occurs %d times", r, seen[r])
			}
		}
		if exact := float64(want) * float64(positive) / float64(n); stratify && (float64(sum(test)) < exact-1 || float64(sum(test)) > exact+1) {
			t.Fatalf("%d positive test rows, want about %g", sum(test), exact)
		}
		train2, test2, err := Split(rows, size, seed, stratify)
		if err != nil || cmp.Diff(train, train2)+cmp.Diff(test, test2) != "" {
			t.Fatal("one seed, two splits")
		}
	})
}

// The split belongs to the version of the stage: these rows must stay.
func TestSplitIsPinned(t *testing.T) {
	for _, tt := range []struct {
		stratify bool
		want     string
	}{{true, "8 10 3 4"}, {false, "8 10 6 3"}} {
		_, test, err := Split(numbered(12, 6), 0.25+0.05, 42, tt.stratify)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(Reviews(test), " "); got != tt.want {
			t.Errorf("stratify %t: test rows %s, want %s", tt.stratify, got, tt.want)
		}
	}
}

func TestSplitFaults(t *testing.T) {
	for _, tt := range []struct {
		name     string
		rows     []Row
		size     float64
		stratify bool
	}{
		{"zero", numbered(10, 5), 0, false},
		{"negative", numbered(10, 5), -0.5, false},
		{"all", numbered(10, 5), 10, false},
		{"not whole", numbered(10, 5), 2.5, false},
		{"no rows", nil, 0.5, false},
		{"one of a label", numbered(10, 1), 0.5, true},
		{"label", []Row{{"", 0}, {"", 0}, {"", 1}, {"", 7}}, 0.5, true},
	} {
		if _, _, err := Split(tt.rows, tt.size, 1, tt.stratify); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("review,sentiment\n\"a \"\"b\"\"\",positive\nc,0\n"))
	f.Add([]byte("\x1f\x8b\x08"))
	f.Add([]byte("\xef\xbb\xbfsentiment,review\n1,x\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, _, err := Read(context.Background(), bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, r := range rows {
			if !utf8.ValidString(r.Review) || r.Label != 0 && r.Label != 1 {
				t.Fatalf("%+v", r)
			}
		}
		var b bytes.Buffer
		if err := Write(context.Background(), &b, rows); err != nil {
			t.Fatal(err)
		}
		again, _, err := Read(context.Background(), &b)
		if err != nil {
			t.Fatal(err)
		}
		// encoding/csv reads a carriage return before a newline as part of it.
		for i := range rows {
			rows[i].Review = strings.ReplaceAll(rows[i].Review, "\r\n", "\n")
		}
		for i := range again {
			again[i].Review = strings.ReplaceAll(again[i].Review, "\r\n", "\n")
		}
		if diff := cmp.Diff(rows, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
