package features

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/flowrepro/flow/stages/text"
)

// slowTerms finds terms as scikit-learn's code does, one string at a time.
func slowTerms(c Config, doc string) []string {
	if c.Lowercase {
		doc = text.Lower(doc)
	}
	runes := []rune(doc)
	var out []string
	join := func(parts []string, between string) {
		for n := c.NgramRange[0]; n <= c.NgramRange[1]; n++ {
			for i := 0; i+n <= len(parts); i++ {
				out = append(out, strings.Join(parts[i:i+n], between))
			}
		}
	}
	switch c.Analyzer {
	case WordAnalyzer:
		var parts []string
		word := ""
		end := func() {
			if n := utf8.RuneCountInString(word); n >= 2 || n == 1 && c.TokenPattern != DefaultPattern {
				parts = append(parts, word)
			}
			word = ""
		}
		for _, r := range runes {
			if isWord(r) {
				word += string(r)
				continue
			}
			end()
			if c.TokenPattern == MarksPattern && !isSpace(r) {
				parts = append(parts, string(r))
			}
		}
		end()
		parts = slices.DeleteFunc(parts, func(w string) bool { return slices.Contains(c.StopWords.Words, w) })
		join(parts, " ")
	case CharAnalyzer:
		var parts []string
		for i, r := range runes {
			if isSpace(r) && (i > 0 && isSpace(runes[i-1])) {
				parts[len(parts)-1] = " "
				continue
			}
			parts = append(parts, string(r))
		}
		join(parts, "")
	case CharWBAnalyzer:
		for _, w := range strings.FieldsFunc(string(runes), isSpace) {
			padded := []rune(" " + w + " ")
			for n := c.NgramRange[0]; n <= c.NgramRange[1]; n++ {
				out = append(out, string(padded[:min(n, len(padded))]))
				i := 0
				for i+n < len(padded) {
					i++
					out = append(out, string(padded[i:i+n]))
				}
				if i == 0 {
					break
				}
			}
		}
	}
	return out
}

func fastTerms(t testing.TB, c Config, doc string) []string {
	t.Helper()
	a, err := newAnalyzer(c)
	if err != nil {
		t.Fatal(err)
	}
	var s tokens
	a.split("what was there before, which must not matter", &s, true)
	a.split(doc, &s, true)
	starts, ends := a.terms(&s)
	var out []string
	for i, start := range starts {
		out = append(out, string(s.text[start:ends[i]]))
	}
	return out
}

func FuzzTerms(f *testing.F) {
	for _, doc := range []string{
		"", "It's a naïve film.", "  two  spaces\tand\n\nlines ", "ΟΔΟΣ İstanbul Σ", "ȺȺȺ x", "\xff\xfe a\xffb", "e\u0301clair 中文字 ½", "a,b;c!!! 1 22",
	} {
		for kind := range uint8(6) {
			f.Add(doc, kind, uint8(1), uint8(3), true)
		}
	}
	f.Fuzz(func(t *testing.T, doc string, kind, least, more uint8, lower bool) {
		c := DefaultConfig()
		c.Lowercase = lower
		c.NgramRange = [2]int{1 + int(least%4), 1 + int(least%4) + int(more%4)}
		switch kind % 6 {
		case 0:
		case 1:
			c.TokenPattern = ShortWordsPattern
		case 2:
			c.TokenPattern = MarksPattern
		case 3:
			c.Analyzer = CharAnalyzer
		case 4:
			c.Analyzer = CharWBAnalyzer
		case 5:
			c.StopWords.Words = []string{"it", "two", "was", "中文字"}
		}
		doc = strings.ToValidUTF8(doc, "\uFFFD") // Python's strings have no other
		want, got := slowTerms(c, doc), fastTerms(t, c, doc)
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v: %q (-slow +fast):\n%s", c, doc, diff)
		}
	})
}

func TestPatterns(t *testing.T) {
	const doc = "It's the 2nd naïve film, isn't it? x_y 中文 don''t"
	for pattern, want := range map[string]string{
		DefaultPattern:            "It|the|2nd|naïve|film|isn|it|x_y|中文|don",
		`\b\w\w+\b`:               "It|the|2nd|naïve|film|isn|it|x_y|中文|don",
		ShortWordsPattern:         "It|s|the|2nd|naïve|film|isn|t|it|x_y|中文|don|t",
		`(?u)\b\w{4,}\b`:          "naïve|film",
		MarksPattern:              "It|'|s|the|2nd|naïve|film|,|isn|'|t|it|?|x_y|中文|don|'|'|t",
		`\b[a-z]+\b`:              "s|the|film|isn|t|it|don|t",
		`\b(?:[a-z]{3}|\d\w+)\b`:  "the|2nd|isn|don",
		`[^\W\d]+`:                "refused",
		`\w+'\w`:                  "It's|isn't",
		`\d`:                      "2",
		`[\w']+`:                  "It's|the|2nd|naïve|film|isn't|it|x_y|中文|don''t",
		`(?i)IT`:                  "It|it",
		`\w(\w)\w*`:               "t|h|n|a|i|s|t|_|文|o",
		`\S+`:                     "It's|the|2nd|naïve|film,|isn't|it?|x_y|中文|don''t",
		`(?P<word>[a-z]+)_`:       "x",
		`\bit|the\b`:              "refused",
		`\b\w+'\w\b`:              "refused",
		`(\w)(\w)`:                "refused",
		`(?=x)y`:                  "refused",
		`(\w)\1`:                  "refused",
		`\Bx`:                     "refused",
		`x(`:                      "refused",
		`\p{L}`:                   "refused",
		``:                        "refused",
		`\b(\w+)x\b`:              "refused",
		`\b\w{0,}\b`:              "refused",
		`\b\w{99999999999999,}\b`: "refused",
	} {
		if err := CheckPattern(pattern); err != nil {
			if want != "refused" {
				t.Errorf("%s: %v", pattern, err)
			}
			if h, ok := err.(interface{ Hint() string }); !ok || h.Hint() == "" {
				t.Errorf("%s: no hint with %v", pattern, err)
			}
			continue
		}
		if got := strings.Join(words(pattern, doc), "|"); got != want {
			t.Errorf("%s: %q, want %q", pattern, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		terms := rapid.SliceOfNDistinct(rapid.StringN(1, 12, 40).Filter(utf8.ValidString), 0, 300, rapid.ID[string]).Draw(t, "terms")
		table, err := NewTable(terms)
		if err != nil {
			t.Fatal(err)
		}
		textBytes, ends, slots := table.Arrays()
		again, err := OpenTable(textBytes, ends, slots)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Verify(); err != nil {
			t.Fatal(err)
		}
		for i, term := range terms {
			if c, ok := again.Lookup([]byte(term)); !ok || int(c) != i || again.Term(c) != term {
				t.Fatalf("%q: column %d, %v", term, c, ok)
			}
		}
		other := rapid.String().Draw(t, "other")
		if _, ok := again.Lookup([]byte(other)); ok != slices.Contains(terms, other) {
			t.Fatalf("%q: found %v", other, ok)
		}
		// Wrong slots lead to misses at worst.
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for i := range slots {
			slots[i] = rng.Uint32()
		}
		for _, term := range terms {
			if c, ok := again.Lookup([]byte(term)); ok && again.Term(c) != term {
				t.Fatalf("%q: found as %q", term, again.Term(c))
			}
		}
	})
}

func TestOpenTableFaults(t *testing.T) {
	table, err := NewTable([]string{"bad", "good"})
	if err != nil {
		t.Fatal(err)
	}
	txt, ends, slots := table.Arrays()
	for name, open := range map[string]func() (*Table, error){
		"few slots":     func() (*Table, error) { return OpenTable(txt, ends, slots[:2]) },
		"text too long": func() (*Table, error) { return OpenTable(append(bytes.Clone(txt), 'x'), ends, slots) },
		"ends descend":  func() (*Table, error) { return OpenTable(txt, []uint32{7, 3}, slots) },
		"ends too far":  func() (*Table, error) { return OpenTable(txt, []uint32{3, 8}, slots) },
		"empty term":    func() (*Table, error) { return OpenTable(txt, []uint32{0, 7}, slots) },
	} {
		if _, err := open(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	wrong := slices.Clone(slots)
	slices.Reverse(wrong)
	if again, err := OpenTable(txt, ends, wrong); err != nil {
		t.Error(err)
	} else if slices.Equal(wrong, slots) == (again.Verify() != nil) {
		t.Error("Verify does not see wrong slots")
	}
}

func FuzzUnionConfig(f *testing.F) {
	for _, s := range []string{
		`{"weighting":"tfidf","ngram_range":[1,2],"stop_words":"english","min_df":2}`,
		`[{"name":"a","weighting":"hashing"},{"name":"b","analyzer":"char_wb","stop_words":["x"],"vocabulary":["y"]}]`,
		`[]`, `{"name":1}`, `{"min_df":1.5}`, `{"token_pattern":"(?<=x)"}`, `{"unknown":1}`, `{} {}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		u, err := ReadUnionConfig(data)
		if err != nil {
			return
		}
		out, err := json.Marshal(u)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadUnionConfig(out)
		if err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		same, err := json.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out, same) {
			t.Errorf("%s becomes %s", out, same)
		}
	})
}

// Any vectorizer: the matrix of the fit is that of transforming the same texts,
// row by row and all at once, whatever the number of workers.
func TestFitIsTransform(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := []string{"aa", "ab", "ba", "film", "Film,", "naïve", "x", "!", "中文", "  ", "ΣΑΣ", "don't"}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		docs := make([]string, rapid.SampledFrom([]int{1, 5, 20, 600}).Draw(t, "docs"))
		for i := range docs {
			for range rng.IntN(10) {
				docs[i] += word[rng.IntN(len(word))] + " "
			}
		}
		c := DefaultConfig()
		c.Weighting = rapid.SampledFrom([]string{CountWeighting, TfidfWeighting, HashingWeighting}).Draw(t, "weighting")
		c.Analyzer = rapid.SampledFrom([]string{WordAnalyzer, CharAnalyzer, CharWBAnalyzer}).Draw(t, "analyzer")
		c.TokenPattern = rapid.SampledFrom([]string{DefaultPattern, ShortWordsPattern, MarksPattern, `[a-z ]+`}).Draw(t, "pattern")
		c.NgramRange[1] = rapid.IntRange(1, 4).Draw(t, "max n")
		c.NgramRange[0] = rapid.IntRange(1, c.NgramRange[1]).Draw(t, "min n")
		c.MinDF = Count(rapid.IntRange(1, 3).Draw(t, "min df"))
		c.MaxFeatures = rapid.IntRange(0, 20).Draw(t, "max features")
		c.Binary, c.SublinearTF = rapid.Bool().Draw(t, "binary"), rapid.Bool().Draw(t, "sublinear")
		c.NFeatures = rapid.SampledFrom([]int{3, 100, 1 << 20}).Draw(t, "n_features")
		u := UnionConfig{{"one", c}, {"two", DefaultConfig()}}
		v, m, err := FitUnion(context.Background(), u, docs, 1, nil)
		if err != nil {
			return // no terms
		}
		w, same, err := FitUnion(context.Background(), u, docs, 5, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, same) + cmp.Diff(v.Parts()[0].Terms(), w.Parts()[0].Terms()); diff != "" {
			t.Fatalf("with other workers:\n%s", diff)
		}
		again, err := v.Transform(context.Background(), docs, 3, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Fatalf("%+v\n(-fit +transform):\n%s", c, diff)
		}
		var r Row
		for i := range min(20, len(docs)) {
			v.Row(docs[i], &r)
			cols, values := m.Row(i)
			if !slices.Equal(cols, r.Indices) || !slices.Equal(values, r.Data) {
				t.Fatalf("row %d: %v, want %v %v", i, r, cols, values)
			}
		}
	})
}

func TestRowDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector empties pools")
	}
	docs := []string{"a good film with a good plot", "a bad film without any plot"}
	for _, analyzer := range []string{WordAnalyzer, CharWBAnalyzer} {
		c := DefaultConfig()
		c.Weighting, c.Analyzer, c.NgramRange, c.StopWords.List = TfidfWeighting, analyzer, [2]int{1, 3}, "english"
		v, _, err := Fit(context.Background(), c, docs, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		var r Row
		v.Row(docs[0], &r)
		if n := testing.AllocsPerRun(100, func() { v.Row(docs[1], &r) }); n > 0.5 {
			t.Errorf("%s: %v allocations a row", analyzer, n)
		}
		if r.Terms == 0 || r.Unknown != 0 {
			t.Errorf("%s: %d terms, %d unknown", analyzer, r.Terms, r.Unknown)
		}
		if v.Row("wholly unknown", &r); r.Unknown == 0 || analyzer == WordAnalyzer && r.Terms != r.Unknown {
			t.Errorf("%s: %d terms, %d unknown", analyzer, r.Terms, r.Unknown)
		}
	}
}

func TestBlocks(t *testing.T) {
	dir := t.TempDir()
	c := DefaultConfig()
	c.Weighting, c.NFeatures = HashingWeighting, 64
	v, err := New(c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := NewUnion(Part{"hashed", v})
	if err != nil {
		t.Fatal(err)
	}
	docs := make([]string, 25)
	for i := range docs {
		docs[i] = fmt.Sprintf("text number %d of many", i*i)
	}
	stream := func(fault error) func(yield func(Labelled, error) bool) {
		return func(yield func(Labelled, error) bool) {
			for i, d := range docs {
				if !yield(Labelled{d, i % 2}, nil) {
					return
				}
			}
			if fault != nil {
				yield(Labelled{}, fault)
			}
		}
	}
	ctx := context.Background()
	if _, err := WriteBlocks(ctx, dir, u, stream(nil), 10, 2, nil); err != nil {
		t.Fatal(err)
	}
	b, err := OpenBlocks(dir)
	if err != nil {
		t.Fatal(err)
	}
	want, err := u.Transform(ctx, docs, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b.Len() != 3 || b.Rows() != 25 || b.Cols() != 64 || b.NNZ() != want.NNZ() {
		t.Fatalf("%+v", b)
	}
	row := 0
	for i := range b.Len() {
		m, labels, err := b.Read(i)
		if err != nil {
			t.Fatal(err)
		}
		for k := range m.Rows {
			cols, values := m.Row(k)
			wantCols, wantValues := want.Row(row)
			if !slices.Equal(cols, wantCols) || labels[k] != row%2 {
				t.Fatalf("row %d: columns %v, want %v, label %d", row, cols, wantCols, labels[k])
			}
			for j, x := range values {
				if x != float64(float32(wantValues[j])) {
					t.Fatalf("row %d: %v, want %v", row, x, wantValues[j])
				}
			}
			row++
		}
	}
	if _, err := WriteBlocks(ctx, dir, u, stream(nil), 10, 2, nil); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("twice into one directory: %v", err)
	}
	other := t.TempDir()
	if _, err := WriteBlocks(ctx, other, u, stream(fmt.Errorf("broken")), 10, 2, nil); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("a broken stream: %v", err)
	}
	if _, err := OpenBlocks(other); err == nil {
		t.Error("blocks of a broken stream can be opened")
	}
}
