package text

import (
	"slices"
	"strings"
	"testing"
)

// Bisection needs order, and finds everything.
func TestListsAreSorted(t *testing.T) {
	for name, lines := range map[string]string{
		"nouns": nounText, "verbs": verbText, "adjectives": adjectiveText, "adverbs": adverbText,
		"noun exceptions": nounExceptionText, "verb exceptions": verbExceptionText,
		"adjective exceptions": adjectiveExceptionText, "adverb exceptions": adverbExceptionText,
	} {
		var keys []string
		for _, l := range strings.Split(strings.TrimSuffix(lines, "\n"), "\n") {
			key, value, _ := strings.Cut(l, " ")
			keys = append(keys, key)
			if got, ok := find(lines, key); !ok || got != value {
				t.Fatalf("%s: find(%q) = %q, %t", name, key, got, ok)
			}
			for _, other := range []string{key + "~", key[:len(key)-1] + "\x01"} {
				if got, ok := find(lines, other); ok {
					t.Fatalf("%s: find(%q) = %q", name, other, got)
				}
			}
		}
		if !slices.IsSorted(keys) || len(slices.Compact(keys)) != strings.Count(lines, "\n") {
			t.Errorf("%s are not sorted or not unique", name)
		}
	}
	if _, ok := find("", "a"); ok {
		t.Error("found in nothing")
	}
}

func TestLemmaOf(t *testing.T) {
	for _, tt := range []struct{ word, pos, lemmatizer, want string }{
		{"less", "n", "nltk-3.8", "le"},
		{"less", "n", "nltk-3.9", "less"},
		{"offer", "v", "nltk-3.8", "offer"},
		{"comics", "n", "nltk-3.8", "comic"},
		{"better", "a", "nltk-3.9", "good"},
		{"better", "s", "nltk-3.8", "good"},
		{"better", "r", "nltk-3.8", "well"},
		{"films", "x", "nltk-3.8", "films"},
		{"films", "n", "other", "films"},
		{"", "n", "nltk-3.8", ""},
	} {
		if got := LemmaOf(tt.word, tt.pos, tt.lemmatizer); got != tt.want {
			t.Errorf("LemmaOf(%q, %q, %q) = %q, want %q", tt.word, tt.pos, tt.lemmatizer, got, tt.want)
		}
	}
}

// A word of a million letters costs what its length does, not its square.
func TestHostileWords(t *testing.T) {
	c := cleaner(t, func(o *Options) { o.Stem = true })
	for _, unit := range []string{"s", "ses", "ies", "ing", "men", "<", "www.", "&", "not "} {
		s := strings.Repeat(unit, 1<<20/len(unit))
		for range 2 {
			c.Clean(s)
		}
		for _, pos := range []string{"n", "v", "a", "r"} {
			LemmaOf(s, pos, lemmatizer38)
			LemmaOf(s[:maxLemma-len(unit)], pos, lemmatizer38)
		}
	}
}

// A memo that forgets still answers right.
func TestMemoForgets(t *testing.T) {
	var m memo
	buf := []byte{}
	for i := range 3 * maxMemoWords {
		buf = append(buf[:0], "word"...)
		for n := i % (maxMemoWords + 11); n > 0; n /= 10 {
			buf = append(buf, byte('0'+n%10))
		}
		want := strings.ToUpper(string(buf))
		form, hash, ok := m.get(buf)
		if !ok {
			form = m.put(hash, buf, want)
		}
		if string(form) != want {
			t.Fatalf("%s: %q", buf, form)
		}
	}
	if m.used > maxMemoWords || len(m.text) > maxMemoText+1000 {
		t.Errorf("%d words, %d bytes", m.used, len(m.text))
	}
	long := []byte(strings.Repeat("x", maxMemoWord+1))
	for range 2 {
		if _, hash, ok := m.get(long); ok {
			t.Error("long word remembered")
		} else if got := m.put(hash, long, "y"); string(got) != "y" {
			t.Errorf("%q", got)
		}
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector empties pools")
	}
	c := cleaner(t, nil)
	s := strings.Repeat("The actors' performances weren't bad; see <b>http://x.y</b> for 2 more. ", 20)
	dst := make([]byte, 0, 2*len(s))
	c.Append(dst, s)
	if n := testing.AllocsPerRun(100, func() { c.Append(dst, s) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
}
