package model

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/flowrepro/flow/stages/features"
)

func TestRoundTrips(t *testing.T) {
	p := parts(t)
	dir := written(t, p)
	for _, open := range []func(string) (*Model, error){Open, OpenMapped} {
		m, err := open(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"", "The good film", "bad bad", p.Example} {
			if got, want := m.Predict(text), made(t, p).Predict(text); got != want {
				t.Errorf("%q: %+v after reading, %+v before", text, got, want)
			}
		}
	}
	// The same parts have the same bytes, and no trace of when or where.
	if diff := cmp.Diff(tree(t, dir), tree(t, written(t, p))); diff != "" {
		t.Error(diff)
	}
	names := slices.Sorted(maps.Keys(tree(t, dir)))
	module := ""
	for _, n := range names {
		if strings.HasSuffix(n, ".py") {
			module = n
		}
	}
	want := []string{
		"MLmodel", module, "code/words/NOTICE", "code/words/exceptions.txt", "code/words/stopwords.txt", "code/words/wordnet.txt",
		"conda.yaml", "idf-1.bin", "index-1.bin", "index-2.bin", "input_example.json", "model.json", "model.pkl", "python_env.yaml",
		"requirements.txt", "serving_input_example.json", "terms-1.bin", "terms-2.bin", "weights.bin",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	// Another model has another program: Python keeps one of a name.
	p.Intercept++
	if _, ok := tree(t, written(t, p))[module]; ok {
		t.Errorf("two models have %s", module)
	}
}

// Every byte of every file counts.
func TestCorruption(t *testing.T) {
	whole := written(t, parts(t))
	for name, content := range tree(t, whole) {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		fails := func(what string, data []byte) {
			t.Helper()
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			for _, open := range []func(string) (*Model, error){Open, OpenMapped} {
				if _, err := open(dir); err == nil || !strings.Contains(err.Error(), dir) {
					t.Errorf("%s %s: error %v", name, what, err)
				}
			}
		}
		step := 1 + len(content)/12
		for at := 0; at < len(content); at += step {
			data := []byte(content)
			data[at] ^= 1 << (at % 7)
			fails("flipped", data)
		}
		fails("cut", []byte(content[:len(content)-1]))
		fails("empty", nil)
		fails("longer", []byte(content+"\n"))
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s missing: %v", name, err)
		}
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil {
			t.Errorf("%s is a directory: no error", name)
		}
	}
	var corrupt *CorruptError
	dir := written(t, parts(t))
	if err := os.WriteFile(filepath.Join(dir, "weights.bin"), bytes.Repeat([]byte{1}, 80), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.As(err, &corrupt) || corrupt.Path != "weights.bin" || corrupt.Hint() == "" {
		t.Errorf("%v", err)
	}
	// What others add does not matter.
	dir = written(t, parts(t))
	if err := os.WriteFile(filepath.Join(dir, "registered_model_meta"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err != nil {
		t.Error(err)
	}
}

func TestOpenFaults(t *testing.T) {
	var none *NotModelError
	if _, err := Open(t.TempDir()); !errors.As(err, &none) || none.Hint() == "" {
		t.Errorf("empty directory: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "nothing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	if runtime.GOOS != "windows" {
		// A link out of the directory is not followed.
		dir := written(t, parts(t))
		outside := filepath.Join(t.TempDir(), "weights.bin")
		if err := os.Rename(filepath.Join(dir, "weights.bin"), outside); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(dir, "weights.bin")); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil {
			t.Error("a link out of the model was followed")
		}
	}
}

// patched is a header with a change and the digest that it then should have.
func patched(t testing.TB, data []byte, from, to string) []byte {
	t.Helper()
	out := bytes.Replace(data, []byte(from), []byte(to), 1)
	if bytes.Equal(out, data) {
		t.Fatalf("no %q in the header", from)
	}
	return signed(out)
}

func signed(data []byte) []byte {
	if len(data) < digestAt+64 {
		return data
	}
	data = bytes.Clone(data)
	copy(data[digestAt:], zeroDigest)
	copy(data[digestAt:], digestOf(data))
	return data
}

func TestHeaderFaults(t *testing.T) {
	data := []byte(read(t, written(t, parts(t)), HeaderFile))
	if _, err := decodeHeader(signed(data)); err != nil {
		t.Fatal(err)
	}
	weights := `"weights": "weights.bin"`
	for _, tt := range []struct{ name, old, new, want string }{
		{"unknown key", `"content":`, `"extra": 1, "content":`, "unknown field"},
		{"format", `"flow.model"`, `"flaw.model"`, "format"},
		{"version", `"version": 1`, `"version": 2`, "version 2"},
		{"more", "\n}\n", "\n}\n{}", "after"},
		{"cut", "\n}\n", "\n", "unexpected end"},
		{"content", `"content": "`, `"content": "G`, "content"},
		{"cleaning", `"stop_words": "nltk"`, `"stop_words": "latin"`, "stop words"},
		{"path", `"path": "weights.bin"`, `"path": "../weights.bin"`, "path inside"},
		{"absolute path", `"path": "weights.bin"`, `"path": "/weights.bin"`, "path inside"},
		{"backslash", `"path": "weights.bin"`, `"path": "..\\weights.bin"`, "path inside"},
		{"itself", `"path": "weights.bin"`, `"path": "model.json"`, "twice"},
		{"twice", `"path": "weights.bin"`, `"path": "MLmodel"`, "twice"},
		{"size", `"size": 80`, `"size": -1`, "bytes"},
		{"huge size", `"size": 80`, `"size": 9000000000000000000`, "bytes"},
		{"digest", `"blake3": "`, `"blake3": "x`, "digest"},
		{"unlisted", weights, `"weights": "weight.bin"`, "not listed"},
		{"coefficients", `"columns": 8`, `"columns": 9`, "9 coefficients"},
		{"columns", `"columns": 4`, `"columns": -4`, "columns"},
		{"huge columns", `"columns": 4`, `"columns": 4000000000`, "columns"},
		{"terms alone", `"index": "index-1.bin",`, ``, "come together"},
		{"classes", `"negative",`, `"positive",`, "classes"},
		{"slope", `"slope": 1`, `"slope": 0`, "slope"},
		{"threshold", `"threshold": 0.5`, `"threshold": 1`, "threshold"},
		{"vectorizers", `"vectorizers": [`, `"vectorizers": [], "x": [`, "unknown field"},
		{"number", `"intercept": 0.1`, `"intercept": 1e999`, "intercept"},
	} {
		_, err := decodeHeader(patched(t, data, tt.old, tt.new))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestExampleDecides(t *testing.T) {
	dir := written(t, parts(t))
	path := filepath.Join(dir, HeaderFile)
	data := []byte(read(t, dir, HeaderFile))
	if err := os.WriteFile(path, patched(t, data, `"lemmas": true`, `"lemmas": false`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err != nil {
		t.Errorf("a change that its example does not show: %v", err)
	}
	if err := os.WriteFile(path, patched(t, data, `"intercept": 0.1`, `"intercept": 0.2`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "example") {
		t.Errorf("another intercept: %v", err)
	}
}

func TestWriteReplaces(t *testing.T) {
	p := parts(t)
	ctx := context.Background()
	dir := written(t, p)
	stale := filepath.Join(dir, "stale.txt")
	if err := os.WriteFile(stale, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	old, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := old.Predict("good")
	p.Intercept = 9
	digest, err := Write(ctx, dir, p)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Open(dir)
	if err != nil || m.Digest() != digest || m.Digest() == old.Digest() {
		t.Fatalf("%v, digest %s", err, digest)
	}
	if _, err := os.Stat(stale); !errors.Is(err, os.ErrNotExist) {
		t.Error("a file of the old model is left")
	}
	if old.Predict("good") != want {
		t.Error("the old model changed")
	}
	// What is no model stays.
	for _, other := range []string{t.TempDir(), filepath.Dir(dir)} {
		keep := filepath.Join(other, "thesis.txt")
		if err := os.WriteFile(keep, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Write(ctx, other, p); err == nil || !strings.Contains(err.Error(), "no model") {
			t.Errorf("wrote over %s: %v", other, err)
		}
		if _, err := os.Stat(keep); err != nil {
			t.Error(err)
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	p.Intercept = 10
	if _, err := Write(cancelled, dir, p); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after cancellation", err)
	}
	if m, err := Open(dir); err != nil || m.Digest() != digest {
		t.Errorf("a cancelled write left %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".flow-tmp-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPartsFaults(t *testing.T) {
	for name, change := range map[string]func(p *Parts){
		"coefficients":  func(p *Parts) { p.Coef = p.Coef[:3] },
		"NaN":           func(p *Parts) { p.Coef[2] = math.NaN() },
		"infinite":      func(p *Parts) { p.Coef[2] = math.Inf(-1) },
		"intercept":     func(p *Parts) { p.Intercept = math.Inf(1) },
		"classes":       func(p *Parts) { p.Classes[0] = p.Classes[1] },
		"no class":      func(p *Parts) { p.Classes[0] = "" },
		"calibration":   func(p *Parts) { p.Calibration.Slope = -1 },
		"threshold":     func(p *Parts) { p.Threshold = 1.5 },
		"no vectorizer": func(p *Parts) { p.Union = nil },
		"cleaning":      func(p *Parts) { p.Cleaning.StopWords = "latin" },
		"metadata":      func(p *Parts) { p.Metadata = map[string]any{"f": func() {}} },
		"statistics":    func(p *Parts) { p.Statistics = &Statistics{} },
	} {
		p := parts(t)
		change(&p)
		dir := filepath.Join(t.TempDir(), "m")
		if _, err := Write(context.Background(), dir, p); err == nil {
			t.Errorf("%s: written", name)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: something was written", name)
		}
	}
}

// makeTerms returns the terms of a list as they are read from their files.
func makeTerms(t interface {
	Helper()
	Fatal(...any)
}, list []string) *terms {
	t.Helper()
	text, index, err := buildTerms(list)
	if err != nil {
		t.Fatal(err)
	}
	v, err := readTerms(text, index)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTerms(t *testing.T) {
	list := []string{"b", "a", "ä", "a b", "日本", strings.Repeat("x", 1000)}
	for i := range 5000 {
		list = append(list, "term "+strings.Repeat("y", i%7)+string(rune('a'+i%26))+strings.Repeat("z", i/26))
	}
	v := makeTerms(t, list)
	for i, term := range list {
		if c, ok := v.Lookup([]byte(term)); !ok || int(c) != i || v.Term(c) != term {
			t.Fatalf("%.20q: column %d, %v", term, c, ok)
		}
		if _, ok := v.Lookup([]byte(term + "?")); ok {
			t.Fatalf("%.20q? is found", term)
		}
	}
	if n := testing.AllocsPerRun(10, func() { v.Lookup([]byte("a b")) }); n > 0 {
		t.Errorf("%v allocations for a lookup", n)
	}
	for _, bad := range [][]string{{"a", ""}, {"a", "a"}, {"\xff"}, {}} {
		text, index, err := buildTerms(bad)
		if err == nil {
			_, err = readTerms(text, index)
		}
		if err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
	put := func(data []byte, at int, v uint32) []byte {
		data = bytes.Clone(data)
		binary.LittleEndian.PutUint32(data[at:], v)
		return data
	}
	text, index := v.textFile, v.indexFile
	n := len(list)
	taken := 16 + 4*n
	for binary.LittleEndian.Uint32(index[taken:]) == 0 {
		taken += 4
	}
	for name, bad := range map[string][]byte{
		"count":         put(index, 8, uint32(n+1)),
		"huge count":    put(index, 8, math.MaxUint32),
		"no terms":      put(index, 8, 0),
		"slots":         put(index, 12, 3),
		"ends descend":  put(index, 16+4*7, 0),
		"end outside":   put(index, 16+4*(n-1), math.MaxUint32),
		"slot outside":  put(index, 16+4*n, uint32(n+1)),
		"slot cleared":  put(index, taken, 0),
		"all slots":     append(bytes.Clone(index[:16+4*n]), bytes.Repeat([]byte{1, 0, 0, 0}, (len(index)-16-4*n)/4)...),
		"magic":         put(index, 0, 0),
		"cut":           index[:len(index)-4],
		"longer":        append(bytes.Clone(index), 0, 0, 0, 0),
		"a few bytes":   index[:9],
		"another's end": put(index, 16+4*(n-1), uint32(len(text)-termsHeader-1)),
	} {
		if _, err := readTerms(text, bad); err == nil {
			t.Errorf("index, %s: no error", name)
		}
	}
	for name, bad := range map[string][]byte{"magic": put(text, 0, 0), "length": put(text, 8, 1), "cut": text[:len(text)-1], "short": text[:7]} {
		if _, err := readTerms(bad, index); err == nil {
			t.Errorf("terms, %s: no error", name)
		}
	}
}

func TestIDF(t *testing.T) {
	for _, n := range []int{1, 10, 70000} {
		list := make([]float64, n)
		for i := range list {
			list[i] = float64(n-i) / 3
		}
		data, err := buildIDF(append(list, list...))
		if err != nil {
			t.Fatal(err)
		}
		got, err := readIDF(data)
		if err != nil || !slices.Equal(got, append(list, list...)) {
			t.Errorf("%d values: %v", n, err)
		}
		data[len(data)-1] = 0xff
		if _, err := readIDF(data); n > 1 && err == nil {
			t.Errorf("%d values: a number that there is not: no error", n)
		}
	}
	if _, err := buildIDF([]float64{math.NaN()}); err == nil {
		t.Error("NaN was written")
	}
}

func TestReadNumbers(t *testing.T) {
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		data, err := buildWeights([]float64{1, 2, 3})
		if err != nil {
			t.Fatal(err)
		}
		binary.LittleEndian.PutUint64(data[numbersHeader+8:], math.Float64bits(x))
		if _, err := readWeights(data); err == nil {
			t.Errorf("%v was read", x)
		}
	}
	for _, x := range []float64{0, math.Copysign(0, -1), math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64} {
		data, err := buildWeights([]float64{x})
		if err != nil {
			t.Fatal(err)
		}
		if w, err := readWeights(data); err != nil || w.at(0) != x {
			t.Errorf("%v: %v", x, err)
		}
	}
}

func FuzzHeader(f *testing.F) {
	dir := written(f, parts(f))
	head := []byte(read(f, dir, HeaderFile))
	files := map[string][]byte{}
	for name, data := range tree(f, dir) {
		files[name] = []byte(data)
	}
	f.Add(head)
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := decodeHeader(signed(data))
		if err != nil {
			return
		}
		m, err := assemble(h, files)
		if err != nil {
			return
		}
		_ = m.checkExample()
		m.Explain("A good film, <b>not</b> a bad one.", 3)
	})
}

func FuzzTerms(f *testing.F) {
	text, index, err := buildTerms([]string{"bad", "bad film", "film", "good"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, index)
	f.Fuzz(func(t *testing.T, text, index []byte) {
		v, err := readTerms(text, index)
		if err != nil {
			return
		}
		for _, term := range []string{"", "bad", "good", "film bad"} {
			if c, ok := v.Lookup([]byte(term)); ok && v.Term(c) != term {
				t.Fatalf("%q is %q", term, v.Term(c))
			}
		}
		for i := range v.Len() {
			v.Lookup([]byte(v.Term(int32(i))))
		}
	})
}

func FuzzNumbers(f *testing.F) {
	w, err := buildWeights([]float64{1, -2.5})
	if err != nil {
		f.Fatal(err)
	}
	d, err := buildIDF([]float64{1, 2, 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(w)
	f.Add(d)
	f.Fuzz(func(t *testing.T, data []byte) {
		if w, err := readWeights(data); err == nil {
			for i := range w.len() {
				if !finite(w.at(i)) {
					t.Fatalf("weight %d is %v", i, w.at(i))
				}
			}
		}
		if list, err := readIDF(data); err == nil {
			again, err := buildIDF(list)
			if err != nil {
				t.Fatal(err)
			}
			if other, err := readIDF(again); err != nil || !slices.Equal(list, other) {
				t.Fatalf("%v became %v, %v", list, other, err)
			}
		}
	})
}

var _ features.Vocabulary = (*terms)(nil)

// Files that are hashed in pieces are verified like the others.
func TestLargeFiles(t *testing.T) {
	list := make([]string, 300000)
	for i := range list {
		list[i] = "term number " + strconv.Itoa(i)
	}
	table, err := features.NewTable(list)
	if err != nil {
		t.Fatal(err)
	}
	v, err := features.New(features.DefaultConfig(), table, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := parts(t)
	p.Union, p.Coef, p.Example = union(t, features.Part{Name: "terms", Vectorizer: v}), make([]float64, len(list)), ""
	p.Coef[299999], p.Cleaning.Digits = 2, false
	dir := written(t, p)
	for _, open := range []func(string) (*Model, error){Open, OpenMapped} {
		m, err := open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if e := m.Explain("Term number 299999", 0); e.LogOdds != 0.1 {
			t.Errorf("%+v: single words are no terms here", e)
		}
		if c, ok := m.union.Parts()[0].Vocabulary().Lookup([]byte("term number 299999")); !ok || m.Coefficient(int(c)) != 2 {
			t.Errorf("column %d, %v", c, ok)
		}
	}
	for _, name := range []string{"terms-1.bin", "index-1.bin", "weights.bin"} {
		data := []byte(read(t, dir, name))
		if len(data) < wideFrom {
			t.Fatalf("%s has %d bytes: not large", name, len(data))
		}
		path := filepath.Join(dir, name)
		for _, at := range []int{0, len(data) / 2, len(data) - 1} {
			data[at] ^= 4
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			for _, open := range []func(string) (*Model, error){Open, OpenMapped} {
				var corrupt *CorruptError
				if _, err := open(dir); !errors.As(err, &corrupt) || corrupt.Path != name {
					t.Errorf("%s, byte %d: %v", name, at, err)
				}
			}
			data[at] ^= 4
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLookupAll holds looking up many terms to looking up one, in tables in which
// many hashes share slots and tags.
func TestLookupAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-d]{0,4}`)
		list := rapid.SliceOfNDistinct(word.Filter(func(s string) bool { return s != "" }), 1, 300, rapid.ID).Draw(t, "terms")
		v := makeTerms(t, list)
		if rapid.Bool().Draw(t, "coarse") {
			coarsen(v)
		}
		var doc []byte
		var starts, ends []uint32
		for _, w := range rapid.SliceOfN(rapid.OneOf(word, rapid.SampledFrom(list)), 0, 200).Draw(t, "words") {
			starts = append(starts, uint32(len(doc)))
			doc = append(doc, w...)
			ends = append(ends, uint32(len(doc)))
		}
		columns := make([]int32, len(starts))
		v.LookupAll(doc, starts, ends, columns)
		for i, have := range columns {
			term := string(doc[starts[i]:ends[i]])
			if want := int32(slices.Index(list, term)); have != want {
				t.Errorf("%q: column %d, want %d", term, have, want)
			}
			if c, ok := v.Lookup([]byte(term)); ok != (have >= 0) || ok && c != have {
				t.Errorf("%q: column %d, alone %d %v", term, have, c, ok)
			}
		}
	})
}

// coarsen leaves four bits of the hashes in the slots, as many as with the most terms.
func coarsen(v *terms) {
	mask := uint32(1)<<v.width - 1
	v.slots, v.width = slices.Clone(v.slots), 28
	for s := 0; s < len(v.slots); s += 4 {
		if c := binary.LittleEndian.Uint32(v.slots[s:]) & mask; c > 0 {
			h := xxhash.Sum64(v.bytes(int(c - 1)))
			binary.LittleEndian.PutUint32(v.slots[s:], uint32(h>>32)<<28|c)
		}
	}
}
