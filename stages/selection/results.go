package selection

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Score is a score over the folds.
type Score struct {
	Mean float64 `json:"mean"`
	// Std is the standard deviation of the folds, not of the mean.
	Std   float64   `json:"std"`
	Folds []float64 `json:"folds"`
	// Rank is 1 for the best; equals share a rank.
	Rank int `json:"rank"`
}

// Row is a candidate with its scores.
type Row struct {
	Settings []Setting
	Scores   map[string]*Score
	// Warnings are of the fits that did not converge.
	Warnings []string
	// Vectorize and Fit are the mean times of a fold. They are not written
	// with the results.
	Vectorize, Fit time.Duration
}

// Results are the scores of all candidates.
type Results struct {
	Folds   int
	Scoring []string
	Refit   string
	// Best is the number of the row that Refit ranks first.
	Best int
	Rows []Row
	// RefitTime is how long the best took on all texts.
	RefitTime time.Duration
	warnings  [][]string
}

func newResults(s *Search, folds int) *Results {
	r := &Results{Folds: folds, Scoring: s.Scoring, Refit: s.Refit, Rows: make([]Row, len(s.Candidates)), warnings: make([][]string, len(s.Candidates))}
	for i, c := range s.Candidates {
		r.Rows[i] = Row{Settings: c.Settings, Scores: map[string]*Score{}}
		r.warnings[i] = make([]string, folds)
		for _, name := range s.Scoring {
			r.Rows[i].Scores[name] = &Score{Folds: make([]float64, folds)}
		}
	}
	return r
}

func (r *Results) put(c, fold int, o outcome) {
	row := &r.Rows[c]
	for name, v := range o.scores {
		row.Scores[name].Folds[fold] = v
	}
	r.warnings[c][fold] = o.warning
	row.Vectorize += o.vectorize / time.Duration(r.Folds)
	row.Fit += o.fit / time.Duration(r.Folds)
}

// finish computes what follows from the scores of the folds.
func (r *Results) finish() {
	for i := range r.Rows {
		for fold, w := range r.warnings[i] {
			if w != "" {
				r.Rows[i].Warnings = append(r.Rows[i].Warnings, fmt.Sprintf("fold %d: %s", fold, w))
			}
		}
		for _, s := range r.Rows[i].Scores {
			n := float64(len(s.Folds))
			for _, v := range s.Folds {
				s.Mean += v
			}
			s.Mean /= n
			for _, v := range s.Folds {
				s.Std += float64((v - s.Mean) * (v - s.Mean))
			}
			s.Std = math.Sqrt(s.Std / n)
		}
	}
	for _, name := range r.Scoring {
		lower := scorings[name].lower
		for i := range r.Rows {
			s := r.Rows[i].Scores[name]
			s.Rank = 1
			for k := range r.Rows {
				o := r.Rows[k].Scores[name]
				if lower && o.Mean < s.Mean || !lower && o.Mean > s.Mean {
					s.Rank++
				}
			}
		}
	}
	for i := len(r.Rows) - 1; i >= 0; i-- {
		if r.Rows[i].Scores[r.Refit].Rank == 1 {
			r.Best = i
		}
	}
}

// Label writes settings in one line.
func Label(settings []Setting) string {
	parts := make([]string, len(settings))
	for i, s := range settings {
		parts[i] = s.Name + "=" + text(s.Value)
	}
	return strings.Join(parts, ", ")
}

// text writes a value the shortest way.
func text(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		return v
	case nil:
		return "none"
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}

// names returns the names of all settings, in the order in which they appear.
func (r *Results) names() []string {
	var names []string
	seen := map[string]bool{}
	for _, row := range r.Rows {
		for _, s := range row.Settings {
			if !seen[s.Name] {
				seen[s.Name] = true
				names = append(names, s.Name)
			}
		}
	}
	return names
}

func settingMap(settings []Setting) map[string]any {
	m := make(map[string]any, len(settings))
	for _, s := range settings {
		m[s.Name] = s.Value
	}
	return m
}

// WriteJSON writes the results with the best candidate apart.
func (r *Results) WriteJSON(w io.Writer) error {
	type row struct {
		Params   map[string]any    `json:"params"`
		Scores   map[string]*Score `json:"scores"`
		Warnings []string          `json:"warnings,omitempty"`
	}
	out := struct {
		Folds   int                `json:"folds"`
		Refit   string             `json:"refit"`
		Best    map[string]any     `json:"best_params"`
		Scores  map[string]float64 `json:"best_scores"`
		Results []row              `json:"results"`
	}{Folds: r.Folds, Refit: r.Refit, Best: settingMap(r.Rows[r.Best].Settings), Scores: map[string]float64{}}
	for name, s := range r.Rows[r.Best].Scores {
		out.Scores[name] = s.Mean
	}
	for _, x := range r.Rows {
		out.Results = append(out.Results, row{Params: settingMap(x.Settings), Scores: x.Scores, Warnings: x.Warnings})
	}
	return writeJSON(w, out)
}

// WriteCSV writes a line for each candidate, with scikit-learn's names of
// columns.
func (r *Results) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	var head []string
	names := r.names()
	for _, n := range names {
		head = append(head, "param_"+n)
	}
	for _, n := range r.Scoring {
		head = append(head, "mean_test_"+n, "std_test_"+n, "rank_test_"+n)
		for f := range r.Folds {
			head = append(head, fmt.Sprintf("split%d_test_%s", f, n))
		}
	}
	_ = c.Write(head) // the writer keeps its error
	for _, row := range r.Rows {
		settings := settingMap(row.Settings)
		var line []string
		for _, n := range names {
			v, ok := settings[n]
			if !ok {
				line = append(line, "")
				continue
			}
			line = append(line, text(v))
		}
		for _, n := range r.Scoring {
			s := row.Scores[n]
			line = append(line, text(s.Mean), text(s.Std), strconv.Itoa(s.Rank))
			for _, v := range s.Folds {
				line = append(line, text(v))
			}
		}
		_ = c.Write(line)
	}
	c.Flush()
	return c.Error()
}

// fields returns a name for each setting that a plot can use as a field: its
// last component, or all of them where two settings end alike. Dots would be
// taken for fields in fields.
func (r *Results) fields() map[string]string {
	count := map[string]int{"candidate": 1, "fold": 1}
	for _, n := range r.Scoring {
		count[n]++
	}
	last := func(n string) string { return n[strings.LastIndexByte(n, '.')+1:] }
	names := r.names()
	for _, n := range names {
		count[last(n)]++
	}
	fields := map[string]string{}
	for _, n := range names {
		fields[n] = last(n)
		if count[last(n)] > 1 {
			fields[n] = strings.ReplaceAll(n, ".", "_")
		}
	}
	return fields
}

// WritePlot writes a list with an entry for each candidate and fold, for DVC's
// plots: the settings by their last component, the scores, the fold and, as
// candidate, all settings in one line.
func (r *Results) WritePlot(w io.Writer) error {
	fields := r.fields()
	out := []map[string]any{}
	for _, row := range r.Rows {
		for f := range r.Folds {
			point := map[string]any{}
			for _, s := range row.Settings {
				point[fields[s.Name]] = s.Value
			}
			for name, s := range row.Scores {
				point[name] = s.Folds[f]
			}
			point["candidate"], point["fold"] = Label(row.Settings), f
			out = append(out, point)
		}
	}
	return writeJSON(w, out)
}

// WriteTimes writes the times, in seconds, which differ from run to run.
func (r *Results) WriteTimes(w io.Writer) error {
	type row struct {
		Candidate string  `json:"candidate"`
		Vectorize float64 `json:"mean_vectorize_time"`
		Fit       float64 `json:"mean_fit_time"`
	}
	out := struct {
		Refit   float64 `json:"refit_time"`
		Results []row   `json:"results"`
	}{Refit: r.RefitTime.Seconds()}
	for _, x := range r.Rows {
		out.Results = append(out.Results, row{Label(x.Settings), x.Vectorize.Seconds(), x.Fit.Seconds()})
	}
	return writeJSON(w, out)
}

// WriteTable writes the means and standard deviations as a table in Markdown,
// the best first.
func (r *Results) WriteTable(w io.Writer) error {
	names := r.names()
	head := append([]string{"rank"}, names...)
	head = append(head, r.Scoring...)
	order := make([]int, len(r.Rows))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool {
		return r.Rows[order[a]].Scores[r.Refit].Rank < r.Rows[order[b]].Scores[r.Refit].Rank
	})
	lines := [][]string{head}
	for _, i := range order {
		settings := settingMap(r.Rows[i].Settings)
		line := []string{strconv.Itoa(r.Rows[i].Scores[r.Refit].Rank)}
		for _, n := range names {
			v, ok := settings[n]
			if !ok {
				line = append(line, "")
				continue
			}
			line = append(line, strings.ReplaceAll(text(v), "|", `\|`))
		}
		for _, n := range r.Scoring {
			s := r.Rows[i].Scores[n]
			line = append(line, fmt.Sprintf("%.4f ± %.4f", s.Mean, s.Std))
		}
		lines = append(lines, line)
	}
	width := make([]int, len(head))
	for _, l := range lines {
		for k, cell := range l {
			width[k] = max(width[k], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for n, l := range lines {
		for k, cell := range l {
			pad := strings.Repeat(" ", width[k]-utf8.RuneCountInString(cell))
			if k == 0 {
				cell, pad = pad+cell, ""
			}
			out.WriteString("| " + cell + pad + " ")
		}
		out.WriteString("|\n")
		if n == 0 {
			for k := range l {
				out.WriteString("|" + strings.Repeat("-", width[k]+1))
				if k == 0 {
					out.WriteString(":")
				} else {
					out.WriteString("-")
				}
			}
			out.WriteString("|\n")
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
