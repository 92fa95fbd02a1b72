package text

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestSteps(t *testing.T) {
	off := func(o *Options) { *o = Options{} }
	for _, tt := range []struct {
		name   string
		change func(o *Options)
		in     string
		want   string
	}{
		{"nothing but white space", off, " A <b>b</b>  http://x 12, the MEN's\n", "A <b>b</b> http://x 12, the MEN's"},
		{"markup", func(o *Options) { off(o); o.Markup = true }, "one<br />two <i>three</i> 4 < 5", "one two three 4 < 5"},
		{"markup ends a URL", func(o *Options) { off(o); o.Markup, o.URLs = true, true }, "see http://x.y<br>next www.<b>z", "see next www. z"},
		{"tag without end in a URL", func(o *Options) { off(o); o.Markup, o.URLs = true, true }, "a http://x<y z", "a z"},
		{"no markup in a URL", func(o *Options) { off(o); o.URLs = true }, "see http://x.y<br>next", "see"},
		{"digits join", func(o *Options) { off(o); o.Digits = true }, "a1b 22 c", "ab c"},
		{"case kept", func(o *Options) { o.Lowercase = false }, "The Boys and the boys", "The Boys boy"},
		{"punctuation kept", func(o *Options) { o.Punctuation = false }, "I don't, can't.", "don't, can't."},
		{"kept stop words", func(o *Options) { o.Keep = []string{"not", "no", "not"} }, "This is not the one, no!", "not one no"},
		{"greek with markup", func(o *Options) { o.Markup = true }, "ΟΔΟΣ<br/>1 <b ΣΟΦΟΣ", "οδος b σοφος"},
		{"custom list", func(o *Options) { off(o); o.Drop = []string{"film", "the"} }, "the film is The film", "is The"},
		{"list and more", func(o *Options) { o.Drop = []string{"film"} }, "this film is good", "good"},
		{"entities", func(o *Options) { off(o); o.Entities = true }, "Tom &amp; Jerry&#39;s &lt;b&gt; &unknown; &", "Tom & Jerry's <b> &unknown; &"},
		{"stems", func(o *Options) { o.Lemmas, o.Stem = false, true }, "Running quickly, the cities were generously lit", "run quick citi generous lit"},
		{"verbs", func(o *Options) { off(o); o.Lemmas, o.LemmaPOS = true, "v" }, "was watching loved better", "be watch love better"},
		{"adjectives", func(o *Options) { off(o); o.Lemmas, o.LemmaPOS = true, "s" }, "better happiest films", "good happy films"},
		{"adverbs", func(o *Options) { off(o); o.Lemmas, o.LemmaPOS = true, "r" }, "best further fast", "best far fast"},
		{"later rule", func(o *Options) { off(o); o.Lemmas, o.Lemmatizer = true, "nltk-3.9" }, "less films was", "less film wa"},
		{"negation alone", func(o *Options) { off(o); o.Negation = true }, "I didn't like it, at all. But 3.5 was not (too) bad!", "I didn't like_NEG it_NEG ,_NEG at_NEG all_NEG . But 3.5 was not (_NEG too_NEG )_NEG bad_NEG !"},
		{"negation before the rest", func(o *Options) { o.Negation = true }, "It isn't a great film; well-made, no, never liked the boys", "great_NEG film_NEG well made never_NEG liked_NEG boy_NEG"},
		{"negation without end", func(o *Options) { off(o); o.Negation = true }, "no no yes", "no no_NEG yes_NEG"},
		{"order: stop words first", func(o *Options) { o.Order = slices.Clone(serving) }, "I DON'T see http://x.y, 2 the movies", "see http x y movie"},
		{"greek in steps", func(o *Options) { off(o); o.Lowercase, o.Negation = true, true }, "ΟΔΟΣ not ΟΔΟΣ.", "οδος not οδος_NEG ."},
		{"a long word that is not UTF-8", nil, strings.Repeat("\xff", 50) + "a", strings.Repeat("\ufffd", 50) + "a"},
		{"a long word that lowering makes longer", nil, strings.Repeat("Ⱥ", 50) + "A", strings.Repeat("ⱥ", 50) + "a"},
		{"not UTF-8", nil, "a\xffbc \xc3( end", "a\ufffdbc \ufffd end"},
	} {
		if got := cleaner(t, tt.change).Clean(tt.in); got != tt.want {
			t.Errorf("%s: Clean(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

// serving is the order of a server that cleaned otherwise than its training.
var serving = []string{"lowercase", "stop_words", "digits", "punctuation", "urls", "lemmas"}

func TestNormalize(t *testing.T) {
	o, err := Options{StopWords: "nltk", Keep: []string{"b", "a", "b"}}.Normalize()
	if err != nil || strings.Join(o.Keep, " ") != "a b" {
		t.Errorf("Keep %q, error %v", o.Keep, err)
	}
	o, err = Options{StopWords: "none", Keep: []string{"a"}}.Normalize()
	if err != nil || o.StopWords != "" || o.Keep != nil {
		t.Errorf("%+v, error %v", o, err)
	}
	o, err = Options{Lemmas: true, LemmaPOS: "n", Lemmatizer: "nltk-3.8", Digits: true, Order: []string{"urls", "digits", "lemmas"}}.Normalize()
	if err != nil || o.LemmaPOS != "" || o.Lemmatizer != "" || o.Order != nil {
		t.Errorf("defaults by name: %+v, error %v", o, err)
	}
	o, err = Options{Digits: true, URLs: true, Order: []string{"stem", "digits", "urls"}}.Normalize()
	if err != nil || !slices.Equal(o.Order, []string{"digits", "urls"}) {
		t.Errorf("order %q, error %v", o.Order, err)
	}
	for _, tt := range []struct {
		bad  Options
		want string
	}{
		{Options{StopWords: "french"}, `stop words "french": want nltk, sklearn or none`},
		{Options{StopWords: "nltk", Keep: []string{"two words"}}, `keep "two words": want single words`},
		{Options{Drop: []string{""}}, `drop ""`},
		{Options{LemmaPOS: "x"}, `lemma pos "x"`},
		{Options{Lemmatizer: "spacy"}, `lemmatizer "spacy"`},
		{Options{Order: []string{"shout"}}, `order "shout": want names of markup,`},
		{Options{Order: []string{"urls", "urls"}}, `each step once`},
		{Options{Stem: true, Order: []string{"urls"}}, `stem is missing`},
	} {
		_, err := New(tt.bad)
		if want := new(OptionError); !errors.As(err, &want) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want %q", tt.bad, err, tt.want)
		}
	}
}

func TestLists(t *testing.T) {
	if n := len(nltkWords()); n != 198 {
		t.Errorf("%d NLTK stop words", n)
	}
	if n := len(sklearnWords()); n != 318 {
		t.Errorf("%d scikit-learn stop words", n)
	}
	for _, w := range []string{"don't", "the"} {
		if !IsStopWord("nltk", w) {
			t.Errorf("%q is no stop word", w)
		}
	}
	if IsStopWord("nltk", "film") || IsStopWord("", "the") || IsStopWord("french", "the") {
		t.Error("a stop word too many")
	}
}

func TestAllKeepsOrder(t *testing.T) {
	c := cleaner(t, nil)
	in := make([]string, 1000)
	for i := range in {
		in[i] = strings.Repeat("films ", i%7) + string(rune('a'+i%26)) + "zz"
	}
	done := make(chan int, len(in))
	got, err := c.All(context.Background(), in, 4, func(n int) { done <- n })
	if err != nil {
		t.Fatal(err)
	}
	for i := range in {
		if want := c.Clean(in[i]); got[i] != want {
			t.Fatalf("text %d: %q, want %q", i, got[i], want)
		}
	}
	close(done)
	sum := 0
	for n := range done {
		sum += n
	}
	if sum != len(in) {
		t.Errorf("progress counts %d of %d", sum, len(in))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.All(ctx, in, 4, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}

func BenchmarkClean(b *testing.B) {
	c := cleaner(b, nil)
	s := strings.Repeat("The actors' performances weren't bad; the 2 endings were <br /> better than most movies I've seen! ", 13)
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		c.Clean(s)
	}
}
