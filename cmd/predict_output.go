package cmd

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/fatih/color"
	"github.com/mattn/go-runewidth"

	"github.com/flowrepro/flow/stages/model"
)

// printer scores texts and writes the results.
type printer struct {
	flags *predictFlags
	model *model.Model
	// width is that of a terminal.
	width    int
	terminal bool
	// single says that there is one text, which the user has just written.
	single bool
}

// result is a scored text.
type result struct {
	text string
	model.Explanation
}

func (p *printer) score(text string) result {
	if p.flags.explain {
		return result{text, p.model.Explain(text, p.flags.limit)}
	}
	r := result{text: text, Explanation: model.Explanation{Prediction: p.model.Predict(text)}}
	if p.flags.json {
		r.text = "" // it is not shown
	}
	return r
}

func (p *printer) write(w *bufio.Writer, r result) error {
	switch {
	case p.flags.json:
		return p.writeJSON(w, r)
	case p.flags.explain:
		return p.writeExplanation(w, r)
	}
	return p.writeLine(w, r)
}

// writeJSON writes one object. Keys keep their order.
func (p *printer) writeJSON(w *bufio.Writer, r result) error {
	classes := p.model.Classes()
	b := append(w.AvailableBuffer(), `{"label": `...)
	b = appendQuoted(b, r.Class)
	b = append(b, `, "probabilities": {`...)
	for i, name := range classes {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(appendQuoted(b, name), ": "...)
		b = appendNumber(b, r.Probabilities[i])
	}
	b = append(b, '}')
	if p.flags.explain {
		b = append(b, `, "log_odds": `...)
		b = appendNumber(b, r.LogOdds)
		b = append(b, `, "intercept": `...)
		b = appendNumber(b, r.Intercept)
		b = append(b, `, "terms": [`...)
		for i, t := range r.Terms {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(b, `{"term": `...)
			b = appendQuoted(b, t.Text)
			b = append(b, `, "weight": `...)
			b = appendNumber(b, t.Weight)
			b = append(b, '}')
		}
		b = append(b, `], "rest": `...)
		b = appendNumber(b, r.Rest)
	}
	_, err := w.Write(append(b, "}\n"...))
	return err
}

func appendQuoted(b []byte, s string) []byte {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string never fails
	return append(b, strings.TrimSuffix(out.String(), "\n")...)
}

// appendNumber writes a finite number so that it reads back the same.
func appendNumber(b []byte, x float64) []byte {
	if x != 0 && (math.Abs(x) < 1e-6 || math.Abs(x) >= 1e21) {
		return strconv.AppendFloat(b, x, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, x, 'f', -1, 64)
}

// writeLine writes the label, its probability and the beginning of the text.
func (p *printer) writeLine(w *bufio.Writer, r result) error {
	if _, err := w.WriteString(p.verdict(r)); err != nil {
		return err
	}
	if !p.single {
		used := p.labelWidth() + len("  0.0000  ")
		if text := p.beginning(r.text, p.lineWidth()-used); text != "" {
			if _, err := w.WriteString("  " + text); err != nil {
				return err
			}
		}
	}
	return w.WriteByte('\n')
}

// verdict is the label, padded, and its probability.
func (p *printer) verdict(r result) string {
	return fmt.Sprintf("%s  %.4f", p.paint(p.side(r.Label), pad(r.Class, p.labelWidth())), r.Probabilities[r.Label])
}

func (p *printer) labelWidth() int {
	c := p.model.Classes()
	return max(runewidth.StringWidth(c[0]), runewidth.StringWidth(c[1]))
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-runewidth.StringWidth(s)))
}

// lineWidth is that of the terminal, or one that suits files.
func (p *printer) lineWidth() int {
	if p.terminal {
		return p.width
	}
	return 80
}

// beginning is as much of a text as fits, in one line and without what a
// terminal would obey.
func (p *printer) beginning(text string, width int) string {
	if len(text) > 8*width {
		text = strings.ToValidUTF8(text[:8*width], "")
	}
	return runewidth.Truncate(strings.Join(strings.Fields(plain(text)), " "), max(width, 10), "…")
}

// plain replaces control characters by spaces.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// side is the colour of a label, also that of the words that speak for it.
func (p *printer) side(label int) color.Attribute {
	if label == 1 {
		return color.FgGreen
	}
	return color.FgRed
}

func (p *printer) paint(c color.Attribute, s string) string {
	if !p.terminal {
		return s
	}
	return color.New(c).Sprint(s)
}

// writeExplanation writes the verdict, the text with its words painted, and
// the terms with a bar for each.
func (p *printer) writeExplanation(w *bufio.Writer, r result) error {
	if _, err := fmt.Fprintf(w, "%s  log-odds %+.3f\n", p.verdict(r), r.LogOdds); err != nil {
		return err
	}
	if p.terminal {
		if _, err := w.WriteString(p.highlight(r)); err != nil {
			return err
		}
	} else if !p.single {
		if _, err := w.WriteString(strings.TrimRight("  "+p.beginning(r.text, p.lineWidth()-2), " ") + "\n"); err != nil {
			return err
		}
	}
	largest, column := math.Abs(r.Intercept), runewidth.StringWidth("(all others)")
	for _, t := range r.Terms {
		largest = max(largest, math.Abs(t.Weight))
		column = max(column, runewidth.StringWidth(t.Text))
	}
	column = min(column, 36)
	room := max(p.lineWidth()-column-len("  +0.000  ")-2, 8)
	row := func(name string, weight float64) error {
		label := 0
		if weight > 0 {
			label = 1
		}
		bar := ""
		if largest > 0 {
			bar = strings.Repeat("█", int(math.Round(math.Abs(weight)/largest*float64(min(room, 30)))))
		}
		line := fmt.Sprintf("  %s  %+.3f  %s", pad(runewidth.Truncate(plain(name), column, "…"), column), weight, p.paint(p.side(label), bar))
		_, err := w.WriteString(strings.TrimRight(line, " ") + "\n")
		return err
	}
	for _, t := range r.Terms {
		if err := row(t.Text, t.Weight); err != nil {
			return err
		}
	}
	if r.Rest != 0 {
		if err := row("(all others)", r.Rest); err != nil {
			return err
		}
	}
	if err := row("(intercept)", r.Intercept); err != nil {
		return err
	}
	if p.single {
		return nil
	}
	return w.WriteByte('\n')
}

// faint is the share of the greatest weight below which a word is not painted.
const faint = 0.08

// highlight is the text with the words that decided in the colour of their
// side, bold where they weigh much.
func (p *printer) highlight(r result) string {
	var largest float64
	for _, s := range r.Spans {
		largest = max(largest, math.Abs(s.Weight))
	}
	var out strings.Builder
	at := 0
	out.WriteString("  ")
	for _, s := range r.Spans {
		out.WriteString(plain(r.text[at:s.Start]))
		word := plain(r.text[s.Start:s.End])
		share := math.Abs(s.Weight) / largest
		c := p.side(0)
		if s.Weight > 0 {
			c = p.side(1)
		}
		switch {
		case share < faint:
			out.WriteString(word)
		case share < 0.4:
			out.WriteString(color.New(c).Sprint(word))
		default:
			out.WriteString(color.New(c, color.Bold).Sprint(word))
		}
		at = s.End
	}
	out.WriteString(plain(r.text[at:]))
	out.WriteByte('\n')
	return out.String()
}
