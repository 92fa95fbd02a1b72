package dataset

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func put(t testing.TB, name, data string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func zipped(t testing.TB, data string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstandard(t testing.TB, data string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return string(w.EncodeAll([]byte(data), nil))
}

func load(t testing.TB, s Source) (*Set, error) {
	t.Helper()
	return Load(context.Background(), s, nil)
}

func TestLoadFiles(t *testing.T) {
	want := []Row{{"good \"one\"", 1}, {"bad", 0}}
	csv := "id,review,sentiment\n1,\"good \"\"one\"\"\",positive\n2,bad,negative\n"
	tsv := "review\tsentiment\n\"good \"\"one\"\"\"\t1\nbad\t0\n"
	jsonl := "{\"review\":\"good \\\"one\\\"\",\"sentiment\":\"positive\"}\n\n{\"sentiment\":0,\"review\":\"bad\",\"x\":[1]}\n"
	for _, tt := range []struct {
		name, data string
		change     func(s *Source)
	}{
		{"a.csv", csv, nil},
		{"a.csv.gz", zipped(t, csv), nil},
		{"a.csv.zst", zstandard(t, csv), nil},
		{"name without ending", csv, nil},
		{"a.tsv", tsv, nil},
		{"a.tsv.gz", zipped(t, tsv), nil},
		{"a.tab.zst", zstandard(t, "\ufeff"+tsv), nil},
		{"a.txt", tsv, func(s *Source) { s.Format = "tsv" }},
		{"a.jsonl", jsonl, nil},
		{"a.ndjson.gz", zipped(t, jsonl), nil},
		{"data", jsonl, func(s *Source) { s.Format = "jsonl" }},
		{"plain.tsv", "review\tsentiment\r\ngood \"one\"\t1\r\n\r\nbad\t0", func(s *Source) { s.Quoting = "none" }},
		{"mapped.csv", "opinion,text\n5,\"good \"\"one\"\"\"\n1,bad\n3,so so\n", func(s *Source) {
			s.Text, s.Label, s.Labels = "text", "opinion", map[string]int{"5": 1, "1": 0}
		}},
		{"truth.jsonl", "{\"review\":\"good \\\"one\\\"\",\"sentiment\":true}\n{\"review\":\"bad\",\"sentiment\":false}\n", func(s *Source) {
			s.Labels = map[string]int{"true": 1, "false": 0}
		}},
	} {
		s := Source{Location: put(t, tt.name, tt.data)}
		if tt.change != nil {
			tt.change(&s)
		}
		set, err := load(t, s)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(want, set.Rows); diff != "" || set.Test != nil {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if set.Stats.Rows != 2 || set.Stats.Positive != 1 || set.Stats.Bad != 0 {
			t.Errorf("%s: %+v", tt.name, set.Stats)
		}
	}
}

func TestBadRowsAreNamed(t *testing.T) {
	csv := "review,sentiment\n" + // 1
		"good,positive\n" +
		"so so,neutral\n" + // 3
		"b\xe9,0\n" + // 4
		"only one field\n" + // 5
		"\"two\nlines\",negative\n" + // 6 and 7
		"a \"b\" c,1\n" + // 8
		"nul\x00,1\n" + // 9
		"x,y,z\n" + // 10
		"bad,negative\n"
	s := Source{Location: put(t, "a.csv", csv)}
	set, err := load(t, s)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Row{{"good", 1}, {"two\nlines", 0}, {"bad", 0}}, set.Rows); diff != "" {
		t.Error(diff)
	}
	want := `6 rows left out: line 3: sentiment is "neutral"; line 4: review is not UTF-8; line 5: 1 fields, want 2; ` +
		`line 8: bare " in non-quoted-field; line 9: review has a NUL byte; and 1 more`
	if got := set.Stats.LeftOut(); got != want || set.Stats.Skipped != 1 || set.Stats.Bad != 5 {
		t.Errorf("%+v\n got %s\nwant %s", set.Stats, got, want)
	}
	s.Strict = true
	if _, err := load(t, s); err == nil || !strings.Contains(err.Error(), "line 4: review is not UTF-8") {
		t.Errorf("strict: error %v", err)
	}
	lines := "{\"review\":\"good\",\"sentiment\":1}\nnot json\n{\"review\":null,\"sentiment\":1}\n{\"review\":\"x\",\"sentiment\":null}\n" +
		"{\"review\":\"x\"}\n{\"review\":\"\xff\",\"sentiment\":1}\n{\"review\":\"bad\",\"sentiment\":0}\n"
	set, err = load(t, Source{Location: put(t, "a.jsonl", lines)})
	if err != nil {
		t.Fatal(err)
	}
	if got := set.Stats.LeftOut(); set.Stats.Bad != 5 || !strings.HasPrefix(got, "5 rows left out: line 2: no JSON object") ||
		!strings.Contains(got, `line 5: no "sentiment"`) || !strings.Contains(got, "line 6: is not UTF-8") {
		t.Errorf("%s", got)
	}
}

func TestLoadFaults(t *testing.T) {
	rows := "review,sentiment\na,1\nb,0\n"
	small := func(s *Source) { s.Limits.Record = 10000 }
	for _, tt := range []struct {
		name, file, data string
		change           func(s *Source)
		want, hint       string
	}{
		{"empty", "a.csv", "", nil, "is empty", "columns review and sentiment"},
		{"empty lines", "a.jsonl", "\n\n", nil, "is empty", "one JSON object a line"},
		{"column", "a.csv", "text,label\nx,1\n", nil, `no column "review"`, "columns: {text: …, label: …}"},
		{"key", "a.jsonl", "{\"text\":\"x\"}\n", nil, `line 1: no "review"; keys are ["text"]`, "columns:"},
		{"array", "a.json", "[{}]", nil, "is one JSON array", "one object a line"},
		{"one class", "a.csv", "review,sentiment\na,1\n", nil, "no row of class 0 (sentiment 0 or negative) among 1 rows", "both classes"},
		{"other labels", "a.csv", "review,sentiment\na,good\nb,bad\n", nil, "no row of class 1", "labels: {bad: 1"},
		{"only bad", "a.csv", "review,sentiment\na\nb\n", nil, "no row can be read: 2 rows left out: line 2", "format and columns"},
		{"never closed", "a.csv", "review,sentiment\na,1\n\"b,0\nc,1\nd,0\n", nil, "line 3: a quotation that begins here is never closed", "quoting: none"},
		{"gigantic line", "a.csv", "review,sentiment\na,1\n" + strings.Repeat("x", 30000), small, "a row after 1 others is longer than 10000 bytes", "quotation"},
		{"gigantic header", "a.csv", strings.Repeat("x", 30000), small, "row is too long", ""},
		{"gigantic quotation", "a.csv", "review,sentiment\n\"" + strings.Repeat("x\n", 30000), small, "longer than 10000 bytes", "quotation"},
		{"gigantic object", "a.jsonl", "{\"review\":\"a\",\"sentiment\":1}\n" + strings.Repeat("x", 30000), small, "line 2 is longer", ""},
		{"gigantic line, no quotes", "a.tsv", "review\tsentiment\n" + strings.Repeat("x", 30000), func(s *Source) { small(s); s.Quoting = "none" }, "longer than", ""},
		{"UTF-16", "a.csv", "\xff\xfea\x00", nil, "UTF-16", ""},
		{"zip", "a.zip", "PK\x03\x04....", nil, "is a zip archive", "tar archive"},
		{"parquet", "a.csv", "PAR1....", nil, "is a Parquet file", "CSV"},
		{"cut short", "a.csv.gz", zipped(t, strings.Repeat(rows, 100))[:40], nil, "decompress", ""},
		{"broken zstd", "a.csv.zst", zstandard(t, strings.Repeat(rows, 100))[:20], nil, "decompress", ""},
		{"bomb", "a.csv.gz", zipped(t, "review,sentiment\n"+strings.Repeat("aaaaaaaa,1\n", 2_000_000)), nil, "out of all proportion", ""},
		{"large", "a.csv", strings.Repeat(rows, 100), func(s *Source) { s.Limits.Bytes = 1000 }, "larger than 1000 bytes", ""},
		{"table", "a.csv", rows, func(s *Source) { s.Table = "reviews" }, "is a file, not a database", ""},
		{"not texts", "a.csv", rows, func(s *Source) { s.Format = "texts" }, "neither a directory nor a tar archive", ""},
		{"format", "a.csv", rows, func(s *Source) { s.Format = "xls" }, `format "xls" is unknown`, "csv, tsv, jsonl, texts"},
		{"quoting", "a.csv", rows, func(s *Source) { s.Quoting = "all" }, `quoting "all"`, "minimal or none"},
		{"part", "a.csv", rows, func(s *Source) { s.Part = "dev" }, `part "dev"`, ""},
		{"label out of range", "a.csv", rows, func(s *Source) { s.Labels = map[string]int{"a": 2, "b": 0} }, `label "a" is mapped to 2`, "0 or 1"},
		{"labels of one class", "a.csv", rows, func(s *Source) { s.Labels = map[string]int{"a": 1} }, "one class only", ""},
		{"same column", "a.csv", rows, func(s *Source) { s.Text = "sentiment" }, "both text and label", ""},
		{"checksum of a path", "a.csv", rows, func(s *Source) { s.Checksum = "md5:" + strings.Repeat("0", 32) }, "only a file behind a URL", ""},
		{"checksum", "a.csv", rows, func(s *Source) { s.Checksum = "md5:12" }, "no md5 in hexadecimal", "sha256:"},
		{"unknown checksum", "a.csv", rows, func(s *Source) { s.Checksum = "crc:12" }, "unknown algorithm", "sha256:"},
		{"nothing", "", "", func(s *Source) { s.Location = "" }, "is empty", ""},
	} {
		s := Source{Location: put(t, "x/"+tt.file, tt.data)}
		if tt.change != nil {
			tt.change(&s)
		}
		_, err := load(t, s)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
			continue
		}
		var known *SourceError
		if tt.hint != "" && (!errors.As(err, &known) || !strings.Contains(known.Hint(), tt.hint)) {
			t.Errorf("%s: hint of %v, want %q", tt.name, err, tt.hint)
		}
	}
	if _, err := load(t, Source{Location: filepath.Join(t.TempDir(), "none")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: error %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, name := range []string{"a.csv", "a.jsonl"} {
		if _, err := Load(ctx, Source{Location: put(t, name, rows)}, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, cancelled: error %v", name, err)
		}
	}
}

// imdbFiles are the kinds of files of the IMDB archive.
var imdbFiles = map[string]string{
	"aclImdb/README":                 "Large Movie Review Dataset v1.0",
	"aclImdb/imdb.vocab":             "the\nand\n",
	"aclImdb/train/labeledBow.feat":  "9 0:9\n",
	"aclImdb/train/urls_pos.txt":     "http://example.org\n",
	"aclImdb/train/pos/0_9.txt":      "Great film.",
	"aclImdb/train/pos/10_8.txt":     "Good film.",
	"aclImdb/train/neg/0_3.txt":      "Bad film.",
	"aclImdb/train/unsup/0_0.txt":    "A film.",
	"aclImdb/test/pos/0_10.txt":      "Best film.",
	"aclImdb/test/neg/1_1.txt":       "Worst film.",
	"aclImdb/test/urls_neg.txt":      "http://example.org\n",
	"aclImdb/train/pos/.hidden.txt":  "x",
	"aclImdb/train/pos/not-text.csv": "x",
}

func archive(t testing.TB, files map[string]string, more ...*tar.Header) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range more {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func unpacked(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestTextsByClass(t *testing.T) {
	train := []Row{{"Bad film.", 0}, {"Great film.", 1}, {"Good film.", 1}}
	test := []Row{{"Worst film.", 0}, {"Best film.", 1}}
	dir := unpacked(t, imdbFiles)
	tgz := put(t, "aclImdb_v1.tar.gz", zipped(t, archive(t, imdbFiles)))
	for _, tt := range []struct {
		name       string
		source     Source
		rows, test []Row
	}{
		{"archive", Source{Location: tgz}, train, test},
		{"archive by format", Source{Location: put(t, "x", archive(t, imdbFiles)), Format: "texts"}, train, test},
		{"archive in zstd", Source{Location: put(t, "x", zstandard(t, archive(t, imdbFiles)))}, train, test},
		{"training part", Source{Location: tgz, Part: "train"}, train, nil},
		{"test part", Source{Location: tgz, Part: "test"}, test, nil},
		{"directory", Source{Location: filepath.Join(dir, "aclImdb")}, train, test},
		{"directory above", Source{Location: dir, Part: "test"}, test, nil},
		{"directory of a part", Source{Location: filepath.Join(dir, "aclImdb", "train")}, train, nil},
		{"directory of the other part", Source{Location: filepath.Join(dir, "aclImdb", "test"), Part: "test"}, test, nil},
		{"own classes", Source{Location: unpacked(t, map[string]string{"ham/1.txt": "a", "spam/1.txt": "b"}), Labels: map[string]int{"spam": 1, "ham": 0}},
			[]Row{{"a", 0}, {"b", 1}}, nil},
	} {
		set, err := load(t, tt.source)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.rows, set.Rows) + cmp.Diff(tt.test, set.Test); diff != "" {
			t.Errorf("%s:\n%s", tt.name, diff)
		}
		if set.Stats.Rows != len(tt.rows)+len(tt.test) {
			t.Errorf("%s: %+v", tt.name, set.Stats)
		}
	}
}

func TestHostileArchives(t *testing.T) {
	some := map[string]string{"pos/1.txt": "a", "neg/1.txt": "b"}
	entry := func(name string) *tar.Header { return &tar.Header{Name: name, Mode: 0o644, Size: 1} }
	for _, tt := range []struct {
		name, data, want string
	}{
		{"upwards", archive(t, some, entry("../pos/2.txt")), "leads out of the archive"},
		{"upwards inside", archive(t, some, entry("pos/../../2.txt")), "leads out of the archive"},
		{"absolute", archive(t, some, entry("/pos/2.txt")), "leads out of the archive"},
		{"backslash", archive(t, some, entry(`pos\..\..\2.txt`)), "leads out of the archive"},
		{"twice", archive(t, some, entry("pos/1.txt")), "occurs twice"},
		{"large", archive(t, some, &tar.Header{Name: "pos/2.txt", Mode: 0o644, Size: 20000}), "pos/2.txt is larger than 10000 bytes"},
		{"cut short", archive(t, some)[:1100], "read archive"},
		{"no texts", archive(t, map[string]string{"a.csv": "x"}), "has no texts"},
		{"other classes", archive(t, map[string]string{"good/a.txt": "x", "bad/a.txt": "x"}), "no row of class 1"},
		{"one class", archive(t, map[string]string{"pos/a.txt": "x"}), "no row of class 0"},
	} {
		_, err := load(t, Source{Location: put(t, "a.tar", tt.data), Limits: Limits{Record: 10000}})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
	// A link is no text, wherever it leads.
	set, err := load(t, Source{Location: put(t, "a.tar", archive(t, some,
		&tar.Header{Name: "pos/2.txt", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		&tar.Header{Name: "pos/3.txt", Typeflag: tar.TypeLink, Linkname: "../../x"}))})
	if err != nil || len(set.Rows) != 2 {
		t.Errorf("links: %+v, %v", set, err)
	}
	dir := unpacked(t, some)
	secret := put(t, "secret.txt", "secret")
	if err := os.Symlink(secret, filepath.Join(dir, "pos", "2.txt")); err == nil {
		if set, err := load(t, Source{Location: dir}); err != nil || len(set.Rows) != 2 {
			t.Errorf("link in a directory: %+v, %v", set, err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("a.csv", []byte("review,sentiment\n\"a \"\"b\"\"\",positive\nc,0\nd\n"), false)
	f.Add("a.tsv", []byte("review\tsentiment\na\t1\nb\t0\n"), true)
	f.Add("a.jsonl", []byte("{\"review\":\"a\",\"sentiment\":1}\n{\"review\":\"b\",\"sentiment\":\"0\"}\n"), false)
	f.Add("a.tar", []byte(archive(f, map[string]string{"pos/1.txt": "a", "neg/1.txt": "b"})), false)
	f.Add("a.csv", []byte("\x28\xb5\x2f\xfd"), false)
	f.Fuzz(func(t *testing.T, name string, data []byte, plain bool) {
		s := Source{Location: name, Limits: Limits{Record: 1 << 16, Bytes: 1 << 20}}
		if plain {
			s.Quoting = "none"
		}
		set, err := s.readFile(context.Background(), bytes.NewReader(data))
		if err != nil {
			return
		}
		if len(set.Rows)+len(set.Test) != set.Stats.Rows || set.Stats.Positive == 0 {
			t.Fatalf("%+v", set.Stats)
		}
		for _, r := range append(set.Rows, set.Test...) {
			if textFault(r.Review) != "" || r.Label != 0 && r.Label != 1 {
				t.Fatalf("%+v", r)
			}
		}
	})
}
