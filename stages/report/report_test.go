package report

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/flowrepro/flow/internal/figure"
	"github.com/flowrepro/flow/stages/score"
)

const hostile = `<script>alert(1)</script><img src=x onerror=alert(2)>"'&--></style></svg>` + "\u202eevil"

func data(t *testing.T, text string) Data {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	labels, decisions := make([]int, 300), make([]float64, 300)
	for i := range labels {
		labels[i] = i % 2
		decisions[i] = rng.NormFloat64() + 2*float64(labels[i]) - 1
	}
	s := score.FromDecisions(labels, decisions)
	m, e1 := score.Measure(s, 0.5)
	intervals, e2 := score.Bootstrap(t.Context(), s, 0.5, score.BootstrapOptions{Samples: 50, Confidence: 0.9})
	bins, _, e3 := score.Calibrate(s, 10, score.Uniform)
	slices, e4 := score.BySlice(s, 0.5, text, make([]int, 300), []string{text})
	roc, e5 := score.ROC(s, 100)
	if err := errors.Join(e1, e2, e3, e4, e5); err != nil {
		t.Fatal(err)
	}
	classes := [2]string{"bad " + text, "good " + text}
	return Data{
		Title: "Title " + text, Classes: classes, Metrics: m, Intervals: intervals, Confidence: 0.9, Resamples: 50,
		Figures:     []figure.Figure{score.ROCFigure(roc, m.AUC), score.ConfusionFigure(m.Confusion, classes), score.CalibrationFigure(bins, bins, m.ECE, classes[1])},
		Calibration: bins, Slices: slices,
		Words:    [2][]Word{{{Term: text, Weight: -2, Documents: 1234}}, {{Term: "fine", Weight: 1, Documents: 3}}},
		Mistakes: []Mistake{{Row: 1, Actual: text, Predicted: text, Probability: 0.9, Excerpt: []Span{{Text: text}, {Text: text, Weight: 1, Strength: 2}}}},
		Datasets: []Dataset{{Name: text, Rows: 300, ByName: [2]int{150, 150}, Digest: text}},
		Params:   []Param{{text, text}}, Notes: []string{text},
	}
}

func render(t *testing.T, d Data) string {
	t.Helper()
	var a, b bytes.Buffer
	if err := errors.Join(Write(&a, d), Write(&b, d)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("the same data gives other bytes")
	}
	return a.String()
}

// elements walks the page as a browser would read it.
func elements(t *testing.T, page string, visit func(n *html.Node)) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		visit(n)
	}
}

// Whatever the data holds, the page has no scripts, no handlers, and asks for
// nothing from outside.
func TestTextIsInert(t *testing.T) {
	page := render(t, data(t, hostile))
	var text strings.Builder
	policy := false
	elements(t, page, func(n *html.Node) {
		switch n.Type {
		case html.TextNode:
			text.WriteString(n.Data)
		case html.ElementNode:
			if slices.Contains([]string{"script", "iframe", "object", "embed", "img", "image", "link", "base", "form", "a", "foreignObject"}, n.Data) {
				t.Errorf("the page has an element %s", n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "href" || a.Key == "srcset" {
					t.Errorf("%s has the attribute %s=%q", n.Data, a.Key, a.Val)
				}
				policy = policy || a.Key == "content" && strings.HasPrefix(a.Val, "default-src 'none'")
			}
		}
	})
	if !policy {
		t.Error("no content security policy")
	}
	if n := strings.Count(text.String(), "<script>alert(1)</script>"); n < 15 {
		t.Errorf("the text is to be read %d times", n)
	}
	for _, outside := range []string{"url(", "@import"} {
		if strings.Contains(page, outside) {
			t.Errorf("the page has %q", outside)
		}
	}
}

func TestPageIsAccessible(t *testing.T) {
	page := render(t, data(t, "text"))
	counts := map[string]int{}
	ids := ""
	elements(t, page, func(n *html.Node) {
		if n.Type != html.ElementNode {
			return
		}
		counts[n.Data]++
		attr := map[string]string{}
		for _, a := range n.Attr {
			attr[a.Key] = a.Val
		}
		switch n.Data {
		case "svg":
			if attr["role"] != "img" || len(attr["aria-label"]) < 20 {
				t.Errorf("figure without a description: %v", attr)
			}
		case "th":
			if attr["scope"] == "" {
				t.Errorf("table header without scope: %v", attr)
			}
		case "html":
			ids = attr["lang"]
		}
	})
	if counts["table"] < 8 || counts["caption"] != counts["table"] || counts["svg"] != 3 || counts["h1"] != 1 || ids != "en" {
		t.Errorf("%v, language %q", counts, ids)
	}
	for _, want := range []string{"prefers-color-scheme: dark", "width=device-width", "90 % confidence", "1,234", "−2.000", "var(--figure-0,#0072B2)"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page", want)
		}
	}
}

func TestPartsMayBeMissing(t *testing.T) {
	m, err := score.Measure(score.Sample{Labels: []int{1}, Probabilities: []float64{0.7}}, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	page := render(t, Data{Title: "Bare", Classes: [2]string{"no", "yes"}, Metrics: m})
	if strings.Contains(page, "<h2>Slices") || strings.Contains(page, "<h2>Data") || !strings.Contains(page, "undefined") {
		t.Error(page)
	}
	if err := Write(failing{}, Data{}); err == nil {
		t.Error("a failing writer gives no error")
	}
	bad := Data{Figures: []figure.Figure{figure.Matrix{Rows: []string{"a"}}}}
	if err := Write(io.Discard, bad); err == nil {
		t.Error("a faulty figure gives no error")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestExcerptHasTheWeights(t *testing.T) {
	text := "This is<br />Not bad, no: GOOD!"
	at := func(word string, weight float64) Part {
		i := strings.Index(text, word)
		return Part{i, i + len(word), weight}
	}
	spans := Excerpt(text, []Part{at("Not", 2), at("bad", 2), at("bad", -3), at("GOOD", 1), at("!", 0.5)}, 100)
	var shown strings.Builder
	sum := 0.0
	of := map[string]float64{}
	for _, s := range spans {
		shown.WriteString(s.Text)
		sum += s.Weight
		of[strings.TrimSpace(s.Text)] = s.Weight
	}
	if got := strings.TrimSpace(shown.String()); got != "This is Not bad, no: GOOD!" {
		t.Errorf("excerpt is %q", got)
	}
	if math.Abs(sum-2.5) > 1e-12 || of["Not"] != 2 || of["bad,"] != -1 || of["GOOD!"] != 1.5 {
		t.Errorf("weights sum to %v: %v", sum, of)
	}
	if (Span{Weight: 1}).Toward() != 1 || (Span{Weight: -1}).Toward() != 0 {
		t.Error("spans speak for the wrong label")
	}
}

func TestExcerptIsTheStrongestPart(t *testing.T) {
	text := strings.Repeat("dull ", 500) + "a great, great film " + strings.Repeat("grey ", 500)
	first := strings.Index(text, "great")
	spans := Excerpt(text, []Part{{first, first + 5, 1}, {first + 7, first + 12, 1}}, 20)
	var b strings.Builder
	marked := 0
	for _, s := range spans {
		b.WriteString(s.Text)
		if s.Strength == 3 {
			marked++
		}
	}
	if marked != 2 || !strings.HasPrefix(b.String(), "… ") || !strings.HasSuffix(b.String(), "…") || len(strings.Fields(b.String())) != 22 {
		t.Errorf("%d marks in %q", marked, b.String())
	}
}

func TestExcerptOfAnything(t *testing.T) {
	for _, text := range []string{"", " ", "\x00\x07bell", "\u202eback", strings.Repeat("é", maxText), "one", "a\xff\xfeb"} {
		for _, part := range []Part{{0, 3, 0}, {-1, 2, 0}, {5, 1 << 30, 0}} {
			for _, s := range Excerpt(text, []Part{part}, 3) {
				if strings.ContainsAny(s.Text, "\x00\x07\u202e\ufffd") || s.Strength != 0 {
					t.Errorf("%.20q gives %.40q", text, s.Text)
				}
			}
		}
	}
}
