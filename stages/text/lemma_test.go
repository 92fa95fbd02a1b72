package text

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Bisection needs order, and finds everything; so does the index.
func TestListsAreSorted(t *testing.T) {
	for name, lines := range map[string]string{
		"nouns": nounText, "verbs": verbText, "adjectives": adjectiveText, "adverbs": adverbText,
		"noun exceptions": nounExceptionText, "verb exceptions": verbExceptionText,
		"adjective exceptions": adjectiveExceptionText, "adverb exceptions": adverbExceptionText,
	} {
		var keys []string
		l := newLexicon(lines)
		index := l.newIndex()
		for _, line := range strings.Split(strings.TrimSuffix(lines, "\n"), "\n") {
			key, value, _ := strings.Cut(line, " ")
			keys = append(keys, key)
			if got, ok := bisect(lines, key); !ok || got != value {
				t.Fatalf("%s: bisect(%q) = %q, %t", name, key, got, ok)
			}
			if got, ok := l.lookUp(index, key); !ok || got != value {
				t.Fatalf("%s: lookUp(%q) = %q, %t", name, key, got, ok)
			}
			for _, other := range []string{key + "~", key[:len(key)-1] + "\x01", line + "\n"} {
				if got, ok := bisect(lines, other); ok {
					t.Fatalf("%s: bisect(%q) = %q", name, other, got)
				}
				if got, ok := l.lookUp(index, other); ok {
					t.Fatalf("%s: lookUp(%q) = %q", name, other, got)
				}
			}
		}
		if !slices.IsSorted(keys) || len(slices.Compact(keys)) != strings.Count(lines, "\n") {
			t.Errorf("%s are not sorted or not unique", name)
		}
	}
	if _, ok := newLexicon("").find("a"); ok {
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

// A memo answers right also when it forgets, whatever the words: those whose
// key has all of them and longer ones, with forms that are the word, nothing or
// another word.
func TestMemo(t *testing.T) {
	const limit = 1 << 10
	m := memo{limit: limit}
	form := func(word string) string {
		switch sum := word[0] + word[len(word)-1] + byte(len(word)); sum % 3 {
		case 0:
			return word
		case 1:
			return ""
		}
		return strings.ToUpper(word)
	}
	hits := 0
	rapid.Check(t, func(r *rapid.T) {
		for _, w := range rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("abé")), 1, 40, maxMemoWord+2), 1, 500).Draw(r, "words") {
			got, ok := m.get([]byte(w))
			if !ok {
				m.put([]byte(w), form(w))
				continue
			}
			hits++
			if string(got) != form(w) {
				r.Fatalf("%q: %q, want %q", w, got, form(w))
			}
			if len(w) > maxMemoWord {
				r.Fatalf("long word remembered")
			}
		}
		if m.used > limit || len(m.text) > limit*meanMemoText+2*maxMemoWord {
			r.Fatalf("%d words, %d bytes", m.used, len(m.text))
		}
	})
	if hits == 0 {
		t.Error("nothing is ever remembered")
	}
	for range limit {
		m.put([]byte(strings.Repeat("x", maxMemoWord-4)+fmt.Sprint(m.used)), "form")
	}
	if _, ok := m.get([]byte(strings.Repeat("x", maxMemoWord-4) + fmt.Sprint(m.used-1))); !ok || m.used > limit {
		t.Errorf("%d words, the last one remembered: %t", m.used, ok)
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
