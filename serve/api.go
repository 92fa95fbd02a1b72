package serve

import (
	"cmp"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/flowrepro/flow/stages/model"
)

// modelJSON says which model an answer is of.
type modelJSON struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Digest  string `json:"digest"`
}

func (l *loaded) json() modelJSON { return modelJSON{l.Name, l.shown(), l.Digest()} }

// predictionJSON is a prediction in /api/v1. Probability is that of label 1,
// Confidence that of the label.
type predictionJSON struct {
	Label        int        `json:"label"`
	Class        string     `json:"class"`
	Verdict      string     `json:"verdict"`
	Confidence   float64    `json:"confidence"`
	Probability  float64    `json:"probability"`
	LogOdds      float64    `json:"log_odds"`
	Tokens       int        `json:"tokens"`
	UnknownShare float64    `json:"unknown_share"`
	Words        []wordJSON `json:"words,omitempty"`
}

// wordJSON is a piece of the text, in bytes of its UTF-8, and what it adds to
// the log-odds.
type wordJSON struct {
	Text   string  `json:"text"`
	Start  int     `json:"start"`
	End    int     `json:"end"`
	Weight float64 `json:"weight"`
}

// verdict is the name of a class as a person reads it.
func verdict(class string) string {
	if class == "" {
		return class
	}
	return strings.ToUpper(class[:1]) + class[1:]
}

func predicted(p model.Prediction) predictionJSON {
	return predictionJSON{
		Label: p.Label, Class: p.Class, Verdict: verdict(p.Class), Confidence: p.Probabilities[p.Label], Probability: p.Probabilities[1],
		LogOdds: p.LogOdds, Tokens: p.Tokens, UnknownShare: p.UnknownShare(),
	}
}

// decisive returns the pieces of a text that weigh most, the heaviest first.
func decisive(text string, e model.Explanation, limit int) []wordJSON {
	list := make([]wordJSON, 0, len(e.Spans))
	for _, s := range e.Spans {
		list = append(list, wordJSON{text[s.Start:s.End], s.Start, s.End, s.Weight})
	}
	return heaviest(list, limit)
}

// heaviest returns the words that weigh most, the heaviest first and of equal
// ones the first. It changes the list.
func heaviest(list []wordJSON, limit int) []wordJSON {
	const few = 64 // are not worth sorting the others
	if limit = min(limit, len(list)); limit > few {
		slices.SortStableFunc(list, func(a, b wordJSON) int { return cmp.Compare(math.Abs(b.Weight), math.Abs(a.Weight)) })
		return list[:limit]
	}
	n := 0 // of list, the heaviest so far
	for _, w := range list {
		size := math.Abs(w.Weight)
		if n == limit && (n == 0 || size <= math.Abs(list[n-1].Weight)) {
			continue
		}
		n = min(n+1, limit)
		k := n - 1
		for ; k > 0 && size > math.Abs(list[k-1].Weight); k-- {
			list[k] = list[k-1]
		}
		list[k] = w
	}
	return list[:n]
}

func (c *call) apiPredict() error {
	if err := c.wantJSON(); err != nil {
		return err
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	r, texts, err := decodeAPI(body)
	if err != nil {
		return err
	}
	list := make([]predictionJSON, len(texts))
	if r.Explain > 0 {
		if len(texts) != 1 {
			return bad("explain: want a single text")
		}
		e, err := c.explain(texts[0], noTerms)
		if err != nil {
			return err
		}
		list[0] = predicted(e.Prediction)
		list[0].Words = decisive(texts[0], e, r.Explain)
	} else {
		predictions, err := c.predict(texts)
		if err != nil {
			return err
		}
		for i, p := range predictions {
			list[i] = predicted(p)
		}
	}
	if r.Text != nil {
		c.json(http.StatusOK, struct {
			predictionJSON
			Model modelJSON `json:"model"`
		}{list[0], c.model.json()})
		return nil
	}
	c.json(http.StatusOK, struct {
		Predictions []predictionJSON `json:"predictions"`
		Model       modelJSON        `json:"model"`
	}{list, c.model.json()})
	return nil
}

// explanationJSON is all that led to a prediction: the log-odds are the
// intercept, the weights of the terms and the rest.
type explanationJSON struct {
	predictionJSON
	Intercept float64    `json:"intercept"`
	Terms     []termJSON `json:"terms"`
	Rest      float64    `json:"rest"`
	Spans     []wordJSON `json:"spans"`
	Model     modelJSON  `json:"model"`
}

type termJSON struct {
	Vectorizer string  `json:"vectorizer"`
	Text       string  `json:"text"`
	Count      int     `json:"count"`
	Weight     float64 `json:"weight"`
}

func (c *call) explained(text string, limit int) (explanationJSON, error) {
	e, err := c.explain(text, limit)
	if err != nil {
		return explanationJSON{}, err
	}
	out := explanationJSON{predictionJSON: predicted(e.Prediction), Intercept: e.Intercept, Rest: e.Rest, Terms: []termJSON{}, Spans: []wordJSON{}, Model: c.model.json()}
	for _, t := range e.Terms {
		out.Terms = append(out.Terms, termJSON(t))
	}
	for _, s := range e.Spans {
		out.Spans = append(out.Spans, wordJSON{text[s.Start:s.End], s.Start, s.End, s.Weight})
	}
	return out, nil
}

func (c *call) apiExplain() error {
	if err := c.wantJSON(); err != nil {
		return err
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	r, texts, err := decodeAPI(body)
	if err != nil {
		return err
	}
	if r.Text == nil {
		return bad(`want {"text": "…"}: one text is explained at a time`)
	}
	out, err := c.explained(texts[0], r.Explain)
	if err != nil {
		return err
	}
	c.json(http.StatusOK, out)
	return nil
}

func (c *call) apiModel() error {
	info := c.model.Info()
	out := struct {
		modelJSON
		RunID     string          `json:"run_id,omitempty"`
		Source    string          `json:"source"`
		LoadedAt  time.Time       `json:"loaded_at"`
		CheckedAt *time.Time      `json:"checked_at,omitempty"`
		Fault     string          `json:"fault,omitempty"`
		Classes   [2]string       `json:"classes"`
		Threshold float64         `json:"threshold"`
		Columns   int             `json:"columns"`
		Bytes     int64           `json:"bytes"`
		Metadata  json.RawMessage `json:"metadata,omitempty"`
	}{
		modelJSON: c.model.json(), RunID: c.model.RunID, Source: c.s.main.source.String(), LoadedAt: c.model.at.UTC(), Classes: info.Classes,
		Threshold: info.Threshold, Columns: info.Columns, Bytes: info.Bytes, Metadata: info.Metadata,
	}
	if st := c.s.main.status.Load(); st != nil {
		at := st.at.UTC()
		out.CheckedAt = &at
		if st.err != nil {
			out.Fault = st.err.Error()
		}
	}
	c.json(http.StatusOK, out)
	return nil
}

func (c *call) apiDrift() error {
	c.json(http.StatusOK, struct {
		DriftReport
		Model modelJSON `json:"model"`
	}{c.model.drift.report(), c.model.json()})
	return nil
}
