package serve

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"

	pages "github.com/flowrepro/flow/internal/page"
	"github.com/flowrepro/flow/stages/model"
)

var (
	//go:embed web/page.html
	pageSource string
	//go:embed web/docs.html
	docsSource string
	//go:embed web/style.css
	styleSource string
	//go:embed web/script.js
	scriptSource string
)

// page is the page for people. It loads nothing from anywhere: its style and
// its script are in it, and the policy allows no other.
type page struct {
	template, docs *pages.Template
	headers        http.Header // of every page
	document       []byte      // of docs, made once
}

func newPage() (*page, error) {
	// The parts that never change are put in once.
	fill := strings.NewReplacer("{{.Style}}", styleSource, "{{.Script}}", scriptSource)
	t, err := pages.New("page", fill.Replace(pageSource), nil)
	if err != nil {
		return nil, fmt.Errorf("parse page: %w", err)
	}
	d, err := pages.New("docs", fill.Replace(docsSource), nil)
	if err != nil {
		return nil, fmt.Errorf("parse page of the API: %w", err)
	}
	p := &page{template: t, docs: d}
	policy := "default-src 'none'; style-src " + sourceHash(styleSource) + "; script-src " + sourceHash(scriptSource) +
		"; connect-src 'self'; form-action 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
	p.headers = http.Header{
		"Content-Type": {"text/html; charset=utf-8"}, "Content-Security-Policy": {policy}, "Referrer-Policy": {"no-referrer"},
		"Cache-Control": {"no-store"}, "Vary": {"Accept"},
	}
	p.document, err = renderDocs(d)
	return p, err
}

func sourceHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// pageData is what the page shows.
type pageData struct {
	Text   string
	Fault  string
	Result *pageResult
	Model  *modelJSON
}

type pageResult struct {
	Verdict, Side, Percent string
	Confidence             float64
	Positive, Negative     string
	// Words are the items of the list of those that decided, Marked is the review
	// with its words marked. They are written here because templates are slow at
	// what repeats.
	Words, Marked pages.Raw
}

// pageWords is the number of words that are listed.
const pageWords = 10

func (m *marking) result(text string, e model.Explanation, classes [2]string) *pageResult {
	sides := [2]string{"negative", "positive"}
	r := &pageResult{
		Verdict: verdict(e.Class), Side: sides[e.Label], Confidence: e.Probabilities[e.Label], Percent: percent(e.Probabilities[e.Label]),
		Negative: classes[0], Positive: classes[1],
	}
	var most float64
	for _, s := range e.Spans {
		most = max(most, math.Abs(s.Weight))
	}
	m.mark(text, e.Spans, most)
	m.list(pageWords)
	r.Marked, r.Words = m.out, m.items
	return r
}

// marking is what a result is made in, and valid until the next one is.
type marking struct {
	out   []byte
	items []byte         // of the list
	index map[string]int // of a word in words
	words []wordJSON
}

var markings = sync.Pool{New: func() any { return &marking{index: map[string]int{}} }}

// recycle keeps m for another page, unless it is unusually large.
func (m *marking) recycle() {
	if cap(m.out) <= 1<<18 && cap(m.words) <= 1<<12 {
		markings.Put(m)
	}
}

// mark writes a text with its spans marked, and adds up what each word weighs
// in all its places.
func (m *marking) mark(text string, spans []model.Span, most float64) {
	m.out, m.words = m.out[:0], m.words[:0]
	clear(m.index)
	at := 0
	for _, s := range spans {
		m.out = pages.AppendEscaped(m.out, text[at:s.Start])
		word, class := text[s.Start:s.End], markClass(s.Weight, most)
		if class != "" {
			m.out = append(append(append(m.out, `<mark class="`...), class...), `">`...)
		}
		m.out = pages.AppendEscaped(m.out, word)
		if class != "" {
			m.out = append(m.out, `</mark>`...)
		}
		at = s.End
		key := strings.ToLower(word)
		i, ok := m.index[key]
		if !ok {
			i = len(m.words)
			m.index[key] = i
			m.words = append(m.words, wordJSON{Text: key})
		}
		m.words[i].Weight += s.Weight
	}
	m.out = pages.AppendEscaped(m.out, text[at:])
}

// list writes the words with the largest sums.
func (m *marking) list(limit int) {
	m.items = m.items[:0]
	words := heaviest(m.words, limit)
	for _, w := range words {
		class := markClass(w.Weight, math.Abs(words[0].Weight))
		if class == "" {
			continue
		}
		m.items = append(append(append(m.items, `<li><mark class="`...), class...), `">`...)
		m.items = append(pages.AppendEscaped(m.items, w.Text), `</mark> <span class="soft">`...)
		m.items = append(appendSigned(m.items, w.Weight), "</span></li>\n"...)
	}
}

// markClass names the side a weight speaks for and how much, in four levels of
// the largest weight; "" for less than a twentieth of it.
func markClass(weight, most float64) string {
	share := math.Abs(weight) / most
	if most == 0 || share < 0.05 {
		return ""
	}
	level := min(3, int(share*4))
	if weight < 0 {
		return [...]string{"n l1", "n l2", "n l3", "n l4"}[level]
	}
	return [...]string{"p l1", "p l2", "p l3", "p l4"}[level]
}

// percent never says that a model is sure beyond doubt.
func percent(p float64) string {
	if p > 0.9995 {
		return "more than 99.9%"
	}
	return strconv.FormatFloat(100*p, 'f', 1, 64) + "%"
}

// appendSigned writes a weight with a sign, a real minus among them.
func appendSigned(out []byte, w float64) []byte {
	sign := "+"
	if w < 0 {
		sign = "−"
	}
	return strconv.AppendFloat(append(out, sign...), math.Abs(w), 'f', 2, 64)
}

func (c *call) renderPage(status int, data pageData) {
	if l := c.s.main.current.Load(); c.model != nil {
		m := c.model.json()
		data.Model = &m
	} else if l != nil {
		m := l.json()
		data.Model = &m
	}
	out := buffers.Get().(*bytes.Buffer) //nolint:errcheck,forcetypeassert // the pool has nothing else
	out.Reset()
	defer recycle(out)
	rendered, err := c.s.page.template.Append(out.AvailableBuffer(), &data)
	if err != nil {
		c.s.log.Error("page not rendered", "error", err.Error())
		http.Error(c.w, "a fault of the server", http.StatusInternalServerError)
		return
	}
	out.Write(rendered) // it keeps what was grown
	c.html(status, out.Bytes())
}

func (c *call) html(status int, data []byte) {
	h := c.w.Header()
	for name, value := range c.s.page.headers {
		h[name] = value
	}
	h.Set("Content-Length", strconv.Itoa(len(data)))
	if g, ok := c.r.Context().Value(gatheringKey{}).(*gathering); ok {
		g.gather()
		defer g.send()
		defer func() { _ = http.NewResponseController(c.w).Flush() }()
	}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(data) // the client may be gone
}

func (c *call) index() error {
	c.renderPage(http.StatusOK, pageData{})
	return nil
}

// backToIndex is for whoever reloads the page of a result.
func (c *call) backToIndex() error {
	http.Redirect(c.w, c.r, "/", http.StatusSeeOther)
	return nil
}

// wantsJSON reports whether the client asks for JSON rather than for a page:
// of the two the one it gives more weight, and the page where it gives none.
func (c *call) wantsJSON() bool {
	var jsonWeight, pageWeight float64
	for _, part := range strings.Split(strings.Join(c.r.Header.Values("Accept"), ","), ",") {
		name, params, _ := strings.Cut(part, ";")
		weight := 1.0
		if _, q, ok := strings.Cut(params, "q="); ok {
			if w, err := strconv.ParseFloat(strings.TrimSpace(strings.Split(q, ";")[0]), 64); err == nil {
				weight = w
			}
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "application/json":
			jsonWeight = max(jsonWeight, weight)
		case "text/html", "application/xhtml+xml":
			pageWeight = max(pageWeight, weight)
		}
	}
	return jsonWeight > pageWeight
}

// formJSON is the answer to a form for programs.
type formJSON struct {
	predictionJSON
	Prediction string    `json:"prediction"`
	Model      modelJSON `json:"model"`
}

// form answers the page's form, for browsers with the page.
func (c *call) form() error {
	body, err := c.body()
	if err != nil {
		return err
	}
	var text string
	kind, params := c.contentType()
	if kind == "application/json" {
		r, _, err := decodeAPI(body)
		if err != nil {
			return err
		}
		if r.Text == nil {
			return bad(`want {"text": "…"}; /api/v1/predict takes several texts`)
		}
		text = *r.Text
	} else if text, err = decodeForm(body, kind, params); err != nil {
		return err
	}
	asJSON := c.wantsJSON()
	if !asJSON && strings.TrimSpace(text) == "" {
		c.renderPage(http.StatusBadRequest, pageData{Fault: "Write a review first."})
		return nil
	}
	e, err := c.explain(text, noTerms)
	if err != nil {
		return err
	}
	if asJSON {
		c.w.Header().Set("Vary", "Accept")
		p := predicted(e.Prediction)
		p.Words = decisive(text, e, pageWords)
		c.json(http.StatusOK, formJSON{p, p.Verdict, c.model.json()})
		return nil
	}
	m := markings.Get().(*marking) //nolint:errcheck,forcetypeassert // the pool has nothing else
	defer m.recycle()
	c.renderPage(http.StatusOK, pageData{Text: text, Result: m.result(text, e, c.model.Classes())})
	return nil
}

// pageFault shows a fault on the page, or as JSON if that is asked for.
func pageFault(c *call, f *fault) {
	if c.wantsJSON() {
		plainFault(c, f)
		return
	}
	message := f.message
	if message != "" {
		message = strings.ToUpper(message[:1]) + message[1:] + "."
	}
	c.renderPage(f.status, pageData{Fault: message})
}
